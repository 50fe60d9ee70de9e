"""Tracking of one field: from objects to a lineage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cineseq.config.tracking import Track
from cineseq.tracking import lineage
from cineseq.tracking.decision import Decision, decide
from cineseq.tracking.lineage import TrackLineage
from cineseq.tracking.linking_problem import fragments, linking_problem
from cineseq.tracking.merges import Pieces, follow_merges, pieces_of
from cineseq.tracking.objects import Objects


@dataclass(frozen=True)
class Linked:
    """Result of tracking one field, before it becomes tables.

    Attributes
    ----------
    families
        The lineage.
    decision
        The events of the whole objects, with their probabilities and what the movie taught.
    whole
        Which objects are whole, not fragments, shape (objects,).
    counts
        Counts for the report, by name.
    """

    families: TrackLineage
    decision: Decision
    whole: np.ndarray
    counts: dict[str, float]


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
    # Fragments are not linked; rows of the decision are those of the whole objects.
    table = objects.table
    whole = ~fragments(table, settings.fragment_fraction)
    decision = decide(linking_problem(objects, whole, compartment, settings), settings)
    found = pieces_of(decision)
    followed, explained = follow_merges(decision.problem, found) if settings.merges else (found, 0)
    families = _families(objects, whole, followed)
    taken = decision.packing.taken[: decision.candidates.links]
    counts = {
        "fragments": int((~whole).sum()),
        "gaps_closed": int((decision.candidates.steps[taken] > 1).sum()),
        "divisions": len(followed.divisions),
        "divisions_expected_false": round(float((1 - followed.confidence).sum()), 1),
        "splits_explained_by_merges": explained,
    }
    return Linked(families, decision, whole, counts)


def _families(objects: Objects, whole: np.ndarray, pieces: Pieces) -> TrackLineage:
    """Return the lineage of all objects; every fragment is a track of one frame."""
    table = objects.table
    all_tracklets = np.empty(len(table), np.int64)
    all_tracklets[whole] = pieces.tracklet
    all_tracklets[~whole] = pieces.tracklet.max(initial=-1) + 1 + np.arange((~whole).sum())
    number = lineage.number_tracks(table, all_tracklets)
    inner = number[whole]
    parents = inner[pieces.divisions[:, 0]].tolist()
    parent: dict[int, int] = {}
    for column in (1, 2):
        parent |= dict(zip(inner[pieces.divisions[:, column]].tolist(), parents, strict=True))
    return TrackLineage(number, parent, dict(zip(parents, pieces.confidence.tolist(), strict=True)))
