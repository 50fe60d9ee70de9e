"""Read a table of points of one field, and fit it to the movie that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.config.imaging import Inputs
from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.io.delimited import read_plain
from cineseq.io.stacks import MovieInfo
from cineseq.io.written import as_text, says_nothing
from cineseq.text import number
from cineseq.tracking.imports.base import frames
from cineseq.tracking.imports.frames_agree import Counting
from cineseq.tracking.imports.plain_table import row_numbers
from cineseq.tracking.points import Points, take_points

NAMES = {
    "frame": ("frame",),
    "y": ("y_px", "y"),
    "x": ("x_px", "x"),
    "label": ("label",),
    "track": ("track_id", "track"),
    "area": ("area_px",),
}
"""Names of the column of each entry, unless the settings name another; the first one that is there is read."""
OF_TRACKS = ("parent", "death")
"""Columns that say more of finished tracks than a table of points can."""
FIELD = ("sample", "fov")
OUTSIDE_PX = 1.0
"""Distance from the images up to which a point still belongs to them: detectors place some just beyond the edge."""


@dataclass(frozen=True)
class PointTable:
    """The points of one field as a file states them.

    Attributes
    ----------
    rows
        As :func:`~cineseq.tracking.points.take_points` takes them, with the frames of the movie, indexed by row.
    frames
        Number of frames up to the last one that the file lists.
    counting
        How the file counts frames.
    """

    rows: pd.DataFrame
    frames: int
    counting: Counting


def points_of_field(
    path: Path, movie: MovieInfo | None, *, field: FieldOfView, inputs: Inputs, settings: Track
) -> tuple[Points, MovieInfo]:
    """Read the points of one field of view.

    Parameters
    ----------
    path
        A csv, tsv or parquet table. Columns ``frame``, ``y_px`` and ``x_px`` (or ``y`` and ``x``), and optionally
        ``label``, ``area_px`` and ``track_id`` (or ``track``), unless ``track.external_columns`` names others. With
        the columns ``sample`` or ``fov``, the rows of other fields are left out.
    movie
        Metadata of the movie, which states the frames and their times; without one, the movie ends with the last frame
        of the table.
    field
        Sample and field of view, and its frame step.
    inputs, settings
        Sections of the configuration: size of a pixel and time between frames without a movie; how the table counts
        frames and lengths (``track.external_*``, as for tables of tracks).

    Raises
    ------
    UserError
        When the table is not readable, lacks a column or a value, lists a point twice, or is not of this movie.
    """
    table = _read(path, field, settings)
    if movie is None:
        interval = inputs.frame_interval_min
        interval = None if interval is None else interval * field.frame_step
        info = MovieInfo(table.frames, 0, 0, (), inputs.pixel_size_um, interval)
        return take_points(table.rows, table.frames, where=str(path)), info
    _check_frames(table, movie, path)
    _check_places(table.rows, movie, path)
    rows = table.rows
    if movie.origins:
        # Where frames were shifted against each other, positions are shifted with them.
        origin = np.array(movie.origins, float)[rows["frame"].to_numpy()]
        rows = rows.assign(y_px=rows["y_px"] + origin[:, 0], x_px=rows["x_px"] + origin[:, 1])
    return take_points(rows, movie.frames, where=str(path)), replace(movie, channels=())


def _read(path: Path, field: FieldOfView, settings: Track) -> PointTable:
    table = _of_field(read_plain(path), field, path)
    names = _columns(table, settings, path)
    size = settings.external_pixel_size or 1.0
    time = row_numbers(table[names["frame"]], path, whole=settings.external_frame_interval is None)
    counted = frames(time, settings.external_frame_interval, path, f"column '{names['frame']}'")
    rows = {"frame": counted}
    rows |= {f"{axis}_px": row_numbers(table[names[axis]], path, whole=False) / size for axis in ("y", "x")}
    if "label" in names:
        rows["label"] = row_numbers(table[names["label"]], path, whole=True)
    if "area" in names:
        rows["area_px"] = row_numbers(table[names["area"]], path, whole=False)
    if "track" in names:
        rows["track_id"] = as_text(table[names["track"]])
    counting = Counting.of(settings, field.frame_step)
    kept = counting.of_masks(pd.DataFrame(rows))
    if kept.empty or kept["frame"].min() < 0:
        known = "no row in the frames that are used" if kept.empty else f"rows before frame {counting.first}"
        msg = (
            f"{path}: there are {known}; set track.external_first_frame to the number of the first frame, and "
            "track.external_frame_step to the numbers from one frame to the next."
        )
        raise UserError(msg)
    last = int(counted.max() - counting.first) // counting.step
    return PointTable(kept, last + 1, counting)


def _of_field(table: pd.DataFrame, field: FieldOfView, path: Path) -> pd.DataFrame:
    """Return the rows of one field of view, if the table has columns for it."""
    mine = pd.Series(data=True, index=table.index)
    for name in (c for c in FIELD if c in table):
        mine &= (as_text(table[name]) == getattr(field, name)).fillna(value=False).astype(bool)
    if not mine.any():
        named = " and ".join(name for name in FIELD if name in table)
        msg = (
            f"{path}: no row is of sample {field.sample}, field {field.fov}; correct the columns {named}, or leave "
            "them out."
        )
        raise UserError(msg)
    return table[mine]


def _columns(table: pd.DataFrame, settings: Track, path: Path) -> dict[str, str]:
    """Return the name of the column of each entry that is there."""
    chosen = {str(what): name for what, name in settings.external_columns.items()}
    for what in OF_TRACKS:
        name = chosen.get(what, what)
        if name in table and not says_nothing(table[name]).all():
            msg = (
                f"{path}: column '{name}' is of finished tracks, and these are points to be tracked; name the table in "
                "the column 'tracks' of the sheet to keep its tracks, or leave this column out."
            )
            raise UserError(msg)
    names = {}
    for what, usual in NAMES.items():
        wanted = (chosen[what],) if what in chosen else usual
        found = next((name for name in wanted if name in table), None)
        if found is not None:
            names[what] = found
        elif what in chosen or what in ("frame", "y", "x"):
            msg = (
                f"{path}: no column '{wanted[0]}' among {', '.join(map(str, table.columns))}; name the columns of "
                "frame, y and x in track.external_columns, and set track.external_pixel_size to the size of a pixel if "
                "y and x are not in pixels."
            )
            raise UserError(msg)
    return names


def _check_frames(table: PointTable, movie: MovieInfo, path: Path) -> None:
    if table.frames > movie.frames:
        first, step = table.counting.first, table.counting.step
        stated = f"{first + (table.frames - 1) * step}", f"{first + (movie.frames - 1) * step}"
        msg = (
            f"{path}: the points go up to frame {stated[0]}, and the movie up to frame {stated[1]} by the same "
            f"counting, from {first} in steps of {step}; set track.external_first_frame (1 if the table counts from "
            "1), track.external_frame_step or track.external_frame_interval, or name the movie of these points."
        )
        raise UserError(msg)


def _check_places(rows: pd.DataFrame, movie: MovieInfo, path: Path) -> None:
    """Check that points lie in the images, arguments as above."""
    size = np.array([movie.height, movie.width], float)
    places = rows[["y_px", "x_px"]].to_numpy(float)
    outside = ((places < -OUTSIDE_PX) | (places > size - 1 + OUTSIDE_PX)).any(axis=1)
    if outside.any():
        y, x = places[outside][0]
        msg = (
            f"{path}, row {rows.index[outside][0]}: the point at y {number(y, 1)}, x {number(x, 1)} is outside of the "
            f"images ({movie.height} rows, y, and {movie.width} columns, x); name the columns of y and x in "
            "track.external_columns, set track.external_pixel_size if they are not in pixels, or name the movie of "
            "these points."
        )
        raise UserError(msg)
