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
from cineseq.io.stacks import open_labels
from cineseq.tracking.finalise import write_curated
from cineseq.tracking.imports import read_external
from cineseq.tracking.own_tracker import curated_on_masks
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
        made, summary = curated_on_masks(
            found,
            stack,
            external,
            field=settings.field,
            settings=settings.track,
            compartments=compartments,
            edits=edits,
        )
    write_curated(made, summary, logger, detections=detections, tracks=tracks, events=events, report=report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
