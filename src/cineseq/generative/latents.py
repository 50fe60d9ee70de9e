"""Read latent variables of expression that were learned elsewhere: a table, or an obsm of a file of the user."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.errors import UserError, reading
from cineseq.external.paired import open_annotated
from cineseq.text import count, listed

PCA = "pca"
TABLES = {".parquet": pd.read_parquet, ".csv": pd.read_csv, ".tsv": lambda file: pd.read_csv(file, sep="\t")}
ANNOTATED = (".h5ad", ".h5mu", ".zarr")
RNA = "rna"


def read_latents(representation: str, obsm: str | None, cells: pd.DataFrame) -> pd.DataFrame | None:
    """Return latent variables that were learned elsewhere, one row per paired cell; None for components of our own.

    Parameters
    ----------
    representation
        ``pca``; or a table with the column ``track_id`` and one column per latent variable; or a file of AnnData or
        MuData, whose rows are named as the cells: by ``track_id``, by its last part, or by ``barcode``.
    obsm
        Name of the obsm of such a file, such as ``X_scVI``.
    cells
        The paired cells, indexed by ``track_id``, with ``barcode`` where they have one.

    Raises
    ------
    UserError
        When the file lacks a cell or the obsm, or a value is not a finite number.
    """
    if representation == PCA:
        return None
    path = Path(representation)
    if path.suffix in ANNOTATED:
        table = _from_annotated(path, obsm, cells)
    elif path.suffix in TABLES:
        table = _from_table(path, cells.index)
    else:
        msg = (
            f"generative.representation: '{representation}' is neither pca nor a table nor AnnData; give a file that "
            "ends in .tsv, .csv or .parquet, with the column track_id and one column per latent variable, or in .h5ad, "
            ".h5mu or .zarr, with generative.obsm, or set it to pca."
        )
        raise UserError(msg)
    values = table.apply(pd.to_numeric, errors="coerce")
    wrong = ~np.isfinite(values.to_numpy(float))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        msg = (
            f"{path}: column '{values.columns[column]}' of cell '{values.index[row]}' is not a finite number; fill it, "
            "or leave the column out."
        )
        raise UserError(msg)
    if not (values.std(axis=0) > 0).any():
        msg = f"{path}: no latent variable varies between the paired cells; give another one."
        raise UserError(msg)
    return values


def _from_table(path: Path, cells: pd.Index) -> pd.DataFrame:
    with reading(path, "not a readable table of latent variables", "set generative.representation to pca"):
        table = TABLES[path.suffix](path)
    if "track_id" not in table:
        msg = f"{path}: no column 'track_id'; name the column that identifies the cells track_id."
        raise UserError(msg)
    table = table.set_index(table["track_id"].astype(str)).drop(columns="track_id")
    absent = cells.difference(table.index)
    if len(absent) or table.index.has_duplicates:
        of_cells = f"{count(len(absent), 'paired cell')} without a row" if len(absent) else "cells with two rows"
        example = absent[0] if len(absent) else table.index[table.index.duplicated()][0]
        msg = f"{path}: {of_cells}, such as '{example}'; give one row for each cell of study/paired.h5ad."
        raise UserError(msg)
    return table.loc[cells]


def _from_annotated(path: Path, obsm: str | None, cells: pd.DataFrame) -> pd.DataFrame:
    whole = open_annotated(path, "generative.representation")
    parts = [whole, *([whole.mod[RNA]] if path.suffix == ".h5mu" and RNA in whole.mod else [])]
    # MuData keeps a mask of the cells of each modality in its obsm.
    masks = set(whole.mod) if path.suffix == ".h5mu" else set()
    there = sorted({name for part in parts for name in part.obsm} - masks)
    data = next((part for part in parts if obsm in part.obsm and obsm in there), None)
    if obsm is None or data is None:
        what = "names none" if obsm is None else f"names '{obsm}', which is not there"
        msg = f"{path}: generative.obsm {what}; name one of {listed(there) or 'none, since the file holds no obsm'}."
        raise UserError(msg)
    raw = data.obsm[obsm]
    values = pd.DataFrame(raw.toarray() if hasattr(raw, "toarray") else np.asarray(raw), data.obs_names.astype(str))
    values.columns = pd.Index([f"{obsm}_{column}" for column in values.columns])
    rows, best = _best_names(cells, values.index)
    if best < len(cells):
        lost = cells.index[~rows.isin(values.index) | rows.duplicated(keep=False)]
        msg = (
            f"{path}: {count(len(lost), 'paired cell')} of {len(cells)} without a row of their own, such as "
            f"'{lost[0]}', while rows are named like '{values.index[0]}'; name the rows by track_id or by barcode."
        )
        raise UserError(msg)
    return values.loc[rows].set_axis(cells.index)


def _best_names(cells: pd.DataFrame, known: pd.Index) -> tuple[pd.Series, int]:
    """Return the names of cells of which most are rows of their own, and how many are."""
    known = known[~known.duplicated(keep=False)]

    def found(names: pd.Series) -> int:
        return int((names.isin(known) & ~names.duplicated(keep=False)).sum())

    best = max(_names(cells), key=found)
    return best, found(best)


def _names(cells: pd.DataFrame) -> Iterator[pd.Series]:
    track = pd.Series(cells.index.astype(str), cells.index)
    yield track
    yield track.str.rsplit("/", n=1).str[-1]
    if "barcode" in cells:
        barcode = cells["barcode"].astype(str)
        yield barcode
        yield cells["sample"].astype(str) + "/" + barcode
