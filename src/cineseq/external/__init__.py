"""Reading what users bring: tables of cells, paired data, and lineages with fates."""
