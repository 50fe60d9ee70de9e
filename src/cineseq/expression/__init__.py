"""Differential expression between clusters, conditions, and high and low function."""
