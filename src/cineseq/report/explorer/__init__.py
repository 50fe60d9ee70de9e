"""The explorer: linked views of every cell, as files that a browser opens without a server."""
