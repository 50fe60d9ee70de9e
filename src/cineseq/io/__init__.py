"""Read and write movies and masks, paired data, delimited tables, and maps of compartments and barcodes."""
