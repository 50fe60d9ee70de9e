"""Read what the generative step needs beside the paired cells: shapes over time, and latents learned elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from cineseq.errors import UserError, reading
from cineseq.io.paired import PairedData
from cineseq.text import count

PCA = "pca"
TIMES = ("start_frame", "end_frame", "start_hours", "end_hours")


def read_timed(objects: Iterable[Path], data: PairedData) -> pd.DataFrame:
    """Return the shape of the paired cells in every frame of their own tracks.

    Parameters
    ----------
    objects
        Files as :data:`cineseq.tables.imaging.OBJECTS`, one per field; none without images.
    data
        The paired cells, with the frames and hours of the first and last frame of their tracks.

    Returns
    -------
    pandas.DataFrame
        ``track_id``, ``hours_before`` the last frame of the track, and features; without rows where frames have no
        known time.
    """
    features = list(data.morphology.columns)
    parts = [pd.DataFrame(columns=["track_id", "hours_before", *features])]
    if not set(TIMES) <= set(data.obs.columns):
        return parts[0]
    times = data.obs[list(TIMES)].astype(float)
    length = times["end_frame"] - times["start_frame"]
    interval = (times["end_hours"] - times["start_hours"]) / length.where(length > 0)
    interval = interval.fillna(interval.median())
    for path in objects:
        present = set(pq.read_schema(path).names)
        wanted = [name for name in ("hours", *features) if name in present]
        rows = pq.read_table(path, columns=["track_id", "frame", *wanted]).to_pandas()
        rows = rows[rows["track_id"].isin(data.obs.index)]
        name = rows["track_id"]
        before = (name.map(times["end_frame"]) - rows["frame"].astype(float)) * name.map(interval)
        if "hours" in rows:
            before = (name.map(times["end_hours"]) - rows["hours"].astype(float)).fillna(before)
        timed = rows.assign(hours_before=before).drop(columns=["frame", "hours"], errors="ignore")
        parts.append(timed[np.isfinite(timed["hours_before"].to_numpy(float))])
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def read_latents(representation: str, cells: pd.Index) -> pd.DataFrame | None:
    """Return latent variables that were learned elsewhere, one row per paired cell; None for components of our own.

    Raises
    ------
    UserError
        When the table lacks a cell, or a value is not a finite number.
    """
    if representation == PCA:
        return None
    path = Path(representation)
    kinds = {".parquet": pd.read_parquet, ".csv": pd.read_csv, ".tsv": lambda file: pd.read_csv(file, sep="\t")}
    if path.suffix not in kinds:
        msg = (
            f"generative.representation: '{representation}' is neither pca nor a table; give a file that ends in .tsv, "
            ".csv or .parquet, with the column track_id and one column per latent variable, or set it to pca."
        )
        raise UserError(msg)
    with reading(path, "not a readable table of latent variables", "set generative.representation to pca"):
        table = kinds[path.suffix](path)
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
    values = table.loc[cells].apply(pd.to_numeric, errors="coerce")
    wrong = ~np.isfinite(values.to_numpy(float))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        msg = (
            f"{path}: column '{values.columns[column]}' of cell '{values.index[row]}' is not a finite number; fill it, "
            "or leave the column out."
        )
        raise UserError(msg)
    return values
