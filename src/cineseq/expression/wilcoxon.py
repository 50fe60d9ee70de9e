"""Wilcoxon rank-sum test of every gene, each group against the rest."""

from __future__ import annotations

import logging

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.expression.rank_engines import by_illico, by_scanpy, illico_is_there

logger = logging.getLogger(__name__)

PSEUDO = 0.01
"""Added to mean normalised expression before the ratio, so that genes seen nowhere do not rule the list."""


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
        Groups to test; the others only serve as part of the rest.

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
    if illico_is_there():
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
    """Return log2 of mean normalised expression in each group over that outside, as ``group, gene, value``."""
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
