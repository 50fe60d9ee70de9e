"""Point tracks as objects: positions of cells without masks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.errors import UserError
from cineseq.text import significant
from cineseq.tracking.motion import by_frame, neighbours_apart
from cineseq.tracking.objects import COLUMNS, Objects, no_overlaps

NEEDED = ("frame", "y_px", "x_px")
TOUCHING = 5
"""Percentile of the distances between nearest neighbours that stands for the diameter of a cell: the closest cells
nearly touch."""
LONE_DIAMETER_PX = 30.0
"""Diameter where no frame has two cells, which then cannot be confused."""


def take_points(points: pd.DataFrame, frames: int | None = None, diameter_px: float | None = None) -> Objects:
    """Convert the points of a field to objects.

    Parameters
    ----------
    points
        ``frame`` (from 0), ``y_px`` and ``x_px`` (px); optionally ``label`` (from 1, unique in its frame; by default
        the rank by y and x) and ``area_px``.
    frames
        Number of frames of the movie; with None it ends with the last frame of the table.
    diameter_px
        Typical diameter of a cell, which limits the distance between a parent and its daughters. With None it is
        estimated from ``area_px`` or, without areas, from the distance between the closest cells.

    Returns
    -------
    Objects
        Sorted by frame and label, without overlaps; all are round, and of equal area without ``area_px``.

    Raises
    ------
    UserError
        For a missing column, a missing or impossible value, a cell that is listed twice, or a frame without any cell
        although ``frames`` is not set.
    """
    table = _checked(points)
    count = _frames(table, frames)
    if "label" not in table:
        table = table.sort_values(list(NEEDED), ignore_index=True)
        table["label"] = table.groupby("frame").cumcount() + 1
    table = table.sort_values(["frame", "label"], ignore_index=True)
    placeholders = {"eccentricity": 0.0, "ellipse_extent": 1.0, "touches_border": False, "brightness": np.nan}
    if "area_px" not in table:
        diameter = diameter_px or _diameter(table, count)
        table["area_px"] = np.pi / 4 * diameter**2
    whole = table.assign(**placeholders)[list(COLUMNS)].astype(COLUMNS)
    return Objects(whole, no_overlaps(), (count, 0, 0), 0, are_points=True)


def _diameter(table: pd.DataFrame, frames: int) -> float:
    places = table[["y_px", "x_px"]].to_numpy(float)
    apart = neighbours_apart(places, by_frame(table["frame"].to_numpy(), frames))
    apart = apart[apart > 0]
    return float(np.percentile(apart, TOUCHING)) if len(apart) else LONE_DIAMETER_PX


def _checked(points: pd.DataFrame) -> pd.DataFrame:
    """Return the known columns as numbers."""
    lacking = [name for name in NEEDED if name not in points]
    if lacking:
        there = ", ".join(map(str, points.columns)) or "none"
        msg = f"points: no column '{lacking[0]}'; frame, y_px and x_px are required, and the table has {there}."
        raise UserError(msg)
    known = [name for name in (*NEEDED, "label", "area_px") if name in points]
    table = pd.DataFrame({name: _numbers(points[name]) for name in known})
    for name, least in (("frame", 0), ("label", 1)):
        if name in table:
            whole = (table[name] >= least) & (table[name] % 1 == 0)
            _check_values(table[name], ~whole.to_numpy(), f"a whole number from {least}")
            table[name] = table[name].astype(np.int64)
    if "area_px" in table:
        _check_values(table["area_px"], table["area_px"].to_numpy() <= 0, "a number above 0")
    for key in (["frame", "y_px", "x_px"], ["frame", "label"]):
        if set(key) <= set(table) and (twice := table.duplicated(key)).any():
            row = table.loc[twice, key].iloc[0]
            listed = ", ".join(f"{name} {significant(value, 6)}" for name, value in row.items())
            msg = f"points: the cell with {listed} is listed twice; keep one row for each cell."
            raise UserError(msg)
    return table


def _numbers(values: pd.Series) -> np.ndarray:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(float, na_value=np.nan)
    _check_values(values, ~np.isfinite(numbers), "a number")
    return numbers


def _check_values(values: pd.Series, wrong: np.ndarray, expected: str) -> None:
    if wrong.any():
        value = values.to_numpy(object)[wrong][0]
        msg = f"points: column '{values.name}' has the value {value}; expected {expected} in every row."
        raise UserError(msg)


def _frames(table: pd.DataFrame, frames: int | None) -> int:
    last = int(table["frame"].max()) if len(table) else -1
    if frames is not None:
        if isinstance(frames, bool) or not isinstance(frames, (int, np.integer)) or frames <= last:
            msg = f"frames: {frames!r} should be the number of frames of the movie, more than the last frame, {last}."
            raise UserError(msg)
        return int(frames)
    empty = np.setdiff1d(np.arange(last + 1), table["frame"])
    if len(empty):
        msg = (
            f"points: there is no cell in {len(empty)} of the frames 0 to {last}, the first of them {empty[0]}; number "
            "consecutive frames 0, 1, 2, ..., or set frames=, the length of the movie, if no cell was found there."
        )
        raise UserError(msg)
    return last + 1
