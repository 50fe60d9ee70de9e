"""Jumps of the stage: one displacement that most cells of two frames share, against which single steps are small."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.ndimage import uniform_filter
from scipy.spatial import KDTree

from cineseq.tracking.motion import neighbour_distance

LEAST = 3
"""Fewest cells in both frames, and in their common area, that can tell a jump."""
FEW, SHARE, SHARE_OF_FEW = 8, 0.6, 0.8
"""Share of the cells that must agree, and that of fewer than ``FEW`` cells."""
STILL = 0.5
"""If this share of the cells is where it was, there is no jump."""
STEPS = 3
"""A jump is longer than so many usual steps."""
VOTERS = 300
"""Most cells of the earlier frame whose displacements are counted; all cells then judge the displacement."""
PEAKS = 5
"""Displacements with the most votes that are tried."""
LEAST_PX = 2.0
MOST_BINS = 8000
"""Most bins of displacements in each direction, for a point far away from all others."""
ROUNDS = 3
FARTHEST = 0.75
"""Largest jump, as a fraction of the field."""


@dataclass(frozen=True)
class Jump:
    """A jump of the stage.

    Attributes
    ----------
    frame
        First frame after the jump.
    y_px, x_px
        Displacement of all cells.
    agree, cells
        Number of cells that moved so, of those that are in the area seen before and after.
    usual_px
        Median step between frames.
    """

    frame: int
    y_px: float
    x_px: float
    agree: int
    cells: int
    usual_px: float

    @property
    def length_px(self) -> float:
        """Length of the displacement."""
        return float(np.hypot(self.y_px, self.x_px))

    def on_pixels(self, sides: tuple[float, float]) -> Jump:
        """Return a jump on square pixels as one on pixels of other ``sides`` (height, width)."""
        return replace(self, y_px=self.y_px / sides[0], x_px=self.x_px / sides[1])


def find_jumps(
    points: np.ndarray, rows: list[slice], size: float, extent: tuple[float, float], least_px: float = LEAST_PX
) -> tuple[Jump, ...]:
    """Find the frames before which the whole field jumped.

    Medians of matches cannot see a jump past the next cell, because each cell then has a wrong nearest neighbour. Here
    all displacements between two frames vote (a Hough transform of the translation, as in Ballard 1981, Pattern
    Recognition 13, 111), and that with the most cells which it brings onto another cell is taken. It is a jump if most
    cells agree on it, few are where they were, and it stands out from the single steps and from the usual displacement
    of the movie: a steady drift is left to the motion model.

    Parameters
    ----------
    points
        Positions in px (row, column), shape (objects, 2).
    rows
        Rows of each frame.
    size
        Square root of the median area, in px.
    extent
        Height and width of the field in px.
    least_px
        Least displacement that tells two places apart; 0 for points, which have no pixels.
    """
    spacing = neighbour_distance(points, rows)
    pairs = [
        (f, a, b) for (_, a), (f, b) in pairwise([(f, r) for f, r in enumerate(rows) if r.stop - r.start >= LEAST])
    ]
    if not pairs or not np.isfinite(spacing):
        return ()
    reach = max(min(size / 2, spacing / 4), least_px)
    usual = float(np.median(np.concatenate([KDTree(points[b]).query(points[a])[0] for _, a, b in pairs])))
    found: dict[int, tuple[np.ndarray, int, int]] = {}
    at_rest = 0
    for frame, before, after in pairs:
        p, q = points[before], points[after]
        still = _agreement(p, q, np.zeros(2), reach)
        if still < STILL * min(len(p), len(q)):
            best = _common(p, q, reach, np.array(extent))
            if best is not None and best[1] >= 2 * still:
                found[frame] = best
        else:
            at_rest += 1
    # Steps that most pairs of frames share are a drift; pairs without a common step tell nothing of it.
    drift = np.median([move for move, *_ in found.values()], axis=0) if len(found) > at_rest else np.zeros(2)
    least = max(reach, STEPS * usual) if not drift.any() else 2 * reach
    return tuple(
        Jump(frame, float(move[0] - drift[0]), float(move[1] - drift[1]), agree, cells, usual)
        for frame, (move, agree, cells) in found.items()
        if np.hypot(*(move - drift)) > least
    )


def offsets_of(jumps: tuple[Jump, ...], frames: int) -> np.ndarray:
    """Return the summed jumps up to each frame in px (row, column), shape (frames, 2)."""
    steps = np.zeros((frames, 2))
    for jump in jumps:
        steps[jump.frame] = jump.y_px, jump.x_px
    return np.cumsum(steps, axis=0)


def _common(p: np.ndarray, q: np.ndarray, reach: float, extent: np.ndarray) -> tuple[np.ndarray, int, int] | None:
    """Return the displacement that most cells share, how many do, and of how many; None where too few do."""
    # Displacements from each voter to all cells, shape (pairs, 2), and their histogram; each bin with its neighbours.
    voters = p[np.unique(np.linspace(0, len(p) - 1, VOTERS).round().astype(int))] if len(p) > VOTERS else p
    moves = (q[None] - voters[:, None]).reshape(-1, 2)
    moves = moves[(np.abs(moves) <= FARTHEST * extent).all(axis=1)]
    bins = np.maximum(reach, 2 * FARTHEST * extent / MOST_BINS)
    edges = [
        np.arange(-FARTHEST * n - step, FARTHEST * n + 2 * step, step) for n, step in zip(extent, bins, strict=True)
    ]
    votes = np.histogram2d(moves[:, 0], moves[:, 1], edges)[0]
    votes = uniform_filter(votes, 3, mode="constant") * 9
    best: tuple[np.ndarray, int, int] | None = None
    most = np.argpartition(votes, -min(PEAKS, votes.size), axis=None)[-PEAKS:]
    for peak in most[np.argsort(votes.ravel()[most])[::-1]]:
        y, x = np.unravel_index(peak, votes.shape)
        move = np.array([edges[0][y], edges[1][x]]) + bins / 2
        # The median of the votes near the peak, shape (2,).
        for _ in range(ROUNDS):
            near = moves[(np.abs(moves - move) <= 1.5 * bins).all(axis=1)]
            move = np.median(near, axis=0) if len(near) else move
        cells = _common_cells(p, q, move, extent)
        agree = min(_agreement(p, q, move, reach), cells)  # a cell at the edge may agree with one just beyond it
        wanted = SHARE_OF_FEW if cells < FEW else SHARE
        if cells >= LEAST and agree >= wanted * cells and (best is None or agree > best[1]):
            best = move, agree, cells
    return best


def _agreement(p: np.ndarray, q: np.ndarray, move: np.ndarray, reach: float) -> int:
    """Return the number of cells of the later frame that are where the displacement puts one of the earlier."""
    distance, nearest = KDTree(q).query(p + move)
    return len(np.unique(nearest[distance <= reach]))


def _common_cells(p: np.ndarray, q: np.ndarray, move: np.ndarray, extent: np.ndarray) -> int:
    """Return the number of cells that are in the field both before and after the displacement."""
    inside = [((x >= 0) & (x <= extent)).all(axis=1).sum() for x in (p + move, q - move)]
    return int(min(inside))
