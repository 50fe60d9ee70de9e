"""Generation of one modality of a cell from the other, in both directions, and how far to believe it."""
