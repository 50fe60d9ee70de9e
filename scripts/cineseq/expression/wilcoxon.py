"""Wilcoxon rank-sum test of every gene, each group against the rest."""

from __future__ import annotations

import warnings

import anndata
import numpy as np
import pandas as pd
from illico import asymptotic_wilcoxon
from loguru import logger as illico_logger
from scipy import sparse

illico_logger.disable("illico")

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
    Mann and Whitney, Ann. Math. Stat. 18 (1947) 50; computed by illico.
    """
    values = sparse.csr_matrix(log, dtype=np.float64)
    values.sort_indices()
    adata = anndata.AnnData(values, obs=pd.DataFrame({"group": pd.Categorical(groups)}, index=_names(len(groups))))
    adata.var_names = genes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # folds of genes without counts; they are not used
        found = asymptotic_wilcoxon(adata, is_log1p=True, group_keys="group", groups=list(tested)).reset_index()
    sizes = pd.Series(groups).value_counts()
    inside = found["pert"].astype(str).map(sizes).to_numpy(float)
    constant = pd.Series(np.ptp(_extremes(values), axis=0) == 0, index=genes)
    p = found["p_value"].mask(found["feature"].map(constant).to_numpy(bool), 1.0)
    return pd.DataFrame(
        {
            "group": found["pert"].astype(str),
            "gene": found["feature"].astype(str),
            "auc": found["statistic"].to_numpy(float) / (inside * (len(groups) - inside)),
            "p_value": p.to_numpy(float),
        }
    )


def log2_fold_changes(log: sparse.csr_matrix, genes: pd.Index, groups: np.ndarray, tested: list[str]) -> pd.DataFrame:
    """Return log2 of mean normalised expression in each group over that outside, as ``group, gene, value``."""
    expression = log.expm1().astype(np.float64)
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
