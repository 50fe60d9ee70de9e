"""Divisions: hypotheses around unexplained starts, unit-free costs, one exact choice among them all."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix
from scipy.spatial import KDTree

from cineseq.tracking.linking_problem import LinkingProblem

SIZES = 2.2
"""Farthest daughter from its mother, in square roots of the median area."""
CANDIDATES = 6
"""Nearest mothers considered for a start."""
HISTORY = 6
"""Frames of the mother whose median area stands for her size."""
LONG_LIFE = 3
"""A daughter that lives for fewer frames, though the movie goes on, is suspect."""
HALF_COST, COST_SCALE = 1.48, 0.29
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
DOUBTS = {"grown": 3.0, "lobed": 30.0, "unlike_sum": 1.5, "elongated": 4.0}
"""Weights of what tells two cells in one mask from a mother, where the masks of a movie are seen to merge cells."""
CUES = {"condensed": -0.3, "rounded": -0.3}
"""Weights of a mother's mitosis, where it counts: below zero, for it speaks for a division and its lack for nothing."""
MITOSIS = 2
"""Last frames of a mother in which she rounds up and condenses; those before are compared with them."""
LOBED = 0.05
"""Most that is believed of what the mother's mask lacks of an ellipse."""
ROUND = 0.75
"""Minor over major axis from which a mother counts as round."""
SAME_SUM = 0.3
"""Change of summed log area that a division may have."""


def accept(found: pd.DataFrame, threshold: float, doubt: float = 0.0) -> pd.DataFrame:
    """Choose the divisions among hypotheses that cost less than ``threshold``.

    Parameters
    ----------
    found
        From :func:`hypotheses`.
    threshold
        Highest cost.
    doubt
        Share of the splits in this movie that look like touching cells that come apart, 0 to 1.

    Returns
    -------
    pandas.DataFrame
        One row per division: ``mother``, ``first``, ``second`` (rows of the objects: the mother's last object, the
        daughters' first ones), ``continues`` (whether ``first`` was linked to the mother), ``cost`` (the weighted sum
        of the features, 0 for a perfect division) and the features.
    """
    return choose(found.assign(cost=costs(found, doubt)), threshold)


def costs(found: pd.DataFrame, doubt: float = 0.0) -> np.ndarray:
    """Return the weighted sum of a hypothesis' features; 0 is a perfect division, without its :data:`CUES` if any."""
    weights = WEIGHTS | {name: doubt * weight for name, weight in DOUBTS.items()}
    weights |= {name: weight for name, weight in CUES.items() if name in found}
    return sum(weight * found[name].to_numpy(float) for name, weight in weights.items())


def confidence(cost: np.ndarray) -> np.ndarray:
    """Return the probability of a division from its cost, a logistic curve fitted to annotated movies."""
    return 1 / (1 + np.exp((cost - HALF_COST) / COST_SCALE))


def hypotheses(problem: LinkingProblem, tracklet: np.ndarray) -> pd.DataFrame:
    """List every way in which a start can be a daughter, with unit-free features.

    A mother at frame t - 1 has two daughters at frame t: two starts if her tracklet ends there, or a start and her
    own continuation.

    Parameters
    ----------
    problem
        The objects.
    tracklet
        Tracklet of each object, shape (objects,).

    Returns
    -------
    pandas.DataFrame
        One row per hypothesis: ``mother``, ``first``, ``second``, ``continues``, and its features; those of
        :func:`mitosis` where the scene asks for them.
    """
    frame = problem.frame
    order = np.lexsort((frame, tracklet))
    following = np.full(len(frame), -1)
    same = tracklet[order[1:]] == tracklet[order[:-1]]
    following[order[:-1][same]] = order[1:][same]
    is_start = np.ones(len(frame), bool)
    is_start[following[following >= 0]] = False
    mother, start = _near(problem, is_start)
    found = _features(_pairs(mother, start, following, frame), problem, tracklet)
    return found.assign(**mitosis(problem.table, tracklet, found["mother"])) if problem.mitosis_cues else found


