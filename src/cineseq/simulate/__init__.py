"""A simulated experiment with known truth: filmed, caged and sequenced cells."""
