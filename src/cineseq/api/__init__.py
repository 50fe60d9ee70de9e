"""Arrays, tables or AnnData in, tables out; no files are touched."""
