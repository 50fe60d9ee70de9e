"""Evaluation of a run on simulated data against the simulated truth, and of tracks against annotations."""
