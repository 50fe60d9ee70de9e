"""Read counts from AnnData, 10x files and plain tables, check that they are counts, and normalise them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.config.expression import Normalisation
from cineseq.config.pairing import Orientation
from cineseq.errors import UserError, reading, warn_of
from cineseq.io.count_tables import read_count_table
from cineseq.io.hdf5 import check_hdf5
from cineseq.io.tenx import read_10x_h5, read_folder
from cineseq.io.which_matrix import as_sparse, counts_matrix, why_not_counts, without_summaries
from cineseq.io.zarr_files import check_codecs
from cineseq.text import count

if TYPE_CHECKING:
    from anndata import AnnData

logger = logging.getLogger(__name__)

MONTHS = "Jan|Feb|Fev|Mar|Mrz|M\u00e4r|Apr|Abr|Avr|May|Mai|Jun|Jul|Aug|Ago|Sep|Sept|Set|Oct|Okt|Out|Nov|Dec|Dez|Dic"
SPREADSHEET_NAME = (
    rf"\d{{1,2}}[-./ ]{{1,2}}(?:{MONTHS})[a-z]*\.?(?:[-./ ]{{1,2}}\d{{2,4}})?|(?:{MONTHS})[a-z]*\.?[-/ ]\d{{2,4}}"
    r"|\d{4}-\d{2}-\d{2}(?:[ T].*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d\.\d+E\+\d+"
)
"""Dates and rounded numbers, which spreadsheets make of names of genes such as MARCH1, SEPT2 and 2310009E13."""
TABLE_SUFFIXES = (".csv", ".tsv", ".txt")
COPY_COUNTS = "copy it again from where it was made, or write it again"
ENOUGH = 1000
"""Fewest counts above 0 of which one at least is above 1, unless they were made binary."""
PER_CELL = 10_000.0
"""Total to which ``cp10k`` and ``sqrt`` scale the counts of a cell."""


@dataclass(frozen=True)
class Counts:
    """Counts of one file.

    Attributes
    ----------
    matrix
        Non-negative whole numbers, shape (cells, genes).
    cells
        Cell names (barcodes), unique.
    genes
        Gene names, unique.
    """

    matrix: sparse.csr_matrix
    cells: pd.Index
    genes: pd.Index

    @property
    def totals(self) -> np.ndarray:
        """Total counts of each cell, shape (cells,)."""
        return np.asarray(self.matrix.sum(axis=1)).ravel()


def read_counts(path: Path, orientation: Orientation = "cells_by_genes", layer: str | None = None) -> Counts:
    """Read counts from .h5ad, .zarr, 10x .h5, a folder with matrix.mtx (or this file), or .csv, .tsv, .txt (.gz).

    Counts of genes with the same name are summed (in 10x files, several Ensembl genes can share a symbol). Features of
    another type, such as antibodies, and summaries such as ``__no_feature`` are left out.

    Parameters
    ----------
    path
        The file or folder.
    orientation
        Whether the rows of a plain table are cells or genes; other formats define it themselves.
    layer
        Layer of an h5ad or zarr that holds the counts; by default as
        :func:`cineseq.io.which_matrix.counts_matrix` finds it.

    Raises
    ------
    UserError
        When the file cannot be read, has no cells or genes, has a repeated cell name, or does not hold counts.
    """
    if not path.exists():
        msg = f"{path}: there is no such file or folder of counts; check the column counts of the sample sheet."
        raise UserError(msg)
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix in TABLE_SUFFIXES:
        values, cells, genes = read_count_table(path, orientation)
        counts = make_counts(sparse.csr_matrix(values), cells, genes, path)
    elif suffix in {".h5", ".mtx"} or (path.is_dir() and suffix != ".zarr"):
        found = read_10x_h5(path) if suffix == ".h5" else read_folder(path)
        counts = make_counts(found.values, found.cells, found.genes, path)
    else:
        counts = from_anndata(_read_anndata(path, suffix), path, layer)
    logger.info("%s: %d cells and %d genes.", path, *counts.matrix.shape)
    return counts


def from_anndata(data: AnnData, path: Path, layer: str | None = None) -> Counts:
    """Return the counts of an AnnData, as :func:`cineseq.io.which_matrix.counts_matrix` finds them.

    Raises
    ------
    UserError
        When there are none; ``path`` is named.
    """
    return make_counts(*counts_matrix(data, str(path), layer, all_genes=True), path)


def make_counts(matrix: sparse.csr_matrix, cells: pd.Index, genes: pd.Index, path: Path) -> Counts:
    """Check a matrix of shape (cells, genes) and sum genes of the same name; see :func:`read_counts`."""
    cells, genes = (pd.Index(names.astype(str)).str.strip().rename(None) for names in (cells, genes))
    if 0 in matrix.shape:
        msg = f"{path}: counts of at least one cell and one gene were expected, found {matrix.shape[0]} cells and "
        msg += f"{matrix.shape[1]} genes; check the file and its orientation."
        raise UserError(msg)
    for what, names in (("cell", cells), ("gene", genes)):
        if (names == "").any():
            msg = f"{path}: {what} {int(np.argmax(names == '')) + 1} has no name; name every {what}."
            raise UserError(msg)
    if cells.has_duplicates:
        first = cells[cells.duplicated()][0]
        msg = f"{path}: the cell '{first}' is listed twice; names of cells must be unique within a file of counts."
        raise UserError(msg)
    matrix = as_sparse(matrix, str(path))
    reason = why_not_counts(matrix.data)
    if reason:
        msg = f"{path}: counts (whole numbers from 0) were expected, {reason}; give the raw counts."
        raise UserError(msg)
    matrix, genes = without_summaries(matrix, genes, str(path))
    _warn_of_spreadsheets(genes, path)
    if genes.has_duplicates:
        unique = genes.unique()
        twice = ", ".join(f"'{name}'" for name in genes[genes.duplicated()].unique()[:3])
        logger.info(
            "%s: summed the counts of %d genes whose names are shared (such as %s).",
            *(path, len(genes) - len(unique), twice),
        )
        matrix, genes = _sum_columns(matrix, unique.get_indexer(genes), len(unique)), unique
    counts = sparse.csr_matrix(matrix, dtype=np.float32)
    np.rint(counts.data, out=counts.data)
    counts.eliminate_zeros()
    if counts.nnz >= ENOUGH and counts.data.max() == 1:
        warn_of(logger, f"{path}: every count is 0 or 1, as where counts were made binary; give the raw counts.")
    counts.sort_indices()
    return Counts(counts, cells, genes)


def _warn_of_spreadsheets(genes: pd.Index, path: Path) -> None:
    changed = genes[np.asarray(genes.str.fullmatch(SPREADSHEET_NAME), dtype=bool)]
    if len(changed):
        warn_of(
            logger,
            f"{path}: {count(len(changed), 'gene has a name', 'genes have names')} such as '{changed[0]}', which "
            "spreadsheets write for others (MARCH1, SEPT2, 2310009E13), and those that became one name are summed; "
            "export the table again, and open it in no spreadsheet.",
        )


def _sum_columns(matrix: sparse.csr_matrix, target: np.ndarray, columns: int) -> sparse.csr_matrix:
    ones = np.ones(len(target))
    return sparse.csr_matrix(
        matrix @ sparse.csr_matrix((ones, (np.arange(len(target)), target)), (len(target), columns))
    )


def log_normalised(counts: sparse.csr_matrix, normalisation: Normalisation = "median") -> sparse.csr_matrix:
    """Scale each cell to the median total, or to 10,000, and take log(1 + x), or the root; empty cells stay 0.

    Returns
    -------
    scipy.sparse.csr_matrix
        Normalised values, float32, shape (cells, genes).
    """
    if not counts.has_canonical_format:
        counts = counts.copy()
        counts.sum_duplicates()
    # Size factor of each cell, (cells,): target total over its own total.
    totals = np.asarray(counts.sum(axis=1)).ravel()
    seen = totals > 0
    target = PER_CELL if normalisation != "median" else np.median(totals[seen]) if seen.any() else 1.0
    factors = np.divide(target, totals, out=np.zeros_like(totals), where=seen)
    # Scale and transform the stored values in place: sparse products would need three copies of the largest matrix.
    values = np.repeat(factors, np.diff(counts.indptr))
    values *= counts.data
    transform = np.sqrt if normalisation == "sqrt" else np.log1p
    transform(values, out=values)
    return sparse.csr_matrix((values.astype(np.float32), counts.indices.copy(), counts.indptr.copy()), counts.shape)


def _read_anndata(path: Path, suffix: str) -> AnnData:
    import anndata  # noqa: PLC0415 - 4 s, not needed for tables

    if suffix in (".h5ad", ".h5"):
        check_hdf5(path, "not readable as counts")
    if suffix == ".zarr":
        check_codecs(path)
    with reading(path, "not readable as counts", COPY_COUNTS):
        if suffix == ".h5ad":
            return anndata.read_h5ad(path)
        if suffix == ".zarr":
            return anndata.read_zarr(path)
    msg = f"{path}: counts should be .h5ad, .zarr, a 10x .h5, a folder with matrix.mtx, or .csv, .tsv (.gz)."
    raise UserError(msg)
