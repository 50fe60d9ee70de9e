"""Read matrices of 10x software, STARsolo, kallisto-bustools and others: folders with matrix.mtx, and 10x .h5."""

from __future__ import annotations

import gzip
import io
import logging
import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.io import mmread

from cineseq.errors import UserError, reading
from cineseq.io.delimited import check_last_line
from cineseq.io.hdf5 import check_hdf5
from cineseq.io.text_files import GZIP
from cineseq.io.which_matrix import as_sparse, genes_of

logger = logging.getLogger(__name__)

MATRIX = re.compile(r"(?P<prefix>.*?)(?P<name>matrix|cells_x_genes(?:\.\w+)?|)\.mtx(?:\.gz)?")
WITHIN = (
    *("filtered_feature_bc_matrix", "sample_filtered_feature_bc_matrix", "filtered_gene_bc_matrices/*"),
    *("outs/filtered_feature_bc_matrix", "Gene/filtered", "filtered", "counts_unfiltered"),
)
"""Folders inside a folder of results that hold the matrix of called cells."""
IDENTIFIER = r"ENS[A-Z]*G\d{11}(?:\.\d+)?"
"""A gene of Ensembl."""
HEADER = r"(?i)\"?(?:|x|v1|index|.*(?:gene|feature|barcode|cell|ensembl|name|symbol|id))(?:[_. ].*)?\"?"
"""First value of a line that names columns."""
LOOKED_FOR = "matrix.mtx, barcodes.tsv, and features.tsv or genes.tsv (each also with a prefix, as .txt, or .gz)"


@dataclass(frozen=True)
class Matrix:
    """Values of shape (cells, features), names of the cells, and the names and types of features."""

    values: sparse.csr_matrix
    cells: pd.Index
    genes: pd.Index


def read_folder(path: Path) -> Matrix:
    """Read a folder with matrix.mtx, or the file matrix.mtx(.gz) with its neighbours; see :data:`LOOKED_FOR`.

    Raises
    ------
    UserError
        When files are missing, cannot be read, or do not fit each other.
    """
    matrix = _matrix_file(path)
    stem = MATRIX.fullmatch(matrix.name)
    prefix = stem["prefix"] if stem else ""
    features = _neighbour(matrix, prefix, "features|genes", "features.tsv or genes.tsv")
    barcodes = _neighbour(matrix, prefix, "barcodes|cells", "barcodes.tsv")
    with reading(matrix, "not a complete matrix in Matrix Market format", "copy it again"):
        text = _bytes(matrix)
        values = mmread(io.BytesIO(text), spmatrix=True)
    if b" pattern " in text[: text.find(b"\n")].lower():
        msg = f"{matrix}: a pattern of the entries that are not 0, with no counts; write the matrix with its values."
        raise UserError(msg)
    found = as_sparse(sparse.coo_matrix(values), str(matrix))
    genes, cells = _without_headers(_rows(features), _rows(barcodes), found.shape)
    cells = _without_numbers(cells)
    is_square = len(genes) == len(cells)
    if found.shape == (len(genes), len(cells)) and not (is_square and matrix.name.startswith("cells_x_genes")):
        found = sparse.csr_matrix(found.T)
    elif found.shape != (len(cells), len(genes)):
        msg = (
            f"{matrix}: the matrix is {found.shape[0]} by {found.shape[1]}, but {features.name} has {len(genes)} lines "
            f"and {barcodes.name} {len(cells)}; give the three files of one run, complete."
        )
        raise UserError(msg)
    # Columns are the identifier, the name and the type of a feature; a file with one column has its names there.
    if genes.shape[1] == 1 and genes[0].str.fullmatch(IDENTIFIER).all():
        msg = (
            f"{features.parent}: the one column of {features.name} holds identifiers such as '{genes.iloc[0, 0]}', and "
            "no names of genes; add a second column with their names, separated by a tab, or with the identifiers "
            "again, to use them as names."
        )
        raise UserError(msg)
    types = pd.DataFrame({"feature_types": genes[2]} if genes.shape[1] > 2 else {}, index=genes.index)
    mine = genes_of(types, str(features))
    names = pd.Index(genes[min(1, genes.shape[1] - 1)])
    return Matrix(found[:, mine], pd.Index(cells[0]), names[mine])


