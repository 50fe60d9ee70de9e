"""Take tracks that another tool or a person made, check their lineage, and write them as tables.

Goes in: external tracks, in any of the formats of ``cineseq.tracking.imports``, the label stack that they belong to,
optionally the compartments of the sample (no cell passes the walls of closed ones) and a person's edits. Comes out:
the same tables and report as from ``track``. How tracks begin and end is judged as there, except where the file states
a death; the external links and divisions are kept, repaired only as the report counts, and refused when no cell could
have them.
"""

import logging
from pathlib import Path

from cineseq.config.base import FieldOfView, Section
from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.io.stacks import open_labels
from cineseq.tracking.compartments import rooms
from cineseq.tracking.finalise import curate, write_curated
from cineseq.tracking.imports import read_external
from cineseq.tracking.imports.match_objects import adopt
from cineseq.tracking.lineage import ImpossibleLineageError
from cineseq.tracking.objects import measure
from cineseq.tracking.report import import_report
from cineseq.workflow.step import run

logger = logging.getLogger("import_tracks")


class Settings(Section):
    """Settings of this step."""

    field: FieldOfView = FieldOfView()
    track: Track = Track()


def main(
    *,
    external: Path,
    labels: Path,
    compartments: Path | None = None,
    edits: Path | None = None,
    detections: Path,
    tracks: Path,
    events: Path,
    report: Path,
    settings: Settings,
) -> None:
    """Import the tracks of one field of view."""
    found = read_external(external, settings.track)
    with open_labels(labels) as stack:
        info, objects = stack.info, measure(stack)
    if objects.table.empty:
        msg = f"{external}: tracks are given, but the masks have no objects; give the masks that they were made on."
        raise UserError(msg)
    adopted = adopt(objects.table, found, settings.field.frame_step, settings.track, external)
    try:
        room = rooms(objects.table, compartments, settings.field)
        made = curate(objects, adopted.families, room, edits, info=info, field=settings.field, settings=settings.track)
    except ImpossibleLineageError as error:
        msg = f"{external}: {error}; mend the tracks in the tool that made them."
        raise UserError(msg) from error
    summary = import_report(objects, adopted.counts, made.tracks)
    write_curated(made, summary, logger, detections=detections, tracks=tracks, events=events, report=report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
