"""Tracks of another tracker on the masks of a field: matched, checked, and written like the outputs of ``track``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.io.stacks import Labels, open_labels
from cineseq.tracking.compartments import closed_compartments
from cineseq.tracking.finalise import Curated, curate, write_curated
from cineseq.tracking.imports.base import ExternalTracks
from cineseq.tracking.imports.match_objects import adopt
from cineseq.tracking.imports.plain_table import external_of
from cineseq.tracking.lineage import ImpossibleLineageError
from cineseq.tracking.objects import measure
from cineseq.tracking.report import import_report

logger = logging.getLogger(__name__)


def curated_on_masks(
    external: ExternalTracks,
    labels: Labels,
    source: Path,
    *,
    field: FieldOfView,
    settings: Track,
    compartments: Path | None = None,
    edits: Path | None = None,
) -> tuple[Curated, dict[str, Any]]:
    """Return the tables of external tracks on the masks that they belong to, and the report of the step.

    Parameters
    ----------
    external
        The tracks as read.
    labels
        The label stack.
    source
        Path of the tracks, for messages.
    field, settings
        Sample and field of view; the section ``track`` of the configuration.
    compartments, edits
        Compartments of the sample, whose walls no cell passes, and manual edits; None for none.

    Raises
    ------
    UserError
        When the masks are empty, the tracks do not fit them, or no cell could have the lineage.
    """
    objects = measure(labels)
    if objects.table.empty:
        msg = f"{source}: there are external tracks, but the masks have no objects; supply the masks of these tracks."
        raise UserError(msg)
    objects = objects.with_jumps() if settings.motion != "none" else objects
    adopted = adopt(objects, external, field.frame_step, settings, source)
    try:
        compartment = closed_compartments(objects.table, compartments, field)
        curated = curate(
            objects, adopted.families, compartment, edits, info=labels.info, field=field, settings=settings
        )
    except ImpossibleLineageError as error:
        msg = f"{source}: {error}; fix the tracks in the tool that made them."
        raise UserError(msg) from error
    # The report page describes these as external tracks, whichever rule wrote them.
    return curated, import_report(objects, adopted.counts, curated.tracks) | {"step": "import_tracks"}


def write_tracks(
    table: pd.DataFrame,
    labels: str | Path,
    *,
    sample: str,
    fov: str,
    detections: str | Path,
    tracks: str | Path,
    events: str | Path,
    report: str | Path,
    compartments: str | Path | None = None,
    edits: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Write the outputs of the rule ``track`` from the tracks of another tracker.

    Parameters
    ----------
    table
        One row per object of the masks: ``frame`` (from 0), ``label`` and ``track`` (from 1); optionally ``parent``
        (the parent track; empty or 0 for none) and ``death`` (true in any row of a track that ended in death).
        Objects that are not in the table become tracks of one frame.
    labels
        The label stack, ``masks.ome.tif`` of the field of view.
    sample, fov
        Sample and field of view, as in the sample sheet.
    detections, tracks, events, report
        Files to write, the outputs of the rule.
    compartments, edits
        Table of compartments, whose closed walls no cell passes, and table of manual edits, as the sheet names them;
        None for none.
    settings
        Section ``track`` of the configuration; None for the defaults.

    Raises
    ------
    UserError
        When the table lacks a column or does not fit the masks, or when no cell could have the lineage.
    """
    source = Path(f"{sample}@{fov}")
    from cineseq.config.schema import section_from  # noqa: PLC0415 - all sections, for own rules only

    chosen = section_from(Track, dict(settings or {}), "write_tracks")
    field = FieldOfView(sample=sample, fov=fov)
    with open_labels(Path(labels)) as stack:
        external = external_of(table.reset_index(drop=True), {}, chosen, source)
        curated, summary = curated_on_masks(
            external,
            stack,
            source,
            field=field,
            settings=chosen,
            compartments=None if compartments is None else Path(compartments),
            edits=None if edits is None else Path(edits),
        )
    outputs = {"detections": detections, "tracks": tracks, "events": events, "report": report}
    write_curated(curated, summary, logger, **{name: Path(path) for name, path in outputs.items()})
