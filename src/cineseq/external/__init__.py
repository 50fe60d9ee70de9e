"""Read external data: tables of cells, paired data, lineages with fates, and feature tables."""
