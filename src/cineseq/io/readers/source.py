"""The common interface of all readers: size and metadata of raw images, and one plane at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MICROMETRES = {
    "": 1.0,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "micron": 1.0,
    "micrometer": 1.0,
    "pm": 1e-6,
    "picometer": 1e-6,
    "å": 1e-4,
    "angstrom": 1e-4,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "mm": 1e3,
    "millimeter": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "dm": 1e5,
    "decimeter": 1e5,
    "m": 1e6,
    "meter": 1e6,
}
"""Micrometres in units of length; an inch is not among them, because in images it is that of the screen."""
MINUTES = {
    "us": 1 / 60_000_000,
    "µs": 1 / 60_000_000,
    "μs": 1 / 60_000_000,
    "usec": 1 / 60_000_000,
    "microsecond": 1 / 60_000_000,
    "ms": 1 / 60_000,
    "msec": 1 / 60_000,
    "millisecond": 1 / 60_000,
    "": 1 / 60,
    "s": 1 / 60,
    "sec": 1 / 60,
    "second": 1 / 60,
    "min": 1.0,
    "minute": 1.0,
    "h": 60.0,
    "hr": 60.0,
    "hour": 60.0,
    "d": 1440.0,
    "day": 1440.0,
}
"""Minutes in units of time."""
SQUARE = 0.01
"""Sides of a pixel that differ by at most this fraction count as equal."""


@dataclass(frozen=True)
class ReadOptions:
    """What the user states on a file.

    Attributes
    ----------
    channels
        Number of channels that the user named; None if no names were given.
    axes
        Axes of the stored array, a letter each, such as "TCYX"; None takes those of the file.
    series
        Name or number (from 0) of the image in a file of several; empty for a file of one.
    masks
        Whether the file holds masks: they have no channels, and a file of one image need not know ``series``.
    missing_chunks
        What becomes of chunks of a Zarr image that are not stored: ``refuse``, ``mask`` or ``fill``. In masks they are
        background.
    """

    channels: int | None = None
    axes: str | None = None
    series: str = ""
    masks: bool = False
    missing_chunks: str = "refuse"


@dataclass(frozen=True)
class SourceInfo:
    """Size and metadata of raw images.

    Attributes
    ----------
    frames, channels, height, width
        Size; ``height`` and ``width`` in pixels.
    names
        Channel names in file order; empty if the file has none.
    pixel_size_um, frame_interval_min
        Micrometres per pixel and minutes per frame; None if the file does not state them. Of pixels that are not
        square, the side of a square of the same area.
    notes
        Sentences for the log on how the file was interpreted.
    notices
        Sentences on an interpretation that may be wrong, for the top of the report.
    pixel_aspect
        Height of a pixel divided by its width.
    times_min
        Time of each frame in minutes as the file states it for its planes; empty if it does not.
    composed
        How many channels each file of a series has, where it is not one; for messages on names.
    """

    frames: int
    channels: int
    height: int
    width: int
    names: tuple[str, ...] = ()
    pixel_size_um: float | None = None
    frame_interval_min: float | None = None
    notes: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    pixel_aspect: float = 1.0
    times_min: tuple[float, ...] = ()
    composed: str = ""


@dataclass(frozen=True)
class Source:
    """Open raw images.

    Attributes
    ----------
    path
        The file, folder or first file of a series.
    info
        Size and metadata.
    plane
        Function of (frame, channel), both from 0, that reads one plane, shape (height, width).
    frame_files
        File of each frame; empty if all frames are in ``path``.
    missing
        Frames without a file, or of which a part is lost, which read as zeros; they are kept so that times stay right.
    """

    path: Path
    info: SourceInfo
    plane: Callable[[int, int], np.ndarray]
    frame_files: tuple[Path, ...] = ()
    missing: tuple[int, ...] = ()

    def file_of(self, frame: int) -> Path:
        """Return the file of a frame, counted from 0."""
        return self.frame_files[frame] if self.frame_files else self.path


def scaled(value: object, unit: object, units: dict[str, float]) -> float | None:
    """Convert a metadata value to the target unit; None if it is absent, not positive or in an unknown unit."""
    factor = factor_of(unit, units)
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return None if factor is None or not 0 < number < float("inf") else number * factor


def factor_of(unit: object, units: dict[str, float]) -> float | None:
    """Return the factor of a unit, in the singular or the plural and in any spelling; None if it is unknown."""
    text = str(unit or "").strip().lower().replace("\\u00b5", "µ").replace("\\u03bc", "µ")
    text = text.replace("metre", "meter")
    return next((units[name] for name in (text, text.removesuffix("s")) if name in units), None)


def pixel_shape(x: float | None, y: float | None) -> tuple[float | None, float]:
    """Return the side of a square with the area of a pixel (um), and its height divided by its width.

    Parameters
    ----------
    x, y
        Width and height of a pixel in micrometres; None if unknown. One of them stands for both if the other is
        unknown.
    """
    if x is None or y is None or abs(x - y) <= SQUARE * max(x, y):
        return (y if x is None else x), 1.0
    return (x * y) ** 0.5, y / x


def unknown_unit(path: Path, what: str, value: object, unit: object, units: dict[str, float]) -> tuple[str, ...]:
    """Return a note where a file states a scale in a unit that is not known; "?" stands for no unit."""
    if value is None or unit == "?" or factor_of(unit, units) is not None:
        return ()
    return (f"{path.name}: the {what} is unknown, because the file states it in the unit '{unit}'.",)
