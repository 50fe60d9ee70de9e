"""Rank correlations within groups and given covariates."""

from __future__ import annotations

import numpy as np
from scipy import stats

from cineseq.statistics import ALPHA

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


def partial_spearman(values: np.ndarray, response: np.ndarray, covariates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return partial Spearman correlations of many columns with a response given covariates, and their p-values.

    They are Pearson correlations between the residuals of the ranks after linear regression on the covariates. The
    p-values follow from the t distribution, with degrees of freedom reduced by the number of covariates.

    Parameters
    ----------
    values
        Shape (cells, columns).
    response
        Shape (cells,).
    covariates
        Shape (cells, covariates), on the scale to be used (ranks, indicators); an intercept is added.

    Returns
    -------
    tuple of numpy.ndarray
        Correlation and two-sided p-value, each shape (columns,); NaN where a residual is constant.
    """
    # Orthonormal basis of the covariates with an intercept, (cells, rank of the design).
    design = np.column_stack([np.ones(len(response)), covariates])
    basis, singular, _ = np.linalg.svd(design, full_matrices=False)
    basis = basis[:, singular > singular[0] * 1e-10]
    freedom = len(response) - basis.shape[1] - 1
    # Residuals of the ranks, (cells, columns), and of the response, (cells,), by projection off the basis.
    ranks, target = stats.rankdata(values, axis=0), stats.rankdata(response)
    before = np.square(ranks - ranks.mean(axis=0)).sum(axis=0)
    ranks -= basis @ (basis.T @ ranks)
    target = target - basis @ (basis.T @ target)
    # Correlation of the residuals and its t statistic; columns without residual variance are NaN.
    length = np.square(ranks).sum(axis=0)
    usable = (length > 1e-9 * np.maximum(before, 1)) & (np.square(target).sum() > 1e-9) & (freedom > 0)
    rho = np.full(values.shape[1], np.nan)
    rho[usable] = (target @ ranks[:, usable]) / np.sqrt(length[usable] * np.square(target).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        t = rho * np.sqrt(freedom / np.maximum(1 - rho**2, 1e-300))
    return rho, 2 * stats.t.sf(np.abs(t), freedom) if freedom > 0 else np.full_like(rho, np.nan)
