"""Tracking of one field of view: from objects to its tables and its report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.io.stacks import MovieInfo
from cineseq.tracking.compartments import closed_compartments
from cineseq.tracking.confidence import Judge
from cineseq.tracking.finalise import Curated, curate, no_tracks
from cineseq.tracking.known_tracks import check_walls, keep_known_tracks
from cineseq.tracking.lineage import TrackLineage
from cineseq.tracking.objects import Objects
from cineseq.tracking.points import Points, without_placeholders
from cineseq.tracking.report import external_points_report, points_report, tracking_report, with_unused_images
from cineseq.tracking.tracker import Linked, link_objects


def track_objects(
    objects: Objects,
    compartments: Path | pd.DataFrame | None,
    edits: Path | pd.DataFrame | None,
    *,
    info: MovieInfo,
    field: FieldOfView,
    settings: Track,
    where: Path,
) -> tuple[Curated, dict[str, Any]]:
    """Link the objects of one field, replay manual edits, and check the lineage.

    Parameters
    ----------
    objects
        The objects of every frame.
    compartments
        The compartments of the sample, as :data:`cineseq.tables.imaging.COMPARTMENTS`, or their file: cells do not
        pass the walls of closed ones.
    edits
        Manual edits, or their file.
    info
        Metadata of the label stack, for hours and the border.
    field
        Sample and field of view.
    settings
        The section ``track``.
    where
        Where the objects are from, for messages.

    Returns
    -------
    tuple
        The tables, and ``lines`` and ``numbers`` of the report.

    Raises
    ------
    UserError
        When there is no object and the settings do not allow that, or the edits or compartments are refused.
    """
    objects, linked, curated, _ = _tracked(
        objects, None, compartments, edits, info=info, field=field, settings=settings, where=where
    )
    return curated, tracking_report(objects, linked, curated.tracks)


def track_points(
    points: Points,
    compartments: Path | pd.DataFrame | None,
    edits: Path | pd.DataFrame | None,
    *,
    info: MovieInfo,
    field: FieldOfView,
    settings: Track,
    where: Path,
    unused_movie: Path | None = None,
) -> tuple[Curated, dict[str, Any]]:
    """Link the points of one field like objects, and keep the tracks that their table states.

    Where it states the track of every point, these are the tracks and nothing is linked, so that no division is known.
    Else they are kept as :func:`~cineseq.tracking.known_tracks.keep_known_tracks` says. Parameters, result and errors
    are as in :func:`track_objects`; borders are missing in the table of detections, and so are areas unless stated.
    ``unused_movie`` is the movie of the field, if there is one, of which the report says that it is not measured.
    """
    objects, linked, curated, replaced = _tracked(
        replace(points.objects, sides=info.pixel_sides),
        points.track,
        compartments,
        edits,
        info=info,
        field=field,
        settings=settings,
        where=where,
    )
    if points.are_tracked:
        report = external_points_report(objects, curated.tracks)
    else:
        report = points_report(objects, linked, curated.tracks, points.track, replaced)
    curated = replace(curated, detections=without_placeholders(curated.detections, points))
    return curated, with_unused_images(report) if unused_movie else report


def _tracked(
    objects: Objects,
    known: np.ndarray | None,
    compartments: Path | pd.DataFrame | None,
    edits: Path | pd.DataFrame | None,
    *,
    info: MovieInfo,
    field: FieldOfView,
    settings: Track,
    where: Path,
) -> tuple[Objects, Linked | None, Curated, int]:
    """Return the objects with jumps of the stage, their links and tables, and how many links known tracks replaced.

    ``known`` has the number of the known track of each object, 0 for none, shape (objects,); None without known tracks.
    Where every object has one, nothing is linked.
    """
    if objects.table.empty and not settings.allow_empty:
        what = "point" if objects.are_points else "cell"
        msg = (
            f"{where}: there is no {what} in any frame; check the movie, masks or points of this field; remove the "
            "field from the sheet, or set track.allow_empty to true to continue without its cells."
        )
        raise UserError(msg)
    if settings.motion != "none":
        objects = objects.with_jumps()
    if objects.table.empty:
        return objects, None, no_tracks(), 0
    compartment = closed_compartments(objects.table, compartments, field)
    linked, replaced = None, 0
    if known is not None and known.all():
        check_walls(objects.table, known, compartment, where)
        families = TrackLineage(known, {}, {})
    else:
        linked = link_objects(objects, compartment, settings)
        families = linked.families
        if known is not None:
            families, replaced = keep_known_tracks(families, objects.table, known, compartment, where)
    judge = Judge.of(linked.decision, linked.whole) if linked is not None else None
    curated = curate(objects, families, compartment, edits, info=info, field=field, settings=settings, judge=judge)
    return objects, linked, curated, replaced
