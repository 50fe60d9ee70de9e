"""What a count matrix really holds, and its normalised logarithm."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.config.expression import Normalisation
from cineseq.errors import UserError
from cineseq.io.paired import PairedData

logger = logging.getLogger(__name__)

CountKind = Literal["counts", "fractional", "logged", "scaled"]
LARGEST_LOGARITHM = 30.0
NORMALISED: dict[Normalisation, str] = {
    "median": "normalised to the median total and log1p-transformed",
    "cp10k": "normalised to 10,000 per cell and log1p-transformed",
    "sqrt": "normalised to 10,000 per cell and square-rooted",
}
PER_CELL = 10_000.0
MEANING: dict[CountKind, str] = {
    "counts": "counts",
    "fractional": "not whole counts (expected counts or TPM)",
    "logged": "already logarithms, used as given",
    "scaled": "already centred (there are negative values), used as given",
}


@dataclass(frozen=True)
class Expression:
    """Expression of the cells of a study.

    Attributes
    ----------
    counts
        As given, repeated genes summed; shape (cells, genes).
    log
        Normalised logarithms, or square roots; shape (cells, genes), sorted indices.
    genes
        Unique gene names.
    kind
        What the given matrix holds.
    normalisation
        How counts became ``log``; not used where the given matrix holds no counts.
    """

    counts: sparse.csr_matrix
    log: sparse.csr_matrix
    genes: pd.Index
    kind: CountKind
    normalisation: Normalisation = "median"

    @property
    def meaning(self) -> str:
        """What the given values are and what was done with them."""
        done = f", {NORMALISED[self.normalisation]}" if self.kind in {"counts", "fractional"} else ""
        return MEANING[self.kind] + done

    @property
    def linear(self) -> sparse.csr_matrix:
        """Normalised counts, neither logarithms nor roots; shape (cells, genes)."""
        values = self.log.astype(np.float64)
        return values.multiply(values).tocsr() if self.normalisation == "sqrt" else values.expm1()

    def cells(self, rows: np.ndarray) -> Expression:
        """Return the cells that a boolean mask or positions select; normalisation stays that of all cells."""
        if rows.dtype == bool and rows.all():
            return self
        return replace(self, counts=self.counts[rows], log=self.log[rows])

    def columns(self, keep: np.ndarray) -> Expression:
        """Return the genes that a boolean mask selects, shape (genes,)."""
        return replace(self, counts=self.counts[:, keep], log=self.log[:, keep], genes=self.genes[keep])


def expression_of(data: PairedData) -> Expression | None:
    """Return the expression of the paired cells; None where there is none."""
    if data.counts is None or not data.counts.shape[1] or not data.counts.shape[0]:
        return None
    counts = sparse.csr_matrix(data.counts, dtype=np.float64)
    kind = kind_of(counts)
    counts, genes = merge_repeated_genes(counts, pd.Index(data.genes.astype(str)), kind)
    return expression_from(counts, genes, kind, data.normalisation)


def expression_from(
    counts: sparse.csr_matrix, genes: pd.Index, kind: CountKind, normalisation: Normalisation = "median"
) -> Expression:
    """Normalise counts of a known kind; logarithms and centred values stay as they are."""
    countable = kind in {"counts", "fractional"}
    log = log_normalised(counts, normalisation) if countable else sparse.csr_matrix(counts, dtype=np.float32)
    log.sort_indices()
    return Expression(counts, log, genes, kind, normalisation)


def kind_of(counts: sparse.csr_matrix) -> CountKind:
    """Tell whole counts from fractions, logarithms and centred values.

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
    """Sum the counts of genes that appear twice, keeping the order of first appearance.

    Raises
    ------
    UserError
        When the values are not counts, so that they cannot be summed.
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


def log_normalised(counts: sparse.csr_matrix, normalisation: Normalisation = "median") -> sparse.csr_matrix:
    """Scale every cell to the median total, or to 10,000, and take log(1 + x), or the root; empty cells stay 0.

    Returns
    -------
    scipy.sparse.csr_matrix
        float32, shape (cells, genes).
    """
    if not counts.has_canonical_format:
        counts = counts.copy()
        counts.sum_duplicates()
    totals = np.asarray(counts.sum(axis=1)).ravel()
    seen = totals > 0
    target = PER_CELL if normalisation != "median" else np.median(totals[seen]) if seen.any() else 1.0
    factors = np.divide(target, totals, out=np.zeros_like(totals), where=seen)
    # In place on the values alone: products of sparse matrices would hold the largest matrix of a study three times.
    values = np.repeat(factors, np.diff(counts.indptr))
    values *= counts.data
    transform = np.sqrt if normalisation == "sqrt" else np.log1p
    transform(values, out=values)
    return sparse.csr_matrix((values.astype(np.float32), counts.indices.copy(), counts.indptr.copy()), counts.shape)


def thin(counts: sparse.csr_matrix, rng: np.random.Generator) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Split every count into two halves by fair coin flips; independent where counts are Poisson.

    References
    ----------
    Neufeld et al., Biostatistics 25 (2024) 270 (count splitting).
    """
    first = counts.copy()
    first.data = rng.binomial(np.rint(counts.data).astype(np.int64), 0.5).astype(np.float64)
    second = sparse.csr_matrix(counts - first)
    first.eliminate_zeros()
    second.eliminate_zeros()
    return first, second


def detected_genes(counts: sparse.csr_matrix, at_least: float, cells: int = 3) -> np.ndarray:
    """Return which genes are non-zero in at least a fraction of cells and in at least ``cells``, shape (genes,)."""
    detected = counts.getnnz(axis=0)
    return detected >= max(cells, at_least * counts.shape[0])
