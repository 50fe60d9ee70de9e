"""Explained variance of out-of-fold predictions against the mean of the training cells."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from cineseq.statistics import CONFIDENCE
from cineseq.statistics.jackknife import JackknifeT, jackknife_ratio, jackknife_t

TRAINING = 3.0
"""Where models were not trained again without groups, the variance of their training is taken to be this number divided
by the groups, relative to what leaving out groups of held-out cells shows. Chosen by simulation
(``benchmarks/truth/intervals.py``: 20 predictors, 30 cells a group, penalties chosen in training cells). It is too
small for many weak predictors."""
SMALLEST_VARIANCE = 1e-12
"""Least sum of squares, as a fraction of that of all values, that is more than rounding."""


@dataclass(frozen=True)
class Retrained:
    """Numerators of R² by models that were trained without one block of cells.

    Attributes
    ----------
    blocks
        Block of each cell, 0 to blocks - 1, shape (cells,). A block is one group, or several.
    gain
        Numerator of each cell, see :func:`r2_jackknife`, by the models without each block, shape (blocks, cells).
    """

    blocks: np.ndarray
    gain: np.ndarray


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


def varies(centred: np.ndarray, values: np.ndarray) -> bool:
    """Return whether centred values differ by more than rounding, compared with the values before; equal shapes."""
    return bool(np.square(centred).sum() > SMALLEST_VARIANCE * np.square(values).sum())


def percentile_interval(draws: np.ndarray) -> np.ndarray:
    """Return the lower and upper end of the percentile interval over draws, shape (draws, ...) to (2, ...)."""
    tail = (1 - CONFIDENCE) / 2
    return np.quantile(draws, [tail, 1 - tail], axis=0)


def r2_jackknife(
    gain: np.ndarray, total: np.ndarray, units: np.ndarray, retrained: Retrained | None = None
) -> JackknifeT:
    """Return a ratio of sums over held-out cells with its jackknife standard error over groups.

    Parameters
    ----------
    gain
        Numerator per cell, shape (cells,): the squared error of the baseline (or of a second model) minus that of
        the model, so that ``gain.sum() / total.sum()`` is its R² (or a difference of two R²).
    total
        Squared error of the training mean per cell, shape (cells,).
    units
        Index of each cell's group, 0 to groups - 1, shape (cells,).
    retrained
        The numerators by models that were trained without one block of groups. Without it, the variance that comes
        from the training is not estimated but taken to be ``TRAINING`` / groups of the rest.

    Returns
    -------
    JackknifeT
        Without an error with fewer than :data:`~cineseq.statistics.jackknife.FEWEST_GROUPS` groups, or without error
        of the training mean.

    Notes
    -----
    With ``retrained`` this is the jackknife of training and prediction together. Its variance is too large by what
    pairs of a training and a held-out group add beyond both of them (Efron and Stein 1981), which makes up for the
    penalty, which is not chosen again, and for skewed R² near 0: see the coverage in ``benchmarks/truth/intervals.py``.

    References
    ----------
    Efron and Stein, Ann. Stat. 9 (1981) 586 (the jackknife variance is not too small on average).
    """
    if retrained is None:
        parts = (GroupedSums(np.bincount(units, values)) for values in (gain, total))
        return sums_jackknife(*parts)
    # Sums within blocks, and over the cells of the other blocks by models that were trained without the block.
    own, sizes = (np.bincount(retrained.blocks, values) for values in (gain, total))
    others = retrained.blocks != np.arange(len(sizes))[:, None]
    above = GroupedSums(np.bincount(units, gain), own, (retrained.gain * others).sum(axis=1))
    return sums_jackknife(above, GroupedSums(np.bincount(units, total), sizes, sizes.sum() - sizes))


@dataclass(frozen=True)
class GroupedSums:
    """Sums over held-out cells of squared errors, or of differences between squared errors, of many targets at once.

    Sums of two models are subtracted for the difference of their errors, and multiplied by a matrix for totals over
    targets.

    Attributes
    ----------
    groups
        Sums within each group, shape (groups, ...).
    blocks
        Sums within each block of groups, shape (blocks, ...); None where models were not trained again.
    others
        Sums over the cells of all other blocks, by models that were trained without the block, shape (blocks, ...).
    """

    groups: np.ndarray
    blocks: np.ndarray | None = None
    others: np.ndarray | None = None

    def __add__(self, other: GroupedSums) -> GroupedSums:
        """Return the sums of the sums."""
        return self._with(other, np.add)

    def __sub__(self, other: GroupedSums) -> GroupedSums:
        """Return the sums of the differences."""
        return self._with(other, np.subtract)

    def __matmul__(self, weights: np.ndarray) -> GroupedSums:
        """Return weighted sums over targets; ``weights`` has the shape (targets, totals)."""
        blocks, others = (None if part is None else part @ weights for part in (self.blocks, self.others))
        return GroupedSums(self.groups @ weights, blocks, others)

    def _with(self, other: GroupedSums, join: np.ufunc) -> GroupedSums:
        pairs = ((self.blocks, other.blocks), (self.others, other.others))
        blocks, others = (None if a is None or b is None else join(a, b) for a, b in pairs)
        return GroupedSums(join(self.groups, other.groups), blocks, others)


def sums_jackknife(gain: GroupedSums, total: GroupedSums) -> JackknifeT:
    """Return :func:`r2_jackknife` of many targets at once, from the sums of their cells.

    Parameters
    ----------
    gain
        Sums of the numerators.
    total
        Sums of the squared errors of the training mean; ``others`` are sums of the same errors over other blocks.

    Returns
    -------
    JackknifeT
        Shape (...), as the sums after their first axis.
    """
    found = jackknife_ratio(gain.groups, total.groups)
    if gain.blocks is None or gain.others is None or total.blocks is None or not np.isfinite(found.error).any():
        return _of_held_out(found, total.groups)
    # R² of the cells of the other blocks by models that were trained without the block, shape (blocks, ...).
    left = total.blocks.sum(axis=0) - total.blocks
    without = np.divide(gain.others, left, out=np.full(np.shape(left), np.nan), where=left > 0)
    anew, fixed = jackknife_t(found.estimate, without), jackknife_ratio(gain.blocks, total.blocks)
    error = np.where(np.isfinite(found.error), np.maximum(anew.error, fixed.error), np.nan)
    return replace(anew, error=error, groups=_effective(total.blocks))


def r2_interval(
    gain: np.ndarray, total: np.ndarray, units: np.ndarray, retrained: Retrained | None = None
) -> tuple[float, float]:
    """Return the 95 % interval of :func:`r2_jackknife`, which has the same arguments; NaN where there is none."""
    low, high = r2_jackknife(gain, total, units, retrained).interval()
    return float(low), float(high)


def _of_held_out(found: JackknifeT, sizes: np.ndarray) -> JackknifeT:
    """Return the jackknife of a measure of held-out predictions, with its error enlarged for the training of models."""
    error = found.error * np.sqrt(1 + TRAINING / max(len(sizes), 1))
    return replace(found, error=error, groups=_effective(sizes))


def _effective(sizes: np.ndarray) -> np.ndarray:
    """Return the effective number of groups: groups of sizes 1:20 count as fewer (Kish 1965)."""
    whole, squares = np.square(sizes.sum(axis=0)), np.square(sizes).sum(axis=0)
    return np.divide(whole, squares, out=np.ones(np.shape(whole)), where=squares > 0)


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


def area_interval(scores: np.ndarray, positive: np.ndarray, units: np.ndarray) -> tuple[float, float]:
    """Return the jackknife-t interval over groups of :func:`area_under_curve`.

    Parameters
    ----------
    scores, positive
        As in :func:`area_under_curve`; scores are of held-out cells.
    units
        Index of each cell's group, 0 to groups - 1, shape (cells,).

    Returns
    -------
    tuple of float
        Lower and upper end of the 95 % interval, not beyond 0 and 1; NaN with too few groups, see :func:`r2_jackknife`,
        or where one group holds all cells of a kind.
    """
    levels = np.unique(scores, return_inverse=True)[1]
    groups = int(units.max()) + 1
    without = np.array([_area(levels, positive, units != group) for group in range(groups)])
    found = jackknife_t(_area(levels, positive, np.ones(len(units), dtype=bool)), without)
    low, high = _of_held_out(found, np.bincount(units, minlength=groups)).interval()
    return float(np.maximum(low, 0.0)), float(np.minimum(high, 1.0))


def _area(levels: np.ndarray, positive: np.ndarray, cells: np.ndarray) -> float:
    """Return the area over some of the cells; ``levels`` are dense ranks of the scores from 0."""
    count = int(levels.max()) + 1
    above = np.bincount(levels[cells & positive], minlength=count)
    below = np.bincount(levels[cells & ~positive], minlength=count)
    pairs = above.sum() * below.sum()
    return float(above @ (np.cumsum(below) - below / 2) / pairs) if pairs > 0 else float("nan")
