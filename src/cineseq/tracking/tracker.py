"""Tracking of one field: linking, gap closing and divisions, from objects to a lineage."""

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
    """Result of tracking one field, before it becomes tables.

    Attributes
    ----------
    families
        The lineage.
    motion
        The common motion that was removed.
    reach
        Search range in px.
    counts
        Counts for the report, by name.
    without_overlaps
        Why overlaps of masks were not used; empty where they were.
    """

    families: TrackLineage
    motion: motion.Motion
    reach: float
    counts: dict[str, int]
    without_overlaps: str = ""


def link_objects(objects: Objects, compartment: np.ndarray, settings: Track) -> Linked:
    """Link the objects of a field into tracks and lineages.

    Parameters
    ----------
    objects
        The objects of every frame; at least one.
    compartment
        Closed compartment of each object, -1 for none, shape (objects,).
    settings
        The section ``track``.
    """
    # Fragments are not linked; ``whole`` has shape (objects,), tracklets have shape (whole objects,).
    table = objects.table
    whole = ~fragments(table, settings.fragment_fraction)
    problem = linking_problem(objects, whole, compartment, settings)
    linked = linking.link(problem)
    tracklet = linking.close_gaps(problem, linked, settings.max_gap)
    gaps_closed = len(np.unique(linked)) - len(np.unique(tracklet))
    splits = merges.classify_splits(problem, tracklet, settings.division_cost)
    divided = splits.divisions
    tracklet = lineage.split_at_divisions(splits.tracklet, divided)
    # Number the tracks; every fragment is a track of one frame.
    all_tracklets = np.empty(len(table), np.int64)
    all_tracklets[whole] = tracklet
    all_tracklets[~whole] = tracklet.max(initial=-1) + 1 + np.arange((~whole).sum())
    number = lineage.number_tracks(table, all_tracklets)
    inner = number[whole]
    # Parents by daughter, and the confidence of every division: its own, times the probability that it is not false.
    parents = inner[divided["parent"].to_numpy(np.int64)].tolist()
    parent: dict[int, int] = {}
    for daughter in ("first", "second"):
        parent |= dict(zip(inner[divided[daughter].to_numpy(np.int64)].tolist(), parents, strict=True))
    cost = divided["cost"].to_numpy(float)
    true = divisions.confidence(cost) * (1 - merges.false_discovery_rate(cost, splits.false_divisions))
    confidence = dict(zip(parents, true.tolist(), strict=True))
    counts = {
        "fragments": int((~whole).sum()),
        "gaps_closed": gaps_closed,
        "divisions": len(divided),
        "merges_like_divisions": splits.merges,
        "splits_explained_by_merges": splits.splits,
        "divisions_expected_false": len(splits.false_divisions),
    }
    return Linked(
        TrackLineage(number, parent, confidence), problem.motion, problem.reach, counts, problem.without_overlaps
    )
