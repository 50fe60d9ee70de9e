"""Wilcoxon rank-sum test of each gene in each group against the rest."""

from __future__ import annotations

import logging
import warnings

import anndata
import numpy as np
import pandas as pd
from scipy import sparse, stats

CONTINUITY = 0.5
"""Continuity correction, subtracted from the distance of the rank-sum statistic from its mean."""


def illico_available() -> bool:
    """Return whether illico can be imported; its compiled parts do not run on every machine."""
    try:
        import illico  # noqa: F401, PLC0415 - imported only here
        import loguru  # noqa: F401, PLC0415
    except ImportError:
        return False
    return True


def by_illico(adata: anndata.AnnData, tested: list[str]) -> pd.DataFrame:
    """Return ``group``, ``gene``, ``auc`` and ``p_value`` for the groups of ``adata.obs["group"]``, by illico."""
    from illico import asymptotic_wilcoxon  # noqa: PLC0415 - may be absent
    from loguru import logger  # noqa: PLC0415

    logger.disable("illico")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # fold changes of genes without counts, which are not used
        found = asymptotic_wilcoxon(adata, is_log1p=True, group_keys="group", groups=list(tested)).reset_index()
    group = found["pert"].astype(str)
    return pd.DataFrame(
        {
            "group": group,
            "gene": found["feature"].astype(str),
            "auc": found["statistic"].to_numpy(float) / _pairs(adata, group),
            "p_value": found["p_value"].to_numpy(float),
        }
    )


def by_scanpy(adata: anndata.AnnData, tested: list[str]) -> pd.DataFrame:
    """Return the same table as :func:`by_illico`, from scanpy's tie-corrected z scores."""
    import scanpy as sc  # noqa: PLC0415 - slow

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scores of genes that do not vary, which scanpy sets to 0
        ranked = sc.tl.rank_genes_groups(
            adata, "group", groups=list(tested), method="wilcoxon", tie_correct=True, use_raw=False, copy=True
        )
    found = pd.concat([sc.get.rank_genes_groups_df(ranked, [name]).assign(group=name) for name in tested])
    return from_scores(found["group"].astype(str), found["names"].astype(str), found["scores"].to_numpy(float), adata)


