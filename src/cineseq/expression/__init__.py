"""Expression: counts, quality control, normalisation, clusters and differential expression."""
