"""Merges of masks: touching cells share a mask for a while, and the split that follows is not a division.

Cells divide but do not fuse. The reversed movie therefore has no divisions, and whatever looks like one there is a
merge of masks. Touching cells come together as often as they separate, so the number of these decoys estimates the
number of false divisions, as in the target-decoy search of proteomics (Elias and Gygi 2007, Nature Methods 4, 207).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.tracking import divisions
from cineseq.tracking.linking import joined
from cineseq.tracking.linking_problem import LinkingProblem
from cineseq.tracking.motion import Motion

SURE_MERGE = 0.7
"""Highest cost of a merge that can explain a split."""
ROUNDS = 5
"""Most rounds of explaining splits by merges; joining one cell's pieces can reveal the merge of another."""
LEAST_GAIN = 0.5
"""Fraction of the smaller cell's area that a shared mask must gain."""
MEMORY = 6
"""Largest number of frames between a split and the merge that explains it, before or after."""


class ReversedProblem(LinkingProblem):
    """The linking problem of the reversed movie."""

    def passable(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return whether a cell can move from ``after`` to ``before`` in the time of the movie, shape (pairs,)."""
        return super().passable(after, before)


@dataclass(frozen=True)
class SplitResult:
    """Splits, classified as divisions or as touching cells that separate.

    Attributes
    ----------
    tracklet
        Tracklet of each object, with cells followed through shared masks, shape (objects,).
    divisions
        As :func:`cineseq.tracking.divisions.accept` returns them.
    merges
        Number of merges that look like a division in the reversed movie, before any split is explained.
    splits
        Number of splits explained by a merge before or after.
    false_divisions
        Costs of the merges that look like divisions when the movie runs backwards (the decoys), shape (merges,).
        About as many of the divisions may be false.
    """

    tracklet: np.ndarray
    divisions: pd.DataFrame
    merges: int
    splits: int
    false_divisions: np.ndarray


def classify_splits(problem: LinkingProblem, tracklet: np.ndarray, threshold: float) -> SplitResult:
    """Classify splits as divisions or as touching cells that separate.

    A split is not a division if its parent absorbed another cell in the six frames before (both cells are then
    followed through the shared mask), or if its daughters share a mask again within six frames. The more merges look
    like divisions in the reversed movie, the more weight the features of touching cells get.

    Parameters
    ----------
    problem
        The linking problem.
    tracklet
        Tracklet of each object, 0 to n - 1, shape (objects,).
    threshold
        Highest cost of a division.
    """
    # Targets: divisions of the movie. Decoys: divisions of the reversed movie. Their ratio is the weight of doubt.
    forward, backward = divisions.hypotheses(problem, tracklet), backward_hypotheses(problem, tracklet)
    decoys = len(divisions.accept(backward, threshold))
    doubt = min(1.0, decoys / (len(divisions.accept(forward, threshold)) + 1))
    # Explain splits by merges, join the pieces of the cells, and repeat with the new tracklets.
    not_daughters = np.empty(0, np.int64)
    explained = 0
    for _ in range(ROUNDS):
        splits, merges = divisions.accept(forward, threshold), find_merges(backward)
        splits = splits.assign(event=splits.index, frame=problem.frame[splits["parent"].to_numpy(np.int64)])
        merges = merges.assign(frame=problem.frame[merges["parent"].to_numpy(np.int64)])
        merged_before = _merged_before(tracklet, splits, merges)
        merged_after = _merged_after(tracklet, splits, merges)
        merged_after = merged_after[~merged_after["event"].isin(merged_before["event"])]
        if merged_before.empty and merged_after.empty:
            break
        explained += len(merged_before) + len(merged_after)
        not_daughters = np.r_[not_daughters, merged_after["second"].to_numpy(np.int64)]
        tracklet = _follow(problem, tracklet, merged_before, merged_after)
        forward, backward = divisions.hypotheses(problem, tracklet), backward_hypotheses(problem, tracklet)
        forward = forward[~forward["second"].isin(not_daughters)]
    left = divisions.accept(backward, threshold, doubt)["cost"].to_numpy(float)
    return SplitResult(tracklet, divisions.accept(forward, threshold, doubt), decoys, explained, left)


def false_discovery_rate(cost: np.ndarray, false_divisions: np.ndarray) -> np.ndarray:
    """Return the estimated fraction of false divisions among those with at most the same cost.

    Target-decoy estimate (Elias and Gygi 2007): the number of decoys up to a cost, divided by the number of divisions
    up to it plus one, so that a single division is never all false. The result is the smallest estimate over all
    higher costs (a q-value), at most 1.

    Parameters
    ----------
    cost
        Costs of the divisions, shape (divisions,).
    false_divisions
        Costs of the decoys, from :class:`SplitResult`, shape (merges,).

    Returns
    -------
    numpy.ndarray
        Shape (divisions,).
    """
    order = np.argsort(cost, kind="stable")
    decoys = np.searchsorted(np.sort(false_divisions), cost[order], side="right")
    rate = decoys / (np.arange(len(cost)) + 2)
    smallest = np.empty(len(cost))
    smallest[order] = np.minimum.accumulate(rate[::-1])[::-1]
    return np.minimum(smallest, 1.0)


def backward_hypotheses(problem: LinkingProblem, tracklet: np.ndarray) -> pd.DataFrame:
    """List every hypothesis in which two cells come to share a mask: the divisions of the reversed movie.

    Returns
    -------
    pandas.DataFrame
        As :func:`cineseq.tracking.divisions.hypotheses`, in rows of the objects in the order of the movie: ``parent``
        is the first object that holds both cells, ``first`` and ``second`` are the last separate objects of each.
        ``merging`` is the cost as a merge: the distance of the shared mask from the centre of mass of both cells, in
        cell sizes, plus the difference of log areas. Unlike the cost of a division it allows cells of different
        sizes. It is infinite where the shared mask gained less than half of the smaller cell over the larger one:
        the smaller cell then went elsewhere.
    """
    order = np.lexsort((np.arange(len(tracklet)), -problem.frame))
    # Hypotheses of the reversed movie; shared mask and the two cells are rows of it, shape (hypotheses,) each.
    back = _reversed(problem, tracklet, order)
    candidates = divisions.hypotheses(back, tracklet[order])
    rows = {name: candidates[name].to_numpy(np.int64) for name in ("parent", "first", "second")}
    shared, a, b = rows.values()
    area = back.table["area_px"].to_numpy(float)
    both = area[a] + area[b]
    # Area-weighted centre of both cells, shape (hypotheses, 2); the shared mask should lie there.
    centre = (area[a, None] * back.points[a] + area[b, None] * back.points[b]) / both[:, None]
    away = np.hypot(*(centre - back.points[shared] - back.motion.shift[shared]).T) / problem.size
    gained = (area[shared] - np.maximum(area[a], area[b])) / np.minimum(area[a], area[b])
    merging = np.where(gained > LEAST_GAIN, away + np.abs(np.log(both / area[shared])), np.inf)
    return candidates.assign(**{name: order[chosen] for name, chosen in rows.items()}, merging=merging)


def find_merges(candidates: pd.DataFrame) -> pd.DataFrame:
    """Choose the merges among backward hypotheses; each object is in at most one."""
    return divisions.choose(candidates.assign(cost=candidates["merging"]), SURE_MERGE)


def _reversed(problem: LinkingProblem, tracklet: np.ndarray, order: np.ndarray) -> LinkingProblem:
    """Return the linking problem of the reversed movie; row i is row ``order[i]`` of the movie."""
    table = problem.table.iloc[order].reset_index(drop=True)
    table["frame"] = problem.frames - 1 - table["frame"]
    new_row = np.argsort(order)
    pairs = problem.discounts
    turned = {"source": new_row[pairs["target"]], "target": new_row[pairs["source"]], "discount": pairs["discount"]}
    shift = _shift_back(problem, tracklet)[order]
    motion = Motion(problem.motion.kind, shift, problem.motion.step, problem.motion.spacing)
    discounts, cues = pd.DataFrame(turned), problem.mitosis_cues
    return ReversedProblem(table, problem.frames, motion, problem.reach, problem.compartment[order], discounts, cues)


def _shift_back(problem: LinkingProblem, tracklet: np.ndarray) -> np.ndarray:
    """Return the expected displacement to the frame before, shape (objects, 2).

    It is minus the shift of the linked object, or minus the median shift of that frame for objects without a link.
    """
    shift, frame = problem.motion.shift, problem.frame
    usual = (
        pd.DataFrame(shift).groupby(frame).median().reindex(np.arange(-1, problem.frames), fill_value=0.0).to_numpy()
    )
    back = -usual[frame]
    order = np.lexsort((frame, tracklet))
    before, after = order[:-1], order[1:]
    linked = (tracklet[before] == tracklet[after]) & (frame[after] == frame[before] + 1)
    back[after[linked]] = -shift[before[linked]]
    return back


def _merged_before(tracklet: np.ndarray, splits: pd.DataFrame, merges: pd.DataFrame) -> pd.DataFrame:
    """Pair each split with the last merge in the tracklet of its parent; columns of merges end in ``_merge``."""
    of = {"splits": splits, "merges": merges}
    keyed = {k: t.assign(shared=tracklet[t["parent"].to_numpy(np.int64)]) for k, t in of.items()}
    pairs = keyed["splits"].merge(keyed["merges"], on="shared", suffixes=("", "_merge"))
    pairs = pairs.assign(wait=pairs["frame"] - pairs["frame_merge"]).sort_values(["wait", "event"])
    return pairs[pairs["wait"].between(0, MEMORY - 1)].drop_duplicates("event").drop_duplicates("parent_merge")


def _merged_after(tracklet: np.ndarray, splits: pd.DataFrame, merges: pd.DataFrame) -> pd.DataFrame:
    """Pair each split with the merge in which its two daughters share a mask again."""
    keyed = []
    for table in (splits, merges):
        two = np.sort(tracklet[table[["first", "second"]].to_numpy(np.int64)], axis=1)
        keyed.append(table.assign(one=two[:, 0], other=two[:, 1]))
    pairs = keyed[0].merge(keyed[1], on=["one", "other"], suffixes=("", "_merge"))
    wait = pairs["frame_merge"] - pairs["frame"]
    return pairs[(wait > 0) & (wait <= MEMORY)].drop_duplicates("event").drop_duplicates("parent_merge")


def _follow(
    problem: LinkingProblem, tracklet: np.ndarray, merged_before: pd.DataFrame, merged_after: pd.DataFrame
) -> np.ndarray:
    """Cut tracklets around shared masks and rejoin them cell by cell, shape (objects,).

    The cell whose tracklet led into the shared mask keeps it; the other cell has a gap.
    """
    # Objects of every merge and its split: cells a and b enter the shared mask at ``merged``; it is last seen as
    # ``parent``; cells c and d leave it. Shape (events,) each.
    merged, parent, a, b, c, d = (
        merged_before[name].to_numpy(np.int64)
        for name in ("parent_merge", "parent", "first_merge", "second_merge", "first", "second")
    )
    # Cut: a new piece begins at the merge and at both cells after the split.
    begins = np.zeros(len(tracklet), np.int64)
    begins[np.r_[merged, c, d]] = 1
    part = pd.Series(begins).groupby(tracklet).cumsum().to_numpy()
    piece = np.unique(np.c_[tracklet, part], axis=0, return_inverse=True)[1].ravel()
    # Identify cells after the split with those before the merge, by relative position and size.
    straight = _difference(problem, (a, merged), (c, parent)) + _difference(problem, (b, merged), (d, parent))
    crossed = _difference(problem, (a, merged), (d, parent)) + _difference(problem, (b, merged), (c, parent))
    own, other = np.where(straight <= crossed, [c, d], [d, c])
    # Join pieces along these links (source, target), shape (links, 2), each piece once.
    sources = np.r_[a, parent, b, merged_after["parent"]]
    targets = np.r_[merged, own, other, merged_after["first"]]
    links = np.c_[sources, targets].astype(np.int64)
    pieces = pd.DataFrame({"before": piece[links[:, 0]], "after": piece[links[:, 1]]})
    fits = problem.passable(links[:, 0], links[:, 1]) & (pieces["before"] != pieces["after"])
    pieces = pieces[fits].drop_duplicates("before").drop_duplicates("after")
    return joined(piece, pieces["before"].to_numpy(), pieces["after"].to_numpy())


def _difference(problem: LinkingProblem, before: tuple[np.ndarray, ...], after: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return the change of a cell between merge and split, in position relative to the shared mask and in log area.

    ``before`` and ``after`` are (cell, shared mask), rows of shape (events,) each.
    """
    area = np.log(problem.table["area_px"].to_numpy())
    beside = [problem.points[cell] - problem.points[mask] for cell, mask in (before, after)]
    return np.hypot(*(beside[0] - beside[1]).T) / problem.size + np.abs(area[before[0]] - area[after[0]])
