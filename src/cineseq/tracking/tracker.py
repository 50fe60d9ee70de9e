"""Tracking of one field: objects to tracklets, gaps and divisions."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from cineseq.config.tracking import Track
from cineseq.tracking import divisions, lineage, linking, merges, motion
from cineseq.tracking.lineage import TrackLineage
from cineseq.tracking.linking_problem import fragments, linking_problem
from cineseq.tracking.objects import Objects

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Linked:
    """What tracking found, before it is written as tables.

    Attributes
    ----------
    families
        Tracks and mothers.
    motion
        The common motion that was removed.
    reach
        Search range in px.
    counts
        What was done, by name.
    without_overlaps
        Why the pixels that masks share did not count for links; empty where they did.
    """

    families: TrackLineage
    motion: motion.Motion
    reach: float
    counts: dict[str, int]
    without_overlaps: str = ""


def link_objects(objects: Objects, room: np.ndarray, settings: Track) -> Linked:
    """Link the objects of a field into tracks and families.

    Parameters
    ----------
    objects
        The objects of every frame; at least one.
    room
        Closed compartment of each object, -1 for none, shape (objects,).
    settings
        How to track.
    """
    table = objects.table
    whole = ~fragments(table, settings.fragment_fraction)
    problem = linking_problem(objects, whole, room, settings)
    linked = linking.link(problem)
    tracklet = linking.close_gaps(problem, linked, settings.max_gap)
    told = merges.tell_splits(problem, tracklet, settings.division_cost)
    found = told.divisions
    joined = len(np.unique(tracklet))
    tracklet = lineage.split_at_divisions(told.tracklet, found)
    every = np.empty(len(table), np.int64)
    every[whole] = tracklet
    every[~whole] = tracklet.max(initial=-1) + 1 + np.arange((~whole).sum())
    number = lineage.number_tracks(table, every)
    inner = number[whole]
    mothers = inner[found["mother"].to_numpy(np.int64)].tolist()
    parent = {}
    for daughter in ("first", "second"):
        parent |= dict(zip(inner[found[daughter].to_numpy(np.int64)].tolist(), mothers, strict=True))
    cost = found["cost"].to_numpy(float)
    sure = divisions.confidence(cost) * (1 - merges.false_share(cost, told.false_divisions))
    confidence = dict(zip(mothers, sure.tolist(), strict=True))
    counts = {
        "fragments": int((~whole).sum()),
        "gaps_closed": len(np.unique(linked)) - joined,
        "divisions": len(found),
        "merges_like_divisions": told.merges,
        "splits_explained_by_merges": told.splits,
        "divisions_expected_false": len(told.false_divisions),
    }
    return Linked(
        TrackLineage(number, parent, confidence), problem.motion, problem.reach, counts, problem.without_overlaps
    )
