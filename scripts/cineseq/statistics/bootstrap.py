"""Intervals from resampling whole groups: the groups, not the cells, are what could have come out differently."""

from __future__ import annotations

import numpy as np

LEVEL = 0.95


def group_weights(groups: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw how often each group appears in each bootstrap sample, shape (draws, groups)."""
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=draws).astype(float)


def r2_interval(gain: np.ndarray, total: np.ndarray, units: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Return the percentile interval of a ratio of sums over cells, resampling groups.

    Parameters
    ----------
    gain
        Numerator per cell, shape (cells,): the squared error of the baseline (or of a second model) minus that of
        the model, so that ``gain.sum() / total.sum()`` is its R2 (or a difference of two R2).
    total
        Squared error of the training mean per cell, shape (cells,).
    units
        Number of each cell's group, 0 to groups - 1, shape (cells,).
    weights
        From :func:`group_weights`, shape (draws, groups).

    Returns
    -------
    tuple of float
        Lower and upper end of the 95 % interval; NaN where it cannot be given.
    """
    groups = weights.shape[1]
    above = weights @ np.bincount(units, gain, groups)
    below = weights @ np.bincount(units, total, groups)
    usable = below > 0
    if not usable.any():
        return float("nan"), float("nan")
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(above[usable] / below[usable], [tail, 1 - tail])
    return float(low), float(high)
