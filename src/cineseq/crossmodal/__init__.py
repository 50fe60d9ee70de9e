"""Cross-modal variance: how much of one modality the other explains in held-out groups."""
