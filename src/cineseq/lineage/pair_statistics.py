"""Correlation and odds ratio within unordered pairs, with intervals that allow for dependence within families."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from cineseq.statistics import CONFIDENCE
from cineseq.text import count

FEWEST_PAIRS = 5
FEW_OF_A_KIND = 5
"""Intervals of odds ratios with fewer pairs of one kind get the note that they are rough."""


@dataclass(frozen=True)
class Estimate:
    """A statistic of pairs with its 95 % interval; NaN, with the reason in ``note``, where not estimable."""

    value: float
    low: float
    high: float
    note: str = ""


_KINDS = ("with two deaths", "without a death", "with one death")
_ALL_ALIKE = Estimate(np.nan, np.nan, np.nan, "not estimable: the pairs do not differ from each other")


def _too_few(pairs: int) -> Estimate:
    return Estimate(np.nan, np.nan, np.nan, f"not estimable: {count(pairs, 'pair')}, {FEWEST_PAIRS} are needed")


def _few_families(families: int) -> str:
    return f"no interval: the pairs come from {count(families, 'family', 'families')}"


def pair_correlation(x: np.ndarray, y: np.ndarray, family: np.ndarray) -> Estimate:
    """Correlate the two members of unordered pairs (Pearson's r with every pair entered in both orders).

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
        return _too_few(len(x))
    mean = (x.mean() + y.mean()) / 2
    # Intraclass correlation: cross product over variance, both about the pooled mean.
    a, b = x - mean, y - mean
    variance = ((a**2 + b**2) / 2).mean()
    if variance <= 1e-24 * max(1.0, mean**2):
        return _ALL_ALIKE
    r = float((a * b).mean() / variance)
    _, codes = np.unique(family, return_inverse=True)
    families = int(codes.max()) + 1
    if families < FEWEST_PAIRS:
        return Estimate(r, np.nan, np.nan, _few_families(families))
    if 1 - abs(r) < 1e-9:
        return _perfect(r, x, mean)
    # Robust variance: influence of each pair on r, summed per family, shape (families,); then Fisher's z.
    influence = np.bincount(codes, (a * b - r * (a**2 + b**2) / 2) / variance) / len(x)
    error = math.sqrt(families / (families - 1) * float((influence**2).sum())) / (1 - r**2)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, families - 1)) * error
    return Estimate(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half))


def _perfect(r: float, x: np.ndarray, mean: float) -> Estimate:
    """Bound a correlation without discordant pairs by Wilson's limit of the proportion of discordant pairs."""
    if r < 0 or not np.isin(x, (0.0, 1.0)).all():
        return Estimate(r, np.nan, np.nan, "no interval: the pairs agree perfectly")
    most = proportion_confint(0, len(x), method="wilson")[1]
    return Estimate(r, max(-1.0, 1 - most / (2 * mean * (1 - mean))), 1.0, "no discordant pair")


def pair_odds_ratio(x: np.ndarray, y: np.ndarray, family: np.ndarray) -> Estimate:
    """Estimate the odds ratio of a binary value within unordered pairs, every pair entered in both orders.

    With the counts of pairs in which both, neither or one of the members is coded 1, it is 4 both neither / one^2. It
    is not estimable where one of the three counts is zero; no half counts are added, because the interval would then
    rest on pairs that were not observed. The interval is Woolf's, with a standard error that is robust to dependence
    between pairs of one family (linearisation).

    Parameters
    ----------
    x, y
        0 or 1 for both members, shape (pairs,).
    family
        Family of each pair, shape (pairs,).

    References
    ----------
    Woolf, Ann. Hum. Genet. 19 (1955) 251;
    Liang and Zeger, Biometrika 73 (1986) 13 (the robust variance).
    """
    if len(x) < FEWEST_PAIRS:
        return _too_few(len(x))
    # Kind of each pair: 0 both, 1 neither, 2 one.
    kind = np.where(x == y, 1 - x, 2).astype(int)
    pairs = np.bincount(kind, minlength=3)
    if pairs.max() == len(x) and pairs[2] == 0:
        return _ALL_ALIKE
    if absent := " and ".join(_KINDS[k] for k in np.flatnonzero(pairs == 0)):
        return Estimate(np.nan, np.nan, np.nan, f"not estimable: of {count(len(x), 'pair')} there are none {absent}")
    both, neither, one = pairs
    ratio = float(4 * both * neither / one**2)
    _, codes = np.unique(family, return_inverse=True)
    families = int(codes.max()) + 1
    if families < FEWEST_PAIRS:
        return Estimate(ratio, np.nan, np.nan, _few_families(families))
    few = "; ".join(f"{count(pairs[k], 'pair')} {_KINDS[k]}" for k in np.flatnonzero(pairs < FEW_OF_A_KIND))
    # Robust variance of the log odds ratio: influence of each pair, summed per family, shape (families,).
    influence = np.bincount(codes, (np.array([1, 1, -2]) / pairs)[kind])
    variance = families / (families - 1) * float((influence**2).sum())
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, families - 1)) * math.sqrt(variance)
    return Estimate(ratio, ratio * math.exp(-half), ratio * math.exp(half), f"rough interval: {few}" if few else "")
