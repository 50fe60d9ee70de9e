"""Every link, division and end of a field as an event with how sure it is, so that a person sees the worst first."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.spatial import KDTree
from scipy.special import expit

from cineseq.config.base import FieldOfView
from cineseq.config.tracking import Track
from cineseq.tracking import divisions, ends
from cineseq.tracking.lineage import TrackLineage, before_each
from cineseq.tracking.linking import NO_GAP_COST
from cineseq.tracking.linking_problem import LinkingProblem, fragments, linking_problem
from cineseq.tracking.objects import Objects
from cineseq.tracking.replay import Replayed

PART = 2.0
"""Cost of a cell that is linked to nothing, as in linking."""

LEAST_NOISE = 1.0
"""Twice the variance of a step in px2 that is always allowed for; centroids of masks are no more exact."""

OFFSET, SLOPE = -1.7, 0.37
"""Log odds of a link by its margin, fitted to annotated epithelium at three, five and seven times its interval."""

CLAIMED = -2
"""Stands for a rival where the best other way is that another cell takes the second object."""

GAP_SCALE = 0.15
"""Change of a gap's cost that makes it 2.7 times less likely."""


def link_confidence(problem: LinkingProblem, before: np.ndarray, candidate: np.ndarray) -> pd.DataFrame:
    """Return how sure every link is.

    The cost of a link is that of linking: squared distance over squared search range, less the share of overlap. Its
    margin is what the cheapest exchange would cost more: leaving both objects alone, giving the first object another
    successor, or the second another predecessor, where whoever loses theirs is left alone or takes what became free.
    The margin is measured in units of the noise, which is twice the variance of the steps of this field (from their
    median, as for normal steps in two directions), and turned into ``confidence`` by a logistic function that was
    fitted to one annotated movie: about the share of right links there, a ranking elsewhere. A link over a gap is
    compared with leaving the gap open, by the cost of closing gaps; that scale is a rule, not a fit.

    Parameters
    ----------
    problem
        All objects.
    before
        The object before each object, its mother's last one, or -1, shape (objects,).
    candidate
        Objects that others may be linked to instead, shape (objects,); fragments may not.

    Returns
    -------
    pandas.DataFrame
        One row per link: ``source`` and ``target`` (rows of the objects), ``step_px`` (after the common motion),
        ``confidence`` (0 to 1) and ``rival``, the object that the first one would best be linked to instead; where the
        best other way has none, -1, or -2 when it gives the second object to another cell.
    """
    arrows = _arrows(problem, before)
    gap = arrows["frames"].to_numpy() > 1
    arrows["margin"], arrows["rival"] = np.inf, -1
    arrows.loc[~gap, ["margin", "rival"]] = _margins(problem, arrows[~gap], candidate)
    links = arrows[~arrows["divides"]].reset_index(drop=True)
    gap = links["frames"].to_numpy() > 1
    step = links["step_px"].to_numpy()
    spread = max(float(np.median(step[~gap] ** 2)) / np.log(2), LEAST_NOISE) if (~gap).any() else LEAST_NOISE
    logit = OFFSET + SLOPE * links["margin"].to_numpy() * problem.reach**2 / spread
    size = np.log(problem.table["area_px"].to_numpy())
    change = np.abs(size[links["target"]] - size[links["source"]])
    cost = step / (problem.reach * np.sqrt(links["frames"].to_numpy())) + change
    logit[gap] = (NO_GAP_COST - cost[gap]) / GAP_SCALE
    links["confidence"] = expit(logit)
    return links[["source", "target", "step_px", "confidence", "rival"]].astype({"rival": np.int64})


def _arrows(problem: LinkingProblem, before: np.ndarray) -> pd.DataFrame:
    """List links and divisions as pairs of objects, with the frames and the px between them."""
    target = np.flatnonzero(before >= 0)
    source = before[target]
    frames = problem.frame[target] - problem.frame[source]
    moved = problem.points[target] - problem.points[source] - problem.motion.shift[source] * frames[:, None]
    divides = np.bincount(source, minlength=len(before))[source] == 2
    step = np.hypot(*moved.T)
    return pd.DataFrame({"source": source, "target": target, "frames": frames, "divides": divides, "step_px": step})


