"""Read and write movies and masks, counts, paired data, delimited tables, and maps of compartments and barcodes."""
