"""From cells on images to barcodes and counts: compartments, barcodes, counts and the paired data."""
