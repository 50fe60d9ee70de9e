"""Variance between families of cells, and values in which cells of a family are no longer alike."""

from __future__ import annotations

import numpy as np

from cineseq.statistics.jackknife import group_sums

MOST_ALIKE = 20.0
"""Largest ratio of variances that is estimated; two cells of a family then correlate by .95."""


def family_variance_ratio(residual: np.ndarray, basis: np.ndarray, families: np.ndarray) -> float:
    """Estimate the variance between families over that within, from residuals of least squares.

    What the fit has taken of either variance is accounted for: sums of squares of cells and of family sums are equated
    with their expectations.

    Parameters
    ----------
    residual
        Shape (cells, columns); the columns share one ratio.
    basis
        Orthonormal basis of the design that was fitted, shape (cells, rank).
    families
        Number of the family of each cell, from 0, shape (cells,).

    Returns
    -------
    float
        0, where cells of a family are not alike or no family has two cells, to ``MOST_ALIKE``.

    References
    ----------
    Henderson, Biometrics 9 (1953) 226 (method 3).
    """
    sizes = np.bincount(families).astype(float)
    of_cells = np.square(residual).sum()
    if sizes.max() == 1 or not of_cells > 0:
        return 0.0
    share = np.square(group_sums(residual, families)).sum() / of_cells
    # Expectations per unit of variance. Within families: of the cells (left), of family sums (crossed); between
    # families: of the cells (crossed), of family sums (between).
    taken = group_sums(basis, families)
    left, crossed = len(residual) - basis.shape[1], sizes.sum() - np.square(taken).sum()
    between = np.square(sizes).sum() - 2 * (sizes @ np.square(taken)).sum() + np.square(taken.T @ taken).sum()
    room = between - share * crossed
    return float(np.clip((share * left - crossed) / room, 0, MOST_ALIKE)) if room > 0 else MOST_ALIKE


def without_likeness(values: np.ndarray, families: np.ndarray, ratio: float) -> np.ndarray:
    """Shrink family means so that cells of a family are uncorrelated (generalised least squares).

    Parameters
    ----------
    values
        Shape (cells, columns).
    families
        Number of the family of each cell, from 0, shape (cells,).
    ratio
        Variance between families over that within.
    """
    sizes = np.bincount(families)[:, None]
    means = group_sums(values, families) / sizes
    return values - ((1 - 1 / np.sqrt(1 + sizes * ratio)) * means)[families]
