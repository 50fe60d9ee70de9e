"""Common motion of neighbouring cells, removed before linking."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from cineseq.text import number

logger = logging.getLogger(__name__)
NEIGHBOURS = 8
POOR = 0.15
"""Mean misfit of a registration, as a fraction of the spacing, above which another start is tried."""
ROUNDS = 4
"""Most rounds of matching and estimation per pair of frames."""
PAIRS_TO_JUDGE = 12
"""Pairs of frames, spread over the movie, on which the motion model is chosen."""

WORTH_IT = 0.9
"""A richer motion model is chosen only if its residual is below this fraction of the simpler model's."""


@dataclass(frozen=True)
class Motion:
    """The common motion of one field.

    Attributes
    ----------
    kind
        ``none``, ``drift`` or ``flow``.
    shift
        Expected displacement of every object to the next frame in px (row, column), shape (objects, 2).
    spacing
        Median distance to the nearest neighbour in px; NaN where no frame has two objects.
    """

    kind: str
    shift: np.ndarray
    spacing: float


def by_frame(frame: np.ndarray, frames: int) -> list[slice]:
    """Return the rows of every frame, as slices of a table that is sorted by ``frame``."""
    edges = np.searchsorted(frame, np.arange(frames + 1))
    return [slice(a, b) for a, b in pairwise(edges)]


def neighbours_apart(points: np.ndarray, rows: list[slice]) -> np.ndarray:
    """Return the distance in px of every object to its nearest neighbour, of the frames that have two or more."""
    found = [KDTree(points[r]).query(points[r], k=2)[0][:, 1] for r in rows if r.stop - r.start > 1]
    return np.concatenate([np.empty(0), *found])


def neighbour_distance(points: np.ndarray, rows: list[slice]) -> float:
    """Return the median distance of objects to their nearest neighbour in px; NaN if no frame has two objects."""
    apart = neighbours_apart(points, rows)
    return float(np.median(apart)) if len(apart) else np.nan


def estimate(points: np.ndarray, rows: list[slice], wanted: str) -> Motion:
    """Choose and estimate the common motion between consecutive frames.

    Three models are compared on some pairs of frames: no motion, one translation (the median displacement), and a
    local flow (the median displacement of the eight nearest *other* objects). The residual of a model is the median
    displacement that it leaves. A richer model is chosen if its residual is clearly smaller.

    Parameters
    ----------
    points
        Positions in px (row, column), shape (objects, 2).
    rows
        Rows of each frame.
    wanted
        ``auto``, or the model to use: ``none``, ``drift`` or ``flow``.
    """
    spacing = neighbour_distance(points, rows)
    pairs = [(a, b) for a, b in pairwise(rows) if min(a.stop - a.start, b.stop - b.start) > 0]
    if not pairs or not np.isfinite(spacing):
        return Motion("none", np.zeros_like(points), spacing)
    # Choose the model on pairs of frames spread over the movie.
    judged = [pairs[i] for i in np.unique(np.linspace(0, len(pairs) - 1, PAIRS_TO_JUDGE).astype(int))]
    kind = _choose(points, judged, spacing, ("none", "drift", "flow") if wanted == "auto" else (wanted,))
    # Apply it to every pair of frames. The last median shift is the first guess of the next pair.
    shift = np.zeros_like(points)
    guess = np.zeros(2)
    for before, after in pairs:
        if kind == "none":
            break
        p, q = points[before], points[after]
        shift[before] = _best_register(p, q, spacing, kind, guess)
        guess = np.median(shift[before], axis=0)
    return Motion(kind, shift, spacing)


def _choose(points: np.ndarray, judged: list[tuple[slice, slice]], spacing: float, kinds: tuple[str, ...]) -> str:
    """Return the motion model chosen from ``kinds`` (the simplest first)."""
    if len(kinds) > 1 and np.median([min(a.stop - a.start, b.stop - b.start) for a, b in judged]) <= NEIGHBOURS:
        kinds = kinds[:1]  # among so few cells a median displacement is mostly that of the cell itself
    best = kinds[0]
    if len(kinds) == 1:
        return best
    left = {kind: _residual(points, judged, spacing, kind) for kind in kinds}
    for kind in kinds[1:]:
        if left[kind] < WORTH_IT * left[best]:
            best = kind
    logger.info(
        "Median residual step: %s px without correction, %s px after drift, %s px after local flow; distance between "
        "neighbours %s px. Motion model '%s'.",
        *(number(step, 1) for step in left.values()),
        number(spacing, 1),
        best,
    )
    return best


def _residual(points: np.ndarray, pairs: list[tuple[slice, slice]], spacing: float, kind: str) -> float:
    """Return the median displacement in px that a motion model leaves; ``spacing`` where nothing matches."""
    left = []
    for before, after in pairs:
        p, q = points[before], points[after]
        shift = _best_register(p, q, spacing, kind, np.zeros(2))
        a, b = _matched(p + shift, q, spacing)
        left.append(np.hypot(*(q[b] - p[a] - shift[a]).T))
    residual = np.concatenate(left)
    return float(np.median(residual)) if len(residual) else spacing


