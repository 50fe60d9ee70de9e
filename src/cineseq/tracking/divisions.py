"""List possible divisions at track starts, give each a cost, and choose the best set.

A parent cell (mother) divides into two daughters. Every hypothesis of a division is scored by features of its three
objects, and the best set of compatible hypotheses is chosen by integer programming (:func:`choose`). Cells that merge
in one mask and split again look like divisions; :mod:`cineseq.tracking.merges` finds them before the final choice.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix
from scipy.spatial import KDTree

from cineseq.tracking.linking_problem import LinkingProblem

SIZES = 2.2
"""Largest distance of a daughter from its parent, in square roots of the median area."""
CANDIDATES = 6
"""Number of nearest objects of the frame before that are considered as the parent of a start."""
HISTORY = 6
"""Frames of the parent over which the median of its area is taken."""
LONG_LIFE = 3
"""Number of frames. A daughter that is seen in fewer, although the movie goes on, raises the cost."""
HALF_COST, COST_SCALE = 1.48, 0.29
"""Cost at which a division is as likely true as false, and the scale of the logistic curve around it."""
WEIGHTS = {
    "off_centre": 1.0,
    "asymmetry": 0.7,
    "size_change": 0.3,
    "large_daughter": 1.0,
    "not_opposite": 0.3,
    "short_life": 0.5,
    "apart": 0.5,
    "unequal_steps": 0.5,
    "on_another": 1.0,
}
"""Weights of the features of a division in its cost."""
DOUBTS = {"grown": 3.0, "lobed": 30.0, "unlike_sum": 1.5, "elongated": 4.0}
"""Weights of features that mark two touching cells in one mask; they count where masks of this movie merge cells."""
CUES = {"condensed": -0.3, "rounded": -0.3}
"""Weights of signs of mitosis in the parent. They lower the cost; their absence changes nothing."""
MITOSIS = 2
"""Last frames of a parent, in which it rounds up and condenses; the frames before are compared with them."""
LOBED = 0.05
"""Largest deficit of the ellipse extent of the parent's mask that counts."""
ROUND = 0.75
"""Ratio of minor to major axis above which a parent counts as round."""
SAME_SUM = 0.3
"""Change of the summed log area that a division may have at no cost."""


def accept(candidates: pd.DataFrame, threshold: float, doubt: float = 0.0) -> pd.DataFrame:
    """Choose the divisions among the hypotheses that cost less than ``threshold``.

    Parameters
    ----------
    candidates
        Hypotheses from :func:`hypotheses`.
    threshold
        Highest cost.
    doubt
        Fraction of the splits in this movie that look like touching cells that separate, 0 to 1.

    Returns
    -------
    pandas.DataFrame
        One row per division: ``parent``, ``first``, ``second`` (rows of the objects: the last object of the parent, the
        first objects of the daughters), ``continues`` (whether ``first`` was linked to the parent), ``cost`` (the
        weighted sum of the features, 0 for a perfect division) and the features.
    """
    return choose(candidates.assign(cost=costs(candidates, doubt)), threshold)


def costs(candidates: pd.DataFrame, doubt: float = 0.0) -> np.ndarray:
    """Return the weighted sum of the features of each hypothesis, shape (hypotheses,).

    A perfect division costs 0, or less where its :data:`CUES` count.
    """
    weights = WEIGHTS | {name: doubt * weight for name, weight in DOUBTS.items()}
    weights |= {name: weight for name, weight in CUES.items() if name in candidates}
    total = np.zeros(len(candidates))
    for name, weight in weights.items():
        total = total + weight * candidates[name].to_numpy(float)
    return total


def confidence(cost: np.ndarray) -> np.ndarray:
    """Return the probability of a division from its cost, a logistic curve fitted to annotated movies."""
    return 1 / (1 + np.exp((cost - HALF_COST) / COST_SCALE))


