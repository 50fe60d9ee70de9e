"""Claims on explained shares and generated cells."""
