"""Intervals and effective numbers of a contrast whose founders have several families, which are alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import stats

from cineseq.kinship.contrast import Units, stratified_tables

FEWEST_FOUNDERS = 5


def jackknife_interval(units: Units, founder: np.ndarray) -> tuple[float, float, str]:
    """Return the 95 % interval of the odds ratio of Mantel and Haenszel, and why it is missing.

    Founders are left out one at a time, with all their families; the interval of the log odds ratio is that of t with
    one degree of freedom less than there are founders. Weights of families are taken as known.

    Parameters
    ----------
    units
        Informative families, with an odds ratio that is estimable.
    founder
        Founder of each family, shape (families,).

    References
    ----------
    Miller, Biometrika 61 (1974) 1 (the jackknife).
    """
    pairs = np.column_stack([np.unique(founder, return_inverse=True)[1], units.stratum])
    both, group = np.unique(pairs, axis=0, return_inverse=True)
    exposed = units.exposed.astype(float)
    own = stratified_tables(exposed, units.state, group.ravel(), units.weight)
    every = stratified_tables(exposed, units.state, units.stratum, units.weight)
    total = _products(every).sum(axis=1)
    change = _products(every[:, :, both[:, 1]] - own) - _products(every[:, :, both[:, 1]])
    without = total[:, None] + np.array([np.bincount(both[:, 0], part) for part in change])
    founders = without.shape[1]
    if founders < FEWEST_FOUNDERS:
        return np.nan, np.nan, f"no interval: the families come from {founders} founders"
    if without.min() <= 1e-9:
        return np.nan, np.nan, "no interval: without one of the founders the odds ratio is not estimable"
    log_odds = np.log(without[0] / without[1])
    error = np.sqrt((founders - 1) / founders * ((log_odds - log_odds.mean()) ** 2).sum())
    ends = np.log(total[0] / total[1]) + np.array([-1, 1]) * stats.t.ppf(0.975, founders - 1) * error
    low, high = np.exp(ends)
    return float(low), float(high), ""


def founders_once(units: Units, founder: np.ndarray) -> Units:
    """Return the families with their weights divided by the number of families of their founder.

    As if families of a founder told the same, so that what is effective grows with founders alone.
    """
    _, code, families = np.unique(founder, return_inverse=True, return_counts=True)
    return replace(units, weight=units.weight / families[code])


def _products(tables: np.ndarray) -> np.ndarray:
    """Return the two sums' terms of which the odds ratio is the quotient, of tables (2, 2, n), shape (2, n)."""
    size = tables.sum(axis=(0, 1))
    terms = np.array([tables[0, 0] * tables[1, 1], tables[0, 1] * tables[1, 0]])
    return np.divide(terms, size, out=np.zeros_like(terms), where=size > 1e-9)
