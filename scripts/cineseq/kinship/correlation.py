"""Correlation within pairs whose members are interchangeable, with an interval that knows of families."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

FEWEST_PAIRS = 5


@dataclass(frozen=True)
class Correlation:
    """A correlation with its 95 % interval; NaN, with the reason in ``note``, where not estimable."""

    value: float
    low: float
    high: float
    note: str = ""


def pair_correlation(x: np.ndarray, y: np.ndarray, family: np.ndarray) -> Correlation:
    """Correlate the two members of pairs (Pearson's r with every pair entered both ways round).

    For two fates coded 0 and 1 this is the symmetric phi coefficient, equal to the kappa of the pairs
    (concordance - expected) / (1 - expected). The interval is that of Fisher's z with a standard error that is robust
    to dependence between pairs of one family (linearisation).

    Parameters
    ----------
    x, y
        Values of both members, shape (pairs,).
    family
        Family of each pair, shape (pairs,).

    References
    ----------
    Fisher, Statistical Methods for Research Workers (1925), chapter 7 (intraclass correlation);
    Liang and Zeger, Biometrika 73 (1986) 13 (the robust variance).
    """
    if len(x) < FEWEST_PAIRS:
        return Correlation(np.nan, np.nan, np.nan, f"not estimable: {len(x)} pairs, {FEWEST_PAIRS} are needed")
    mean = (x.mean() + y.mean()) / 2
    a, b = x - mean, y - mean
    variance = ((a**2 + b**2) / 2).mean()
    if variance <= 1e-24 * max(1.0, mean**2):
        return Correlation(np.nan, np.nan, np.nan, "not estimable: the pairs do not differ from each other")
    r = float((a * b).mean() / variance)
    _, codes = np.unique(family, return_inverse=True)
    families = int(codes.max()) + 1
    if families < FEWEST_PAIRS:
        return Correlation(r, np.nan, np.nan, f"no interval: the pairs come from {families} families")
    if 1 - abs(r) < 1e-9:
        return _perfect(r, x, mean)
    influence = np.bincount(codes, (a * b - r * (a**2 + b**2) / 2) / variance) / len(x)
    error = math.sqrt(families / (families - 1) * float((influence**2).sum())) / (1 - r**2)
    half = float(stats.t.ppf(0.975, families - 1)) * error
    return Correlation(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half))


def _perfect(r: float, x: np.ndarray, mean: float) -> Correlation:
    """Bound a correlation without any discordant pair by Wilson's limit of the share of discordant pairs."""
    if r < 0 or not np.isin(x, (0.0, 1.0)).all():
        return Correlation(r, np.nan, np.nan, "no interval: the pairs agree perfectly")
    most = proportion_confint(0, len(x), method="wilson")[1]
    return Correlation(r, max(-1.0, 1 - most / (2 * mean * (1 - mean))), 1.0, "no discordant pair")
