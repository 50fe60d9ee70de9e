"""Pairing imaged cells with their transcriptomes through compartments and barcodes."""
