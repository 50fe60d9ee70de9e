"""Inputs in every format, how each is read, and how each is spoilt."""
