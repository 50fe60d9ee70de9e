"""The objects of one field as every stage of linking sees them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from cineseq.config.tracking import Track
from cineseq.text import quantity
from cineseq.tracking import motion
from cineseq.tracking.compartments import passable
from cineseq.tracking.motion import Motion, by_frame
from cineseq.tracking.objects import Objects


@dataclass(frozen=True)
class LinkingProblem:
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
    mitosis_cues
        Whether a mother's rounding and condensation count for divisions.
    without_overlaps
        Why no pixels that masks share are believed; empty where they are.
    """

    table: pd.DataFrame
    frames: int
    motion: Motion
    reach: float
    room: np.ndarray
    discounts: pd.DataFrame
    mitosis_cues: bool = False
    without_overlaps: str = ""

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


def fragments(table: pd.DataFrame, fraction: float) -> np.ndarray:
    """Return which objects are too small to be cells, shape (objects,); those cut by the border are spared."""
    small = table["area_px"] < fraction * table["area_px"].median()
    return (small & ~table["touches_border"]).to_numpy(bool)


def linking_problem(objects: Objects, whole: np.ndarray, room: np.ndarray, settings: Track) -> LinkingProblem:
    """Return the objects that are ``whole``, shape (objects,), with their common motion and their search range."""
    kept = objects.table[whole].reset_index(drop=True)
    points = kept[["y_px", "x_px"]].to_numpy()
    rows = by_frame(kept["frame"].to_numpy(), objects.shape[0])
    size = float(np.sqrt(kept["area_px"].median()))
    moved = motion.estimate(points, rows, settings.motion)
    reach = settings.search_range_px or motion.search_range(points, rows, moved, size)
    discounts = _discounts(objects.overlaps, whole, settings.overlap_weight)
    if reason := _why_not(discounts, settings.overlap_weight, moved.step, size):
        discounts["discount"] = 0.0
    return LinkingProblem(kept, objects.shape[0], moved, reach, room[whole], discounts, settings.mitosis_cues, reason)


def _why_not(discounts: pd.DataFrame, weight: float, step: float, size: float) -> str:
    """Return why overlaps tell nothing, empty where they do: a cell that steps far lies on its neighbour's place."""
    if weight == 0:
        return "track.overlap_weight is 0"
    if len(discounts) == 0:
        return "no masks of consecutive frames share pixels"
    if step > size / 2:
        return f"cells step {quantity(step, 'px')} a frame, more than half of their size, {quantity(size / 2, 'px')}"
    return ""


def _discounts(overlaps: pd.DataFrame, whole: np.ndarray, weight: float) -> pd.DataFrame:
    """Overlaps as discounts, in rows of the whole objects."""
    place = np.cumsum(whole) - 1
    kept = overlaps[whole[overlaps["source"]] & whole[overlaps["target"]]]
    return pd.DataFrame(
        {
            "source": place[kept["source"]],
            "target": place[kept["target"]],
            "discount": np.minimum(weight * kept["shared"].to_numpy(), 1.0),
        }
    )
