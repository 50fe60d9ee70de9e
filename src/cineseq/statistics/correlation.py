"""Rank correlations within groups and given covariates."""

from __future__ import annotations

import numpy as np
from scipy import stats

from cineseq.statistics import ALPHA
from cineseq.statistics.clustered import clustered_correlation

FEWEST_CELLS = 5
POWER = 0.8


def detectable_r2(cells: int, power: float = POWER) -> float:
    """Return the share of variance that one predictor must explain to be found among independent cells.

    Parameters
    ----------
    cells
        Number of cells.
    power
        Probability of finding it with a two-sided test of the correlation at the level .05.

    Returns
    -------
    float
        Squared correlation, by Fisher's z; 1 with three cells or fewer.

    References
    ----------
    Fisher, Metron 1 (1921) 3.
    """
    if cells <= 3:
        return 1.0
    sizes = stats.norm.ppf(1 - ALPHA / 2) + stats.norm.ppf(power)
    return float(np.tanh(sizes / np.sqrt(cells - 3)) ** 2)


def spearman_within(predicted: np.ndarray, measured: np.ndarray, groups: np.ndarray) -> float:
    """Return the mean Spearman correlation within groups, weighted by their numbers of cells.

    Groups with fewer than five cells, or in which either value is constant, are left out; NaN if none remains.
    """
    total, cells = 0.0, 0
    for group in np.unique(groups):
        rows = groups == group
        if rows.sum() < FEWEST_CELLS or np.ptp(predicted[rows]) == 0 or np.ptp(measured[rows]) == 0:
            continue
        total += rows.sum() * stats.spearmanr(predicted[rows], measured[rows]).statistic
        cells += int(rows.sum())
    return total / cells if cells else float("nan")


def partial_spearman(
    values: np.ndarray, response: np.ndarray, covariates: np.ndarray, clusters: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return partial Spearman correlations of many columns with a response given covariates, and their p-values.

    They are Pearson correlations between the residuals of the ranks after linear regression on the covariates.

    Parameters
    ----------
    values
        Shape (cells, columns).
    response
        Shape (cells,).
    covariates
        Shape (cells, covariates), on the scale to be used (ranks, splines, indicators); an intercept is added.
    clusters
        Families whose cells may be alike, shape (cells,); the p-values allow for it, see
        :func:`cineseq.statistics.clustered.clustered_correlation`.

    Returns
    -------
    tuple of numpy.ndarray
        Correlation and two-sided p-value, each shape (columns,); NaN where a residual is constant.
    """
    design = np.column_stack([np.ones(len(response)), covariates])
    return clustered_correlation(stats.rankdata(values, axis=0), stats.rankdata(response), design, clusters)
