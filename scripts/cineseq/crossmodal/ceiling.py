"""How much of a gene's variance could be explained at all, given how few of its molecules were counted."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from cineseq.clustering.counts import log_normalised, thin
from cineseq.config.clustering import Normalisation


def noise_ceiling(
    counts: sparse.csr_matrix, genes: np.ndarray, thinnings: int, seed: int, normalisation: Normalisation = "median"
) -> np.ndarray:
    """Return the reliability of each gene: correlation of two halves of its counts, corrected to the full depth.

    Parameters
    ----------
    counts
        Whole counts, shape (cells, genes).
    genes
        Positions of the genes to judge.
    thinnings
        Random halvings that are averaged.
    seed
        Seeds them.
    normalisation
        Of each half.

    Returns
    -------
    numpy.ndarray
        2 r / (1 + r), shape (genes,); about 0 (and a little below) for a gene that is noise, NaN for a constant half.

    References
    ----------
    Spearman and Brown, Br. J. Psychol. 3 (1910); count thinning: Neufeld et al., Biostatistics 25 (2024) 270.
    """
    rng = np.random.default_rng(seed)
    reliability = np.zeros((thinnings, len(genes)))
    for number in range(thinnings):
        first, second = (
            log_normalised(half, normalisation)[:, genes].toarray().astype(float) for half in thin(counts, rng)
        )
        first, second = first - first.mean(axis=0), second - second.mean(axis=0)
        length = np.sqrt(np.square(first).sum(axis=0) * np.square(second).sum(axis=0))
        with np.errstate(invalid="ignore", divide="ignore"):
            r = (first * second).sum(axis=0) / np.where(length > 0, length, np.nan)
        reliability[number] = 2 * r / (1 + r)
    return reliability.mean(axis=0)
