"""Motion that neighbouring cells share, so that linking need only explain what is left."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from cineseq.tracking.assignment import match

logger = logging.getLogger(__name__)
NEIGHBOURS = 8
ROUNDS = 4
PAIRS_TO_JUDGE = 12
REACH = 2.5
"""Search range over the 99th percentile of the steps that mutual nearest neighbours make."""

WORTH_IT = 0.9
"""A richer motion model is taken only when it leaves less than this fraction of the simpler one's residual."""


@dataclass(frozen=True)
class Motion:
    """The motion that was removed.

    Attributes
    ----------
    kind
        ``none``, ``drift`` or ``flow``.
    shift
        Expected displacement of every object to the next frame in px (row, column), shape (objects, 2).
    step
        Median displacement between frames before correction, in px.
    spacing
        Median distance to the nearest neighbour in px; NaN where no frame has two objects.
    left
        Median displacement between frames that is left after correction, in px.
    """

    kind: str
    shift: np.ndarray
    step: float
    spacing: float
    left: float = 0.0


def by_frame(frame: np.ndarray, frames: int) -> list[slice]:
    """Return the rows of every frame, as slices of a table that is sorted by ``frame``."""
    edges = np.searchsorted(frame, np.arange(frames + 1))
    return [slice(a, b) for a, b in pairwise(edges)]


def neighbours_apart(points: np.ndarray, rows: list[slice]) -> np.ndarray:
    """Return the distance in px of every object to its nearest neighbour, of the frames that have two or more."""
    found = [KDTree(points[r]).query(points[r], k=2)[0][:, 1] for r in rows if r.stop - r.start > 1]
    return np.concatenate([np.empty(0), *found])


def neighbour_distance(points: np.ndarray, rows: list[slice]) -> float:
    """Return the median distance of objects to their nearest neighbour in px; NaN where there is none."""
    apart = neighbours_apart(points, rows)
    return float(np.median(apart)) if len(apart) else np.nan


def estimate(points: np.ndarray, rows: list[slice], wanted: str) -> Motion:
    """Choose and estimate the common motion between consecutive frames.

    For some pairs of frames, the objects are matched under each model and each object's displacement is compared
    with what the *others* suggest (nothing, the median of all, the median of the eight nearest). A richer model is
    taken when its residual is clearly smaller.

    Parameters
    ----------
    points
        Positions in px (row, column), shape (objects, 2).
    rows
        Rows of each frame.
    wanted
        ``auto``, or the model to use.
    """
    spacing = neighbour_distance(points, rows)
    pairs = [(a, b) for a, b in pairwise(rows) if min(a.stop - a.start, b.stop - b.start) > 0]
    if not pairs or not np.isfinite(spacing):
        return Motion("none", np.zeros_like(points), 0.0, spacing)
    judged = [pairs[i] for i in np.unique(np.linspace(0, len(pairs) - 1, PAIRS_TO_JUDGE).astype(int))]
    kind, left = _choose(points, judged, spacing, ("none", "drift", "flow") if wanted == "auto" else (wanted,))
    shift, steps = np.zeros_like(points), []
    guess = np.zeros(2)
    for before, after in pairs:
        if kind == "none":
            break
        flow, pair_step = _register(points[before], points[after], spacing, kind, guess)
        shift[before], guess = flow, np.median(flow, axis=0)
        steps.append(pair_step)
    return Motion(kind, shift, float(np.median(steps)) if steps else left, spacing, left)


def search_range(points: np.ndarray, rows: list[slice], motion: Motion, size: float) -> float:
    """Choose the largest step from the data.

    Mutual nearest neighbours of consecutive frames, after the common motion, give the steps; their 99th percentile
    times 2.5, at least three quarters of the objects' size and at most the median distance between neighbours.

    Parameters
    ----------
    points
        Positions in px, shape (objects, 2).
    rows
        Rows of each frame.
    motion
        The common motion.
    size
        Square root of the median area, in px.
    """
    ceiling = motion.spacing if np.isfinite(motion.spacing) else 4 * size
    steps = [np.empty(0)]
    for before, after in pairwise(rows):
        p, q = points[before] + motion.shift[before], points[after]
        if len(p) and len(q):
            distance, nearest = KDTree(q).query(p)
            back = KDTree(p).query(q)[1]
            steps.append(distance[back[nearest] == np.arange(len(p))])
    every = np.concatenate(steps)
    every = every[every < ceiling]
    wanted = REACH * float(np.percentile(every, 99)) if len(every) else ceiling
    return float(min(max(wanted, 0.75 * size), max(ceiling, 0.75 * size)))


