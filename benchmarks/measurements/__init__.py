"""Simulations with a planted truth: whether what is measured of a cell is what the cell did."""
