"""Cell-ACDC: its table of annotations, ``*acdc_output.csv``, one row per cell and frame."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.io.delimited import read_plain
from cineseq.io.end_words import truths
from cineseq.io.written import as_numbers
from cineseq.tracking.imports import plain_table
from cineseq.tracking.imports.base import ExternalTracks, check_not_empty

NAME = "Cell-ACDC's acdc_output.csv"
COLUMNS = {"frame": "frame_i", "label": "Cell_ID", "y": "y_centroid", "x": "x_centroid", "parent": "parent_ID_tree"}

POSITION = ("Position_n", "experiment_folderpath", "experiment_foldername")
"""Columns that name the position in tables that Cell-ACDC concatenates over positions and experiments."""


def recognises(path: Path) -> bool:
    """Return whether the path is a csv file with the columns of cells and frames of Cell-ACDC."""
    if path.suffix != ".csv":
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        return {"frame_i", "Cell_ID"} <= set(stream.readline().strip().split(","))


def read(path: Path, settings: Track) -> ExternalTracks:
    """Read the cells that are not excluded.

    ``Cell_ID`` is the label in the masks. If the table has the lineage tree of budding cells, a track is a
    ``Cell_ID_tree``. A bud then belongs to the cell cycle of its mother until they divide, so its rows are left out
    and counted, as are rows of cells outside the tree (-1). Otherwise a track is a ``Cell_ID``. Parents are
    ``parent_ID_tree``; without that column they are unknown. A cell with ``is_cell_dead`` in any frame died; any other
    end is not a death.

    Raises
    ------
    UserError
        As :func:`cineseq.tracking.imports.plain_table.read`, or when the table contains several positions, like
        those that Cell-ACDC concatenates for a whole experiment.
    """
    table = read_plain(path)
    _check_one_position(table, path)
    excluded = _marked(table, "is_cell_excluded", path)
    none = pd.Series(-1, index=table.index)
    tree = as_numbers(table.get("Cell_ID_tree", none))[0]
    by_tree = bool(tree.gt(0).any())
    buds = table["relationship"].eq("bud") & by_tree if "relationship" in table else excluded & False
    columns = COLUMNS | {"track": "Cell_ID_tree" if by_tree else "Cell_ID", "death": "is_cell_dead"}
    outside = tree.le(0) & by_tree & ~excluded & ~buds
    kept = table[~excluded & ~buds & ~outside]
    check_not_empty(len(kept), path, "every cell is excluded")
    found = plain_table.external_of(kept, columns | dict(settings.external_columns), settings, path)
    found.counts.update(excluded_objects=int(excluded.sum()), buds_before_division=int((buds & ~excluded).sum()))
    found.counts["objects_outside_the_lineage_tree"] = int(outside.sum())
    return found


def _check_one_position(table: pd.DataFrame, path: Path) -> None:
    """Check that a table contains one field of view, since cells are numbered within it; else raise a UserError."""
    counts = {name: len(table[name].unique()) for name in POSITION if name in table}
    for name in (name for name, count in counts.items() if count > 1):
        msg = (
            f"{path}: column '{name}' names {counts[name]} positions; supply the table of one position for each field"
            " of view."
        )
        raise UserError(msg)


def _marked(table: pd.DataFrame, column: str, path: Path) -> pd.Series:
    """Return where a column is true; nowhere if it is missing."""
    if column not in table:
        return pd.Series(data=False, index=table.index)
    return truths(table[column], f"{path}, column '{column}'", "correct it in Cell-ACDC")
