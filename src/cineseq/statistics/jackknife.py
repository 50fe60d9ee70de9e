"""Jackknife-t intervals over groups of cells that are independent of each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from cineseq.statistics import CONFIDENCE

FEWEST_GROUPS = 6
"""With fewer groups there is no interval: its coverage would not be known."""


@dataclass(frozen=True)
class JackknifeT:
    """Estimates with their jackknife standard errors.

    Attributes
    ----------
    estimate
        From all groups, shape (...).
    error
        Jackknife standard error, shape (...); NaN with fewer than ``FEWEST_GROUPS`` groups, or where an estimate
        without one of the groups is not finite.
    groups
        Number of groups that carry information, shape (...); intervals use one degree of freedom less.
    """

    estimate: np.ndarray
    error: np.ndarray
    groups: np.ndarray

    def interval(self, level: float = CONFIDENCE) -> tuple[np.ndarray, np.ndarray]:
        """Return both ends of the two-sided interval, each shape (...)."""
        half = self._quantile((1 + level) / 2) * self.error
        return self.estimate - half, self.estimate + half

    def upper_end(self, level: float = CONFIDENCE) -> np.ndarray:
        """Return the end of the one-sided interval that is open below, shape (...)."""
        return self.estimate + self._quantile(level) * self.error

    def _quantile(self, level: float) -> np.ndarray:
        return student.ppf(level, np.maximum(self.groups - 1, 1))


def jackknife_t(estimate: np.ndarray | float, without: np.ndarray, present: np.ndarray | None = None) -> JackknifeT:
    """Return the jackknife standard error of an estimate, for intervals with Student's t.

    Parameters
    ----------
    estimate
        From all groups, shape (...).
    without
        The same estimate without each of the groups in turn, shape (groups, ...).
    present
        Which groups carry information, shape (groups, ...) or (groups,); the others change nothing when they are left
        out and are not counted. By default all.

    Returns
    -------
    JackknifeT
        Its intervals use groups - 1 degrees of freedom.

    Notes
    -----
    Groups of very unequal size have fewer degrees of freedom than groups - 1, and an estimate near the end of its range
    has a skewed distribution; both make the interval too short with few groups.

    References
    ----------
    Miller, Biometrika 61 (1974) 1. The reference to Student's t: Tukey, Ann. Math. Stat. 29 (1958) 614.
    """
    estimate, without = np.asarray(estimate, float), np.asarray(without, float)
    present = np.ones(without.shape, bool) if present is None else np.asarray(present, bool)
    present = np.broadcast_to(present.reshape(*present.shape, *[1] * (without.ndim - present.ndim)), without.shape)
    groups = present.sum(axis=0)
    # Deviations of the estimates without one group from their mean, over the groups that count, shape (groups, ...).
    mean = np.where(present, without, 0.0).sum(axis=0) / np.maximum(groups, 1)
    squares = np.where(present, (without - mean) ** 2, 0.0).sum(axis=0)
    variance = squares * (groups - 1) / np.maximum(groups, 1)
    return JackknifeT(estimate, np.where(groups >= FEWEST_GROUPS, np.sqrt(variance), np.nan), groups)


def jackknife_ratio(numerators: np.ndarray, denominators: np.ndarray) -> JackknifeT:
    """Return a ratio of sums over groups, such as R² or a difference of two R², with its jackknife standard error.

    Parameters
    ----------
    numerators, denominators
        Sums within each group, each shape (groups, ...). A group whose sums are both zero is not counted.

    Returns
    -------
    JackknifeT
        The sum of the numerators over that of the denominators; NaN where the latter is not positive.
    """
    above, below = np.asarray(numerators, float), np.asarray(denominators, float)
    return jackknife_t(
        _ratio(above.sum(axis=0), below.sum(axis=0)),
        _ratio(above.sum(axis=0) - above, below.sum(axis=0) - below),
        (above != 0) | (below != 0),
    )


def group_sums(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the sums of cells within groups, shape (groups, ...).

    Parameters
    ----------
    values
        Shape (cells, ...).
    groups
        Number of the group of each cell, from 0, shape (cells,).
    """
    sums = np.zeros((int(groups.max()) + 1, *np.shape(values)[1:]))
    np.add.at(sums, groups, values)
    return sums


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)