def mitosis(objects: pd.DataFrame, tracklet: np.ndarray, mother: pd.Series) -> dict[str, np.ndarray]:
    """Return how much mothers round up and condense before they divide, against their own earlier frames.

    Parameters
    ----------
    objects
        The objects, sorted by frame.
    tracklet
        Tracklet of each object, shape (objects,).
    mother
        Rows of the mothers, shape (hypotheses,).

    Returns
    -------
    dict
        ``condensed``: the brightest of her last two frames minus the median of up to six before, in the strongest
        contrasts of a frame, 0 to 1; ``rounded``: how much eccentricity and log area fell, 0 to 0.5 each. 0 where
        nothing is known, as without a movie or before her third frame.
    """
    columns = ["brightness", "eccentricity", "log_area"]
    values = objects.assign(log_area=np.log(objects["area_px"]))[columns]
    by_track = values.groupby(tracklet)
    before = by_track.shift(MITOSIS).groupby(tracklet).rolling(HISTORY, min_periods=1).median().droplevel(0)
    late = by_track.rolling(MITOSIS, min_periods=1).agg({"brightness": "max", "eccentricity": "min", "log_area": "min"})
    rise = (late.droplevel(0) - before).reindex(mother).fillna(0.0)
    brighter, less_oval, smaller = (rise[columns] * [1, -1, -1]).to_numpy().T
    rounded = np.clip(less_oval, 0, 0.5) + np.clip(smaller, 0, 0.5)
    return {"condensed": np.clip(brighter, 0, 1), "rounded": rounded}


