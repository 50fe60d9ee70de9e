"""Rank correlations, within samples and given covariates."""

from __future__ import annotations

import numpy as np
from scipy import stats

FEWEST_CELLS = 5


def spearman_within(predicted: np.ndarray, measured: np.ndarray, groups: np.ndarray) -> float:
    """Return the mean Spearman correlation within groups, weighted by their cells.

    Groups of fewer than five cells, or in which either value is constant, do not count; NaN when none is left.
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
    """Return Spearman correlations of many columns with a response, given covariates, and their p-values.

    Ranks are made linear residuals of the covariates; p-values are those of the t distribution with the degrees
    of freedom that the covariates leave.

    Parameters
    ----------
    values
        Shape (cells, columns).
    response
        Shape (cells,).
    covariates
        Shape (cells, covariates), already in the scale to be used (ranks, indicators); no intercept needed.

    Returns
    -------
    tuple of numpy.ndarray
        Correlation and two-sided p-value, each shape (columns,); NaN where a residual is constant.
    """
    design = np.column_stack([np.ones(len(response)), covariates])
    basis, singular, _ = np.linalg.svd(design, full_matrices=False)
    basis = basis[:, singular > singular[0] * 1e-10]
    freedom = len(response) - basis.shape[1] - 1
    ranks, target = stats.rankdata(values, axis=0), stats.rankdata(response)
    before = np.square(ranks - ranks.mean(axis=0)).sum(axis=0)
    ranks -= basis @ (basis.T @ ranks)
    target = target - basis @ (basis.T @ target)
    length = np.square(ranks).sum(axis=0)
    usable = (length > 1e-9 * np.maximum(before, 1)) & (np.square(target).sum() > 1e-9) & (freedom > 0)
    rho = np.full(values.shape[1], np.nan)
    rho[usable] = (target @ ranks[:, usable]) / np.sqrt(length[usable] * np.square(target).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        t = rho * np.sqrt(freedom / np.maximum(1 - rho**2, 1e-300))
    return rho, 2 * stats.t.sf(np.abs(t), freedom) if freedom > 0 else np.full_like(rho, np.nan)
