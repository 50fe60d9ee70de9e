"""Take tracks that another tool or a person made, check their lineage, and write them as tables.

Goes in: the given tracks (a Cell Tracking Challenge folder or a plain table) and the label stack that they belong to.
Comes out: the same two tables and report as from ``track``. How tracks begin and end is judged as there; the given
links and divisions are kept, repaired only as the report counts, and refused when no cell could have them.
"""

import logging
from pathlib import Path

from cineseq.config.base import FieldOfView, Section
from cineseq.config.track import Track
from cineseq.contracts import DETECTIONS, TRACKS
from cineseq.errors import UserError
from cineseq.files import write_json
from cineseq.stacks import open_labels
from cineseq.step import run
from cineseq.tables import write_table
from cineseq.tracking.adoption import adopt
from cineseq.tracking.formats import read_given
from cineseq.tracking.lineage import ImpossibleLineageError
from cineseq.tracking.objects import measure
from cineseq.tracking.outcome import tables
from cineseq.tracking.report import import_report
from cineseq.tracking.validate import validate

logger = logging.getLogger("import_tracks")


class Settings(Section):
    """What this step is told."""

    field: FieldOfView = FieldOfView()
    track: Track = Track()


def main(*, given: Path, labels: Path, detections: Path, tracks: Path, report: Path, settings: Settings) -> None:
    """Import the tracks of one field of view."""
    found = read_given(given, dict(settings.track.given_columns))
    with open_labels(labels) as stack:
        info, objects = stack.info, measure(stack)
    if objects.table.empty:
        msg = f"{given}: tracks are given, but the masks have no objects; give the masks that they were made on."
        raise UserError(msg)
    adopted = adopt(objects.table, found, settings.field.frame_step, given)
    try:
        detection_table, track_table = tables(objects, adopted.families, settings.field, info, settings.track)
        validate(detection_table, track_table)
    except ImpossibleLineageError as error:
        msg = f"{given}: {error}; mend the tracks in the tool that made them."
        raise UserError(msg) from error
    summary = import_report(objects, adopted.counts, track_table)
    for line in summary["lines"]:
        logger.info("%s", line)
    write_table(detection_table, detections, DETECTIONS)
    write_table(track_table, tracks, TRACKS)
    write_json(summary, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