def _near(problem: LinkingProblem, is_start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (mother, start) rows: objects of the frame before a start, within reach of it."""
    frame, points, shift = problem.frame, problem.points, problem.motion.shift
    mothers, starts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for t in np.unique(frame[is_start & (frame > 0)]):
        before = np.arange(*np.searchsorted(frame, [t - 1, t]))
        new = np.arange(*np.searchsorted(frame, [t, t + 1]))
        new = new[is_start[new]]
        if len(before):
            distance, nearest = KDTree(points[before] + shift[before]).query(
                points[new], k=np.arange(1, min(CANDIDATES, len(before)) + 1), distance_upper_bound=SIZES * problem.size
            )
            which, rank = np.nonzero(np.isfinite(distance))
            mothers.append(before[nearest[which, rank]])
            starts.append(new[which])
    mother, start = np.concatenate(mothers), np.concatenate(starts)
    open_way = problem.passable(mother, start)
    return mother[open_way], start[open_way]


def _pairs(mother: np.ndarray, start: np.ndarray, following: np.ndarray, frame: np.ndarray) -> pd.DataFrame:
    near = pd.DataFrame({"mother": mother, "second": start})
    near["first"] = following[mother]
    continued = near[(near["first"] >= 0) & (frame[near["first"]] == frame[near["mother"]] + 1)].assign(continues=True)
    ended = near.loc[near["first"] < 0, ["mother", "second"]]
    both = ended.merge(ended.rename(columns={"second": "first"}), on="mother")
    both = both[both["first"] < both["second"]].assign(continues=False)
    return pd.concat([continued, both])[["mother", "first", "second", "continues"]].reset_index(drop=True)


def _features(pairs: pd.DataFrame, problem: LinkingProblem, tracklet: np.ndarray) -> pd.DataFrame:
    points, shift, size = problem.points, problem.motion.shift, problem.size
    area = np.log(problem.table["area_px"].to_numpy())
    usual = usual_area(problem.table, tracklet)
    left = _frames_left(problem.frame, tracklet)
    m, a, b = (pairs[name].to_numpy() for name in ("mother", "first", "second"))
    origin = points[m] + shift[m]
    va, vb = (points[a] - origin) / size, (points[b] - origin) / size
    da, db = np.hypot(*va.T), np.hypot(*vb.T)
    apart = np.hypot(*(va - vb).T)
    opposite = (va * vb).sum(axis=1) / np.maximum(da * db, 1e-6)
    soon_over = np.minimum(left[a], left[b]) + 1 < np.minimum(LONG_LIFE, problem.frames - problem.frame[a])
    return pairs.assign(
        off_centre=np.hypot(*(va + vb).T) / 2,
        asymmetry=np.abs(area[a] - area[b]),
        size_change=np.abs(np.logaddexp(area[a], area[b]) - usual[m]),
        large_daughter=np.maximum(0, np.maximum(area[a], area[b]) - usual[m] + 0.1),
        not_opposite=opposite + 1,
        short_life=soon_over.astype(float),
        apart=np.maximum(0, apart - 1.2),
        unequal_steps=np.abs(da - db),
        on_another=_on_another(problem, m, a) + _on_another(problem, m, b),
        **_doubts(problem.table, m, area[m] - 2 * np.log(size), np.logaddexp(area[a], area[b]) - 2 * np.log(size)),
        unlike_sum=np.maximum(0, np.abs(np.logaddexp(area[a], area[b]) - usual[m]) - SAME_SUM),
    )


def _doubts(objects: pd.DataFrame, mother: np.ndarray, hers: np.ndarray, theirs: np.ndarray) -> dict[str, np.ndarray]:
    """Return what speaks for two cells in one mask, given the log areas of mother and daughters over the median.

    Newborn cells are not larger than the median cell; a mother about to divide is round, and a mask with a waist is
    that of one cell only where it is no larger than usual (a late metaphase).
    """
    fullness, eccentricity = (objects[name].to_numpy() for name in ("fullness", "eccentricity"))
    waist = 1 - fullness[mother] / np.median(fullness)
    return {
        "grown": np.maximum(0, theirs - np.log(2)),
        "lobed": np.clip(waist, 0, LOBED) * np.clip(2 * hers, 0, 1),
        "elongated": np.maximum(0, ROUND - np.sqrt(1 - eccentricity[mother] ** 2)),
    }


def _on_another(problem: LinkingProblem, mother: np.ndarray, daughter: np.ndarray) -> np.ndarray:
    """How much more a daughter's mask lies on another cell of the frame before than on her mother, 0 to 1."""
    pairs = problem.discounts
    n = len(problem.table)
    source, target, discount = (pairs[name].to_numpy() for name in ("source", "target", "discount"))
    most = np.zeros(n)
    np.maximum.at(most, target, discount)
    # not a sparse matrix: indexed by no pair at all, SciPy's does not return an array
    shared = pd.Series(discount, index=source.astype(np.int64) * n + target)
    return most[daughter] - shared.reindex(mother * n + daughter, fill_value=0.0).to_numpy()


def usual_area(objects: pd.DataFrame, tracklet: np.ndarray) -> np.ndarray:
    """Log of the median area over the last six frames up to and with each object."""
    order = np.argsort(tracklet, kind="stable")
    area, track = objects["area_px"].to_numpy(float)[order], tracklet[order]
    n = len(order)
    recent = np.full((min(HISTORY, n), n), np.inf)  # pandas would roll over each track in turn, which takes seconds
    for back, row in enumerate(recent):
        same = track[back:] == track[: n - back]
        row[back:][same] = area[: n - back][same]
    known = np.isfinite(recent).sum(axis=0)
    recent.sort(axis=0)
    each, usual = np.arange(n), np.empty(n)
    usual[order] = (recent[(known - 1) // 2, each] + recent[known // 2, each]) / 2
    return np.log(usual)


def _frames_left(frame: np.ndarray, tracklet: np.ndarray) -> np.ndarray:
    last = pd.Series(frame).groupby(tracklet).transform("max").to_numpy()
    return last - frame


def choose(found: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Choose the set of divisions of the largest total benefit, ``threshold`` minus cost each.

    Every object is a daughter at most once and a mother at most once. With two free daughters this is a packing of
    triples, which no assignment solves, so it goes to SciPy's exact integer solver (HiGHS); a hypothesis that
    conflicts with no other is accepted straight away.
    """
    good = found[found["cost"] < threshold].sort_values(["cost", "mother", "second"], ignore_index=True)
    if good.empty:
        return good
    n = good["mother"].max() + good[["first", "second"]].max().max() + 2
    keys = np.c_[good["mother"], n + good["first"], n + good["second"]]
    _, resource = np.unique(keys, return_inverse=True)
    resource = resource.reshape(keys.shape)
    users = np.bincount(resource.ravel())
    contested = (users[resource] > 1).any(axis=1)
    taken = ~contested
    taken[contested] = _pack(resource[contested], threshold - good.loc[contested, "cost"].to_numpy())
    return good[taken].sort_values(["mother", "second"], ignore_index=True)


def _pack(resource: np.ndarray, benefit: np.ndarray) -> np.ndarray:
    if len(benefit) == 0:
        return np.zeros(0, bool)
    _, used = np.unique(resource, return_inverse=True)
    event = np.repeat(np.arange(len(benefit)), resource.shape[1])
    table = csr_matrix((np.ones(len(event)), (used.ravel(), event)))
    solved = milp(
        -benefit, constraints=LinearConstraint(table, ub=1), integrality=np.ones(len(benefit)), bounds=Bounds(0, 1)
    )
    return solved.x > 0.5