def _without_headers(
    genes: pd.DataFrame, cells: pd.DataFrame, shape: tuple[int, ...]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out first lines that name columns, where without them both tables have the shape of the matrix."""
    ways = [
        [table, table.iloc[1:].reset_index(drop=True)] if re.fullmatch(HEADER, table.iloc[0, 0]) else [table]
        for table in (genes, cells)
    ]
    fitting = (way for way in product(*ways) if sorted(map(len, way)) == sorted(shape))
    return next(fitting, (genes, cells))


def _without_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out a first column that numbers the lines, before names."""
    counted = any((table[0] == pd.Series(range(first, first + len(table))).astype(str)).all() for first in (0, 1))
    return table.iloc[:, 1:].set_axis(range(table.shape[1] - 1), axis=1) if counted and table.shape[1] > 1 else table


def _matrix_file(path: Path) -> Path:
    if path.is_file():
        return path
    inside = (found for name in WITHIN for found in sorted(path.glob(name)) if found.is_dir())
    for folder in (path, *inside):
        there = {p.name.removesuffix(".gz"): p for p in sorted(folder.iterdir()) if MATRIX.fullmatch(p.name)}
        usual = [name for name in there if name in ("matrix.mtx", "cells_x_genes.mtx")]
        if len(there) > 1 and not usual:
            msg = f"{folder}: there are several matrices ({', '.join(there)}); name the file of one in the sheet."
            raise UserError(msg)
        if there:
            if folder != path:
                logger.info("%s: read the matrix in %s.", path, folder)
            return there[usual[0] if usual else next(iter(there))]
    files = ", ".join(p.name for p in sorted(path.iterdir())[:6]) or "nothing"
    msg = f"{path}: there is no matrix.mtx; looked for {LOOKED_FOR}, found {files}; name the folder that holds them."
    raise UserError(msg)


def _neighbour(matrix: Path, prefix: str, names: str, wanted: str) -> Path:
    kind = re.compile(rf"(?:{re.escape(prefix)})?(?:cells_x_genes\.)?(?:{names})\.(?:tsv|txt|csv)(?:\.gz)?")
    there = [p for p in sorted(matrix.parent.iterdir()) if kind.fullmatch(p.name)]
    own = [p for p in there if p.name.startswith(prefix)] or there
    if not own:
        files = ", ".join(p.name for p in sorted(matrix.parent.iterdir())[:6])
        msg = f"{matrix}: there is no {wanted} next to it; looked for {LOOKED_FOR}, found {files}; copy all three."
        raise UserError(msg)
    return own[0]


def _bytes(path: Path) -> bytes:
    with reading(path, "cut or damaged", "copy it again"):
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(GZIP) else data


def _rows(path: Path) -> pd.DataFrame:
    """Return the values of each line as text, separated by tabs, or by as many commas in each line.

    Quotes are left out where all lines have them.
    """
    try:
        lines = _bytes(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        msg = f"{path}: not text in UTF-8 ({error.reason}); copy it again."
        raise UserError(msg) from error
    while lines and not lines[-1].strip():
        lines.pop()
    if lines and all(line.startswith('"') and line.endswith('"') and '""' not in line for line in lines):
        lines = [line[1:-1].replace('"\t"', "\t") for line in lines]  # as R writes text
    commas = {line.count(",") for line in lines}
    separator = "," if not any("\t" in line for line in lines) and len(commas) == 1 else "\t"
    values = [line.split(separator) for line in lines]
    uneven = next((k for k, row in enumerate(values) if len(row) != len(values[0]) or "\0" in lines[k]), None)
    if uneven is not None or not values:
        row = 1 if uneven is None else uneven + 1
        msg = f"{path}, row {row}: every line should have the same number of columns, separated by tabs; copy it again."
        raise UserError(msg)
    table = pd.DataFrame(values)
    check_last_line(path, len(table), table.iloc[:, -1])
    return table


def read_10x_h5(path: Path) -> Matrix:
    """Read a .h5 file of Cell Ranger, version 3 or later (group ``matrix``) or 2 (one group for the genome).

    Raises
    ------
    UserError
        When it is no such file, has several genomes (version 2), or is damaged.
    """
    import h5py  # noqa: PLC0415

    check_hdf5(path, "not readable as 10x counts")
    with reading(path, "not readable as 10x counts", "copy the file again"), h5py.File(path) as file:
        groups = [name for name in file if isinstance(file[name], h5py.Group) and "barcodes" in file[name]]
        if len(groups) != 1:
            msg = f"{path}: a 10x matrix was expected, found {sorted(file) or 'nothing'}; give one file per genome."
            raise UserError(msg)
        group = file[groups[0]]
        parts = tuple(group[name][:] for name in ("data", "indices", "indptr"))
        shape = tuple(int(n) for n in group["shape"][:])
        features = group.get("features", group)
        names = features["name" if "name" in features else "gene_names"].asstr()[:]
        kinds = {"feature_types": features["feature_type"].asstr()[:]} if "feature_type" in features else {}
        cells = group["barcodes"].asstr()[:]
    if shape != (len(names), len(cells)) or len(parts[2]) != len(cells) + 1:
        msg = f"{path}: the file is damaged: its matrix is {shape}, for {len(names)} features and {len(cells)} cells."
        raise UserError(msg + " Copy it again.")
    # The file holds columns of (features, cells), which are rows of (cells, features). Nothing compiled runs before
    # the check of the indices.
    values = sparse.csr_matrix(shape[::-1], dtype=parts[0].dtype)
    values.data, values.indices, values.indptr = parts
    mine = genes_of(pd.DataFrame(kinds, index=np.arange(len(names))), str(path))
    return Matrix(as_sparse(values, str(path))[:, mine], pd.Index(cells), pd.Index(names)[mine])
