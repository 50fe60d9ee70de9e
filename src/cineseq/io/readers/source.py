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
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "mm": 1e3,
    "millimeter": 1e3,
    "cm": 1e4,
    "m": 1e6,
    "meter": 1e6,
}
MINUTES = {
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
    "hour": 60.0,
    "d": 1440.0,
    "day": 1440.0,
}


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
        Micrometres per pixel and minutes per frame; None if the file does not state them.
    notes
        Sentences for the log on how the file was interpreted.
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
        Frames without a file, which read as zeros; they are kept so that times stay right.
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
    factor = units.get(str(unit or "").strip().lower())
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return None if factor is None or not 0 < number < float("inf") else number * factor
