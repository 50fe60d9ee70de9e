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
from cineseq.errors import UserError, reading
from cineseq.io.hdf5 import check_hdf5
from cineseq.io.zarr_files import check_codecs
from cineseq.text import significant

if TYPE_CHECKING:
    from anndata import AnnData

logger = logging.getLogger(__name__)

LAYER = "counts"
TABLE_SUFFIXES = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
COPY_COUNTS = "copy it again from where it was made, or write it again"
LARGEST_LOG = 30.0
"""No logarithm of a count is larger; fractional values up to this look log-transformed."""
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


def read_counts(path: Path, orientation: Orientation = "cells_by_genes") -> Counts:
    """Read counts from .h5ad, .zarr, 10x .h5, a 10x mtx folder, or .csv, .tsv, .txt (.gz).

    Counts of genes with the same name are summed (in 10x files, several Ensembl genes can share a symbol).

    Parameters
    ----------
    path
        The file or folder.
    orientation
        Whether the rows of a plain table are cells or genes; other formats define it themselves.

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
        counts = _from_table(path, TABLE_SUFFIXES[suffix], orientation)
    else:
        counts = from_anndata(_read_anndata(path, suffix), path)
    logger.info("%s: %d cells and %d genes.", path, *counts.matrix.shape)
    return counts


def from_anndata(data: AnnData, path: Path) -> Counts:
    """Return the counts of an AnnData: X if it holds counts, else the layer ``counts``, else raw.

    Raises
    ------
    UserError
        When none of them holds counts; ``path`` is named.
    """
    candidates = [(data.X, data.var_names)]
    if LAYER in data.layers:
        candidates.append((data.layers[LAYER], data.var_names))
    if data.raw is not None:
        candidates.append((data.raw.X, data.raw.var_names))
    candidates = [(sparse.csr_matrix(x), genes) for x, genes in candidates if x is not None]
    matrix, genes = next(((x, g) for x, g in candidates if not why_not_counts(x.data)), candidates[0])
    return make_counts(matrix, data.obs_names, genes, path)


def make_counts(matrix: sparse.csr_matrix, cells: pd.Index, genes: pd.Index, path: Path) -> Counts:
    """Check a matrix of shape (cells, genes) and sum genes of the same name; see :func:`read_counts`."""
    cells, genes = (pd.Index(names.astype(str)).str.strip().rename(None) for names in (cells, genes))
    if 0 in matrix.shape:
        msg = f"{path}: counts of at least one cell and one gene were expected, found {matrix.shape[0]} cells and "
        msg += f"{matrix.shape[1]} genes; check the file and its orientation."
        raise UserError(msg)
    if cells.has_duplicates:
        first = cells[cells.duplicated()][0]
        msg = f"{path}: the cell '{first}' is listed twice; names of cells must be unique within a file of counts."
        raise UserError(msg)
    reason = why_not_counts(matrix.data)
    if reason:
        msg = f"{path}: counts (whole numbers from 0) were expected, {reason}; give the raw counts."
        raise UserError(msg)
    if genes.has_duplicates:
        unique = genes.unique()
        logger.info("%s: summed the counts of %d genes whose names are shared.", path, len(genes) - len(unique))
        matrix, genes = _sum_columns(matrix, unique.get_indexer(genes), len(unique)), unique
    counts = sparse.csr_matrix(matrix, dtype=np.float32)
    counts.eliminate_zeros()
    counts.sort_indices()
    return Counts(counts, cells, genes)


def _sum_columns(matrix: sparse.csr_matrix, target: np.ndarray, columns: int) -> sparse.csr_matrix:
    ones = np.ones(len(target))
    return sparse.csr_matrix(
        matrix @ sparse.csr_matrix((ones, (np.arange(len(target)), target)), (len(target), columns))
    )


def why_not_counts(values: np.ndarray) -> str:
    """Return why values cannot be counts; empty if they can."""
    if not np.isfinite(values).all():
        return "found missing or infinite values"
    if (values < 0).any():
        return f"found negative values (such as {significant(values.min(), 4)}), as scaled data have"
    fractional = values[values != np.rint(values)]
    if not fractional.size:
        return ""
    kind = "these look log-transformed" if values.max() < LARGEST_LOG else "these look normalised"
    return f"found fractions (such as {significant(fractional[0], 4)}): {kind}"


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


def _from_table(path: Path, separator: str, orientation: Orientation) -> Counts:
    with reading(path, "not a readable table of counts", COPY_COUNTS):
        # Read the header as data, because pandas would rename repeated names and so hide them.
        header = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str).iloc[0]
        frame = pd.read_csv(path, sep=separator, header=None, skiprows=1, index_col=0, low_memory=False)
    frame.columns = pd.Index(header.fillna("").iloc[len(header) - frame.shape[1] :].astype(str))
    text = [
        name for name, kind in zip(frame.columns, frame.dtypes, strict=True) if not pd.api.types.is_numeric_dtype(kind)
    ]
    if text:
        msg = f"{path}: column '{text[0]}' should hold counts but holds text; only the first column may hold names."
        raise UserError(msg)
    if orientation == "genes_by_cells":
        frame = frame.T
    return make_counts(sparse.csr_matrix(frame.to_numpy(np.float64)), frame.index, frame.columns, path)


def _read_anndata(path: Path, suffix: str) -> AnnData:
    import anndata  # noqa: PLC0415 - 4 s, not needed for tables
    import scanpy  # noqa: PLC0415

    if suffix in (".h5ad", ".h5"):
        check_hdf5(path, "not readable as counts")
    if suffix == ".zarr":
        check_codecs(path)
    with reading(path, "not readable as counts", COPY_COUNTS):
        if suffix == ".h5ad":
            return anndata.read_h5ad(path)
        if suffix == ".zarr":
            return anndata.read_zarr(path)
        if suffix == ".h5":
            return scanpy.read_10x_h5(path)
        if path.is_dir():
            return scanpy.read_10x_mtx(path, make_unique=False)
    msg = f"{path}: counts should be .h5ad, .zarr, a 10x .h5, a folder with matrix.mtx, or .csv, .tsv (.gz)."
    raise UserError(msg)
