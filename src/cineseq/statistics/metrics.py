"""Explained variance of out-of-fold predictions against the mean of the training cells."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from cineseq.statistics import CONFIDENCE


def r2(residual: np.ndarray, baseline: np.ndarray) -> np.ndarray | float:
    """Return 1 - SSE / SSE of the training mean, summed over cells.

    Parameters
    ----------
    residual
        Measured minus predicted, shape (cells, ...).
    baseline
        Measured minus the mean of the training cells of the same fold, of the same shape.

    Returns
    -------
    float or numpy.ndarray
        Shape (...), one value per trailing index; NaN if the baseline has no error. Negative values are kept.
    """
    total = np.square(baseline).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(total > 0, 1 - np.square(residual).sum(axis=0) / total, np.nan)
    return float(value) if value.ndim == 0 else value


def centred(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Subtract from each measured value the mean of those of its group and column; missing values stay missing.

    Parameters
    ----------
    values
        Shape (cells, ...), NaN where missing.
    groups
        Group of each cell, shape (cells,).
    """
    codes = np.unique(groups, return_inverse=True)[1]
    flat = values.reshape(len(values), -1)
    member = sparse.csr_matrix((np.ones(len(codes), values.dtype), (codes, np.arange(len(codes)))))
    known = np.isfinite(flat)
    if known.all():
        counts = np.bincount(codes)[:, None].astype(values.dtype)
    else:
        counts = np.maximum(member @ known.astype(values.dtype), 1)
    means = (member @ np.where(known, flat, 0)) / counts
    return (flat - means[codes]).reshape(values.shape)


def r2_within(residual: np.ndarray, baseline: np.ndarray, groups: np.ndarray) -> float:
    """Return the R² that is left when differences between groups are taken out, summed over the columns.

    It is 0 for a model that predicts only the group means, and 0 for the training mean itself.
    """
    return float(r2(centred(residual, groups).ravel(), centred(baseline, groups).ravel()))


def percentile_interval(draws: np.ndarray) -> np.ndarray:
    """Return the lower and upper end of the percentile interval over draws, shape (draws, ...) to (2, ...)."""
    tail = (1 - CONFIDENCE) / 2
    return np.quantile(draws, [tail, 1 - tail], axis=0)


def group_weights(groups: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each group appears in each bootstrap sample, shape (draws, groups)."""
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=draws).astype(float)


def r2_interval(gain: np.ndarray, total: np.ndarray, units: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Return the percentile interval of a ratio of sums over cells by a cluster bootstrap over groups.

    Parameters
    ----------
    gain
        Numerator per cell, shape (cells,): the squared error of the baseline (or of a second model) minus that of
        the model, so that ``gain.sum() / total.sum()`` is its R² (or a difference of two R²).
    total
        Squared error of the training mean per cell, shape (cells,).
    units
        Index of each cell's group, 0 to groups - 1, shape (cells,).
    weights
        From :func:`group_weights`, shape (draws, groups).

    Returns
    -------
    tuple of float
        Lower and upper end of the 95 % interval; NaN if no draw has a positive denominator.
    """
    # Sums within each group, then the ratio in each bootstrap sample, (draws,).
    groups = weights.shape[1]
    above = weights @ np.bincount(units, gain, groups)
    below = weights @ np.bincount(units, total, groups)
    usable = below > 0
    if not usable.any():
        return float("nan"), float("nan")
    low, high = percentile_interval(above[usable] / below[usable])
    return float(low), float(high)


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
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - a third of a second, and one measure needs it

    return float(roc_auc_score(positive, scores)) if 0 < positive.sum() < len(positive) else float("nan")


def area_interval(
    scores: np.ndarray, positive: np.ndarray, units: np.ndarray, weights: np.ndarray
) -> tuple[float, float]:
    """Return the percentile interval of :func:`area_under_curve` by a cluster bootstrap over groups.

    Parameters
    ----------
    scores, positive
        As in :func:`area_under_curve`.
    units
        Index of each cell's group, 0 to groups - 1, shape (cells,).
    weights
        From :func:`cineseq.statistics.metrics.group_weights`, shape (draws, groups).

    Returns
    -------
    tuple of float
        Lower and upper end of the 95 % interval over the draws with both kinds of cells; NaN without such draws.
    """
    levels = np.unique(scores, return_inverse=True)[1]
    # One draw at a time, because all draws at once would need (draws, cells) values in memory.
    areas = np.array([_area(levels, positive, drawn[units]) for drawn in weights])
    areas = areas[np.isfinite(areas)]
    if not len(areas):
        return float("nan"), float("nan")
    low, high = percentile_interval(areas)
    return float(low), float(high)


def _area(levels: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    """Return the area with cells counted by their weights; ``levels`` are dense ranks of the scores from 0."""
    count = int(levels.max()) + 1
    above = np.bincount(levels, weights * positive, count)
    below = np.bincount(levels, weights * ~positive, count)
    pairs = above.sum() * below.sum()
    return float(above @ (np.cumsum(below) - below / 2) / pairs) if pairs > 0 else float("nan")
