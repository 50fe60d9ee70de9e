"""The registry of segmentation and embedding models."""
