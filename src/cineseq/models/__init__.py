"""Registry of segmentation and embedding models."""
