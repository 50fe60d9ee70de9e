"""Tracking of one field of view: from objects to its tables and its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.io.stacks import MovieInfo
from cineseq.tracking.compartments import closed_compartments
from cineseq.tracking.finalise import Curated, curate, no_tracks
from cineseq.tracking.objects import Objects
from cineseq.tracking.report import tracking_report
from cineseq.tracking.tracker import link_objects


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
    if objects.table.empty and not settings.allow_empty:
        msg = (
            f"{where}: there is no cell in any frame; check the movie or the masks of this field; remove the field "
            "from the sheet, or set track.allow_empty to true to continue without its cells."
        )
        raise UserError(msg)
    if settings.motion != "none":
        objects = objects.with_jumps()
    linked, curated = None, no_tracks()
    if len(objects.table):
        compartment = closed_compartments(objects.table, compartments, field)
        linked = link_objects(objects, compartment, settings)
        curated = curate(objects, linked.families, compartment, edits, info=info, field=field, settings=settings)
    return curated, tracking_report(objects, linked, curated.tracks)
