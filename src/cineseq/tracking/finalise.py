"""From a lineage as found to the tables of a field: edits replayed, the result validated, every event weighed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from dataclasses import field as made_of
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.config.tracking import Track
from cineseq.files import write_json
from cineseq.io.stacks import MovieInfo
from cineseq.tables.contract import empty, write_table
from cineseq.tables.imaging import DETECTIONS, EVENTS, TRACKS
from cineseq.tracking.confidence import find_events
from cineseq.tracking.edits import read_edits
from cineseq.tracking.lineage import TrackLineage
from cineseq.tracking.motion import common_path
from cineseq.tracking.objects import Objects
from cineseq.tracking.replay import edit_lines, replay, settle_ends, unedited
from cineseq.tracking.track_tables import tables, tables_of_points
from cineseq.tracking.validate import validate, validate_walls


@dataclass(frozen=True)
class Curated:
    """The tables of one field, with what is to be said of its edits and of how sure it is.

    Attributes
    ----------
    detections, tracks, events
        With the contracts DETECTIONS, TRACKS and EVENTS.
    lines, numbers
        For the report of the step.
    """

    detections: pd.DataFrame
    tracks: pd.DataFrame
    events: pd.DataFrame
    lines: list[str] = made_of(default_factory=list)
    numbers: dict[str, int] = made_of(default_factory=dict)


def curate(
    objects: Objects,
    families: TrackLineage,
    room: np.ndarray,
    edits: Path | pd.DataFrame | None,
    *,
    info: MovieInfo,
    field: FieldOfView,
    settings: Track,
) -> Curated:
    """Replay a person's edits on a lineage and return its tables.

    Parameters
    ----------
    objects
        The objects of the field; at least one.
    families
        Tracks and mothers as found or given.
    room
        Closed compartment of each object, -1 for none, shape (objects,).
    edits
        The table of edits, or its file; None where there is none.
    info
        Of the label stack; gives hours.
    field
        Sample and field of view.
    settings
        How tracking was done.

    Raises
    ------
    UserError
        When the edits are unreadable, contradict each other, or take a cell through a wall.
    ImpossibleLineageError
        When no cell could have this lineage.
    """
    asked = None if edits is None else read_edits(edits, objects.table, field)
    replayed = unedited(families) if asked is None else replay(asked, objects.table, families, room)
    if objects.are_points:
        detections, tracks = tables_of_points(objects, replayed.families, field, info)
    else:
        detections, tracks = tables(objects, replayed.families, field, info, settings)
    tracks, status = settle_ends(tracks, replayed)
    validate(detections, tracks)
    validate_walls(detections, replayed.families, room)
    events = find_events(objects, replayed, tracks, room, field=field, settings=settings)
    lines, numbers = edit_lines(asked, status) if asked is not None else ([], {})
    unsure = int((events["confidence"] < 0.5).sum())
    lines.append(f"{unsure:,} of {len(events):,} links, divisions and ends are more likely wrong than right.")
    return Curated(detections, tracks, events, lines, numbers | {"unsure_events": unsure})


def nothing() -> Curated:
    """Return the tables of a field without objects."""
    return Curated(*map(empty, (DETECTIONS, TRACKS, EVENTS)))


def write_curated(
    made: Curated,
    summary: dict[str, Any],
    logger: logging.Logger,
    *,
    detections: Path,
    tracks: Path,
    events: Path,
    report: Path,
) -> None:
    """Write the tables of one field and its report, and log the report's lines.

    Parameters
    ----------
    made
        What :func:`curate` returned.
    summary
        ``lines`` and ``numbers`` of how the tracks came to be, to which those on edits and unsure events are added, and
        ``step`` where the report page should describe another step than the rule's.
    logger
        Of the step.
    detections, tracks, events, report
        Where to.
    """
    said = summary | {
        "lines": summary["lines"] + made.lines,
        "numbers": summary["numbers"] | made.numbers,
        "series": common_path(made.detections, summary["numbers"]["frames"]),
    }
    for line in said["lines"]:
        logger.info("%s", line)
    write_table(made.detections, detections, DETECTIONS)
    write_table(made.tracks, tracks, TRACKS)
    write_table(made.events, events, EVENTS)
    write_json(said, report)