def hypotheses(problem: LinkingProblem, tracklet: np.ndarray) -> pd.DataFrame:
    """List every hypothesis in which the start of a tracklet is a daughter, with unit-free features.

    A parent at frame t - 1 has two daughters at frame t: two starts if its tracklet ends there, or a start and its own
    continuation.

    Parameters
    ----------
    problem
        The linking problem.
    tracklet
        Tracklet of each object, shape (objects,).

    Returns
    -------
    pandas.DataFrame
        One row per hypothesis: ``parent``, ``first``, ``second``, ``continues``, and its features, including those of
        :func:`mitosis` if ``problem.mitosis_cues``.
    """
    frame = problem.frame
    # Next object of the same tracklet, -1 for none, and which objects start a tracklet; shape (objects,) each.
    order = np.lexsort((frame, tracklet))
    following = np.full(len(frame), -1)
    same = tracklet[order[1:]] == tracklet[order[:-1]]
    following[order[:-1][same]] = order[1:][same]
    is_start = np.ones(len(frame), bool)
    is_start[following[following >= 0]] = False
    # Pairs of a parent and a start, then triples of a parent and two daughters, then their features.
    parent, start = _near(problem, is_start)
    triples = _features(_pairs(parent, start, following, frame), problem, tracklet)
    return triples.assign(**mitosis(problem.table, tracklet, triples["parent"])) if problem.mitosis_cues else triples


def mitosis(objects: pd.DataFrame, tracklet: np.ndarray, parent: pd.Series) -> dict[str, np.ndarray]:
    """Return how much parents round up and condense before they divide, compared with their own earlier frames.

    Parameters
    ----------
    objects
        The objects, sorted by frame.
    tracklet
        Tracklet of each object, shape (objects,).
    parent
        Rows of the parents, shape (hypotheses,).

    Returns
    -------
    dict
        ``condensed``: highest brightness of the last two frames minus the median of up to six frames before, 0 to 1;
        ``rounded``: decrease of eccentricity plus decrease of log area, 0 to 0.5 each. 0 where unknown: without a
        movie, or before the third frame of the parent. Shape (hypotheses,) each.
    """
    columns = ["brightness", "eccentricity", "log_area"]
    values = objects.assign(log_area=np.log(objects["area_px"]))[columns]
    by_track = values.groupby(tracklet)
    before = by_track.shift(MITOSIS).groupby(tracklet).rolling(HISTORY, min_periods=1).median().droplevel(0)
    late = by_track.rolling(MITOSIS, min_periods=1).agg({"brightness": "max", "eccentricity": "min", "log_area": "min"})
    rise = (late.droplevel(0) - before).reindex(parent).fillna(0.0)
    brighter, less_oval, smaller = (rise[columns] * [1, -1, -1]).to_numpy().T
    rounded = np.clip(less_oval, 0, 0.5) + np.clip(smaller, 0, 0.5)
    return {"condensed": np.clip(brighter, 0, 1), "rounded": rounded}


