"""Families: relatives, whether they share their fates, and states of survivors against the fate of the sister."""
