"""From a lineage to the final tables of a field: replay edits, validate, and give every event a confidence."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from dataclasses import field as dataclass_field
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
from cineseq.text import count
from cineseq.tracking.confidence import Judge, find_events, judge_of
from cineseq.tracking.edits import read_edits
from cineseq.tracking.lineage import TrackLineage
from cineseq.tracking.motion import common_path
from cineseq.tracking.objects import Objects
from cineseq.tracking.replay import edit_lines, replay, settle_ends, unedited
from cineseq.tracking.track_tables import tables, tables_of_points
from cineseq.tracking.validate import validate, validate_walls


@dataclass(frozen=True)
class Curated:
    """The final tables of one field, with the report on its edits and its uncertain events.

    Attributes
    ----------
    detections, tracks, events
        With the contracts DETECTIONS, TRACKS and EVENTS.
    lines, numbers
        Sentences and numbers for the report of the step.
    """

    detections: pd.DataFrame
    tracks: pd.DataFrame
    events: pd.DataFrame
    lines: list[str] = dataclass_field(default_factory=list)
    numbers: dict[str, int] = dataclass_field(default_factory=dict)


def curate(
    objects: Objects,
    families: TrackLineage,
    compartment: np.ndarray,
    edits: Path | pd.DataFrame | None,
    *,
    info: MovieInfo,
    field: FieldOfView,
    settings: Track,
    judge: Judge | None = None,
) -> Curated:
    """Replay manual edits on a lineage and return the final tables.

    Parameters
    ----------
    objects
        The objects of the field; at least one.
    families
        The lineage, tracked here or imported.
    compartment
        Closed compartment of each object, -1 for none, shape (objects,).
    edits
        Table of edits, or its file; None if there is none.
    info
        Metadata of the label stack, for hours.
    field
        Sample and field of view.
    settings
        The section ``track``.
    judge
        The probabilities of links and divisions, where tracking found them; None to find them here.

    Raises
    ------
    UserError
        When the edits are unreadable, contradict each other, or lead a cell through a wall.
    ImpossibleLineageError
        When no cell could have this lineage.
    """
    wanted = None if edits is None else read_edits(edits, objects.table, field)
    replayed = unedited(families) if wanted is None else replay(wanted, objects.table, families, compartment)
    if objects.are_points:
        detections, tracks = tables_of_points(objects, replayed.families, field, info)
    else:
        detections, tracks = tables(objects, replayed.families, field, info, settings)
    if info.times_min:
        detections = detections.assign(hours=info.hours(detections["frame"].to_numpy()))
    if info.pixel_aspect != 1:
        detections = detections.assign(pixel_aspect=info.pixel_aspect)
    tracks, status = settle_ends(tracks, replayed)
    validate(detections, tracks)
    validate_walls(detections, replayed.families, compartment)
    events = find_events(objects, replayed, tracks, judge or judge_of(objects, compartment, settings), field=field)
    lines, numbers = edit_lines(wanted, status) if wanted is not None else ([], {})
    uncertain = int((events["confidence"] < 0.5).sum())
    lines.append(
        f"Of {count(len(events), 'event')} (links, divisions, rejected divisions, ends), {count(uncertain)} have a "
        "confidence below one half; curation.html lists the least certain."
    )
    return Curated(detections, tracks, events, lines, numbers | {"unsure_events": uncertain})


def no_tracks() -> Curated:
    """Return the empty tables of a field without objects."""
    return Curated(*map(empty, (DETECTIONS, TRACKS, EVENTS)))


def write_curated(
    curated: Curated,
    summary: dict[str, Any],
    logger: logging.Logger,
    *,
    detections: Path,
    tracks: Path,
    events: Path,
    report: Path,
) -> None:
    """Write the tables and the report of one field, and log the lines of the report.

    Parameters
    ----------
    curated
        From :func:`curate`.
    summary
        ``lines`` and ``numbers`` of tracking or of the import, to which those of ``curated`` are added; and ``step``
        where the report page should describe another step than that of the rule.
    logger
        Logger of the step.
    detections, tracks, events, report
        Output files.
    """
    content = summary | {
        "lines": summary["lines"] + curated.lines,
        "numbers": summary["numbers"] | curated.numbers,
        "series": common_path(curated.detections, summary["numbers"]["frames"]),
    }
    for line in content["lines"]:
        logger.info("%s", line)
    write_table(curated.detections, detections, DETECTIONS)
    write_table(curated.tracks, tracks, TRACKS)
    write_table(curated.events, events, EVENTS)
    write_json(content, report)
