"""Points as objects: positions of cells without masks, some of which may be in known tracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.errors import UserError
from cineseq.io.written import as_text, says_nothing
from cineseq.text import count as counted
from cineseq.text import significant
from cineseq.tracking.lineage import number_tracks
from cineseq.tracking.motion import by_frame, neighbours_apart
from cineseq.tracking.objects import COLUMNS, Objects, no_overlaps

NEEDED = ("frame", "y_px", "x_px")
FARTHEST_PX = 100_000_000
"""A position beyond this is none, but a mark for a missing one or a mistake."""
TOUCHING = 5
"""Percentile of the distances between nearest neighbours that stands for the diameter of a cell: the closest cells
nearly touch."""
ROUND = {"eccentricity": 0.0, "ellipse_extent": 1.0, "elongation_0": 0.0, "elongation_45": 0.0}
"""Shape of a disc."""
LONE_DIAMETER_PX = 30.0
"""Diameter where no frame has two cells, which then cannot be confused."""


@dataclass(frozen=True)
class Points:
    """The points of one field.

    Attributes
    ----------
    objects
        Sorted by frame and label, without overlaps; all are round, and of equal area where none is stated.
    track
        Number of the track that the table states for each object, from 1, 0 for none, shape (objects,).
    has_areas
        Whether the table states areas.
    """

    objects: Objects
    track: np.ndarray
    has_areas: bool

    @property
    def are_tracked(self) -> bool:
        """Whether the table states the track of every point, so that none is left to be linked."""
        return len(self.track) > 0 and bool((self.track > 0).all())


def take_points(
    points: pd.DataFrame, frames: int | None = None, diameter_px: float | None = None, where: str = "points"
) -> Points:
    """Convert the points of a field to objects.

    Parameters
    ----------
    points
        ``frame`` (from 0), ``y_px`` and ``x_px`` (px); optionally ``label`` (from 1, unique in its frame; by default
        the rank by y and x), ``area_px``, and ``track_id``, the same for all points of one cell, and empty or -1 where
        that is not known. Track ids that are whole numbers are the numbers of the tracks (one higher if there is a 0).
    frames
        Number of frames of the movie; with None it ends with the last frame of the table.
    diameter_px
        Typical diameter of a cell, which limits the distance between a parent and its daughters. With None it is
        estimated from ``area_px`` or, without areas, from the distance between the closest cells.
    where
        Where the points are from, for messages.

    Raises
    ------
    UserError
        For a missing column, a missing or impossible value, a cell that is listed twice, a track with two points in one
        frame, or a frame without any cell although ``frames`` is not set.
    """
    table = _checked(points, where)
    count = _frames(table, frames, where)
    if "label" not in table:
        table = table.sort_values(list(NEEDED), ignore_index=True)
        table["label"] = table.groupby("frame").cumcount() + 1
    table = table.sort_values(["frame", "label"], ignore_index=True).astype({"track_id": "string"})
    placeholders = ROUND | {"touches_border": False, "brightness": np.nan}
    has_areas = "area_px" in table
    if not has_areas:
        diameter = diameter_px or _diameter(table, count)
        table["area_px"] = np.pi / 4 * diameter**2
    whole = table.assign(**placeholders)[list(COLUMNS)].astype(COLUMNS)
    objects = Objects(whole, no_overlaps(), (count, 0, 0), 0, are_points=True)
    return Points(objects, _track_numbers(whole, table["track_id"]), has_areas)


def without_placeholders(detections: pd.DataFrame, points: Points) -> pd.DataFrame:
    """Return a table of detections without the values that stand in for what is unknown of points."""
    area = detections["area_px"] if points.has_areas else np.nan
    return detections.assign(area_px=area, touches_border=pd.array([pd.NA] * len(detections), "boolean"))


def _track_numbers(table: pd.DataFrame, track_id: pd.Series) -> np.ndarray:
    """Return the number of the track that is stated for each point, 0 for none, shape (points,)."""
    known = track_id.notna().to_numpy()
    number = np.zeros(len(table), np.int64)
    names = track_id[known]
    if names.str.fullmatch(r"\d{1,15}").all():
        number[known] = names.astype(np.int64)
        return number + known * int((number[known] == 0).any())
    number[known] = number_tracks(table[known].reset_index(drop=True), pd.factorize(names)[0])
    return number


def _diameter(table: pd.DataFrame, frames: int) -> float:
    places = table[["y_px", "x_px"]].to_numpy(float)
    apart = neighbours_apart(places, by_frame(table["frame"].to_numpy(), frames))
    apart = apart[apart > 0]
    return float(np.percentile(apart, TOUCHING)) if len(apart) else LONE_DIAMETER_PX


def _checked(points: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the known columns as numbers, and ``track_id`` as text, missing where no track is stated."""
    lacking = [name for name in NEEDED if name not in points]
    if lacking:
        there = ", ".join(map(str, points.columns)) or "none"
        msg = f"{where}: no column '{lacking[0]}'; frame, y_px and x_px are required, and the table has {there}."
        raise UserError(msg)
    known = [name for name in (*NEEDED, "label", "area_px") if name in points]
    table = pd.DataFrame({name: _numbers(points[name], where) for name in known})
    for name, least in (("frame", 0), ("label", 1)):
        if name in table:
            whole = (table[name] >= least) & (table[name] % 1 == 0)
            _check_values(table[name], ~whole.to_numpy(), f"a whole number from {least}", where)
            table[name] = table[name].astype(np.int64)
    for name in ("y_px", "x_px"):
        far = table[name].abs().to_numpy() > FARTHEST_PX
        _check_values(table[name], far, f"a position in pixels, within {counted(FARTHEST_PX)} of 0", where)
    if "area_px" in table:
        _check_values(table["area_px"], table["area_px"].to_numpy() <= 0, "a number above 0", where)
    table["track_id"] = _track_ids(points)
    for key in (["frame", "y_px", "x_px"], ["frame", "label"]):
        if set(key) <= set(table) and (twice := table.duplicated(key)).any():
            row = table.loc[twice, key].iloc[0]
            listed = ", ".join(f"{name} {significant(value, 6)}" for name, value in row.items())
            msg = f"{where}: the cell with {listed} is listed twice; keep one row for each cell."
            raise UserError(msg)
    if (twice := table.duplicated(["frame", "track_id"]) & table["track_id"].notna()).any():
        frame, track = table.loc[twice, ["frame", "track_id"]].iloc[0]
        msg = (
            f"{where}: track_id {track} has two points in frame {frame}; a cell is in one place, so correct track_id, "
            "or leave it empty where it is not known."
        )
        raise UserError(msg)
    return table