def _margins(problem: LinkingProblem, arrows: pd.DataFrame, candidate: np.ndarray) -> np.ndarray:
    """Return what the cheapest exchange costs more and the successor in it, or -1, shape (arrows, 2)."""
    n = len(problem.table)
    source, target = arrows["source"].to_numpy(), arrows["target"].to_numpy()
    discounts = csr_matrix(
        (problem.discounts["discount"], (problem.discounts["source"], problem.discounts["target"])), shape=(n, n)
    )
    own = 1 + (arrows["step_px"].to_numpy() / problem.reach) ** 2 - _values(discounts, source, target)
    to, of, leaving, entering = np.full(n, -1), np.full(n, -1), np.full(n, PART), np.full(n, PART)
    to[source], of[target], leaving[source], entering[target] = target, source, own, own
    mother = np.zeros(n, bool)
    mother[source[arrows["divides"]]] = True
    i, j, distance = _near(problem, candidate)
    cost = 1 + (distance / problem.reach) ** 2 - _values(discounts, i, j)
    costs = csr_matrix((cost + 1, (i, j)), shape=(n, n))  # one more, so that no cost looks like an absent pair
    exchanges = []
    other = (to[i] >= 0) & (to[i] != j)
    a, b, loser = i[other], j[other], of[j[other]]
    swapped = _values(costs, loser, to[a]) - 1
    instead = np.where((swapped >= 0) & (swapped < PART), swapped, PART)
    made_up = np.where(loser >= 0, instead - entering[b], 0.0)
    exchanges.append(np.c_[a, cost[other] - leaving[a] + made_up, b])
    other = (of[j] >= 0) & (of[j] != i) & ~mother[i]
    a = of[j[other]]
    exchanges.append(np.c_[a, cost[other] + PART - leaving[a] - leaving[i[other]], np.full(len(a), CLAIMED)])
    exchanges.append(np.c_[source, PART - own, np.full(len(source), -1)])
    every = pd.DataFrame(np.concatenate(exchanges), columns=["source", "margin", "rival"])
    best = every.sort_values(["margin", "rival"]).drop_duplicates("source").set_index("source")
    return best.loc[source, ["margin", "rival"]].to_numpy()


