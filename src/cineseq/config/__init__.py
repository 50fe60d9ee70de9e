"""The configuration: one module per group of sections, composed in :mod:`cineseq.config.schema`."""
