"""Rank correlations within groups and given covariates."""

from __future__ import annotations

import numpy as np
from scipy import stats

from cineseq.statistics import ALPHA
from cineseq.statistics.clustered import clustered_correlation, orthonormal_basis
from cineseq.statistics.position import Place, spatial_null

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
    values: np.ndarray,
    response: np.ndarray,
    covariates: np.ndarray,
    clusters: np.ndarray,
    place: Place | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return partial Spearman correlations of many columns with a response given covariates, and their p-values.

    They are Pearson correlations between the residuals of the ranks after linear regression on the covariates. Where
    the ranks of the response vary with position in the field, the regression is by generalised least squares with
    their covariance (see :func:`cineseq.statistics.position.spatial_null`), so that two columns that follow the
    position are not correlated for that alone.

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
    place
        Position and field of the cells; None where position is not taken into account.

    Returns
    -------
    tuple of numpy.ndarray
        Correlation and two-sided p-value, each shape (columns,); NaN where a residual is constant.
    """
    design = np.column_stack([np.ones(len(response)), covariates])
    columns, own = stats.rankdata(values, axis=0), stats.rankdata(response)
    if place is not None:
        basis = orthonormal_basis(design)
        left = (own - basis @ (basis.T @ own))[:, None]
        null = spatial_null(left, place.position, place.fields)
        if null.share:
            # Each column is centred first, which the intercept takes out, to keep rounding small.
            columns = null.uncorrelated(columns - columns.mean(axis=0))
            own, design = null.uncorrelated((own - own.mean())[:, None])[:, 0], null.uncorrelated(design)
    return clustered_correlation(columns, own, design, clusters)
