"""The objects of one field as every stage of linking sees them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from cineseq.tracking.compartments import passable
from cineseq.tracking.motion import Motion, by_frame


@dataclass(frozen=True)
class Scene:
    """Whole objects, sorted by frame, and what is known of their motion.

    Attributes
    ----------
    table
        One row per object, columns as in :data:`cineseq.tracking.objects.COLUMNS`; index 0, 1, ...
    frames
        Frames of the movie.
    motion
        The common motion between frames.
    reach
        Largest step between frames in px, after the common motion.
    room
        Closed compartment of each object, -1 for none, shape (objects,).
    discounts
        Pairs of rows (``source``, ``target``) that share pixels, with a ``discount`` in 0 to 1.
    """

    table: pd.DataFrame
    frames: int
    motion: Motion
    reach: float
    room: np.ndarray
    discounts: pd.DataFrame

    @cached_property
    def points(self) -> np.ndarray:
        """Positions in px (row, column), shape (objects, 2)."""
        return self.table[["y_px", "x_px"]].to_numpy(float)

    @cached_property
    def frame(self) -> np.ndarray:
        """Frame of each object, shape (objects,)."""
        return self.table["frame"].to_numpy(np.int64)

    @cached_property
    def rows(self) -> list[slice]:
        """Rows of each frame."""
        return by_frame(self.frame, self.frames)

    @cached_property
    def size(self) -> float:
        """Square root of the median area, in px."""
        return float(np.sqrt(self.table["area_px"].median()))

    def passable(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return whether a cell can be object ``before`` first and ``after`` later (rows), shape (pairs,)."""
        return passable(self.room, before, after)
