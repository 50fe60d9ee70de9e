"""How well scores tell two kinds of cells apart: the area under the ROC curve, with its interval."""

from __future__ import annotations

import numpy as np

from cineseq.statistics.bootstrap import LEVEL


def area_under_curve(scores: np.ndarray, positive: np.ndarray) -> float:
    """Return the chance that a positive cell has a higher score than a negative one; ties count half.

    Parameters
    ----------
    scores
        Shape (cells,).
    positive
        Which cells are positive, shape (cells,).

    Returns
    -------
    float
        0 to 1, chance is .5; NaN where all cells are of one kind.

    References
    ----------
    Hanley and McNeil, Radiology 143 (1982) 29.
    """
    return _area(np.unique(scores, return_inverse=True)[1], positive, np.ones(len(scores)))


def area_interval(
    scores: np.ndarray, positive: np.ndarray, units: np.ndarray, weights: np.ndarray
) -> tuple[float, float]:
    """Return the percentile interval of :func:`area_under_curve`, resampling groups.

    Parameters
    ----------
    scores, positive
        See there.
    units
        Number of each cell's group, 0 to groups - 1, shape (cells,).
    weights
        From :func:`cineseq.statistics.bootstrap.group_weights`, shape (draws, groups).

    Returns
    -------
    tuple of float
        Lower and upper end of the 95 % interval over the draws that hold both kinds; NaN where none does.
    """
    levels = np.unique(scores, return_inverse=True)[1]
    # Draw by draw, because all draws at once would take as much memory as cells times draws.
    areas = np.array([_area(levels, positive, drawn[units]) for drawn in weights])
    areas = areas[np.isfinite(areas)]
    if not len(areas):
        return float("nan"), float("nan")
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(areas, [tail, 1 - tail])
    return float(low), float(high)


def _area(levels: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    """Return the area where each cell counts as often as its weight; levels are the ranks of the scores from 0."""
    count = int(levels.max()) + 1
    above = np.bincount(levels, weights * positive, count)
    below = np.bincount(levels, weights * ~positive, count)
    pairs = above.sum() * below.sum()
    return float(above @ (np.cumsum(below) - below / 2) / pairs) if pairs > 0 else float("nan")