def _values(table: csr_matrix, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.asarray(table[rows, columns]).ravel() if len(rows) else np.empty(0)


def _near(problem: LinkingProblem, candidate: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairs of objects of consecutive frames that linking may compare, and their distance in px."""
    found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    expected = problem.points + problem.motion.shift
    for before, after in pairwise(problem.rows):
        p, q = (np.flatnonzero(candidate[rows]) + rows.start for rows in (before, after))
        if len(p) and len(q):
            near = KDTree(expected[p]).sparse_distance_matrix(
                KDTree(problem.points[q]), problem.reach, output_type="coo_matrix"
            )
            found.append((p[near.row], q[near.col], near.data))
    i, j, distance = (np.concatenate(part) for part in zip(*found, strict=True))
    allowed = problem.passable(i, j)
    return i[allowed], j[allowed], distance[allowed]


LEAST_POSSIBLE = 0.05
"""Refused divisions that are less likely are not listed."""

NAMES = ["kind", "source", "target", "other", "confidence", "reason"]
DOUBT = "; but touching cells come apart as cheaply here"


def find_events(
    objects: Objects, replayed: Replayed, tracks: pd.DataFrame, room: np.ndarray, *, field: FieldOfView, settings: Track
) -> pd.DataFrame:
    """List the events of one field.

    Parameters
    ----------
    objects
        The objects; at least one.
    replayed
        The lineage, after any edits.
    tracks
        The table of tracks of this lineage, sorted by number.
    room
        Closed compartment of each object, -1 for none, shape (objects,).
    field
        Sample and field of view.
    settings
        How tracking was done.

    Returns
    -------
    pandas.DataFrame
        With the contract EVENTS. ``confidence`` of links is described at
        :func:`~cineseq.tracking.confidence.link_confidence` and that of divisions at :func:`division_events`; that of
        ends is the probability in the table of tracks. What a person edited is certain.
    """
    table, families = objects.table, replayed.families
    problem = linking_problem(objects, np.ones(len(table), bool), room, settings)
    before = before_each(problem.frame, families)
    whole = ~fragments(table, settings.fragment_fraction)
    found = [
        link_events(problem, before, whole),
        division_events(problem, families, before),
        end_events(table, families.number, tracks),
    ]
    every = pd.concat(found, ignore_index=True).sort_values("confidence", kind="stable")
    # A cell that was lost where it may have divided is one question, not two.
    loose = every["kind"].isin(["lost", "possible_division"])
    every = every[~(loose & every[loose].duplicated("source").reindex(every.index, fill_value=False))]
    edited = replayed.edited[every["source"]]
    every = every.assign(edited=edited, confidence=np.where(edited, 1.0, every["confidence"]))
    return _as_table(every, table, families.number, field).sort_values(["frame", "label", "kind"], ignore_index=True)


def _as_table(every: pd.DataFrame, table: pd.DataFrame, number: np.ndarray, field: FieldOfView) -> pd.DataFrame:
    """Say objects by frame and label."""
    source, target, other = (every[name].to_numpy(np.int64) for name in ("source", "target", "other"))
    frame, label = (table[name].astype("Int64") for name in ("frame", "label"))
    names = {
        "sample": field.sample,
        "fov": field.fov,
        "kind": every["kind"].to_numpy(),
        "frame": frame.to_numpy(np.int64)[source],
        "label": label.to_numpy(np.int64)[source],
        "next_frame": frame.reindex(target).array,
        "next_label": label.reindex(target).array,
        "other_label": label.reindex(other).array,
        "track_id": [f"{field.sample}/{field.fov}/{n}" for n in number[source]],
        "y_px": table["y_px"].to_numpy()[source],
        "x_px": table["x_px"].to_numpy()[source],
        "confidence": every["confidence"].to_numpy(),
        "reason": every["reason"].to_numpy(),
        "edited": every["edited"].to_numpy(),
    }
    return pd.DataFrame(names)


def link_events(problem: LinkingProblem, before: np.ndarray, whole: np.ndarray) -> pd.DataFrame:
    """Return one event per link; ``other`` is the object that the cell could have gone to instead."""
    links = link_confidence(problem, before, whole)
    label = problem.table["label"].to_numpy()
    frames = problem.frame[links["target"]] - problem.frame[links["source"]]
    rivals = "or it is cell " + pd.Series(label[links["rival"]]).astype(str) + " of the next frame"
    steps = "a step of " + links["step_px"].round(1).astype(str) + f" px; {problem.reach:.1f} px are the limit"
    unseen = pd.Series(frames - 1)
    gaps = "unseen for " + unseen.astype(str) + np.where(unseen == 1, " frame", " frames")
    claimed = "or another cell became cell " + pd.Series(label[links["target"]]).astype(str) + " of the next frame"
    kinds = [frames > 1, links["rival"] >= 0, links["rival"] == CLAIMED]
    reason = np.select(kinds, [gaps, rivals, claimed], steps)
    return links.assign(kind="link", reason=reason, other=links["rival"].clip(lower=-1))[NAMES]


def division_events(problem: LinkingProblem, families: TrackLineage, before: np.ndarray) -> pd.DataFrame:
    """Return the divisions, and the refused ones that come closest.

    Each hypothesis weighs as much as its odds: of a division that tracking made, the probability that it gave; of
    others, the one that their cost stands for, as much doubted as those made at such a cost. The confidence of a
    division is its share of the weights of itself, of "none", which weighs one, and of those that share a cell with it;
    without a rival this is the probability that tracking gives. A refused hypothesis, which is a ``possible_division``,
    has the confidence that it is none. A division that tracking would not consider has confidence 0.
    """
    number = families.number
    cuts = divisions.hypotheses(problem, np.unique(number, return_inverse=True)[1])
    cuts["cost"] = divisions.costs(cuts)
    first, second = np.sort(cuts[["first", "second"]].to_numpy(np.int64), axis=1).T
    mother = cuts["mother"].to_numpy(np.int64)
    made = (before[first] == mother) & (before[second] == mother)
    cost = cuts["cost"].to_numpy()
    given = pd.Series(number[mother]).map(families.confidence).where(made).to_numpy(float)
    odds = _odds(divisions.confidence(cost))
    weight = np.where(np.isfinite(given), _odds(given), odds * _doubt(cost, _odds(given) / odds))
    n = len(problem.table)
    shared = _shared(np.c_[mother, n + first, n + second], 2 * n, weight)
    free = made | ~_touches(np.c_[mother, n + first, n + second], made, 2 * n)
    likely = weight / (1 + np.where(made, shared, weight))
    found = pd.DataFrame({"source": mother, "target": first, "other": second, "likely": likely, "made": made})
    doubted = given < divisions.confidence(cost) / 2  # not where tracking did not make it: that is NaN
    found["reason"] = [
        f"cost {value:.2f}; a cost of {divisions.HALF_COST} is as likely true as not{DOUBT if doubt else ''}"
        for value, doubt in zip(cost, doubted, strict=True)
    ]
    chosen = _unscored(found[made], before, problem.frame).assign(kind="division", confidence=lambda t: t["likely"])
    refused = found[free & ~made & (likely >= LEAST_POSSIBLE)].sort_values("likely", ascending=False)
    for name in ("source", "target", "other"):
        refused = refused.drop_duplicates(name)
    refused = refused.assign(kind="possible_division", confidence=1 - refused["likely"])
    return pd.concat([chosen, refused], ignore_index=True)[NAMES]


def _doubt(cost: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Return by how much tracking lowers the odds of a hypothesis of each cost, from those whose ``ratio`` is known."""
    known = np.flatnonzero(np.isfinite(ratio))
    known = known[np.argsort(cost[known], kind="stable")]
    return np.interp(cost, cost[known], ratio[known]) if len(known) else np.ones(len(cost))


def _odds(probability: np.ndarray) -> np.ndarray:
    return probability / np.maximum(1 - probability, 1e-9)


def _shared(cells: np.ndarray, n: int, weight: np.ndarray) -> np.ndarray:
    """Return the weight of all hypotheses that share a cell with each one, itself counted once, shape (hypotheses,)."""
    totals = np.zeros(n)
    for column in cells.T:
        np.add.at(totals, column, weight)
    return totals[cells].sum(axis=1) - (cells.shape[1] - 1) * weight


def _touches(cells: np.ndarray, made: np.ndarray, n: int) -> np.ndarray:
    """Return which hypotheses share a cell with a division that was made, shape (hypotheses,)."""
    used = np.zeros(n, bool)
    used[cells[made]] = True
    return used[cells].any(axis=1)


def _unscored(scored: pd.DataFrame, before: np.ndarray, frame: np.ndarray) -> pd.DataFrame:
    """Add the divisions that the tracker has no hypothesis for."""
    born = np.flatnonzero(before >= 0)
    born = born[np.bincount(before[born], minlength=len(before))[before[born]] == 2]
    pairs = pd.DataFrame({"source": before[born], "cell": born}).groupby("source")["cell"].agg(["min", "max"])
    pairs = pairs[~pairs.index.isin(scored["source"])].reset_index()
    pairs.loc[frame[pairs["min"]] != frame[pairs["max"]], "max"] = -1  # an event names one later frame only
    reason = "farther apart than divisions are looked for"
    extra = pairs.rename(columns={"min": "target", "max": "other"}).assign(likely=0.0, reason=reason, made=True)
    return pd.concat([scored, extra], ignore_index=True)


def end_events(table: pd.DataFrame, number: np.ndarray, tracks: pd.DataFrame) -> pd.DataFrame:
    """Return deaths, exits and losses with their evidence; the end of the movie is no event.

    Neither is a death that external tracks state, which has no confidence: nobody here has weighed it.
    """
    last = np.unique(number[::-1], return_index=True)[1]
    evidence = ends.death_evidence(table, number)
    area = 100 * (np.exp(-evidence["shrink"]) - 1)
    shown = zip(area, *(evidence[name] for name in ("brighten", "round_up", "still")), strict=True)
    reason = ["area {:+.0f} %, brightness {:+.2f}, roundness {:+.2f}, slower by {:.0%}".format(*row) for row in shown]
    found = pd.DataFrame({"source": len(number) - 1 - last, "target": -1, "other": -1, "reason": reason})
    kinds = tracks["end_kind"].to_numpy(object)
    found = found.assign(kind=kinds, confidence=tracks["end_confidence"].to_numpy(float))
    return found[found["kind"].isin(["death", "left_fov", "lost"]) & found["confidence"].notna()][NAMES]