def _dilation(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return the shift of every point if all points dilate about their centre, as a growing colony does."""
    centre, after = p.mean(axis=0), q.mean(axis=0)
    spread, spread_after = (np.sqrt(((x - x.mean(axis=0)) ** 2).sum(axis=1).mean()) for x in (p, q))
    growth = spread_after / spread if spread > 0 and min(len(p), len(q)) > NEIGHBOURS else 1.0
    return (p - centre) * (growth - 1) + after - centre


def _best_register(p: np.ndarray, q: np.ndarray, spacing: float, kind: str, guess: np.ndarray) -> np.ndarray:
    """Register two frames from a guess of the shift; return the shift of every point, shape (points, 2).

    Where that fits poorly, the shift of the centre of all objects and growth about it are tried, too: the guess may lie
    farther from the truth than the next neighbour does.
    """
    shift, misfit = _register(p, q, spacing, kind, np.tile(guess, (len(p), 1)))
    if kind != "none" and misfit > POOR * spacing:
        other, misfit_of_other = _register(p, q, spacing, kind, _dilation(p, q))
        shift = other if misfit_of_other < misfit else shift
    return shift


def _register(p: np.ndarray, q: np.ndarray, spacing: float, kind: str, start: np.ndarray) -> tuple[np.ndarray, float]:
    """Register two frames: return the shift of every point under a motion model.

    Matching and estimation alternate, as in iterative closest point (Besl and McKay 1992, IEEE Trans. PAMI 14, 239),
    with an exact one-to-one matching.

    Parameters
    ----------
    p, q
        Positions in the earlier and the later frame, shape (points, 2) and (points of the next frame, 2).
    spacing
        Largest distance of a match in px.
    kind
        ``none``, ``drift`` or ``flow``.
    start
        First shift, shape (points, 2).

    Returns
    -------
    shift
        Shape (points, 2).
    left
        Mean distance from the shifted points to their matches in px; ``spacing`` where there is none.
    """
    shift, left = start, spacing
    matched: tuple[np.ndarray, np.ndarray] | None = None
    # Match, then estimate the shift from the matches, until the matches stay the same.
    for _ in range(ROUNDS if kind != "none" else 0):
        a, b = _matched(p + shift, q, spacing)
        if len(a) == 0:
            return start, spacing
        if matched is not None and np.array_equal(matched, (a, b)):
            break  # converged: the same matches give the same shift
        matched = (a, b)
        moved = q[b] - p[a]
        shift = _flow(p, p[a], moved) if kind == "flow" else np.tile(np.median(moved, axis=0), (len(p), 1))
        unmatched = len(p) - len(a)
        left = float((np.hypot(*(moved - shift[a]).T).sum() + spacing * unmatched) / len(p))
    return shift, left


def _matched(p: np.ndarray, q: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the one-to-one matches of two point sets with the least sum of squared distances, as rows of each."""
    near = KDTree(p).sparse_distance_matrix(KDTree(q), reach, output_type="coo_matrix")
    from cineseq.tracking.assignment import match  # noqa: PLC0415 - scipy.optimize, which pictures do without

    return match(near.row, near.col, near.data**2, (len(p), len(q)), reach**2)


def _flow(p: np.ndarray, known: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Return the median displacement of the eight nearest matched points other than the point, shape (points, 2).

    Parameters
    ----------
    p
        All points, shape (points, 2).
    known, moved
        The matched points and their displacements, shape (matches, 2) each.
    """
    if len(known) <= NEIGHBOURS:
        return np.tile(np.median(moved, axis=0), (len(p), 1))
    distance, nearest = KDTree(known).query(p, k=NEIGHBOURS + 1)
    own = distance[:, :1] == 0  # a matched point is its own nearest neighbour: leave it out
    return np.median(moved[np.where(own, nearest[:, 1:], nearest[:, :-1])], axis=1)


LEAST_CELLS = 8
"""Fewest cells, seen in both of two frames, from which common motion is estimated."""


def steps_of_tracks(detections: pd.DataFrame) -> pd.DataFrame:
    """Return the steps of tracks between consecutive frames.

    Parameters
    ----------
    detections
        As :data:`cineseq.tables.imaging.DETECTIONS`, of one field.

    Returns
    -------
    pandas.DataFrame
        ``frame`` in which the step ends, and its ``y_px`` and ``x_px``. Steps over gaps are left out.
    """
    ordered = detections.sort_values(["track_id", "frame"])
    step = ordered.groupby("track_id", sort=False)[["frame", "y_px", "x_px"]].diff()
    return step.assign(frame=ordered["frame"])[step["frame"] == 1]


def common_path(detections: pd.DataFrame, frames: int) -> dict[str, list[float]]:
    """Sum the median step of all cells from frame to frame.

    The median ignores the motion of single cells and keeps what most of them share: motion of the stage or of the
    tissue.

    Parameters
    ----------
    detections
        As :data:`cineseq.tables.imaging.DETECTIONS`, of one field.
    frames
        Frames in the movie.

    Returns
    -------
    dict
        ``common_y_px`` and ``common_x_px`` from frame 0, in px, up to the first frame with fewer than ``LEAST_CELLS``
        steps; empty if that is frame 1.
    """
    by_frame = steps_of_tracks(detections).groupby("frame")[["y_px", "x_px"]]
    counts = by_frame.size().reindex(range(1, frames), fill_value=0).to_numpy()
    known = int(np.argmin(np.append(counts, 0) >= LEAST_CELLS))
    if not known:
        return {}
    path = by_frame.median().reindex(range(1, known + 1)).cumsum()
    return {f"common_{axis}": [0.0, *path[axis].round(2)] for axis in ("y_px", "x_px")}
