"""Simulations with a planted truth: how often what the pipeline says is wrong, and how far its numbers are off."""
