"""Correlations whose p-values allow for alike cells of one family (cluster-robust tests)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse, stats

ABSORBED = 1e-8
"""A direction of a cluster that the adjustment removes altogether has an eigenvalue below this."""


def orthonormal_basis(design: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the columns of a design, shape (cells, rank)."""
    basis, singular, _ = np.linalg.svd(design, full_matrices=False)
    return basis[:, singular > singular.max(initial=0.0) * 1e-10]


def clustered_correlation(
    values: np.ndarray, response: np.ndarray, design: np.ndarray, clusters: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Correlate many columns with a response, given a design, with p-values that are robust to clusters.

    Columns and response are residualised on the design. Each cluster gives one number, the sum of the products of both
    residuals, and the p-value is that of a one-sample t-test over clusters. It is conservative where clusters are of
    unequal size. The residuals of each cluster are enlarged for what the design has fitted away (CR2).

    Parameters
    ----------
    values
        Shape (cells, columns).
    response
        Shape (cells,).
    design
        Covariates and indicators of strata, with the intercept, shape (cells, terms).
    clusters
        Labels of the clusters, such as root cells, shape (cells,); each lies within one stratum.

    Returns
    -------
    tuple of numpy.ndarray
        Correlation and two-sided p-value, each shape (columns,); NaN where a residual is constant or too few clusters
        are left.

    References
    ----------
    Bell and McCaffrey, Surv. Methodol. 28 (2002) 169 (CR2); Ibragimov and Mueller, J. Bus. Econ. Stat. 28 (2010) 453
    (t-test over unequal clusters); Shah and Peters, Ann. Stat. 48 (2020) 1514 (products of residuals).
    """
    basis = orthonormal_basis(design)
    own = response - basis @ (basis.T @ response)
    columns = values - basis @ (basis.T @ values)
    # Correlation of the residuals, (columns,); NaN where nothing but rounding is left.
    length = np.square(columns).sum(axis=0)
    usable = (length > _negligible(values)) & (np.square(own).sum() > _negligible(response))
    product = own @ columns
    rho = np.full(values.shape[1], np.nan)
    rho[usable] = product[usable] / np.sqrt(length[usable] * np.square(own).sum())
    # Sum of products in each cluster, with enlarged residuals; its sum of squares estimates the variance, (columns,).
    codes = pd.factorize(clusters)[0]
    variance = np.square(_sums(_enlarged(own, basis, codes)[:, None] * columns, codes)).sum(axis=0)
    # One-sample t statistic over clusters; each stratum takes one degree of freedom.
    freedom = _freedom(codes, basis)
    if freedom < 1 - 1e-9:
        return rho, np.full_like(rho, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        square = np.square(product) / variance
        t = np.sqrt(square * freedom / np.maximum(freedom + 1 - square, 1e-12))
    return rho, np.where(usable, 2 * stats.t.sf(t, freedom), np.nan)


def _negligible(values: np.ndarray) -> np.ndarray:
    """Return the sum of squares of a residual that is only rounding, for each column of values."""
    deviation = np.square(values - values.mean(axis=0)).sum(axis=0)
    return np.maximum(1e-9 * deviation, 1e-20 * np.square(values).sum(axis=0))


def _freedom(codes: np.ndarray, basis: np.ndarray) -> float:
    """Return the number of clusters minus what the design takes of the differences between clusters.

    A stratum, which is constant within its clusters, takes 1; a covariate takes the share of its variance that lies
    between clusters.
    """
    taken = np.square(_sums(basis, codes)).sum(axis=1) / np.bincount(codes)
    return float(len(taken) - taken.sum())


def _sums(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the sum of the rows of each cluster, shape (clusters, columns)."""
    return sparse.csr_matrix((np.ones(len(codes)), (codes, np.arange(len(codes))))) @ values


def _enlarged(own: np.ndarray, basis: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return residuals multiplied by (I - H)^-1/2 of their cluster, where H is the projection on the design."""
    enlarged = np.empty_like(own)
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes)
    starts = np.cumsum(sizes) - sizes
    for size in np.unique(sizes):
        # All clusters of one size together: projections of shape (clusters, size, size).
        rows = order[starts[sizes == size][:, None] + np.arange(size)]
        within = basis[rows]
        value, vector = np.linalg.eigh(np.eye(size) - within @ within.transpose(0, 2, 1))
        factor = np.where(value > ABSORBED, 1 / np.sqrt(np.maximum(value, ABSORBED)), 0.0)
        turned = np.einsum("cij,ci->cj", vector, own[rows])
        enlarged[rows] = np.einsum("cij,cj->ci", vector, factor * turned)
    return enlarged