def _track_ids(points: pd.DataFrame) -> np.ndarray:
    """Return the track ids as text, missing where none is stated, shape (points,)."""
    if "track_id" not in points:
        return np.full(len(points), None, object)
    stated = as_text(points["track_id"])
    return stated.mask(says_nothing(stated) | stated.isin(["-1", "-1.0"])).to_numpy(object, na_value=None)


def _numbers(values: pd.Series, where: str) -> np.ndarray:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(float, na_value=np.nan)
    _check_values(values, ~np.isfinite(numbers), "a number", where)
    return numbers


def _check_values(values: pd.Series, wrong: np.ndarray, expected: str, where: str) -> None:
    if wrong.any():
        value = values.to_numpy(object)[wrong][0]
        msg = f"{where}: column '{values.name}' has the value {value}; expected {expected} in every row."
        raise UserError(msg)


def _frames(table: pd.DataFrame, frames: int | None, where: str) -> int:
    last = int(table["frame"].max()) if len(table) else -1
    if frames is not None:
        if isinstance(frames, bool) or not isinstance(frames, (int, np.integer)) or frames <= last:
            msg = f"frames: {frames!r} should be the number of frames of the movie, more than the last frame, {last}."
            raise UserError(msg)
        return int(frames)
    empty = np.setdiff1d(np.arange(last + 1), table["frame"])
    if len(empty):
        msg = (
            f"{where}: there is no cell in {len(empty)} of the frames 0 to {last}, the first of them {empty[0]}; "
            "number consecutive frames 0, 1, 2, ..., or set frames=, the length of the movie, if no cell was found "
            "there."
        )
        raise UserError(msg)
    return last + 1