def _choose(
    points: np.ndarray, judged: list[tuple[slice, slice]], spacing: float, kinds: tuple[str, ...]
) -> tuple[str, float]:
    """Return which of ``kinds``, the simplest first, the judged pairs of frames ask for, and what is left after it."""
    if len(kinds) > 1 and np.median([min(a.stop - a.start, b.stop - b.start) for a, b in judged]) <= NEIGHBOURS:
        kinds = kinds[:1]  # the median of a few cells is mostly the cell itself
    left = {kind: _residual(points, judged, spacing, kind) for kind in kinds}
    best = kinds[0]
    if len(kinds) == 1:
        return best, left[best]
    for kind in kinds[1:]:
        if left[kind] < WORTH_IT * left[best]:
            best = kind
    logger.info(
        "Median step left after removing nothing %.1f, a drift %.1f, the local flow %.1f px; neighbours are %.1f px"
        " apart: motion model '%s'.",
        *left.values(),
        spacing,
        best,
    )
    return best, left[best]


def _residual(points: np.ndarray, pairs: list[tuple[slice, slice]], spacing: float, kind: str) -> float:
    left = []
    for before, after in pairs:
        p, q = points[before], points[after]
        shift = _register(p, q, spacing, kind, np.zeros(2))[0]
        a, b = _matched(p + shift, q, spacing)
        left.append(np.hypot(*(q[b] - p[a] - shift[a]).T))
    every = np.concatenate(left)
    return float(np.median(every)) if len(every) else 0.0


def _register(p: np.ndarray, q: np.ndarray, spacing: float, kind: str, guess: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the shift of every point of ``p`` under a motion model, and the median displacement of the matches.

    Matching and estimation alternate, as in iterative closest point (Besl and McKay 1992), with an exact matching.
    """
    shift = np.tile(guess, (len(p), 1))
    step, matched = 0.0, None
    for _ in range(ROUNDS if kind != "none" else 0):
        a, b = _matched(p + shift, q, spacing)
        if len(a) == 0:
            return np.tile(guess, (len(p), 1)), step
        if matched is not None and np.array_equal(matched, (a, b)):
            break  # the same matches give the same shift, in this round and in all to come
        matched = (a, b)
        moved = q[b] - p[a]
        step = float(np.median(np.hypot(*moved.T)))
        shift = _flow(p, p[a], moved) if kind == "flow" else np.tile(np.median(moved, axis=0), (len(p), 1))
    return shift, step


def _matched(p: np.ndarray, q: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    near = KDTree(p).sparse_distance_matrix(KDTree(q), reach, output_type="coo_matrix")
    return match(near.row, near.col, near.data**2, (len(p), len(q)), reach**2)


def _flow(p: np.ndarray, known: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Median displacement of the eight nearest known points, never the point itself, shape (points, 2)."""
    if len(known) <= NEIGHBOURS:
        return np.tile(np.median(moved, axis=0), (len(p), 1))
    distance, nearest = KDTree(known).query(p, k=NEIGHBOURS + 1)
    own = distance[:, :1] == 0
    return np.median(moved[np.where(own, nearest[:, 1:], nearest[:, :-1])], axis=1)


LEAST_CELLS = 8
"""Fewer cells than this that are seen in both of two frames do not tell common motion from their own."""


def steps_of_tracks(detections: pd.DataFrame) -> pd.DataFrame:
    """Return the steps that tracks make between consecutive frames.

    Parameters
    ----------
    detections
        As :data:`cineseq.tables.imaging.DETECTIONS`, of one field.

    Returns
    -------
    pandas.DataFrame
        ``frame`` in which the step ends, ``y_px`` and ``x_px``; a gap makes no step.
    """
    ordered = detections.sort_values(["track_id", "frame"])
    step = ordered.groupby("track_id", sort=False)[["frame", "y_px", "x_px"]].diff()
    return step.assign(frame=ordered["frame"])[step["frame"] == 1]


def common_path(detections: pd.DataFrame, frames: int) -> dict[str, list[float]]:
    """Sum the median step of all cells from frame to frame.

    Half of the cells may move as they like without a trace; what most of them do together, stage or cells, is kept.

    Parameters
    ----------
    detections
        As :data:`cineseq.tables.imaging.DETECTIONS`, of one field.
    frames
        Frames in the movie.

    Returns
    -------
    dict
        ``common_y_px`` and ``common_x_px`` from frame 0, in px, until the first frame that fewer than ``LEAST_CELLS``
        cells step into; empty where that is the second one.
    """
    by_frame = steps_of_tracks(detections).groupby("frame")[["y_px", "x_px"]]
    counts = by_frame.size().reindex(range(1, frames), fill_value=0).to_numpy()
    known = int(np.argmin(np.append(counts, 0) >= LEAST_CELLS))
    if not known:
        return {}
    path = by_frame.median().reindex(range(1, known + 1)).cumsum()
    return {f"common_{axis}": [0.0, *path[axis].round(2)] for axis in ("y_px", "x_px")}
