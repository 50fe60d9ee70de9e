"""Which matrix of an AnnData holds the counts, which of its columns are genes, and whether it is intact."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.errors import UserError, warn_of
from cineseq.text import count, percent, significant

if TYPE_CHECKING:
    from anndata import AnnData

logger = logging.getLogger(__name__)

LAYER = "counts"
LARGEST_LOG = 30.0
"""No logarithm of a count is larger; fractional values up to this look log-transformed."""
ROUNDING = 1e-6
"""Relative distance to a whole number that is an error of rounding."""
LARGEST_COUNT = 2.0**53
"""From here on, numbers do not tell whole numbers apart."""
FEATURE_TYPES = ("feature_types", "feature_type")
"""Columns of ``var`` with the type of each feature."""
GENE_TYPES = ("gene expression", "gene", "genes", "rna", "gex")
OTHER_TYPES = (
    *("antibody capture", "crispr guide capture", "crispr direct capture", "multiplexing capture", "custom"),
    *("peaks", "antigen capture", "vdj", "adt", "hto", "protein", "guide", "hashtag"),
)
"""Types of features that are no genes."""
SUMMARY_ROW = (
    r"(?i)__ambiguous|__[a-z]+(?:_[a-z]+)+|N_(?:unmapped|multimapping|noFeature|ambiguous)|Unassigned_\w+"
    r"|n_?(?:counts?|umis?|genes|features?)(?:_rna|_by_counts)?|total(?:_(?:counts?|umis?))?|sum"
)
"""Rows of htseq-count, STAR and featureCounts that count reads without a gene, and totals of Scanpy, Seurat and
spreadsheets."""


def why_not_counts(values: np.ndarray) -> str:
    """Return why values cannot be counts; empty if they can."""
    if not np.isfinite(values).all():
        return "found missing or infinite values"
    if (values < 0).any():
        return f"found negative values (such as {significant(values.min(), 4)}), as scaled data have"
    if values.size and values.max() >= LARGEST_COUNT:
        return "found numbers with too many digits for counts, as names have"
    if not np.issubdtype(values.dtype, np.floating):
        return ""
    fractional = values[np.abs(values - np.rint(values)) > ROUNDING * np.maximum(values, 1)]
    if not fractional.size:
        return ""
    kind = "these look log-transformed" if values.max() < LARGEST_LOG else "these look normalised"
    return f"found fractions (such as {significant(fractional[0], 4)}): {kind}"


def as_sparse(values: Any, where: str) -> sparse.csr_matrix:
    """Return a matrix in memory as CSR, after the indices of a sparse one were checked.

    Compiled code follows the indices without looking; those of a damaged file would lose values in silence, or read
    foreign memory.

    Raises
    ------
    UserError
        When indices do not fit the shape.
    """
    matrix = values.to_memory() if hasattr(values, "to_memory") else values
    if not sparse.issparse(matrix):
        return sparse.csr_matrix(np.asarray(matrix))
    try:
        if matrix.format in ("csr", "csc"):
            matrix.check_format(full_check=True)
        elif matrix.format == "coo" and matrix.nnz:
            pairs = zip((matrix.row, matrix.col), matrix.shape, strict=True)
            inside = [index.min() >= 0 and index.max() < size for index, size in pairs]
            if not all(inside):
                msg = "an index is outside of its shape"
                raise ValueError(msg)
    except (ValueError, TypeError, IndexError) as error:
        msg = f"{where}: damaged: the indices of a sparse matrix do not fit its shape ({error}); copy the file again."
        raise UserError(msg) from error
    return sparse.csr_matrix(matrix)


def counts_matrix(
    adata: AnnData, where: str, layer: str | None = None, *, all_genes: bool = False
) -> tuple[sparse.csr_matrix, pd.Index, pd.Index]:
    """Return the counts of an AnnData, names of cells and of genes; features of another type are left out.

    Counts are those of the layer ``counts``, else of ``X``, else of ``raw``; of ``raw`` also where ``X`` is empty, or
    holds other whole numbers for the same genes (ranks, zeros and ones, rounded values). The choice is logged.

    Parameters
    ----------
    adata
        In memory or backed.
    where
        The file or argument, for messages.
    layer
        The layer to read, or ``X`` or ``raw``; None for the rule above.
    all_genes
        Whether ``raw`` is preferred where it holds the same counts and those of further genes, as in files of which
        only highly variable genes are left; this is a serious remark.

    Raises
    ------
    UserError
        When none of them holds counts, or there is no such layer.
    """
    there = (*adata.layers, "X", *(["raw"] if adata.raw is not None else []))
    if layer is not None and layer not in there:
        msg = f"{where}: there is no layer '{layer}' (pairing.counts_layer); there are {_listed(adata)}."
        raise UserError(msg)
    places = [layer] if layer is not None else [LAYER] * (LAYER in adata.layers) + ["X", "raw"]
    reasons: list[str] = []
    found: tuple[str, sparse.csr_matrix, pd.DataFrame] | None = None
    for place in places:
        values, var = _at(adata, place)
        if values is None or (found and not _is_better(adata, found[1], values, where)):
            continue
        matrix = as_sparse(values, where)
        reason = why_not_counts(matrix.data)
        if not reason and place == "X" and layer is None and len(adata.layers) and not matrix.data.any():
            reason = "found zeros alone"
        if reason:
            reasons.append(f"of {_name(place)}: {reason}")
            continue
        found = (place, matrix, var)
        if place != "X" or adata.raw is None:
            break
    if found is None:
        why = "; ".join(reasons) or "it has no matrix"
        msg = (
            f"{where}: raw counts (whole numbers from 0) were expected in layers['{LAYER}'], {why}; there are "
            f"{_listed(adata)}. Put raw counts into layers['{LAYER}'] or, of a file, name their layer in "
            "pairing.counts_layer."
        )
        raise UserError(msg)
    if all_genes and layer is None and (whole := _with_further_genes(adata, *found, where)) is not None:
        warn_of(
            logger,
            f"{where}: counts are those of raw, with {count(len(adata.raw.var), 'feature')}, and not of "
            f"{_name(found[0])}, with {len(found[2])} of them; the latter is read where pairing.counts_layer is "
            f"{found[0]}.",
        )
        found = "raw", whole, adata.raw.var
    place, matrix, var = found
    passed = f" (not those {'; '.join(reasons)})" if reasons else ""
    logger.info("%s: counts are those of %s%s; there are %s.", where, _name(place), passed, _listed(adata))
    mine = genes_of(var, where)
    return matrix[:, mine] if not mine.all() else matrix, adata.obs_names, var.index[mine]


def _at(adata: AnnData, place: str) -> tuple[Any, pd.DataFrame]:
    if place == "raw" and (adata.raw is not None or place not in adata.layers):
        return (None, adata.var) if adata.raw is None else (adata.raw.X, adata.raw.var)
    return (adata.X if place == "X" else adata.layers[place]), adata.var


def _name(place: str) -> str:
    return place if place in ("X", "raw") else f"layers['{place}']"


def _listed(adata: AnnData) -> str:
    layers = [_name(name) for name in adata.layers]
    places = ["X"] * (adata.X is not None) + layers + ["raw"] * (adata.raw is not None)
    return ", ".join(places) or "none"


def _is_better(adata: AnnData, x: sparse.csr_matrix, raw: Any, where: str) -> bool:
    """Return whether raw counts replace those of X: X holds other numbers than raw for the genes that they share."""
    matrix = as_sparse(raw, where)
    if why_not_counts(matrix.data):
        return False
    place = pd.Index(adata.raw.var_names).get_indexer(adata.var_names)
    shared = place >= 0
    return bool((x[:, shared] != matrix[:, place[shared]]).nnz)


def _with_further_genes(
    adata: AnnData, place: str, chosen: sparse.csr_matrix, var: pd.DataFrame, where: str
) -> sparse.csr_matrix | None:
    """Return the counts of raw if they are those of the chosen matrix, for its genes and for further ones."""
    if place == "raw" or adata.raw is None or adata.raw.shape[1] <= len(var):
        return None
    types = [set(FEATURE_TYPES) & set(table.columns) for table in (var, adata.raw.var)]
    at = pd.Index(adata.raw.var_names)
    shared = at.get_indexer(var.index) if at.is_unique else np.full(len(var), -1)
    if (shared < 0).any() or (types[0] and not types[1]):
        return None
    matrix = as_sparse(adata.raw.X, where)
    return None if why_not_counts(matrix.data) or (chosen != matrix[:, shared]).nnz else matrix


def genes_of(var: pd.DataFrame, where: str) -> np.ndarray:
    """Return which features are genes, by their type where it is stated; Boolean, shape (features,).

    Without any feature of the type ``Gene Expression``, those of a known other type are left out.

    Raises
    ------
    UserError
        When no feature is a gene.
    """
    column = next((name for name in FEATURE_TYPES if name in var), None)
    if column is None:
        return np.ones(len(var), bool)
    kinds = var[column].astype("string").str.strip().str.lower()
    genes = kinds.isin(GENE_TYPES).fillna(value=False).to_numpy(bool)
    if not genes.any():
        genes = ~kinds.isin(OTHER_TYPES).fillna(value=False).to_numpy(bool)
    others = var.loc[~genes, column].astype("string").fillna("no type").value_counts()
    text = ", ".join(f"{n} {kind}" for kind, n in others.items())
    if not genes.any():
        msg = f"{where}: no feature is a gene by '{column}' of var ({text}); give the file with gene expression."
        raise UserError(msg)
    if len(others):
        many = count(int(others.sum()), "feature")
        logger.info("%s: left out %s that are no genes by '%s' (%s).", where, many, column, text)
    return genes


def without_summaries(matrix: sparse.csr_matrix, genes: pd.Index, where: str) -> tuple[sparse.csr_matrix, pd.Index]:
    """Return counts without rows of counting programs that are no genes, such as ``__no_feature``; they are logged."""
    summaries = np.asarray(genes.str.fullmatch(SUMMARY_ROW), dtype=bool)
    if not summaries.any():
        return matrix, genes
    share = matrix[:, summaries].sum() / max(matrix.sum(), 1)
    logger.warning(
        "%s: left out %s that are no genes (%s), with %s of the counts.",
        *(where, count(int(summaries.sum()), "row"), ", ".join(genes[summaries]), percent(share, 0)),
    )
    return matrix[:, ~summaries], genes[~summaries]
