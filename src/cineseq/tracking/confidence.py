"""Events of a field (links, divisions, ends) with their confidence, so that the least certain are reviewed first."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.spatial import KDTree
from scipy.special import expit

from cineseq.config.base import FieldOfView
from cineseq.config.tracking import Track
from cineseq.text import number as decimal
from cineseq.text import percent
from cineseq.tracking import divisions, ends
from cineseq.tracking.lineage import TrackLineage, before_each
from cineseq.tracking.linking_problem import NO_GAP_COST, LinkingProblem, fragments, linking_problem
from cineseq.tracking.objects import Objects
from cineseq.tracking.replay import Replayed

NO_LINK = 2.0
"""Cost of a cell without a link, as in linking."""

LEAST_NOISE = 1.0
"""Lower bound of the noise (twice the variance of a step) in px2; centroids of masks are not more exact."""

OFFSET, SLOPE = -1.7, 0.37
"""Log odds of a link by its margin; fitted to an annotated epithelium at 3, 5 and 7 times its frame interval."""

CLAIMED = -2
"""Value of ``rival`` where in the best alternative another cell is linked to the second object."""

GAP_SCALE = 0.15
"""Increase of the cost of a gap that lowers its odds by a factor e."""


def link_confidence(problem: LinkingProblem, before: np.ndarray, candidate: np.ndarray) -> pd.DataFrame:
    """Return the confidence of every link.

    The cost of a link is the cost used for linking: squared distance over squared search range, minus the discount for
    overlap. Its margin is the additional cost of the cheapest alternative: no link for either object, another successor
    for the first object, or another predecessor for the second; a cell that loses its link stays without one or takes
    the object that became free. The margin is divided by the noise, twice the variance of the steps of this field
    (estimated from their median, for normal steps in two dimensions), and mapped to ``confidence`` by a logistic
    function fitted to one annotated movie. There it is close to the fraction of correct links; elsewhere it is a
    ranking. A link over a gap is compared with leaving the gap open, by the cost of gap closing; that scale is a rule,
    not a fit.

    Parameters
    ----------
    problem
        The linking problem of all objects.
    before
        Row of the object before each object in its track, else of the last object of its parent, else -1, shape
        (objects,).
    candidate
        Whether an object may be part of an alternative (fragments may not), shape (objects,).

    Returns
    -------
    pandas.DataFrame
        One row per link: ``source`` and ``target`` (rows of the objects), ``step_px`` (after the common motion),
        ``confidence`` (0 to 1) and ``rival``: the object to which the first one is linked in the best alternative, -1
        where it is linked to none, -2 where another cell is linked to the second object.
    """
    # Links and divisions between consecutive frames compete, so margins are computed over both.
    pairs = _pairs(problem, before)
    gap = pairs["frames"].to_numpy() > 1
    pairs["margin"], pairs["rival"] = np.inf, -1
    pairs.loc[~gap, ["margin", "rival"]] = _margins(problem, pairs[~gap], candidate)
    links = pairs[~pairs["divides"]].reset_index(drop=True)
    gap = links["frames"].to_numpy() > 1
    step = links["step_px"].to_numpy()
    # Noise: for normal steps in two dimensions, the median squared step is 2 ln(2) times the variance.
    spread = max(float(np.median(step[~gap] ** 2)) / np.log(2), LEAST_NOISE) if (~gap).any() else LEAST_NOISE
    logit = OFFSET + SLOPE * links["margin"].to_numpy() * problem.reach**2 / spread
    # Links over gaps, by the cost of gap closing.
    size = np.log(problem.table["area_px"].to_numpy())
    change = np.abs(size[links["target"]] - size[links["source"]])
    cost = step / (problem.reach * np.sqrt(links["frames"].to_numpy())) + change
    logit[gap] = (NO_GAP_COST - cost[gap]) / GAP_SCALE
    links["confidence"] = expit(logit)
    return links[["source", "target", "step_px", "confidence", "rival"]].astype({"rival": np.int64})


def _pairs(problem: LinkingProblem, before: np.ndarray) -> pd.DataFrame:
    """Return links and divisions as pairs of objects, with the number of frames and the distance between them."""
    target = np.flatnonzero(before >= 0)
    source = before[target]
    frames = problem.frame[target] - problem.frame[source]
    moved = problem.points[target] - problem.points[source] - problem.motion.shift[source] * frames[:, None]
    divides = np.bincount(source, minlength=len(before))[source] == 2
    step = np.hypot(*moved.T)
    return pd.DataFrame({"source": source, "target": target, "frames": frames, "divides": divides, "step_px": step})


def _margins(problem: LinkingProblem, pairs: pd.DataFrame, candidate: np.ndarray) -> np.ndarray:
    """Return the additional cost of the cheapest alternative and the rival in it, shape (pairs, 2).

    Alternatives are exchanges of at most two links of the current solution.
    """
    n = len(problem.table)
    source, target = pairs["source"].to_numpy(), pairs["target"].to_numpy()
    discounts = csr_matrix(
        (problem.discounts["discount"], (problem.discounts["source"], problem.discounts["target"])), shape=(n, n)
    )
    # Current solution: successor ``to`` and predecessor ``of`` of every object, -1 for none, and the cost that each
    # pays when leaving a source and when entering a target, shape (objects,) each.
    own = 1 + (pairs["step_px"].to_numpy() / problem.reach) ** 2 - _values(discounts, source, target)
    to, of, leaving, entering = np.full(n, -1), np.full(n, -1), np.full(n, NO_LINK), np.full(n, NO_LINK)
    to[source], of[target], leaving[source], entering[target] = target, source, own, own
    parent = np.zeros(n, bool)
    parent[source[pairs["divides"]]] = True
    # All allowed pairs of consecutive frames, shape (candidates,) each.
    i, j, distance = _near(problem, candidate)
    cost = 1 + (distance / problem.reach) ** 2 - _values(discounts, i, j)
    costs = csr_matrix((cost + 1, (i, j)), shape=(n, n))  # one more, so that no cost looks like an absent pair
    # 1. Source a takes target b; the predecessor of b (the loser) stays without a link or takes the target of a.
    exchanges = []
    other = (to[i] >= 0) & (to[i] != j)
    a, b, loser = i[other], j[other], of[j[other]]
    swapped = _values(costs, loser, to[a]) - 1
    instead = np.where((swapped >= 0) & (swapped < NO_LINK), swapped, NO_LINK)
    compensation = np.where(loser >= 0, instead - entering[b], 0.0)
    exchanges.append(np.c_[a, cost[other] - leaving[a] + compensation, b])
    # 2. The target of a gets another source, which leaves its own target; a stays without a link.
    other = (of[j] >= 0) & (of[j] != i) & ~parent[i]
    a = of[j[other]]
    exchanges.append(np.c_[a, cost[other] + NO_LINK - leaving[a] - leaving[i[other]], np.full(len(a), CLAIMED)])
    # 3. No link.
    exchanges.append(np.c_[source, NO_LINK - own, np.full(len(source), -1)])
    alternatives = pd.DataFrame(np.concatenate(exchanges), columns=["source", "margin", "rival"])
    best = alternatives.sort_values(["margin", "rival"]).drop_duplicates("source").set_index("source")
    return best.loc[source, ["margin", "rival"]].to_numpy()


def _values(table: csr_matrix, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return entries of a sparse matrix, 0 where absent, shape (pairs,)."""
    return np.asarray(table[rows, columns]).ravel() if len(rows) else np.empty(0)


