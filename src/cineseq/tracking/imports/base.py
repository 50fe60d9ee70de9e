"""Result of every reader of external tracks, and checks that the readers share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.errors import UserError
from cineseq.text import significant


def parent_links(track: Iterable[int] = (), parent: Iterable[int] = ()) -> pd.DataFrame:
    """Return pairs of a daughter and its parent (mother), columns ``track`` and ``parent``, each pair once."""
    pairs = pd.DataFrame({"track": pd.Series(track, dtype="int64"), "parent": pd.Series(parent, dtype="int64")})
    return pairs.drop_duplicates(ignore_index=True)


@dataclass(frozen=True)
class ExternalTracks:
    """Tracks as another tool wrote them, with nothing added.

    Attributes
    ----------
    rows
        One row per object: ``frame``, ``track``, and ``label`` (in the mask), or ``y_px`` and ``x_px``, or all three.
        None where the labels of the masks are the track numbers.
    parents
        One row per pair of a daughter and its parent, columns ``track`` and ``parent``. They may be impossible (two
        parents, three daughters); :func:`~cineseq.tracking.imports.conflicts.settle` resolves that.
    spans
        First and last frame of each track, columns ``track``, ``first``, ``last``; empty if the file states none.
    deaths
        Tracks whose death the file states.
    counts
        Numbers of entries that the reader left out, by name.
    other_frames
        Frames of objects that are in no track.
    """

    rows: pd.DataFrame | None
    parents: pd.DataFrame
    spans: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["track", "first", "last"], dtype=int))
    deaths: frozenset[int] = frozenset()
    counts: dict[str, int] = field(default_factory=dict)
    other_frames: tuple[int, ...] = ()

    @property
    def known_rows(self) -> pd.DataFrame:
        """The rows, of formats that list objects."""
        if self.rows is None:
            msg = "these tracks list no objects: the labels of the masks are the track numbers"
            raise ValueError(msg)
        return self.rows


def whole(values: pd.Series, path: Path, what: str) -> pd.Series:
    """Return whole numbers as integers.

    Raises
    ------
    UserError
        For the first value that is not a whole number; the message names its position, from 0.
    """
    number = numbers(values, path, what)
    if (wrong := number % 1 != 0).any():
        entry = int(wrong.to_numpy().argmax())
        msg = f"{path}: {what} should be a whole number, not {values.iloc[entry]} (entry {entry}); fix it."
        raise UserError(msg)
    return number.astype("int64")


def numbers(values: pd.Series, path: Path, what: str) -> pd.Series:
    """Return finite numbers.

    Raises
    ------
    UserError
        For the first value that is not a finite number.
    """
    number = pd.to_numeric(values, errors="coerce").astype("float64")
    if (wrong := ~np.isfinite(number)).any():
        entry = int(wrong.to_numpy().argmax())
        msg = f"{path}: {what} should be a number, not {values.iloc[entry]!r} (entry {entry}); fix it."
        raise UserError(msg)
    return number


def frames(times: pd.Series, interval: float | None, path: Path, what: str) -> pd.Series:
    """Return frame numbers from times, which are multiples of ``interval``, or frame numbers if it is None.

    Raises
    ------
    UserError
        For a time that is not a frame, or is negative.
    """
    count = numbers(times, path, what) / (interval or 1.0)
    nearest = count.round()
    wrong = (nearest < 0) | ((count - nearest).abs() > 1e-3)
    if wrong.any():
        entry = int(wrong.to_numpy().argmax())
        step = (
            "frame numbers from 0"
            if interval is None
            else f"multiples of track.external_frame_interval, {significant(interval, 6)}"
        )
        msg = (
            f"{path}: {what} should hold {step}, not {times.iloc[entry]} (entry {entry}); set"
            " track.external_frame_interval to the time from one frame to the next, in the unit of the file."
        )
        raise UserError(msg)
    return nearest.astype("int64")


def check_depth(z: np.ndarray, path: Path) -> None:
    """Check that all positions have the same depth, since movies are two-dimensional; else raise a UserError."""
    if len(z) and np.ptp(z) > 0:
        msg = (
            f"{path}: objects have depths from {significant(z.min())} to {significant(z.max())}; supply tracks of a "
            "two-dimensional movie"
            " (project the stack first)."
        )
        raise UserError(msg)


def check_not_empty(count: int, path: Path, what: str) -> None:
    """Check that a file contains an object in a track; else raise a UserError that says what is missing."""
    if count == 0:
        msg = f"{path}: {what}; supply a file with at least one tracked object."
        raise UserError(msg)
