"""Frame-to-frame linking (trackpy, with an exact assignment) and gap closing."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import trackpy
from scipy.spatial import KDTree
from trackpy.linking.linking import link_iter

from cineseq.tracking.assignment import match, match_connected
from cineseq.tracking.compartments import OPEN
from cineseq.tracking.linking_problem import NO_GAP_COST, LinkingProblem

logger = logging.getLogger(__name__)
Strategy = Callable[..., tuple[list, list]]
NO_LINK_COST = 2.0 + 1e-9
"""Cost of a source without a target: the cost of the largest allowed step without overlap."""


def link(problem: LinkingProblem) -> np.ndarray:
    """Link objects of consecutive frames into tracklets.

    Candidate links and subnetworks are those of Crocker and Grier (1996, J. Colloid Interface Sci. 179, 298), as in
    trackpy; the common motion is added to a position before it is compared with the next frame.

    Returns
    -------
    numpy.ndarray
        Tracklet of each object, from 0, shape (objects,).
    """
    trackpy.quiet()
    levels = ((frame, problem.points[r]) for frame, r in enumerate(problem.rows))

    def predict(_: int, known: list) -> np.ndarray:
        ids = [point.uuid for point in known]  # rows of the objects
        return problem.points[ids] + problem.motion.shift[ids]

    linked = link_iter(levels, problem.reach, predictor=predict, link_strategy=exact_strategy(problem))
    return np.concatenate([np.asarray(ids, np.int64) for _, ids in linked])


def exact_strategy(problem: LinkingProblem) -> Strategy:
    """Return a trackpy link strategy that solves every subnetwork exactly, at any size.

    The cost of a pair is one plus its squared distance over the squared search range, minus the discount for overlap;
    no link costs as much as the largest step without a discount. Pairs across the wall of a closed compartment are
    forbidden. trackpy numbers points in the order in which it receives them, which is the order of the rows here; its
    sets are unordered, so they are sorted.
    """
    pairs = zip(problem.discounts["source"].tolist(), problem.discounts["target"].tolist(), strict=True)
    discounts = dict(zip(pairs, problem.discounts["discount"].tolist(), strict=True))
    walled = bool((problem.compartment != OPEN).any())

    def strategy(source_set: set, dest_set: set, reach: float, **_: object) -> tuple[list, list]:
        sources = sorted(source_set, key=lambda point: point.uuid)
        targets = sorted(dest_set, key=lambda point: point.uuid)
        column = {point.uuid: j for j, point in enumerate(targets)}
        pairs = [
            (1 + (distance / reach) ** 2 - discounts.get((source.uuid, target.uuid), 0.0), i, column[target.uuid])
            for i, source in enumerate(sources)
            for target, distance in source.forward_cands
            if not walled or problem.passable(source.uuid, target.uuid)
        ]
        # Exact assignment of the subnetwork; unmatched targets start new tracklets, unmatched sources end theirs.
        taken = _cheapest(pairs, (len(sources), len(targets)))
        used = set(taken.values())
        new = [point for j, point in enumerate(targets) if j not in used]
        ends = [targets[taken[i]] if i in taken else None for i in range(len(sources))]
        return [*sources, *[None] * len(new)], [*ends, *new]

    return strategy


def _cheapest(pairs: list[tuple[float, int, int]], shape: tuple[int, int]) -> dict[int, int]:
    """Return the target of each matched source at the lowest total cost; ``pairs`` are (cost, source, target)."""
    pairs = [pair for pair in pairs if pair[0] < NO_LINK_COST]
    if not pairs:
        return {}
    if shape[0] == 1:  # most subnetworks are one cell, which needs no arrays
        _, source, target = min(pairs)
        return {source: target}
    costs, rows, cols = zip(*pairs, strict=True)
    a, b = match_connected(np.array(rows), np.array(cols), np.array(costs), shape, NO_LINK_COST)
    return dict(zip(a.tolist(), b.tolist(), strict=True))


def close_gaps(problem: LinkingProblem, tracklet: np.ndarray, max_gap: int) -> np.ndarray:
    """Join tracklets that end to tracklets that start a few frames later.

    Gap closing as a linear assignment problem after Jaqaman et al. (2008, Nature Methods 5, 695). It runs before
    divisions, so that a cell that reappears is not taken for a daughter. A gap of g frames allows sqrt(g + 1) times
    the search range, as for Brownian motion.

    Parameters
    ----------
    problem
        The linking problem.
    tracklet
        Tracklet of each object, 0 to n - 1, shape (objects,).
    max_gap
        Largest number of consecutive frames without the cell.

    Returns
    -------
    numpy.ndarray
        Tracklet of each object after joining, shape (objects,).
    """
    if max_gap == 0 or len(tracklet) == 0:
        return tracklet
    # First and last object (rows) of every tracklet, shape (tracklets,) each.
    points, frame, shift, reach = problem.points, problem.frame, problem.motion.shift, problem.reach
    size = np.log(problem.table["area_px"].to_numpy())
    _, starts = np.unique(tracklet, return_index=True)
    ends = len(tracklet) - 1 - np.unique(tracklet[::-1], return_index=True)[1]
    # Candidate pairs (end, start) within the largest distance that any gap allows, shape (pairs,) each.
    farthest = reach * np.sqrt(max_gap + 1) + np.abs(shift).max() * (max_gap + 1)
    near = KDTree(points[ends]).sparse_distance_matrix(KDTree(points[starts]), farthest, output_type="coo_matrix")
    e, s = ends[near.row], starts[near.col]
    steps = frame[s] - frame[e]
    steps_allowed = (steps >= 2) & (steps <= max_gap + 1) & problem.passable(e, s)
    e, s, steps, row, col = (v[steps_allowed] for v in (e, s, steps, near.row, near.col))
    # Cost: distance left after the common motion, over the search range of that gap, plus the change of log area.
    left = np.hypot(*(points[s] - points[e] - shift[e] * steps[:, None]).T)
    costs = left / (reach * np.sqrt(steps)) + np.abs(size[s] - size[e])
    a, b = match(row, col, costs, (len(ends), len(starts)), NO_GAP_COST)
    return joined(tracklet, tracklet[ends[a]], tracklet[starts[b]])


def joined(tracklet: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Rename every tracklet to the first of its chain.

    Parameters
    ----------
    tracklet
        Tracklet of each object, shape (objects,).
    before, after
        Tracklets to join, shape (joins,) each; a tracklet occurs at most once in either.
    """
    head = np.arange(tracklet.max() + 1)
    head[after] = before
    while (head[head] != head).any():
        head = head[head]
    return head[tracklet]