def _near(problem: LinkingProblem, candidate: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairs of objects of consecutive frames within the search range, and their distance in px."""
    near_pairs = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    expected = problem.points + problem.motion.shift
    for before, after in pairwise(problem.rows):
        p, q = (np.flatnonzero(candidate[rows]) + rows.start for rows in (before, after))
        if len(p) and len(q):
            near = KDTree(expected[p]).sparse_distance_matrix(
                KDTree(problem.points[q]), problem.reach, output_type="coo_matrix"
            )
            near_pairs.append((p[near.row], q[near.col], near.data))
    i, j, distance = (np.concatenate(part) for part in zip(*near_pairs, strict=True))
    allowed = problem.passable(i, j)
    return i[allowed], j[allowed], distance[allowed]


LEAST_POSSIBLE = 0.05
"""Lowest probability of a rejected division that is listed."""

NAMES = ["kind", "source", "target", "other", "confidence", "reason"]
DOUBT = "; but touching cells that separate cost as little in this movie"


def find_events(
    objects: Objects,
    replayed: Replayed,
    tracks: pd.DataFrame,
    compartment: np.ndarray,
    *,
    field: FieldOfView,
    settings: Track,
) -> pd.DataFrame:
    """List the events of one field.

    Parameters
    ----------
    objects
        The objects; at least one.
    replayed
        The lineage after edits, if any.
    tracks
        Table of tracks of this lineage, sorted by number.
    compartment
        Closed compartment of each object, -1 for none, shape (objects,).
    field
        Sample and field of view.
    settings
        The section ``track``.

    Returns
    -------
    pandas.DataFrame
        With the contract EVENTS. For the ``confidence`` of links see :func:`link_confidence`, for that of divisions
        :func:`division_events`; that of ends is the confidence in the table of tracks. Edited events have confidence
        1.
    """
    table, families = objects.table, replayed.families
    problem = linking_problem(objects, np.ones(len(table), bool), compartment, settings)
    before = before_each(problem.frame, families)
    whole = ~fragments(table, settings.fragment_fraction)
    kinds = [
        link_events(problem, before, whole),
        division_events(problem, families, before),
        end_events(table, families.number, tracks),
    ]
    listed = pd.concat(kinds, ignore_index=True).sort_values("confidence", kind="stable")
    # A cell that was lost where it may have divided is one event, not two: the less certain of both is kept.
    open_end = listed["kind"].isin(["lost", "possible_division"])
    repeated = listed[open_end].duplicated("source").reindex(listed.index, fill_value=False)
    listed = listed[~(open_end & repeated)]
    edited = replayed.edited[listed["source"]]
    listed = listed.assign(edited=edited, confidence=np.where(edited, 1.0, listed["confidence"]))
    return _as_table(listed, table, families.number, field).sort_values(["frame", "label", "kind"], ignore_index=True)


def _as_table(listed: pd.DataFrame, table: pd.DataFrame, number: np.ndarray, field: FieldOfView) -> pd.DataFrame:
    """Return events with objects named by frame and label instead of row."""
    source, target, other = (listed[name].to_numpy(np.int64) for name in ("source", "target", "other"))
    frame, label = (table[name].astype("Int64") for name in ("frame", "label"))
    names = {
        "sample": field.sample,
        "fov": field.fov,
        "kind": listed["kind"].to_numpy(),
        "frame": frame.to_numpy(np.int64)[source],
        "label": label.to_numpy(np.int64)[source],
        "next_frame": frame.reindex(target).array,
        "next_label": label.reindex(target).array,
        "other_label": label.reindex(other).array,
        "track_id": [f"{field.sample}/{field.fov}/{n}" for n in number[source]],
        "y_px": table["y_px"].to_numpy()[source],
        "x_px": table["x_px"].to_numpy()[source],
        "confidence": listed["confidence"].to_numpy(),
        "reason": listed["reason"].to_numpy(),
        "edited": listed["edited"].to_numpy(),
    }
    return pd.DataFrame(names)


def link_events(problem: LinkingProblem, before: np.ndarray, whole: np.ndarray) -> pd.DataFrame:
    """Return one event per link; ``other`` is the object to which the cell is linked in the best alternative."""
    links = link_confidence(problem, before, whole)
    label = problem.table["label"].to_numpy()
    frames = problem.frame[links["target"]] - problem.frame[links["source"]]
    rivals = "or it is cell " + pd.Series(label[links["rival"]]).astype(str) + " of the next frame"
    limit = f"{decimal(problem.reach, 1)} px are the limit"
    steps = [f"a step of {decimal(step, 1)} px; {limit}" for step in links["step_px"]]
    unseen = pd.Series(frames - 1)
    gaps = "unseen for " + unseen.astype(str) + np.where(unseen == 1, " frame", " frames")
    claimed = "or another cell became cell " + pd.Series(label[links["target"]]).astype(str) + " of the next frame"
    kinds = [frames > 1, links["rival"] >= 0, links["rival"] == CLAIMED]
    reason = np.select(kinds, [gaps, rivals, claimed], steps)
    return links.assign(kind="link", reason=reason, other=links["rival"].clip(lower=-1))[NAMES]


def division_events(problem: LinkingProblem, families: TrackLineage, before: np.ndarray) -> pd.DataFrame:
    """Return the divisions, and the most likely rejected hypotheses.

    The weight of a hypothesis is its odds. For a division of the lineage these are the odds of its confidence in
    tracking; for others, the odds of their cost, lowered as much as those of divisions at a similar cost. The
    confidence of a division is its weight, divided by the sum of its weight, of one for "no division", and of the
    weights of all hypotheses that share a cell with it. Without a competing hypothesis it equals the confidence in
    tracking. A rejected hypothesis is a ``possible_division``; its confidence is the probability that it is not a
    division. A division for which tracking has no hypothesis has confidence 0.
    """
    number = families.number
    # Hypotheses at the ends and within the tracks of this lineage; all arrays below have shape (hypotheses,).
    candidates = divisions.hypotheses(problem, np.unique(number, return_inverse=True)[1])
    candidates["cost"] = divisions.costs(candidates)
    first, second = np.sort(candidates[["first", "second"]].to_numpy(np.int64), axis=1).T
    parent = candidates["parent"].to_numpy(np.int64)
    accepted = (before[first] == parent) & (before[second] == parent)
    cost = candidates["cost"].to_numpy()
    # Weights: the odds of tracking where it accepted the hypothesis, else the odds of the cost, lowered likewise.
    tracked = pd.Series(number[parent]).map(families.confidence).where(accepted).to_numpy(float)
    odds = _odds(divisions.confidence(cost))
    weight = np.where(np.isfinite(tracked), _odds(tracked), odds * _odds_ratio(cost, _odds(tracked) / odds))
    # Compete: hypotheses that share a cell exclude each other. Cells have shape (hypotheses, 3).
    n = len(problem.table)
    cells = np.c_[parent, n + first, n + second]
    shared = _shared(cells, 2 * n, weight)
    free = accepted | ~_touches(cells, accepted, 2 * n)
    likely = weight / (1 + np.where(accepted, shared, weight))
    scored = pd.DataFrame({"source": parent, "target": first, "other": second, "likely": likely, "accepted": accepted})
    doubted = tracked < divisions.confidence(cost) / 2  # False where tracking did not accept it (NaN)
    half = decimal(divisions.HALF_COST)
    scored["reason"] = [
        f"cost {decimal(value)}; a division of cost {half} is as likely true as false{DOUBT if doubt else ''}"
        for value, doubt in zip(cost, doubted, strict=True)
    ]
    chosen = _with_unscored(scored[accepted], before, problem.frame)
    chosen = chosen.assign(kind="division", confidence=chosen["likely"])
    # Rejected hypotheses, the most likely first, each cell in one at most.
    rejected = scored[free & ~accepted & (likely >= LEAST_POSSIBLE)].sort_values("likely", ascending=False)
    for name in ("source", "target", "other"):
        rejected = rejected.drop_duplicates(name)
    rejected = rejected.assign(kind="possible_division", confidence=1 - rejected["likely"])
    return pd.concat([chosen, rejected], ignore_index=True)[NAMES]


def _odds_ratio(cost: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Return the factor by which tracking lowers the odds at each cost, interpolated where ``ratio`` is NaN."""
    known = np.flatnonzero(np.isfinite(ratio))
    known = known[np.argsort(cost[known], kind="stable")]
    return np.interp(cost, cost[known], ratio[known]) if len(known) else np.ones(len(cost))


def _odds(probability: np.ndarray) -> np.ndarray:
    return probability / np.maximum(1 - probability, 1e-9)


def _shared(cells: np.ndarray, n: int, weight: np.ndarray) -> np.ndarray:
    """Return the total weight of the hypotheses that share a cell with each one, itself counted once.

    ``cells`` has shape (hypotheses, 3); ``weight`` and the result have shape (hypotheses,); ``n`` counts the cells.
    """
    totals = np.zeros(n)
    for column in cells.T:
        np.add.at(totals, column, weight)
    return totals[cells].sum(axis=1) - (cells.shape[1] - 1) * weight


def _touches(cells: np.ndarray, accepted: np.ndarray, n: int) -> np.ndarray:
    """Return which hypotheses share a cell with an accepted one, shape (hypotheses,)."""
    used = np.zeros(n, bool)
    used[cells[accepted]] = True
    return used[cells].any(axis=1)


def _with_unscored(scored: pd.DataFrame, before: np.ndarray, frame: np.ndarray) -> pd.DataFrame:
    """Add the divisions of the lineage for which there is no hypothesis."""
    born = np.flatnonzero(before >= 0)
    born = born[np.bincount(before[born], minlength=len(before))[before[born]] == 2]
    pairs = pd.DataFrame({"source": before[born], "cell": born}).groupby("source")["cell"].agg(["min", "max"])
    pairs = pairs[~pairs.index.isin(scored["source"])].reset_index()
    pairs.loc[frame[pairs["min"]] != frame[pairs["max"]], "max"] = -1  # an event names one later frame only
    reason = "farther apart than the search for divisions reaches"
    extra = pairs.rename(columns={"min": "target", "max": "other"}).assign(likely=0.0, reason=reason, accepted=True)
    return pd.concat([scored, extra], ignore_index=True)


def end_events(table: pd.DataFrame, number: np.ndarray, tracks: pd.DataFrame) -> pd.DataFrame:
    """Return deaths, exits and losses with their evidence.

    The end of the movie is not an event, nor is a death that external tracks state, which has no confidence.
    """
    last = np.unique(number[::-1], return_index=True)[1]
    evidence = ends.death_evidence(table, number)
    area = np.exp(-evidence["shrink"]) - 1
    values = zip(area, *(evidence[name] for name in ("brighten", "round_up", "still")), strict=True)
    reason = [
        f"area {percent(change, 0, signed=True)}, brightness {decimal(brighter, signed=True)}, "
        f"roundness {decimal(rounder, signed=True)}, slower by {percent(slower, 0)}"
        for change, brighter, rounder, slower in values
    ]
    if "p_death" in tracks:
        reason = [f"{told}{more}" for told, more in zip(reason, _what_followed(tracks), strict=True)]
    events = pd.DataFrame({"source": len(number) - 1 - last, "target": -1, "other": -1, "reason": reason})
    kinds = tracks["end_kind"].to_numpy(object)
    events = events.assign(kind=kinds, confidence=tracks["end_confidence"].to_numpy(float))
    return events[events["kind"].isin(["death", "left_fov", "lost"]) & events["confidence"].notna()][NAMES]


def _what_followed(tracks: pd.DataFrame) -> list[str]:
    """Return what the model of ends says of each track, empty where it says nothing."""
    columns = (tracks[name].to_numpy(float, na_value=np.nan) for name in ("p_death", "p_mitosis", "body_frames"))
    return [
        ""
        if np.isnan(death)
        else f"; death {decimal(death)}, lost mitosis {decimal(mitosis)}, a body in {decimal(bodies, 0)} frames"
        for death, mitosis, bodies in zip(*columns, strict=True)
    ]
