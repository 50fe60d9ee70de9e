"""Import external tracks of one field of view, check their lineage, and write them as tables.

In: the tracks, in any format of ``cineseq.tracking.imports``; the label stack that they belong to; optionally the
compartments of the sample (cells do not pass the walls of closed ones) and manual edits.
Out: the tables and report of ``track``. Kinds of start and end are determined as there, except for deaths that the file
states. Links and divisions are kept; repairs are counted in the report, and an impossible lineage is an error.
"""

from cineseq.workflow.guard import guard

guard(globals().get("snakemake"))

import logging
from pathlib import Path

from cineseq.config.base import FieldOfView, Section
from cineseq.config.tracking import Track
from cineseq.io.stacks import open_labels
from cineseq.tracking.external_tracks import curated_on_masks
from cineseq.tracking.finalise import write_curated
from cineseq.tracking.imports import read_external
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
    tracks_read = read_external(external, settings.track)
    with open_labels(labels) as stack:
        curated, summary = curated_on_masks(
            tracks_read,
            stack,
            external,
            field=settings.field,
            settings=settings.track,
            compartments=compartments,
            edits=edits,
        )
    write_curated(curated, summary, logger, detections=detections, tracks=tracks, events=events, report=report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
