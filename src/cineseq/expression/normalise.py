"""Detect what a count matrix holds and normalise it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.config.expression import Normalisation
from cineseq.errors import UserError
from cineseq.io.counts import log_normalised
from cineseq.io.paired import PairedData

logger = logging.getLogger(__name__)

CountKind = Literal["counts", "fractional", "logged", "scaled"]
LARGEST_LOGARITHM = 30.0
NORMALISED: dict[Normalisation, str] = {
    "median": "normalised to the median total and log1p-transformed",
    "cp10k": "normalised to 10,000 per cell and log1p-transformed",
    "sqrt": "normalised to 10,000 per cell and square-rooted",
}
MEANING: dict[CountKind, str] = {
    "counts": "counts",
    "fractional": "not whole counts (expected counts or TPM)",
    "logged": "already logarithms, used unchanged",
    "scaled": "already centred (there are negative values), used unchanged",
}


@dataclass(frozen=True)
class Expression:
    """Expression of the cells of a study.

    Attributes
    ----------
    counts
        Counts before normalisation, with repeated genes summed; shape (cells, genes).
    log
        Normalised logarithms, or square roots; shape (cells, genes), with sorted indices.
    genes
        Unique gene names.
    kind
        What the input matrix holds.
    normalisation
        How ``log`` was computed from the counts; not used if the input matrix holds no counts.
    """

    counts: sparse.csr_matrix
    log: sparse.csr_matrix
    genes: pd.Index
    kind: CountKind
    normalisation: Normalisation = "median"

    @property
    def meaning(self) -> str:
        """Description of the input values and of their transformation."""
        done = f", {NORMALISED[self.normalisation]}" if self.kind in {"counts", "fractional"} else ""
        return MEANING[self.kind] + done

    @property
    def linear(self) -> sparse.csr_matrix:
        """Normalised counts on the linear scale, shape (cells, genes)."""
        values = self.log.astype(np.float64)
        return values.multiply(values).tocsr() if self.normalisation == "sqrt" else values.expm1()

    def cells(self, rows: np.ndarray) -> Expression:
        """Return the cells selected by a mask or by indices; the normalisation over all cells is kept."""
        if rows.dtype == bool and rows.all():
            return self
        return replace(self, counts=self.counts[rows], log=self.log[rows])

    def columns(self, keep: np.ndarray) -> Expression:
        """Return the genes selected by a boolean mask of shape (genes,)."""
        return replace(self, counts=self.counts[:, keep], log=self.log[:, keep], genes=self.genes[keep])


def expression_of(data: PairedData) -> Expression | None:
    """Return the expression of the paired cells; None without counts."""
    if data.counts is None or not data.counts.shape[1] or not data.counts.shape[0]:
        return None
    counts = sparse.csr_matrix(data.counts, dtype=np.float64)
    kind = kind_of(counts)
    counts, genes = merge_repeated_genes(counts, pd.Index(data.genes.astype(str)), kind)
    return expression_from(counts, genes, kind, data.normalisation)


def expression_from(
    counts: sparse.csr_matrix, genes: pd.Index, kind: CountKind, normalisation: Normalisation = "median"
) -> Expression:
    """Normalise counts of a known kind; logarithms and centred values stay unchanged."""
    countable = kind in {"counts", "fractional"}
    log = log_normalised(counts, normalisation) if countable else sparse.csr_matrix(counts, dtype=np.float32)
    log.sort_indices()
    return Expression(counts, log, genes, kind, normalisation)


def kind_of(counts: sparse.csr_matrix) -> CountKind:
    """Detect whether values are whole counts, fractions, logarithms or centred values.

    Raises
    ------
    UserError
        When a value is not finite.
    """
    values = counts.data
    if not np.isfinite(values).all():
        row = int(np.searchsorted(counts.indptr, np.flatnonzero(~np.isfinite(values))[0], side="right")) - 1
        msg = f"The counts of cell {row + 1} hold a value that is not finite; give 0 where nothing was counted."
        raise UserError(msg)
    if not len(values):
        return "counts"
    if values.min() < 0:
        return "scaled"
    if np.array_equal(values, np.rint(values)):
        return "counts"
    return "logged" if values.max() <= LARGEST_LOGARITHM else "fractional"


def merge_repeated_genes(
    counts: sparse.csr_matrix, genes: pd.Index, kind: CountKind
) -> tuple[sparse.csr_matrix, pd.Index]:
    """Sum the counts of repeated genes, in the order of first appearance.

    Raises
    ------
    UserError
        When genes are repeated and the values are not counts, so that they cannot be summed.
    """
    if genes.is_unique:
        return counts, genes
    codes, unique = pd.factorize(genes)
    if kind not in {"counts", "fractional"}:
        twice = genes[genes.duplicated()][0]
        msg = f"Gene '{twice}' appears twice and the values are {MEANING[kind]}; give each gene once."
        raise UserError(msg)
    logger.info("Summed the counts of %d repeated gene names.", len(genes) - len(unique))
    summing = sparse.csr_matrix((np.ones(len(codes)), (np.arange(len(codes)), codes)), (len(codes), len(unique)))
    return sparse.csr_matrix(counts @ summing), pd.Index(unique)


def thin(counts: sparse.csr_matrix, rng: np.random.Generator) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Split each count binomially into two halves, which are independent if the counts are Poisson.

    References
    ----------
    Neufeld et al., Biostatistics 25 (2024) 270 (count splitting).
    """
    # Count splitting: first ~ Binomial(count, 1/2), second = count - first; both (cells, genes).
    first = counts.copy()
    first.data = rng.binomial(np.rint(counts.data).astype(np.int64), 0.5).astype(np.float64)
    second = sparse.csr_matrix(counts - first)
    first.eliminate_zeros()
    second.eliminate_zeros()
    return first, second


def detected_genes(counts: sparse.csr_matrix, at_least: float, cells: int = 3) -> np.ndarray:
    """Return a mask of genes that are non-zero in at least a fraction of cells and in ``cells`` cells; (genes,)."""
    detected = counts.getnnz(axis=0)
    return detected >= max(cells, at_least * counts.shape[0])
