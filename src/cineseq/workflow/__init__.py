"""The workflow: the study and its sample sheet, products, steps, code fingerprints and the state of a run."""
