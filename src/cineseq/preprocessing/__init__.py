"""Corrections of raw movies: uneven illumination and drift of the stage."""
