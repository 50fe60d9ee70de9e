"""Simulate an experiment with known truth: imaged, caged and sequenced cells."""
