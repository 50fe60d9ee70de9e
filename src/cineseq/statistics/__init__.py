"""Statistics that several analyses share."""

ALPHA = 0.05
"""Level of significance for p-values and false discovery rates."""

CONFIDENCE = 0.95
"""Confidence level of all intervals."""
MAD_TO_SD = 1.4826
"""Standard deviation of normal values over their median absolute deviation."""
