"""Cells that touch share a mask for a while: a split after such a merge is no division.

Cells divide but never fuse. A movie run backwards therefore has no divisions, and what looks like one there is a merge
of masks; since touching cells come together as often as they come apart, such merges also tell how many of the splits
may be no divisions, as decoys do in proteomics (Elias and Gygi 2007, Nature Methods 4, 207).
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
"""Highest cost of a merge that explains a split."""
ROUNDS = 5
"""Rounds in which splits are explained; following one cell can show another's merge."""
LEAST_GAIN = 0.5
"""Least share of the smaller cell that a shared mask gains."""
MEMORY = 6
"""Frames within which a split is explained by a merge before it, or undone by one after it."""


class Backwards(LinkingProblem):
    """The objects with time reversed."""

    def passable(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return whether a cell can be object ``after`` first and ``before`` later, in the movie's own time."""
        return super().passable(after, before)


@dataclass(frozen=True)
class Told:
    """Splits, told apart.

    Attributes
    ----------
    tracklet
        Tracklet of each object, with cells followed through the masks that they shared, shape (objects,).
    divisions
        As :func:`cineseq.tracking.divisions.accept` returns them.
    merges
        Merges that would look like a division backwards.
    splits
        Splits that undo a merge or are undone by one.
    false_divisions
        Costs of those that would still, where looks are doubted; about as many of the divisions may be false.
    """

    tracklet: np.ndarray
    divisions: pd.DataFrame
    merges: int
    splits: int
    false_divisions: np.ndarray


def tell_splits(problem: LinkingProblem, tracklet: np.ndarray, threshold: float) -> Told:
    """Tell divisions from touching cells that come apart.

    A split is no division if its mother absorbed another cell in the six frames before (both are then followed
    through the shared mask), or if its daughters share a mask again within six frames. The more merges there are that
    look like divisions backwards, the more the looks of the remaining mothers are doubted.

    Parameters
    ----------
    problem
        The objects.
    tracklet
        Tracklet of each object, 0 to n - 1, shape (objects,).
    threshold
        Highest cost of a division.
    """
    visitors = np.empty(0, np.int64)
    ahead, back = divisions.hypotheses(problem, tracklet), backward_hypotheses(problem, tracklet)
    false_divisions = len(divisions.accept(back, threshold))
    doubt = min(1.0, false_divisions / (len(divisions.accept(ahead, threshold)) + 1))
    explained = 0
    for _ in range(ROUNDS):
        splits, merges = divisions.accept(ahead, threshold), find_merges(back)
        splits = splits.assign(event=splits.index, frame=problem.frame[splits["mother"].to_numpy(np.int64)])
        merges = merges.assign(frame=problem.frame[merges["mother"].to_numpy(np.int64)])
        undone, again = _undone(tracklet, splits, merges), _again(tracklet, splits, merges)
        again = again[~again["event"].isin(undone["event"])]
        if undone.empty and again.empty:
            break
        explained += len(undone) + len(again)
        visitors = np.r_[visitors, again["second"].to_numpy(np.int64)]
        tracklet = _follow(problem, tracklet, undone, again)
        ahead, back = divisions.hypotheses(problem, tracklet), backward_hypotheses(problem, tracklet)
        ahead = ahead[~ahead["second"].isin(visitors)]
    left = divisions.accept(back, threshold, doubt)["cost"].to_numpy(float)
    return Told(tracklet, divisions.accept(ahead, threshold, doubt), false_divisions, explained, left)


def false_share(cost: np.ndarray, false_divisions: np.ndarray) -> np.ndarray:
    """Return the share of divisions, among those that cost as little, that are touching cells which come apart.

    After the target-decoy search of proteomics (Elias and Gygi 2007): the number of lookalikes up to a cost over one
    more than that of divisions (the one keeps a single division from being all false), and of that the least over all
    higher costs; at most 1.

    Parameters
    ----------
    cost
        Of the divisions, shape (divisions,).
    false_divisions
        Costs of the merges that would look like a division backwards, shape (merges,).
    """
    order = np.argsort(cost, kind="stable")
    as_cheap = np.searchsorted(np.sort(false_divisions), cost[order], side="right")
    share = as_cheap / (np.arange(len(cost)) + 2)
    least = np.empty(len(cost))
    least[order] = np.minimum.accumulate(share[::-1])[::-1]
    return np.minimum(least, 1.0)


def backward_hypotheses(problem: LinkingProblem, tracklet: np.ndarray) -> pd.DataFrame:
    """List every way in which two cells can come to share a mask: the divisions of the movie run backwards.

    Returns
    -------
    pandas.DataFrame
        As :func:`cineseq.tracking.divisions.hypotheses`, in rows of the movie's own objects: ``mother`` is the first
        object that holds both cells, ``first`` and ``second`` are the last ones of each cell alone. ``merging`` is
        how far, in sizes, the shared mask lies from the centre of mass of both, plus how much its log area differs
        from theirs; unlike a division's cost it does not ask for cells of one size. Infinite where the shared mask
        gained less than half of the smaller cell over the larger one, which then went elsewhere.
    """
    order = np.lexsort((np.arange(len(tracklet)), -problem.frame))
    back = _backwards(problem, tracklet, order)
    found = divisions.hypotheses(back, tracklet[order])
    rows = {name: found[name].to_numpy(np.int64) for name in ("mother", "first", "second")}
    shared, a, b = rows.values()
    area = back.table["area_px"].to_numpy(float)
    both = area[a] + area[b]
    centre = (area[a, None] * back.points[a] + area[b, None] * back.points[b]) / both[:, None]
    away = np.hypot(*(centre - back.points[shared] - back.motion.shift[shared]).T) / problem.size
    gained = (area[shared] - np.maximum(area[a], area[b])) / np.minimum(area[a], area[b])
    merging = np.where(gained > LEAST_GAIN, away + np.abs(np.log(both / area[shared])), np.inf)
    return found.assign(**{name: order[chosen] for name, chosen in rows.items()}, merging=merging)


def find_merges(found: pd.DataFrame) -> pd.DataFrame:
    """Choose the merges among backward hypotheses, each object in one at most."""
    return divisions.choose(found.assign(cost=found["merging"]), SURE_MERGE)


def _backwards(problem: LinkingProblem, tracklet: np.ndarray, order: np.ndarray) -> LinkingProblem:
    table = problem.table.iloc[order].reset_index(drop=True)
    table["frame"] = problem.frames - 1 - table["frame"]
    place = np.argsort(order)
    pairs = problem.discounts
    turned = {"source": place[pairs["target"]], "target": place[pairs["source"]], "discount": pairs["discount"]}
    shift = _shift_back(problem, tracklet)[order]
    motion = Motion(problem.motion.kind, shift, problem.motion.step, problem.motion.spacing)
    discounts, cues = pd.DataFrame(turned), problem.mitosis_cues
    return Backwards(table, problem.frames, motion, problem.reach, problem.room[order], discounts, cues)


def _shift_back(problem: LinkingProblem, tracklet: np.ndarray) -> np.ndarray:
    """Return the expected displacement to the frame before: the linked object's own, else the median of that frame."""
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


def _undone(tracklet: np.ndarray, splits: pd.DataFrame, merges: pd.DataFrame) -> pd.DataFrame:
    """Pair each split with the last merge of its mother's tracklet; columns of merges end in ``_merge``."""
    of = {"splits": splits, "merges": merges}
    keyed = {k: t.assign(blob=tracklet[t["mother"].to_numpy(np.int64)]) for k, t in of.items()}
    pairs = keyed["splits"].merge(keyed["merges"], on="blob", suffixes=("", "_merge"))
    pairs = pairs.assign(wait=pairs["frame"] - pairs["frame_merge"]).sort_values(["wait", "event"])
    return pairs[pairs["wait"].between(0, MEMORY - 1)].drop_duplicates("event").drop_duplicates("mother_merge")


def _again(tracklet: np.ndarray, splits: pd.DataFrame, merges: pd.DataFrame) -> pd.DataFrame:
    """Pair each split with the merge in which its two daughters come together again."""
    keyed = []
    for table in (splits, merges):
        two = np.sort(tracklet[table[["first", "second"]].to_numpy(np.int64)], axis=1)
        keyed.append(table.assign(one=two[:, 0], other=two[:, 1]))
    pairs = keyed[0].merge(keyed[1], on=["one", "other"], suffixes=("", "_merge"))
    wait = pairs["frame_merge"] - pairs["frame"]
    return pairs[(wait > 0) & (wait <= MEMORY)].drop_duplicates("event").drop_duplicates("mother_merge")


def _follow(problem: LinkingProblem, tracklet: np.ndarray, undone: pd.DataFrame, again: pd.DataFrame) -> np.ndarray:
    """Cut tracklets around shared masks and join them anew.

    The cell whose tracklet led into the shared mask keeps it; the other has a gap.
    """
    merged, mother, a, b, c, d = (
        undone[name].to_numpy(np.int64)
        for name in ("mother_merge", "mother", "first_merge", "second_merge", "first", "second")
    )
    begins = np.zeros(len(tracklet), np.int64)
    begins[np.r_[merged, c, d]] = 1
    part = pd.Series(begins).groupby(tracklet).cumsum().to_numpy()
    piece = np.unique(np.c_[tracklet, part], axis=0, return_inverse=True)[1].ravel()
    straight = _parting(problem, (a, merged), (c, mother)) + _parting(problem, (b, merged), (d, mother))
    crossed = _parting(problem, (a, merged), (d, mother)) + _parting(problem, (b, merged), (c, mother))
    own, other = np.where(straight <= crossed, [c, d], [d, c])
    links = np.c_[np.r_[a, mother, b, again["mother"]], np.r_[merged, own, other, again["first"]]].astype(np.int64)
    pieces = pd.DataFrame({"before": piece[links[:, 0]], "after": piece[links[:, 1]]})
    fits = problem.passable(links[:, 0], links[:, 1]) & (pieces["before"] != pieces["after"])
    pieces = pieces[fits].drop_duplicates("before").drop_duplicates("after")
    return joined(piece, pieces["before"].to_numpy(), pieces["after"].to_numpy())


def _parting(problem: LinkingProblem, before: tuple[np.ndarray, ...], after: tuple[np.ndarray, ...]) -> np.ndarray:
    """How unlike (cell, shared mask) before and after are, in place beside the mask and in size."""
    area = np.log(problem.table["area_px"].to_numpy())
    beside = [problem.points[cell] - problem.points[mask] for cell, mask in (before, after)]
    return np.hypot(*(beside[0] - beside[1]).T) / problem.size + np.abs(area[before[0]] - area[after[0]])
