"""Measurements with a planted truth: what a cell did over time, how its track ended, whose transcriptome it has."""
