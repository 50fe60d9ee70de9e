"""Scores of a run on simulated data against what was planted."""
