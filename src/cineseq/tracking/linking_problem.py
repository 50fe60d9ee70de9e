"""The linking problem of one field: whole objects, their common motion, overlaps of moved masks, and walls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.spatial import ConvexHull, KDTree, QhullError

from cineseq.config.tracking import Track
from cineseq.tracking import motion
from cineseq.tracking.compartments import passable
from cineseq.tracking.densities import LEAST_VARIANCE
from cineseq.tracking.motion import Motion, by_frame
from cineseq.tracking.objects import Objects, moved_overlaps

FARTHEST = 3.0
"""Largest link considered, in distances between neighbours or object sizes, whichever is larger."""
AROUND = 6
"""Neighbours from which the local density of objects is taken."""
FEW_OBJECTS = 4.0
"""Squared distances between neighbours that one object has for itself where a frame has no other."""
EXACTNESS = 0.02
"""Least standard deviation of a step of points, in distances between neighbours."""
BIRTH_SHARE = 0.95
"""Usual distance between newborn daughters over the birth length."""
INSIDE, EDGE, CUT = 0, 1, 2
"""Where an object is: inside the field, near the edge of where cells are seen, or cut by the border of the image."""


@dataclass(frozen=True)
class LinkingProblem:
    """Input of the decision: whole objects sorted by frame, and the model of their motion.

    Attributes
    ----------
    table
        One row per object, columns as in :data:`cineseq.tracking.objects.COLUMNS`; index 0, 1, ...
    extent
        Frames, height and width on square pixels; height and width are 0 where unknown.
    motion
        The common motion between frames.
    compartment
        Closed compartment of each object, -1 for none, shape (objects,).
    overlaps
        Pixels that the mask of an object, moved by the common motion, shares with masks of the next frame: sorted
        codes ``source * objects + target``, and the pixels, shape (pairs,) each.
    limit
        Largest link in px if the settings state it, else None.
    without_overlaps
        Why overlaps of masks are not used; empty where they are.
    """

    table: pd.DataFrame
    extent: tuple[int, int, int]
    motion: Motion
    compartment: np.ndarray
    overlaps: tuple[np.ndarray, np.ndarray]
    limit: float | None = None
    without_overlaps: str = ""

    @property
    def frames(self) -> int:
        """Number of frames of the movie."""
        return self.extent[0]

    @cached_property
    def points(self) -> np.ndarray:
        """Positions on square pixels (row, column), shape (objects, 2)."""
        return self.table[["y_px", "x_px"]].to_numpy(float)

    @cached_property
    def expected(self) -> np.ndarray:
        """Predicted positions in the next frame in px (row, column), shape (objects, 2)."""
        return self.points + self.motion.shift

    @cached_property
    def frame(self) -> np.ndarray:
        """Frame of each object, shape (objects,)."""
        return self.table["frame"].to_numpy(np.int64)

    @cached_property
    def rows(self) -> list[slice]:
        """Rows of each frame."""
        return by_frame(self.frame, self.frames)

    @cached_property
    def log_area(self) -> np.ndarray:
        """Log of the area in px2, shape (objects,)."""
        return np.log(self.table["area_px"].to_numpy(float))

    @cached_property
    def elongation(self) -> np.ndarray:
        """Log aspect ratio times cosine and sine of twice the orientation, shape (objects, 2)."""
        return self.table[["elongation_0", "elongation_45"]].to_numpy(float)

    @cached_property
    def size(self) -> float:
        """Square root of the median area, in px."""
        return float(np.sqrt(self.table["area_px"].median()))

    @property
    def spacing(self) -> float:
        """Median distance to the nearest neighbour in px; twice the size where no frame has two objects."""
        return self.motion.spacing if np.isfinite(self.motion.spacing) else 2 * self.size

    @property
    def least_variance(self) -> float:
        """Lower bound of the variance of a step in px2.

        Points have no pixels and may be in any unit of length; theirs is a fraction of the distance of neighbours.
        """
        return LEAST_VARIANCE if self.extent[1] else (EXACTNESS * self.spacing) ** 2

    @cached_property
    def birth_length(self) -> float:
        """Length in px to which distances of newborn daughters are compared.

        It lies between the size of a mask and the distance of neighbours, as masks may be nuclei or whole cells; it is
        half of the median length of cells where that is larger.
        """
        long_axis = np.exp(self.log_area / 2 + np.hypot(*self.elongation.T) / 2) * np.sqrt(4 / np.pi)
        return max(np.sqrt(self.size * min(self.spacing, 2 * self.size)), float(np.median(long_axis)) / 2)

    @cached_property
    def density(self) -> np.ndarray:
        """Objects per px2 around each object, shape (objects,)."""
        density = np.full(len(self.table), 1 / (FEW_OBJECTS * max(self.spacing, self.size) ** 2))
        for rows in self.rows:
            count = min(AROUND + 1, rows.stop - rows.start)
            if count > 1:
                points = self.points[rows]
                farthest = KDTree(points).query(points, k=count)[0][:, -1]
                density[rows] = (count - 1) / (np.pi * np.maximum(farthest, self.size / 4) ** 2)
        return density

    @cached_property
    def place(self) -> np.ndarray:
        """Whether each object is ``INSIDE``, at the ``EDGE`` or ``CUT`` by the border, shape (objects,).

        Cells enter and leave at the edge: within the distance between neighbours, plus the common motion, of the border
        or of the outline of the objects of all frames.
        """
        y, x = self.points.T
        inward = np.full(len(y), np.inf)
        if self.extent[1]:
            inward = np.minimum.reduce([y, x, self.extent[1] - 1 - y, self.extent[2] - 1 - x])
        try:
            sides = ConvexHull(self.points).equations
            inward = np.minimum(inward, -(self.points @ sides[:, :2].T + sides[:, 2]).max(axis=1))
        except (QhullError, ValueError):  # fewer than three objects, or all on one line: no outline
            pass
        near = inward < max(self.spacing, self.size) + np.hypot(*self.motion.shift.T)
        return np.where(self.table["touches_border"].to_numpy(bool), CUT, np.where(near, EDGE, INSIDE))

    def shared(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the pixels that the moved mask of each source shares with the target, shape of ``source``."""
        codes, pixels = self.overlaps
        if len(codes) == 0:
            return np.zeros(len(source))
        code = source.astype(np.int64) * len(self.table) + target
        at = np.minimum(np.searchsorted(codes, code), len(codes) - 1)
        return np.where(codes[at] == code, pixels[at], 0.0)

    def residual(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the step of each link or gap after the common motion in px (row, column), shape (links, 2)."""
        frames = self.frame[target] - self.frame[source]
        return self.points[target] - self.points[source] - self.motion.shift[source] * frames[:, None]

    def distance(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the distance in px of each target from the predicted place of its source, shape of ``source``."""
        return np.hypot(*(self.points[target] - self.expected[source]).T)

    @property
    def reach(self) -> float:
        """Largest link in px that is considered, besides those to masks that the moved mask overlaps."""
        return self.limit or FARTHEST * max(self.spacing, self.size)

    def passable(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return whether no wall lies between objects ``before`` and ``after`` (rows), shape (pairs,)."""
        return passable(self.compartment, before, after)

    def moved(self, shift: np.ndarray) -> LinkingProblem:
        """Return the problem with another common motion; overlaps stay those of the first."""
        return replace(self, motion=replace(self.motion, shift=shift))


def fragments(table: pd.DataFrame, fraction: float) -> np.ndarray:
    """Return which objects are too small to be cells, shape (objects,); objects at the border are never fragments."""
    small = table["area_px"] < fraction * table["area_px"].median()
    return (small & ~table["touches_border"]).to_numpy(bool)


def linking_problem(objects: Objects, whole: np.ndarray, compartment: np.ndarray, settings: Track) -> LinkingProblem:
    """Return the linking problem of the objects that are ``whole``, a mask of shape (objects,)."""
    kept = objects.steady[whole].reset_index(drop=True)
    points = kept[["y_px", "x_px"]].to_numpy()
    common = motion.estimate(points, by_frame(kept["frame"].to_numpy(), objects.shape[0]), settings.motion)
    overlaps, reason = _overlaps(objects, whole, common, settings)
    extent, limit = objects.squared_shape, settings.search_range_px
    return LinkingProblem(kept, extent, common, compartment[whole], overlaps, limit, reason)


def _overlaps(
    objects: Objects, whole: np.ndarray, common: Motion, settings: Track
) -> tuple[tuple[np.ndarray, np.ndarray], str]:
    """Return the overlaps of moved masks between whole objects, and why there are none."""
    none = (np.empty(0, np.int64), np.empty(0))
    if settings.overlap_weight == 0:
        return none, "track.overlap_weight is 0"
    if objects.are_points:
        return none, "points have no masks"
    shift = np.zeros((len(whole), 2))
    shift[whole] = common.shift
    pairs = moved_overlaps(objects, shift)
    # Rows of whole objects, -1 for fragments.
    row = np.where(whole, np.cumsum(whole) - 1, -1)
    source, target = (row[pairs[name].to_numpy(np.int64)] for name in ("source", "target"))
    known = (source >= 0) & (target >= 0)
    if not known.any():
        return none, "no masks of consecutive frames share pixels"
    code = source[known] * int(whole.sum()) + target[known]
    order = np.argsort(code)
    return (code[order], pairs["pixels"].to_numpy(float)[known][order]), ""
