"""Completion of a table of cells to its contract: derived columns are added, the rest stays unknown."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.errors import UserError
from cineseq.statistics.pedigree import OwnAncestorError, ancestry
from cineseq.tables.contract import FIELD, empty
from cineseq.tables.imaging import CELLS
from cineseq.tracking.lineage import fates

LINEAGE = ("parent_id", "start_frame", "end_frame", "end_kind")
ANCESTRY = ("founder_id", "generation", "sister_id")


def completed_cells(cells: pd.DataFrame, needed: tuple[str, ...] = (), where: str = "cells") -> pd.DataFrame:
    """Return a table of cells or tracks as :data:`cineseq.tables.imaging.CELLS`.

    Absent columns are derived: root cell, generation and sister from ``parent_id``; fate and whether the cell was alive
    at the end from ``end_kind``; ``start_kind`` from ``parent_id`` and ``start_frame``. A cell that was lost or left
    the field has an unknown fate. Columns that are not in the contract are left out.

    Parameters
    ----------
    cells
        One row per cell with ``track_id``; not changed.
    needed
        Columns that must be present.
    where
        Name of the table, for messages.

    Raises
    ------
    UserError
        When a needed column is absent, a cell occurs twice or descends from itself, or a value violates the contract.
    """
    table = _named(cells, needed, where)
    if "parent_id" in table and not set(ANCESTRY) <= set(table):
        try:
            table = _with(table, ancestry(table["track_id"], table["parent_id"]))
        except OwnAncestorError as cell:
            msg = f"{where}: cell '{cell}' descends from itself; correct its parent_id or that of an ancestor."
            raise UserError(msg) from None
    if "end_kind" in table:
        table = _with(table, dict(fates(table["end_kind"].astype("string")).items()))
    if "parent_id" in table and "start_frame" in table:
        table = _with(table, {"start_kind": _start_kind(table)})
    for axis in ("y_px", "x_px"):
        if axis not in table and f"end_{axis}" in table:
            table = table.assign(**{axis: table[f"end_{axis}"]})
    required = [c.name for c in CELLS.columns if not (c.is_family or c.optional)]
    blank = empty(CELLS)[[name for name in required if name not in table]].reindex(table.index)
    try:
        return CELLS.check(pd.concat([table, blank], axis=1), where)
    except ValueError as error:
        msg = f"{error}; correct the table."
        raise UserError(msg) from None


def _named(cells: pd.DataFrame, needed: tuple[str, ...], where: str) -> pd.DataFrame:
    """Return the columns of the contract with names as text; sample and field default to those of a single field."""
    absent = [name for name in ("track_id", *needed) if name not in cells]
    if absent:
        msg = f"{where}: the column '{absent[0]}' is missing; the columns are {', '.join(map(str, cells.columns))}."
        raise UserError(msg)
    exact = {c.name for c in CELLS.columns if not c.is_family}
    families = tuple(c.name[:-1] for c in CELLS.columns if c.is_family)
    table = cells[[c for c in cells.columns if c in exact or str(c).startswith(families)]].reset_index(drop=True)
    if table["track_id"].isna().any():
        msg = f"{where}: row {int(table['track_id'].isna().idxmax())} has no track_id; give every cell a name."
        raise UserError(msg)
    default = FieldOfView()
    table = _with(table, {"sample": default.sample, "fov": default.fov})
    text = {c.name for c in CELLS.columns if c.kind == "text"}
    names = [c for c in table if c in text or str(c).startswith(("group_", "state_"))]
    return table.assign(**{name: _as_text(table[name]) for name in names})


def _as_text(values: pd.Series) -> pd.Series:
    """Return values as text; whole numbers and Booleans without decimals."""
    if pd.api.types.infer_dtype(values, skipna=True) == "boolean":
        values = values.astype("boolean").astype("Int64")
    elif pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    return values.astype("string")


def _with(table: pd.DataFrame, columns: dict) -> pd.DataFrame:
    """Return the table with the columns that it lacks."""
    return table.assign(**{name: values for name, values in columns.items() if name not in table})


def _start_kind(table: pd.DataFrame) -> pd.Series:
    """Return how each cell began: by a division, in the first frame of the field, or by appearing later."""
    start = table["start_frame"].astype("Float64")
    first = start.groupby([table[name] for name in FIELD]).transform("min")
    begins = (start <= first).fillna(value=False)
    kind = np.select([table["parent_id"].notna(), begins], ["division", "first_frame"], "appeared")
    return pd.Series(kind, index=table.index, dtype="string").where(start.notna())
