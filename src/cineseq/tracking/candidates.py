"""Events that could explain the objects of a movie: links, closed gaps and divisions.

A link joins an object to one of the next frame, a gap to one of a later frame, a division to two of the next frame. An
object is continued at most once and explained at most once, so events compete for the end of their first object and
for the beginning of the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.spatial import KDTree

from cineseq.tracking.linking_problem import LinkingProblem

NEAREST = 6
"""Nearest objects of the next frame to which an object may be linked, besides those that its moved mask touches."""
BIRTH = 1.8
"""Largest distance of a daughter from the predicted place of the parent, in birth lengths."""
APART = 2.2
"""Largest distance between daughters, in birth lengths."""
GAP_NEAREST = 3
"""Nearest objects to which a gap may be closed, per frame."""


@dataclass(frozen=True)
class Candidates:
    """Candidate events, as rows of the objects.

    Attributes
    ----------
    source, target, steps
        Links and gaps: first and second object, and the frames from one to the other (1 for a link), shape (links,).
    parent, first, second
        Divisions: parent and daughters, ``first < second``, shape (divisions,).
    objects
        Number of objects.
    """

    source: np.ndarray
    target: np.ndarray
    steps: np.ndarray
    parent: np.ndarray
    first: np.ndarray
    second: np.ndarray
    objects: int

    @property
    def links(self) -> int:
        """Number of links and gaps; divisions follow them."""
        return len(self.source)

    @cached_property
    def uses(self) -> np.ndarray:
        """Resources of each event, shape (events, 3): the end of an object, its row, and beginnings, after all ends."""
        n = self.objects
        links = np.c_[self.source, n + self.target, np.full(self.links, -1)]
        return np.r_[links, np.c_[self.parent, n + self.first, n + self.second]]

    def kept(self, keep: np.ndarray) -> Candidates:
        """Return the candidates that a mask of shape (events,) keeps."""
        links, births = keep[: self.links], keep[self.links :]
        return replace(
            self,
            source=self.source[links],
            target=self.target[links],
            steps=self.steps[links],
            parent=self.parent[births],
            first=self.first[births],
            second=self.second[births],
        )

    def within_births(self, keep: np.ndarray) -> np.ndarray:
        """Return which candidates are links from a parent to a daughter of the divisions among ``keep``, (events,)."""
        births = keep[self.links :]
        parent, n = self.parent[births], self.objects
        pairs = np.r_[parent * n + self.first[births], parent * n + self.second[births]]
        within = np.zeros(len(keep), bool)
        within[: self.links] = np.isin(self.source * n + self.target, pairs)
        return within

    def with_gaps(self, source: np.ndarray, target: np.ndarray, steps: np.ndarray) -> Candidates:
        """Return the candidates with these gaps after the links."""
        return replace(
            self,
            source=np.r_[self.source, source],
            target=np.r_[self.target, target],
            steps=np.r_[self.steps, steps],
        )


def list_candidates(problem: LinkingProblem) -> Candidates:
    """List links and divisions between consecutive frames.

    An object may become one of the nearest objects to its predicted place, or one that its moved mask touches. It may
    divide into any two of these that lie near it. Walls of closed compartments are not crossed.
    """
    n = len(problem.table)
    # Pairs of objects, coded as one integer: those whose masks overlap, and the nearest of the next frame.
    codes = [problem.overlaps[0]]
    expected, points = problem.expected, problem.points
    for before, after in pairwise(problem.rows):
        if before.start < before.stop and after.start < after.stop:
            count = min(NEAREST, after.stop - after.start)
            distance, near = KDTree(points[after]).query(
                expected[before], k=np.arange(1, count + 1), distance_upper_bound=problem.reach
            )
            source, rank = np.nonzero(np.isfinite(distance))
            codes.append((before.start + source) * n + after.start + near[source, rank])
    source, target = np.divmod(np.unique(np.concatenate(codes)), n)
    allowed = problem.passable(source, target)
    if problem.limit:
        allowed &= problem.distance(source, target) <= problem.limit
    source, target = source[allowed], target[allowed]
    parent, first, second = _births(problem, source, target)
    return Candidates(source, target, np.ones(len(source), np.int64), parent, first, second, n)


def _births(problem: LinkingProblem, source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return every two targets of an object that could be its daughters: rows of parent and daughters."""
    length = problem.birth_length
    near = (problem.distance(source, target) < BIRTH * length) | (problem.shared(source, target) > 0)
    source, target = source[near], target[near]  # sorted by source, then target
    count = np.bincount(source, minlength=len(problem.table))
    begin = np.r_[0, np.cumsum(count)]
    found = [(np.empty(0, np.int64),) * 3]
    # Objects with the same number of targets at once: all pairs of their targets, shape (objects, pairs).
    for size in np.unique(count[count > 1]):
        parents = np.flatnonzero(count == size)
        targets = target[begin[parents][:, None] + np.arange(size)]
        one, other = np.triu_indices(int(size), 1)
        found.append((np.repeat(parents, len(one)), targets[:, one].ravel(), targets[:, other].ravel()))
    parent, first, second = (np.concatenate(part) for part in zip(*found, strict=True))
    points = problem.points
    middle = (points[first] + points[second]) / 2 - problem.expected[parent]
    keep = np.hypot(*(points[first] - points[second]).T) < APART * length
    keep &= np.hypot(*middle.T) < length
    return parent[keep], first[keep], second[keep]


def list_gaps(
    problem: LinkingProblem, ends: np.ndarray, begins: np.ndarray, reach: float, longest: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List gaps that could be closed.

    Parameters
    ----------
    problem
        The linking problem.
    ends, begins
        Which objects may end, and begin, a track where they are, shape (objects,) each.
    reach
        Largest step over one frame in px; it grows with the square root of the frames, as for Brownian motion.
    longest
        Largest number of frames without the object.

    Returns
    -------
    tuple
        First object, second object and the frames from one to the other (2 or more), shape (gaps,) each.
    """
    found = [(np.empty(0, np.int64),) * 3]
    points, shift = problem.points, problem.motion.shift
    for steps in range(2, min(longest + 2, problem.frames)):
        for before, after in zip(problem.rows[:-steps], problem.rows[steps:], strict=True):
            p = before.start + np.flatnonzero(ends[before])
            q = after.start + np.flatnonzero(begins[after])
            if len(p) and len(q):
                distance, near = KDTree(points[q]).query(
                    points[p] + shift[p] * steps,
                    k=np.arange(1, min(GAP_NEAREST, len(q)) + 1),
                    distance_upper_bound=reach * np.sqrt(steps),
                )
                source, rank = np.nonzero(np.isfinite(distance))
                found.append((p[source], q[near[source, rank]], np.full(len(source), steps)))
    source, target, steps_between = (np.concatenate(part) for part in zip(*found, strict=True))
    allowed = problem.passable(source, target)
    return source[allowed], target[allowed], steps_between[allowed]
