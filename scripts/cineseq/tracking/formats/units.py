"""Frames and pixels from whatever a file of tracks counts in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.errors import UserError


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
        step = "frame numbers from 0" if interval is None else f"multiples of track.given_frame_interval, {interval:g}"
        msg = (
            f"{path}: {what} should hold {step}, not {times.iloc[place]} (entry {place}); set"
            " track.given_frame_interval to the time from one frame to the next, in the unit of the file."
        )
        raise UserError(msg)
    return nearest.astype("int64")


def refuse_depth(z: np.ndarray, path: Path) -> None:
    """Refuse positions that differ in depth, since movies here are flat."""
    if len(z) and np.ptp(z) > 0:
        msg = (
            f"{path}: objects lie at depths from {z.min():g} to {z.max():g}; give tracks of a two-dimensional movie"
            " (project the stack first)."
        )
        raise UserError(msg)


def refuse_empty(count: int, path: Path, what: str) -> None:
    """Refuse a file without any object in a track."""
    if count == 0:
        msg = f"{path}: {what}; give a file with at least one tracked object."
        raise UserError(msg)
