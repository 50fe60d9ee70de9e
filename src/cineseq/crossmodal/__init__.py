"""How much of one modality is in the other, on groups that were held out."""
