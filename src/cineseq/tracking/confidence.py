"""Events of a field (links, divisions, ends) with their confidence, so that the least certain are reviewed first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.config.tracking import Track
from cineseq.text import number as decimal
from cineseq.text import percent
from cineseq.tracking import ends
from cineseq.tracking.decision import Decision, decide
from cineseq.tracking.lineage import before_each
from cineseq.tracking.linking_problem import fragments, linking_problem
from cineseq.tracking.objects import Objects
from cineseq.tracking.replay import Replayed

CLAIMED = -2
"""Value of ``rival`` where in the best alternative another cell is linked to the second object."""
LEAST_RIVAL = 0.01
"""Lowest probability of an alternative that is named."""
LEAST_POSSIBLE = 0.05
"""Lowest probability of a rejected division that is listed."""
USUAL = 0.99
"""Share of the steps below the step that is called usual."""
ENDS = ("death", "left_fov", "lost")
"""Ends that are events; a division is one of its own, and the end of the movie is none."""
NAMES = ["kind", "source", "target", "other", "confidence", "reason"]


@dataclass(frozen=True)
class Judge:
    """What a decision says of any lineage of the same objects.

    Attributes
    ----------
    decision
        The decision, in rows of the whole objects.
    rows
        Row of each object among the whole ones, -1 for fragments, shape (objects,).
    """

    decision: Decision
    rows: np.ndarray

    @classmethod
    def of(cls, decision: Decision, whole: np.ndarray) -> Judge:
        """Return the judge of objects of which ``whole``, shape (objects,), took part in the decision."""
        return cls(decision, np.where(whole, np.cumsum(whole) - 1, -1))

    @cached_property
    def objects(self) -> np.ndarray:
        """Row among all objects of each whole one, shape (whole objects,)."""
        return np.flatnonzero(self.rows >= 0)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """Every pair of objects that an event joins, in rows of all objects, with its probability, likeliest first."""
        c, p = self.decision.candidates, self.decision.confidence
        link, birth = p[: c.links], p[c.links :]
        pairs = {
            "source": self.objects[np.r_[c.source, c.parent, c.parent]],
            "target": self.objects[np.r_[c.target, c.first, c.second]],
            "probability": np.r_[link, birth, birth],
        }
        return pd.DataFrame(pairs).sort_values(["probability", "source", "target"], ascending=[False, True, True])

    @cached_property
    def births(self) -> pd.DataFrame:
        """Every candidate division, in rows of all objects: ``source``, ``target`` < ``other``, ``probability``."""
        c = self.decision.candidates
        rows = {"source": c.parent, "target": c.first, "other": c.second}
        born = pd.DataFrame({name: self.objects[values] for name, values in rows.items()})
        likely = self.decision.confidence[c.links :].copy()
        likely[self.decision.packing.taken[c.links :]] = self.decision.division_confidence
        return born.assign(probability=likely)

    def link_probability(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the probability of each link, 0 where it is no candidate, shape (links,)."""
        c = self.decision.candidates
        known = pd.Series(
            self.decision.confidence[: c.links],
            index=pd.MultiIndex.from_arrays([self.objects[c.source], self.objects[c.target]]),
        )
        wanted = pd.MultiIndex.from_arrays([source, target])
        return known.reindex(wanted, fill_value=0.0).to_numpy(float) if len(source) else np.empty(0)

    def rivals(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the object that the first one becomes in the best alternative to each link, shape (links,).

        -1 where it becomes none, ``CLAIMED`` where another object becomes the second one.
        """
        best = {}
        # A link and divisions can join the same two objects. A rival is in the frame after the first object.
        frame = self.decision.problem.frame[self.rows]
        pairs = self.pairs.drop_duplicates(["source", "target"])
        pairs = pairs[frame[pairs["target"]] == frame[pairs["source"]] + 1]
        for side, other, wanted, own in (("source", "target", source, target), ("target", "source", target, source)):
            near = pairs.groupby(side, sort=False).head(2).set_index(side)
            two = [near[~near.index.duplicated(keep=which)].reindex(wanted) for which in ("first", "last")]
            first_is_own = two[0][other].to_numpy() == own
            best[side] = [
                np.where(first_is_own, two[1][name].to_numpy(), two[0][name].to_numpy())
                for name in (other, "probability")
            ]
            # An object with one candidate only has no alternative.
            alone = first_is_own & (two[1][other].to_numpy() == own)
            best[side][1] = np.where(alone | np.isnan(best[side][1].astype(float)), 0.0, best[side][1])
        (becomes, likely), (_, claimed) = best["source"], best["target"]
        rival = np.where(likely.astype(float) >= LEAST_RIVAL, np.nan_to_num(becomes.astype(float), nan=-1.0), -1.0)
        stronger = (claimed.astype(float) > likely.astype(float)) & (claimed.astype(float) >= LEAST_RIVAL)
        return np.where(stronger, CLAIMED, rival).astype(np.int64)


def find_events(
    objects: Objects,
    replayed: Replayed,
    tracks: pd.DataFrame,
    judge: Judge,
    *,
    field: FieldOfView,
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
    judge
        The probabilities of links and divisions, from :func:`judge_of` or from tracking.
    field
        Sample and field of view.

    Returns
    -------
    pandas.DataFrame
        With the contract EVENTS. The ``confidence`` of links and divisions is their probability
        (:mod:`cineseq.tracking.decision`); that of ends is the confidence in the table of tracks. Edited events have
        confidence 1.
    """
    table, families = objects.table, replayed.families
    before = before_each(table["frame"].to_numpy(np.int64), families)
    kinds = [
        link_events(table, judge, before),
        division_events(table, judge, before),
        end_events(table, families.number, tracks),
    ]
    listed = pd.concat(kinds, ignore_index=True).sort_values("confidence", kind="stable")
    # A cell that was lost where it may have divided is one event, not two: the less certain of both is kept.
    open_end = listed["kind"].isin(["lost", "possible_division"])
    repeated = listed[open_end].duplicated("source").reindex(listed.index, fill_value=False)
    listed = listed[~(open_end & repeated)]
    edited = replayed.edited[listed["source"]]
    listed = listed.assign(edited=edited, confidence=np.where(edited, 1.0, listed["confidence"]))
    events = _as_table(listed, table, families.number, field).sort_values(["frame", "label", "kind"], ignore_index=True)
    if "end_model" not in tracks:
        return events
    model = events["track_id"].map(tracks.set_index("track_id")["end_model"]).astype("string")
    return events.assign(end_model=model.where(events["kind"].isin(ENDS) & ~events["edited"]))


def judge_of(objects: Objects, compartment: np.ndarray, settings: Track) -> Judge:
    """Return the probabilities of links and divisions of objects whose lineage is not from :func:`link_objects`."""
    whole = ~fragments(objects.table, settings.fragment_fraction)
    return Judge.of(decide(linking_problem(objects, whole, compartment, settings), settings), whole)


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


def link_events(table: pd.DataFrame, judge: Judge, before: np.ndarray) -> pd.DataFrame:
    """Return one event per link; ``other`` is the object that the cell becomes in the best alternative.

    Parameters
    ----------
    table
        The objects.
    judge
        The probabilities.
    before
        Row of the object before each object in its track, else of the last object of its parent, else -1, shape
        (objects,).
    """
    target = np.flatnonzero(before >= 0)
    target = target[np.bincount(before[target], minlength=len(before))[before[target]] != 2]
    source = before[target]
    rival = judge.rivals(source, target)
    confidence = judge.link_probability(source, target)
    # Reasons, from the best alternative, or from the step where there is none.
    label, frame = table["label"].to_numpy(), table["frame"].to_numpy()
    usual = judge.decision.learnt.step.quantile(USUAL)
    steps = [
        f"a step of {decimal(step, 1)} px; {percent(USUAL, 0)} of the steps here are below {decimal(usual, 1)} px"
        for step in _steps(judge, source, target)
    ]
    rivals = "or it is cell " + pd.Series(label[rival]).astype(str) + " of the next frame"
    claimed = "or another cell became cell " + pd.Series(label[target]).astype(str) + " of the next frame"
    unseen = pd.Series(frame[target] - frame[source] - 1)
    gaps = "unseen for " + unseen.astype(str) + np.where(unseen == 1, " frame", " frames")
    reason = np.select([(unseen > 0).to_numpy(), rival >= 0, rival == CLAIMED], [gaps, rivals, claimed], steps)
    links = {"kind": "link", "source": source, "target": target, "other": rival.clip(min=-1)}
    return pd.DataFrame(links | {"confidence": confidence, "reason": reason})[NAMES]


def _steps(judge: Judge, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the step of each link in px after the common motion, NaN where an object is a fragment, shape (links,)."""
    one, other = judge.rows[source], judge.rows[target]
    moved = judge.decision.problem.residual(one, other)
    return np.where((one >= 0) & (other >= 0), np.hypot(*moved.T), np.nan)


def division_events(table: pd.DataFrame, judge: Judge, before: np.ndarray) -> pd.DataFrame:
    """Return the divisions of a lineage, and the most likely divisions that it does not have.

    The confidence of a division is its probability, 0 where tracking would not consider it. A rejected one is a
    ``possible_division``; its confidence is the probability that it is not a division. Parameters are those of
    :func:`link_events`.
    """
    born = np.flatnonzero(before >= 0)
    born = born[np.bincount(before[born], minlength=len(before))[before[born]] == 2]
    found = pd.DataFrame({"source": before[born], "cell": born}).groupby("source")["cell"].agg(["min", "max"])
    found = found.reset_index().rename(columns={"min": "target", "max": "other"})
    keys = ["source", "target", "other"]
    chosen = found.merge(judge.births, on=keys, how="left")
    chosen["reason"] = [
        "tracking did not consider this division" if np.isnan(p) else f"probability {decimal(p)}"
        for p in chosen["probability"]
    ]
    frame = table["frame"].to_numpy()
    apart = frame[chosen["target"]] != frame[chosen["other"]]
    chosen.loc[apart, "other"] = -1  # an event names one later frame only
    chosen = chosen.assign(kind="division", confidence=chosen["probability"].fillna(0.0))
    # Rejected candidates, the most likely first, each cell in one at most and in no division of the lineage.
    rest = judge.births[judge.births["probability"] >= LEAST_POSSIBLE]
    cells = pd.Series(np.r_[found["target"], found["other"]])
    rest = rest[~rest["source"].isin(found["source"]) & ~rest["target"].isin(cells) & ~rest["other"].isin(cells)]
    rest = rest.sort_values(["probability", *keys], ascending=[False, True, True, True])
    for name in keys:
        rest = rest.drop_duplicates(name)
    reason = [f"probability of a division {decimal(p)}" for p in rest["probability"]]
    rest = rest.assign(kind="possible_division", confidence=1 - rest["probability"], reason=reason)
    return pd.concat([chosen, rest], ignore_index=True)[NAMES]


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
    return events[events["kind"].isin(ENDS) & events["confidence"].notna()][NAMES]


def _what_followed(tracks: pd.DataFrame) -> list[str]:
    """Return what the model of ends says of each track, empty where it says nothing."""
    columns = (tracks[name].to_numpy(float, na_value=np.nan) for name in ("p_death", "p_mitosis", "body_frames"))
    return [
        ""
        if np.isnan(death)
        else f"; death {decimal(death)}, lost mitosis {decimal(mitosis)}, a body in {decimal(bodies, 0)} frames"
        for death, mitosis, bodies in zip(*columns, strict=True)
    ]
