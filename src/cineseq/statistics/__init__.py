"""Small statistics that several analyses share."""

ALPHA = 0.05
"""Level of significance, of p-values and of false discovery rates."""

CONFIDENCE = 0.95
"""Level of every interval."""
