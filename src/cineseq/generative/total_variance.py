"""The law of total variance as a check: explained and unexplained variance must add up to what was measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cineseq.statistics.jackknife import group_sums
from cineseq.statistics.metrics import GroupedSums, centred, sums_jackknife
from cineseq.text import interval, known, percent


@dataclass(frozen=True)
class TotalVariance:
    """Variances of a model of held-out cells, relative to the measured variance.

    Attributes
    ----------
    explained
        Variance of the conditional means.
    unexplained
        Mean of the conditional variances.
    gap, low, high
        Their sum minus 1, which is 0 for a calibrated model, with its 95 % interval over groups.
    """

    explained: float
    unexplained: float
    gap: float
    low: float
    high: float

    def sentence(self) -> str:
        """Say how well the variances add up."""
        if not known(self.gap):
            return "whether the variances add up is not estimable"
        sum_of = f"explained and unexplained variance add up to {percent(1 + self.gap)} of the measured variance"
        if known(self.low) and self.low <= 0 <= self.high:
            return sum_of
        side = "too variable" if self.gap > 0 else "not variable enough"
        ends = interval(self.low, self.high, percent)
        return f"{sum_of}: a miscalibration of {percent(self.gap, signed=True)} {ends}, the model is {side}"


def of_means(values: np.ndarray, means: np.ndarray, units: np.ndarray, weights: np.ndarray) -> TotalVariance:
    """Check conditional means alone: the unexplained variance is that of what they leave.

    Parameters
    ----------
    values, means
        Measured and predicted values of held-out cells, both centred within fields, shape (cells, targets); a
        missing value is left out.
    units
        Group of each cell, shape (cells,).
    weights
        Weight of each target in the total, shape (targets,).
    """
    known_values = np.isfinite(values)
    explained = np.where(known_values, np.square(means), 0) @ weights
    left = np.where(known_values, np.square(values - means), 0) @ weights
    return _of_cells(explained, left, np.where(known_values, np.square(values), 0) @ weights, units)


def of_samples(
    values: np.ndarray, samples: np.ndarray, fields: np.ndarray, units: np.ndarray, weights: np.ndarray | None = None
) -> TotalVariance:
    """Check a generator by several samples of each held-out cell.

    The mean of few samples varies by chance, which would count as explained; a cell's conditional variance divided by
    the number of samples is taken off.

    Parameters
    ----------
    values
        Measured values, shape (cells, targets).
    samples
        Generated values, shape (cells, samples, targets), at least two of each cell.
    fields
        Groups within which variances are taken, shape (cells,).
    units
        Group of each cell, shape (cells,).
    weights
        Weight of each target, shape (targets,); None: all alike.
    """
    weights = np.ones(values.shape[1]) if weights is None else weights
    own = centred(values, fields)
    means = centred(samples.mean(axis=1), fields)
    within = samples.var(axis=1, ddof=1)
    explained = (np.square(means) - within / samples.shape[1]) @ weights
    return _of_cells(explained, within @ weights, np.square(own) @ weights, units)


def _of_cells(explained: np.ndarray, left: np.ndarray, total: np.ndarray, units: np.ndarray) -> TotalVariance:
    """Return the check from contributions of cells, shape (cells,) each."""
    whole = total.sum()
    if not whole > 0:
        return TotalVariance(*np.full(5, np.nan))
    sums = (GroupedSums(group_sums(part, units)) for part in (explained + left - total, total))
    gap = sums_jackknife(*sums)
    low, high = gap.interval()
    return TotalVariance(explained.sum() / whole, left.sum() / whole, float(gap.estimate), float(low), float(high))
