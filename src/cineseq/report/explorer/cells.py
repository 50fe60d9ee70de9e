"""The cells of the explorer: one row per cell of any modality, and the columns by which it is drawn and coloured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cineseq.io.paired import BLOCKS, PairedData
from cineseq.text import readable

CATEGORIES = 60
"""Largest number of different texts in a column that colours cells; a column with more is a name."""
COMPONENTS = 5
"""Principal components that are kept."""
NOT_SHOWN = ("parent_id", "founder_id", "sister_id", "family", "barcode")
"""Columns of names, which the page uses to find cells."""


@dataclass(frozen=True)
class ExplorerColumns:
    """The columns of the cells.

    Attributes
    ----------
    described
        One dictionary for each: ``name``, ``label``, ``kind`` (number or category) and, of a category, its ``values``.
    values
        Shape (columns, cells), float32: numbers, or positions in ``values``; NaN where unknown.
    """

    described: list[dict[str, Any]]
    values: np.ndarray


def join_cells(cells: pd.DataFrame | None, paired: PairedData | None, clusters: pd.DataFrame | None) -> pd.DataFrame:
    """Return every cell with all that is known of it, indexed by ``track_id``, in the order of the tables.

    Parameters
    ----------
    cells
        With the contract CELLS; None for a run that starts with paired data.
    paired
        Cells with counts or measurements; None where nothing was paired.
    clusters
        With the contract CLUSTERS; None without counts.
    """
    frames = [] if cells is None else [cells.set_index("track_id")]
    if paired is not None:
        frames.append(paired.obs.drop(columns="track_id", errors="ignore").rename_axis("track_id"))
        frames += [getattr(paired, block) for block in BLOCKS]
    if clusters is not None:
        late = [f"pc_{n}" for n in range(COMPONENTS + 1, 1000) if f"pc_{n}" in clusters]
        frames.append(clusters.drop(columns=late).set_index("track_id"))
    if not frames:
        return pd.DataFrame(index=pd.Index([], name="track_id"))
    index = pd.Index(list(dict.fromkeys(name for frame in frames for name in frame.index)), name="track_id")
    columns: dict[str, pd.Series] = {}
    for frame in frames:
        for name in frame.columns:
            values = frame[name].reindex(index)
            columns[str(name)] = (
                columns[str(name)].where(columns[str(name)].notna(), values) if name in columns else values
            )
    return pd.DataFrame(columns, index=index)


def describe_columns(table: pd.DataFrame) -> ExplorerColumns:
    """Return the columns that can be drawn, those of embeddings and those without a value left out."""
    described, values = [], []
    for name in table.columns:
        if name in NOT_SHOWN or name.startswith("embedding_"):
            continue
        found = _as_category(table[name]) if _is_text(table[name]) else _as_number(table[name])
        if found is not None:
            described.append({"name": name, "label": readable(name)} | found[0])
            values.append(found[1])
    return ExplorerColumns(described, np.array(values, np.float32).reshape(len(values), len(table)))


def _is_text(values: pd.Series) -> bool:
    return pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values)


def _as_number(values: pd.Series) -> tuple[dict[str, Any], np.ndarray] | None:
    numbers = values.to_numpy(float, na_value=np.nan)
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    return None if np.isnan(numbers).all() else ({"kind": "number"}, numbers)


def _as_category(values: pd.Series) -> tuple[dict[str, Any], np.ndarray] | None:
    words = values.map({True: "yes", False: "no"}) if _is_truth(values) else values.astype("string")
    codes, names = pd.factorize(words, sort=True)
    if not 0 < len(names) <= CATEGORIES:
        return None
    return {"kind": "category", "values": [str(name) for name in names]}, np.where(codes < 0, np.nan, codes)


def _is_truth(values: pd.Series) -> bool:
    return pd.api.types.infer_dtype(values, skipna=True) == "boolean"


def relatives(table: pd.DataFrame) -> dict[str, list[int]]:
    """Return the row of the parent and of the sister of every cell; -1 where there is none."""
    place = {name: row for row, name in enumerate(table.index)}
    found = {}
    for key, column in (("parent", "parent_id"), ("sister", "sister_id")):
        names = table[column] if column in table else pd.Series(None, index=table.index, dtype=object)
        found[key] = [place.get(name, -1) if isinstance(name, str) else -1 for name in names]
    return found


def numbers_of(table: pd.DataFrame, column: str) -> list[float | int | None]:
    """Return a column of numbers as JSON has them: whole ones as integers, None where unknown or absent."""
    if column not in table:
        return [None] * len(table)
    values = table[column].to_numpy(float, na_value=np.nan)
    return [None if not np.isfinite(v) else int(v) if v == int(v) else float(np.round(v, 4)) for v in values]


def names_of(table: pd.DataFrame, column: str) -> list[str]:
    """Return a column of names; empty where unknown or absent."""
    if column not in table:
        return [""] * len(table)
    return [value if isinstance(value, str) else "" for value in table[column].astype(object)]
