"""Features of each cell: shape, intensity, texture, embedding and function."""