def from_scores(group: pd.Series, gene: pd.Series, scores: np.ndarray, adata: anndata.AnnData) -> pd.DataFrame:
    """Convert tie-corrected z scores to AUCs and to p-values with continuity correction.

    Parameters
    ----------
    group, gene, scores
        One row per group and gene.
    adata
        The cells that were tested, with a sparse matrix.
    """
    # Standard deviation of U under the null, sqrt(ties n1 n2 (n + 1) / 12), one per row.
    pairs = _pairs(adata, group)
    ties = pd.Series(tie_correction(adata.X), index=adata.var_names)
    deviation = np.sqrt(ties[gene].to_numpy() * pairs * (adata.n_obs + 1) / 12)
    # Distance of U from its mean n1 n2 / 2; AUC = U / (n1 n2). Then the two-sided p-value of the corrected z.
    distance = scores * deviation
    corrected = np.divide(np.abs(distance) - CONTINUITY, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    p = np.minimum(2 * stats.norm.sf(corrected), 1.0)
    columns = {"group": group.to_numpy(), "gene": gene.to_numpy(), "auc": 0.5 + distance / pairs, "p_value": p}
    return pd.DataFrame(columns)


def tie_correction(values: sparse.csr_matrix) -> np.ndarray:
    """Return the factor by which ties reduce the variance of each column's rank sum: 1 without ties, 0 if all are tied.

    The factor is 1 - sum(t^3 - t) / (n^3 - n) over groups of t tied values; implicit zeros are one such group.
    """
    columns = sparse.csc_matrix(values)
    columns.eliminate_zeros()
    cells, genes = columns.shape
    # Sort the stored values within each column and measure the runs of equal values.
    stored = np.diff(columns.indptr)  # (genes,)
    gene = np.repeat(np.arange(genes), stored)
    order = np.lexsort((columns.data, gene))
    sizes, of_gene = _runs(columns.data[order], gene)
    tied = np.bincount(of_gene, weights=sizes**3 - sizes, minlength=genes)
    zeros = (cells - stored).astype(float)
    return 1 - (tied + zeros**3 - zeros) / (float(cells) ** 3 - cells)


def _runs(values: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the length and the column of every run of equal values; ``column``, and values within it, are sorted."""
    if not len(values):
        return np.empty(0), np.empty(0, dtype=np.int64)
    new = np.flatnonzero(np.r_[True, (np.diff(values) != 0) | (np.diff(column) != 0)])
    return np.diff(np.r_[new, len(values)]).astype(float), column[new]


def _pairs(adata: anndata.AnnData, group: pd.Series) -> np.ndarray:
    """Return n1 n2 for the group of each row: the number of pairs of a cell inside and a cell outside."""
    inside = group.map(adata.obs["group"].value_counts().astype(float)).to_numpy(float)
    return inside * (adata.n_obs - inside)


logger = logging.getLogger(__name__)
PSEUDO = 0.01
"""Pseudocount added to the means before the ratio, so that undetected genes do not dominate the list."""


def rank_sum(log: sparse.csr_matrix, genes: pd.Index, groups: np.ndarray, tested: list[str]) -> pd.DataFrame:
    """Test each gene in each group against all other cells.

    Parameters
    ----------
    log
        Normalised logarithms, shape (cells, genes).
    genes
        Gene names, shape (genes,).
    groups
        Group of each cell, shape (cells,).
    tested
        Groups to test; other groups only serve as part of the rest.

    Returns
    -------
    pandas.DataFrame
        ``group``, ``gene``, ``auc`` (probability that a cell of the group exceeds one outside, ties counted half)
        and ``p_value`` (two-sided, tie-corrected, with continuity correction; 1 for a gene that does not vary).

    References
    ----------
    Mann and Whitney, Ann. Math. Stat. 18 (1947) 50; computed by illico, or by scanpy where illico cannot be imported.
    """
    values = sparse.csr_matrix(log, dtype=np.float64)
    values.sort_indices()
    adata = anndata.AnnData(values, obs=pd.DataFrame({"group": pd.Categorical(groups)}, index=_names(len(groups))))
    adata.var_names = genes
    if illico_available():
        found = by_illico(adata, tested)
    else:
        logger.warning("illico cannot be imported: scanpy ranks the genes instead, many times slower.")
        found = by_scanpy(adata, tested)
    constant = pd.Series(np.ptp(_extremes(values), axis=0) == 0, index=genes)
    found["p_value"] = found["p_value"].mask(found["gene"].map(constant).to_numpy(bool), 1.0)
    return found


def log2_fold_changes(
    expression: sparse.csr_matrix, genes: pd.Index, groups: np.ndarray, tested: list[str]
) -> pd.DataFrame:
    """Return the log2 ratio of mean normalised expression inside and outside each group, one row per group and gene."""
    total = np.asarray(expression.sum(axis=0)).ravel()
    parts = []
    for group in tested:
        rows = groups == group
        inside = np.asarray(expression[rows].sum(axis=0)).ravel()
        ratio = (inside / rows.sum() + PSEUDO) / ((total - inside).clip(min=0) / (~rows).sum() + PSEUDO)
        parts.append(pd.DataFrame({"group": group, "gene": genes.astype(str), "log2_fold_change": np.log2(ratio)}))
    return pd.concat(parts, ignore_index=True)


def _names(count: int) -> pd.Index:
    return pd.Index(np.arange(count).astype(str))


def _extremes(values: sparse.csr_matrix) -> np.ndarray:
    return np.vstack([values.min(axis=0).toarray(), values.max(axis=0).toarray()])
