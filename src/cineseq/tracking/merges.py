"""Merges of masks: touching cells share a mask for a while, and the split that follows is not a division.

A merge is told only where masks show it: a cell ends where its moved mask lies in the mask of another, that mask gains
the area of the cell, and within six frames it parts into two of the sizes that went in. Both cells are then followed
through the shared mask. Two daughters of which one ends in the mask of the other in the same way were not born either.
Where cells leave a layer, their neighbours take their space, which looks alike; so cells are followed only if divisions
come after merges clearly more often than by chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cineseq.tracking.decision import Decision, tracklets
from cineseq.tracking.decoys import gains
from cineseq.tracking.lineage import tracklets_of
from cineseq.tracking.linking_problem import LinkingProblem

MEMORY = 6
"""Largest number of frames for which two cells share a mask, or are apart before they share one again."""
LEAST_COVER = 0.3
"""Fraction of the moved mask of a cell that must lie in the shared mask."""
SAME_SIZE = 0.25
"""Largest difference of log areas: of the shared mask from both cells, and of a cell from before to after."""
SEEN = 3
"""Frames for which both cells are seen before the merge and after the split."""
OFTEN = 5.0
"""Factor by which merges just before or after divisions must exceed those by chance."""
SISTER = 1 / 3
"""Share of the absorptions of a newborn cell by chance that are by its sister: about one neighbour in three."""


@dataclass(frozen=True)
class Pieces:
    """Tracklets and divisions.

    Attributes
    ----------
    tracklet
        Tracklet of each object, from 0, shape (objects,).
    divisions
        Rows of parent and daughters, shape (divisions, 3).
    confidence
        Of each division, shape (divisions,).
    """

    tracklet: np.ndarray
    divisions: np.ndarray
    confidence: np.ndarray


def pieces_of(decision: Decision) -> Pieces:
    """Return the tracklets and divisions of a decision."""
    return Pieces(tracklets(decision), decision.divisions, decision.division_confidence)


def follow_merges(problem: LinkingProblem, pieces: Pieces) -> tuple[Pieces, int]:
    """Follow cells through masks that they share.

    Parameters
    ----------
    problem
        The linking problem.
    pieces
        Tracklets and divisions.

    Returns
    -------
    tuple
        The pieces with cells followed, and the number of divisions that merges explain.
    """
    chain = _Chain(problem, pieces)
    through = chain.merges_precede_divisions(pieces.divisions[:, 0])
    explained = np.zeros(len(pieces.divisions), bool)
    for number, (parent, *daughters) in enumerate(pieces.divisions.tolist()):
        explained[number] = through and chain.follow_through(parent, daughters)
    again = [chain.absorbed_sister(daughters) for _, *daughters in pieces.divisions.tolist()]
    if sum(kept >= 0 for kept in again) > OFTEN * chain.sisters_absorbed_by_chance(len(again)):
        for number, kept in enumerate(again):
            if kept >= 0 and not explained[number]:
                chain.join(int(pieces.divisions[number, 0]), kept)
                explained[number] = True
    if not explained.any():
        return pieces, 0
    return Pieces(chain.tracklet(), pieces.divisions[~explained], pieces.confidence[~explained]), int(explained.sum())


class _Chain:
    """The object before and after each one in its tracklet, -1 for none, which merges change."""

    def __init__(self, problem: LinkingProblem, pieces: Pieces) -> None:
        self.problem = problem
        n = len(pieces.tracklet)
        order = np.lexsort((problem.frame, pieces.tracklet))
        same = pieces.tracklet[order[1:]] == pieces.tracklet[order[:-1]]
        self.before, self.after = np.full(n, -1), np.full(n, -1)
        self.before[order[1:][same]] = order[:-1][same]
        self.after[order[:-1][same]] = order[1:][same]
        self.divides = np.zeros(n, bool)
        self.divides[pieces.divisions[:, 0]] = True
        self.absorbed = self._absorptions()

    def follow_through(self, parent: int, daughters: list[int]) -> bool:
        """Follow two cells that share the mask of ``parent`` and part as ``daughters``; return whether they did."""
        shared = parent
        if min(self._frames(cell, self.after) for cell in daughters) < SEEN:
            return False
        for _ in range(MEMORY):
            own = int(self.before[shared])
            if own < 0:
                return False
            for other in self.absorbed.get(shared, []):
                if self.after[other] >= 0 or min(self._frames(cell, self.before) for cell in (own, other)) < SEEN:
                    continue  # already followed, or not seen for long
                pairs = self._same_cells(own, other, parent, daughters, shared)
                if pairs is not None:
                    self._link(parent, pairs[0])
                    self._link(other, pairs[1])
                    self.divides[parent] = False
                    return True
            shared = own
        return False

    def absorbed_sister(self, daughters: list[int]) -> int:
        """Return the one of two daughters in whose mask the other soon ends, -1 for none."""
        for lost, kept in (daughters, daughters[::-1]):
            last, host = lost, kept
            for _ in range(MEMORY):
                if self.after[last] < 0 or self.after[host] < 0:
                    break
                last, host = int(self.after[last]), int(self.after[host])
            if self.after[last] < 0 and last in self.absorbed.get(int(self.after[host]), []):
                return kept
        return -1

    def sisters_absorbed_by_chance(self, divisions: int) -> float:
        """Return how many divisions have a daughter that soon ends in the mask of the other by chance.

        Any cell ends so at the rate of all cells; about one neighbour in three is the sister.
        """
        lost = sum(len(cells) for cells in self.absorbed.values())
        return 2 * divisions * MEMORY * lost / len(self.before) * SISTER

    def join(self, parent: int, daughter: int) -> None:
        """Let a parent go on as one daughter; the other begins a track of its own."""
        self._link(parent, daughter)
        self.divides[parent] = False

    def _absorptions(self) -> dict[int, list[int]]:
        """Return the cells that end where a mask gains their area, by the row of that mask."""
        problem, n = self.problem, len(self.before)
        codes, pixels = problem.overlaps
        lost, shared = np.divmod(codes, n)
        own = self.before[shared]
        # Cells that end, seen before, beside a cell that goes on into the mask, shape (pairs,).
        fits = (self.after[lost] < 0) & ~self.divides[lost] & (self.before[lost] >= 0)
        fits &= (own >= 0) & (own != lost) & problem.passable(lost, shared)
        fits &= problem.frame[own] == problem.frame[lost]
        # The mask covers the lost cell, gains its area, and has the area of both.
        area = np.exp(problem.log_area)
        one, other, both = area[own], area[lost], area[own] + area[lost]
        fits &= pixels / other > LEAST_COVER
        fits &= gains(area[shared], one, other)
        fits &= np.abs(np.log(area[shared] / both)) < SAME_SIZE
        found: dict[int, list[int]] = {}
        for cell, mask in zip(lost[fits].tolist(), shared[fits].tolist(), strict=True):
            found.setdefault(mask, []).append(cell)
        return found

    def merges_precede_divisions(self, parents: np.ndarray) -> bool:
        """Return whether merges come before divisions more often than before other objects."""
        merged = np.zeros(len(self.before), bool)
        merged[list(self.absorbed)] = True
        recent, at = merged.copy(), np.arange(len(merged))
        for _ in range(MEMORY - 1):
            at = np.where(at >= 0, self.before[at], -1)
            recent |= (at >= 0) & merged[at]
        others = ~self.divides
        by_chance = recent[others].mean() * len(parents) if others.any() else 0.0
        return bool(recent[parents].sum() > OFTEN * by_chance)

    def _same_cells(
        self, own: int, other: int, parent: int, daughters: list[int], shared: int
    ) -> tuple[int, int] | None:
        """Return which daughter is ``own`` and which ``other`` by place and size; None if their sizes do not fit."""
        differences = []
        for pair in (daughters, daughters[::-1]):
            parts = [self._difference(one, shared, two, parent) for one, two in zip((own, other), pair, strict=True)]
            sizes = max(size for _, size in parts)
            differences.append((sum(place + size for place, size in parts), sizes, pair))
        _total, sizes, pair = min(differences)
        return (pair[0], pair[1]) if sizes < SAME_SIZE else None

    def _difference(self, one: int, mask: int, two: int, last_mask: int) -> tuple[float, float]:
        """Return the changes of a cell's place beside the shared mask, in cell sizes, and of its log area.

        The cell is ``one`` beside ``mask``, the first shared one, and ``two`` beside ``last_mask``.
        """
        points, area = self.problem.points, self.problem.log_area
        place = np.hypot(*((points[one] - points[mask]) - (points[two] - points[last_mask]))) / self.problem.size
        return float(place), float(abs(area[one] - area[two]))

    def _frames(self, cell: int, onward: np.ndarray) -> int:
        """Return for how many objects a cell goes on, itself included, up to ``SEEN``."""
        frames = 0
        while cell >= 0 and frames < SEEN:
            cell, frames = int(onward[cell]), frames + 1
        return frames

    def _link(self, first: int, second: int) -> None:
        """Let the tracklet of ``first`` go on as ``second``."""
        self.after[first], self.before[second] = second, first

    def tracklet(self) -> np.ndarray:
        """Return the tracklet of each object, as :func:`~cineseq.tracking.lineage.tracklets_of` does."""
        return tracklets_of(self.before)
