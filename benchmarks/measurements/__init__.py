"""Simulations of the claims on what is measured: function scores, ends of tracks, pairs."""
