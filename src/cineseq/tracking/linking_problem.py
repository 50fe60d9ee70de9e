"""The linking problem of one field: whole objects, their common motion, search range, overlaps and walls."""

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

NO_GAP_COST = 0.8
"""Cost of leaving a gap open; a pair costs its distance over the search range plus the change of log area."""


@dataclass(frozen=True)
class LinkingProblem:
    """Input of every linking stage: whole objects sorted by frame, and the model of their motion.

    Attributes
    ----------
    table
        One row per object, columns as in :data:`cineseq.tracking.objects.COLUMNS`; index 0, 1, ...
    frames
        Number of frames of the movie.
    motion
        The common motion between frames.
    reach
        Largest step between frames in px, after the common motion.
    compartment
        Closed compartment of each object, -1 for none, shape (objects,).
    discounts
        Pairs of rows (``source``, ``target``) whose masks share pixels, with the ``discount`` on the cost of their
        link, 0 to 1.
    mitosis_cues
        Whether rounding and condensation of the parent count as evidence for a division.
    without_overlaps
        Why overlaps of masks are not used; empty where they are.
    """

    table: pd.DataFrame
    frames: int
    motion: Motion
    reach: float
    compartment: np.ndarray
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
        """Return whether no wall lies between objects ``before`` and ``after`` (rows), shape (pairs,)."""
        return passable(self.compartment, before, after)


def fragments(table: pd.DataFrame, fraction: float) -> np.ndarray:
    """Return which objects are too small to be cells, shape (objects,); objects at the border are never fragments."""
    small = table["area_px"] < fraction * table["area_px"].median()
    return (small & ~table["touches_border"]).to_numpy(bool)


def linking_problem(objects: Objects, whole: np.ndarray, compartment: np.ndarray, settings: Track) -> LinkingProblem:
    """Return the linking problem of the objects that are ``whole``, a mask of shape (objects,)."""
    kept = objects.steady[whole].reset_index(drop=True)
    points = kept[["y_px", "x_px"]].to_numpy()
    rows = by_frame(kept["frame"].to_numpy(), objects.shape[0])
    size = float(np.sqrt(kept["area_px"].median()))
    common = motion.estimate(points, rows, settings.motion)
    reach = settings.search_range_px or motion.search_range(points, rows, common, size)
    discounts = _discounts(_overlaps_without_jumps(objects), whole, settings.overlap_weight)
    if reason := _why_overlaps_are_unused(discounts, settings.overlap_weight, common.step, size):
        discounts["discount"] = 0.0
    cues = settings.mitosis_cues
    return LinkingProblem(kept, objects.shape[0], common, reach, compartment[whole], discounts, cues, reason)


def _overlaps_without_jumps(objects: Objects) -> pd.DataFrame:
    """Return the overlaps of masks, without those over a jump of the stage, which join different cells."""
    target = objects.table["frame"].to_numpy()[objects.overlaps["target"].to_numpy(np.int64)]
    return objects.overlaps[~np.isin(target, [jump.frame for jump in objects.jumps])]


def _why_overlaps_are_unused(discounts: pd.DataFrame, weight: float, step: float, size: float) -> str:
    """Return the reason, empty where overlaps are used; a cell that moves far overlaps its neighbour's old position."""
    if weight == 0:
        return "track.overlap_weight is 0"
    if len(discounts) == 0:
        return "no masks of consecutive frames share pixels"
    if step > size / 2:
        return f"cells move {quantity(step, 'px')} per frame, more than half of their size, {quantity(size / 2, 'px')}"
    return ""


def _discounts(overlaps: pd.DataFrame, whole: np.ndarray, weight: float) -> pd.DataFrame:
    """Return overlaps as discounts, in rows of the whole objects."""
    new_row = np.cumsum(whole) - 1
    kept = overlaps[whole[overlaps["source"]] & whole[overlaps["target"]]]
    return pd.DataFrame(
        {
            "source": new_row[kept["source"]],
            "target": new_row[kept["target"]],
            "discount": np.minimum(weight * kept["shared"].to_numpy(), 1.0),
        }
    )
