"""What is measured on each cell: shape, texture, embedding and function."""