def _near(problem: LinkingProblem, is_start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs (parent, start) of rows: each start with the nearest objects of the frame before, shape (pairs,)."""
    frame, points, shift = problem.frame, problem.points, problem.motion.shift
    parents, starts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    # In each frame, objects of the frame before, moved by the common motion, near every start.
    for t in np.unique(frame[is_start & (frame > 0)]):
        before = np.arange(*np.searchsorted(frame, [t - 1, t]))
        new = np.arange(*np.searchsorted(frame, [t, t + 1]))
        new = new[is_start[new]]
        if len(before):
            distance, nearest = KDTree(points[before] + shift[before]).query(
                points[new], k=np.arange(1, min(CANDIDATES, len(before)) + 1), distance_upper_bound=SIZES * problem.size
            )
            which, rank = np.nonzero(np.isfinite(distance))
            parents.append(before[nearest[which, rank]])
            starts.append(new[which])
    parent, start = np.concatenate(parents), np.concatenate(starts)
    # Walls of closed compartments are not crossed.
    open_way = problem.passable(parent, start)
    return parent[open_way], start[open_way]


def _pairs(parent: np.ndarray, start: np.ndarray, following: np.ndarray, frame: np.ndarray) -> pd.DataFrame:
    """Return triples of a parent and two daughters: a start with a continuation, or two starts after an end."""
    near = pd.DataFrame({"parent": parent, "second": start})
    near["first"] = following[parent]
    continued = near[(near["first"] >= 0) & (frame[near["first"]] == frame[near["parent"]] + 1)].assign(continues=True)
    ended = near.loc[near["first"] < 0, ["parent", "second"]]
    both = ended.merge(ended.rename(columns={"second": "first"}), on="parent")
    both = both[both["first"] < both["second"]].assign(continues=False)
    return pd.concat([continued, both])[["parent", "first", "second", "continues"]].reset_index(drop=True)


def _features(pairs: pd.DataFrame, problem: LinkingProblem, tracklet: np.ndarray) -> pd.DataFrame:
    """Add the features of every triple; distances are in square roots of the median area, areas are logarithms."""
    points, shift, size = problem.points, problem.motion.shift, problem.size
    area = np.log(problem.table["area_px"].to_numpy())
    usual = usual_area(problem.table, tracklet)
    left = _frames_left(problem.frame, tracklet)
    # Objects of the parent (m) and the daughters (a, b), shape (hypotheses,) each. Displacements va and vb of the
    # daughters from the expected position of the parent have shape (hypotheses, 2).
    m, a, b = (pairs[name].to_numpy() for name in ("parent", "first", "second"))
    origin = points[m] + shift[m]
    va, vb = (points[a] - origin) / size, (points[b] - origin) / size
    da, db = np.hypot(*va.T), np.hypot(*vb.T)
    apart = np.hypot(*(va - vb).T)
    opposite = (va * vb).sum(axis=1) / np.maximum(da * db, 1e-6)
    short_lived = np.minimum(left[a], left[b]) + 1 < np.minimum(LONG_LIFE, problem.frames - problem.frame[a])
    return pairs.assign(
        off_centre=np.hypot(*(va + vb).T) / 2,
        asymmetry=np.abs(area[a] - area[b]),
        size_change=np.abs(np.logaddexp(area[a], area[b]) - usual[m]),
        large_daughter=np.maximum(0, np.maximum(area[a], area[b]) - usual[m] + 0.1),
        not_opposite=opposite + 1,
        short_life=short_lived.astype(float),
        apart=np.maximum(0, apart - 1.2),
        unequal_steps=np.abs(da - db),
        on_another=_on_another(problem, m, a) + _on_another(problem, m, b),
        **_doubts(problem.table, m, area[m] - 2 * np.log(size), np.logaddexp(area[a], area[b]) - 2 * np.log(size)),
        unlike_sum=np.maximum(0, np.abs(np.logaddexp(area[a], area[b]) - usual[m]) - SAME_SUM),
    )


def _doubts(
    objects: pd.DataFrame, parent: np.ndarray, parent_area: np.ndarray, daughters_area: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the features that mark two touching cells in one mask, shape (hypotheses,) each.

    Newborn cells are not larger than the median cell. A parent about to divide is round. A mask with a waist is one
    cell only if it is not larger than usual (late metaphase).

    Parameters
    ----------
    objects
        The objects.
    parent
        Row of the parent, shape (hypotheses,).
    parent_area, daughters_area
        Log areas of the parent and of both daughters together, relative to the median, shape (hypotheses,) each.
    """
    extent, eccentricity = (objects[name].to_numpy() for name in ("ellipse_extent", "eccentricity"))
    waist = 1 - extent[parent] / np.median(extent)
    return {
        "grown": np.maximum(0, daughters_area - np.log(2)),
        "lobed": np.clip(waist, 0, LOBED) * np.clip(2 * parent_area, 0, 1),
        "elongated": np.maximum(0, ROUND - np.sqrt(1 - eccentricity[parent] ** 2)),
    }


def _on_another(problem: LinkingProblem, parent: np.ndarray, daughter: np.ndarray) -> np.ndarray:
    """Return how much more each daughter overlaps another cell of the frame before than its parent, 0 to 1."""
    pairs = problem.discounts
    n = len(problem.table)
    source, target, discount = (pairs[name].to_numpy() for name in ("source", "target", "discount"))
    most = np.zeros(n)
    np.maximum.at(most, target, discount)
    # a Series, because a SciPy sparse matrix indexed by no pair does not return an array
    shared = pd.Series(discount, index=source.astype(np.int64) * n + target)
    return most[daughter] - shared.reindex(parent * n + daughter, fill_value=0.0).to_numpy()


def usual_area(objects: pd.DataFrame, tracklet: np.ndarray) -> np.ndarray:
    """Return the log of the median area over up to six frames that end with each object, shape (objects,)."""
    order = np.argsort(tracklet, kind="stable")
    area, track = objects["area_px"].to_numpy(float)[order], tracklet[order]
    n = len(order)
    # Areas of the last frames of the same tracklet, shape (frames, objects), missing ones infinite: a rolling median
    # over all tracklets at once.
    recent = np.full((min(HISTORY, n), n), np.inf)
    for back, row in enumerate(recent):
        same = track[back:] == track[: n - back]
        row[back:][same] = area[: n - back][same]
    known = np.isfinite(recent).sum(axis=0)
    recent.sort(axis=0)
    each, usual = np.arange(n), np.empty(n)
    usual[order] = (recent[(known - 1) // 2, each] + recent[known // 2, each]) / 2
    return np.log(usual)


def _frames_left(frame: np.ndarray, tracklet: np.ndarray) -> np.ndarray:
    """Return how many more frames the tracklet of each object lasts, shape (objects,)."""
    last = pd.Series(frame).groupby(tracklet).transform("max").to_numpy()
    return last - frame


def choose(candidates: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Choose the set of divisions of the largest total benefit, ``threshold`` minus cost each.

    Every object is a daughter at most once and a parent at most once. This is a set packing of triples, which a linear
    assignment cannot solve, so SciPy's exact integer solver (HiGHS) is used. Hypotheses without conflict are accepted
    directly.
    """
    good = candidates[candidates["cost"] < threshold].sort_values(["cost", "parent", "second"], ignore_index=True)
    if good.empty:
        return good
    # Each hypothesis uses three resources (its parent as a parent, each daughter as a daughter), shape (hypotheses, 3).
    n = good["parent"].max() + good[["first", "second"]].max().max() + 2
    keys = np.c_[good["parent"], n + good["first"], n + good["second"]]
    _, resource = np.unique(keys, return_inverse=True)
    resource = resource.reshape(keys.shape)
    users = np.bincount(resource.ravel())
    contested = (users[resource] > 1).any(axis=1)
    taken = np.asarray(~contested)
    taken[contested] = _pack(resource[contested], threshold - good.loc[contested, "cost"].to_numpy())
    return good[taken].sort_values(["parent", "second"], ignore_index=True)


def _pack(resource: np.ndarray, benefit: np.ndarray) -> np.ndarray:
    """Maximise the total benefit so that every resource is used at most once; return which are taken.

    ``resource`` has shape (hypotheses, 3), ``benefit`` and the result have shape (hypotheses,).
    """
    if len(benefit) == 0:
        return np.zeros(0, bool)
    _, used = np.unique(resource, return_inverse=True)
    event = np.repeat(np.arange(len(benefit)), resource.shape[1])
    table = csr_matrix((np.ones(len(event)), (used.ravel(), event)))
    solved = milp(
        -benefit, constraints=LinearConstraint(table, ub=1), integrality=np.ones(len(benefit)), bounds=Bounds(0, 1)
    )
    return solved.x > 0.5
