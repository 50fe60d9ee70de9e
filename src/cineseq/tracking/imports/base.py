"""What every reader of external tracks returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.errors import UserError
from cineseq.text import significant

FOLLOWED = "cells_followed_after_death"
"""Name of the count of tracks that a file follows beyond the frame in which it says that the cell is dead."""


def mothers(track: Iterable[int] = (), mother: Iterable[int] = ()) -> pd.DataFrame:
    """Return pairs of daughter and mother, columns ``track`` and ``mother``, each pair once."""
    pairs = pd.DataFrame({"track": pd.Series(track, dtype="int64"), "mother": pd.Series(mother, dtype="int64")})
    return pairs.drop_duplicates(ignore_index=True)


@dataclass(frozen=True)
class ExternalTracks:
    """Tracks as another tool wrote them; what it does not say is not in here.

    Attributes
    ----------
    rows
        One row per object: ``frame`` and ``track``, and ``label`` (its label in the mask), ``y_px`` and ``x_px``, or
        all three. None where the labels of the masks are the track numbers themselves.
    parents
        One row per pair of a daughter and its mother, columns ``track`` and ``mother``. What no cell can have (two
        mothers, three daughters) may be in here; :func:`~cineseq.tracking.imports.conflicts.settle` sees to it.
    spans
        Where the file states them: first and last frame of each track, columns ``track``, ``first``, ``last``.
    deaths
        Tracks that the file says ended in death.
    counts
        What the reader left out, by name.
    """

    rows: pd.DataFrame | None
    parents: pd.DataFrame
    spans: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["track", "first", "last"], dtype=int))
    deaths: frozenset[int] = frozenset()
    counts: dict[str, int] = field(default_factory=dict)


def whole(values: pd.Series, path: Path, what: str) -> pd.Series:
    """Return whole numbers as integers.

    Raises
    ------
    UserError
        For the first value that is none; the message names its place, counted from 0.
    """
    found = numbers(values, path, what)
    if (wrong := found % 1 != 0).any():
        place = int(wrong.to_numpy().argmax())
        msg = f"{path}: {what} should be a whole number, not {values.iloc[place]} (entry {place}); mend it."
        raise UserError(msg)
    return found.astype("int64")


def numbers(values: pd.Series, path: Path, what: str) -> pd.Series:
    """Return finite numbers, or refuse the first value that is none."""
    found = pd.to_numeric(values, errors="coerce").astype("float64")
    if (wrong := ~np.isfinite(found)).any():
        place = int(wrong.to_numpy().argmax())
        msg = f"{path}: {what} should be a number, not {values.iloc[place]!r} (entry {place}); mend it."
        raise UserError(msg)
    return found


def frames(times: pd.Series, interval: float | None, path: Path, what: str) -> pd.Series:
    """Return frame numbers from times that are multiples of ``interval`` (None: they are frame numbers).

    Raises
    ------
    UserError
        For a time that is no frame, or lies before the first.
    """
    found = numbers(times, path, what)
    count = found / (interval or 1.0)
    nearest = count.round()
    wrong = (nearest < 0) | ((count - nearest).abs() > 1e-3)
    if wrong.any():
        place = int(wrong.to_numpy().argmax())
        step = (
            "frame numbers from 0" if interval is None else f"multiples of track.external_frame_interval, {interval:g}"
        )
        msg = (
            f"{path}: {what} should hold {step}, not {times.iloc[place]} (entry {place}); set"
            " track.external_frame_interval to the time from one frame to the next, in the unit of the file."
        )
        raise UserError(msg)
    return nearest.astype("int64")


def refuse_depth(z: np.ndarray, path: Path) -> None:
    """Refuse positions that differ in depth, since movies here are flat."""
    if len(z) and np.ptp(z) > 0:
        msg = (
            f"{path}: objects lie at depths from {significant(z.min())} to {significant(z.max())}; give "
            f"tracks of a two-dimensional movie"
            " (project the stack first)."
        )
        raise UserError(msg)


def refuse_empty(count: int, path: Path, what: str) -> None:
    """Refuse a file without any object in a track."""
    if count == 0:
        msg = f"{path}: {what}; give a file with at least one tracked object."
        raise UserError(msg)
