"""Lineage analysis: concordance of fates between relatives, and survivors' states by the fate of the sister."""
