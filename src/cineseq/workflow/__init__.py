"""What the rules ask: the study and its sheet, products, steps, fingerprints of code, the state of a run."""
