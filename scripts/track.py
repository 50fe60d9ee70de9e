"""Track the segmented objects of one field of view.

In: the label stack; optionally the movie (brightness in non-function channels is evidence of death), the compartments
of the sample (cells do not pass the walls of closed ones), and manual edits, which are replayed on the result.
Out: a table of detections (the track of every object), a table of tracks (parents, sisters, generations, kinds of start
and end with their confidence), a table of events (the confidence of every link, division and end), and a report. Every
object is in exactly one track, and the lineage has passed the validator.
"""

import logging
from pathlib import Path

from cineseq.config.base import FieldOfView, Section
from cineseq.config.imaging import Channels
from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.io.stacks import open_labels
from cineseq.tracking.compartments import closed_compartments
from cineseq.tracking.finalise import curate, no_tracks, write_curated
from cineseq.tracking.objects import measure_with_movie
from cineseq.tracking.report import tracking_report
from cineseq.tracking.tracker import link_objects
from cineseq.workflow.step import run

logger = logging.getLogger("track")


class Settings(Section):
    """Settings of this step."""

    field: FieldOfView = FieldOfView()
    channels: Channels = Channels()
    track: Track = Track()


def main(
    *,
    labels: Path,
    movie: Path | None = None,
    compartments: Path | None = None,
    edits: Path | None = None,
    detections: Path,
    tracks: Path,
    events: Path,
    report: Path,
    settings: Settings,
) -> None:
    """Track one field of view."""
    with open_labels(labels) as stack:
        info = stack.info
        objects = measure_with_movie(stack, labels, movie, settings.channels)
    if objects.table.empty and not settings.track.allow_empty:
        msg = (
            f"{labels}: there is no cell in any frame; check the movie or the masks of this field; remove the field "
            "from the sheet, or set track.allow_empty to true to continue without its cells."
        )
        raise UserError(msg)
    linked, curated = None, no_tracks()
    if len(objects.table):
        compartment = closed_compartments(objects.table, compartments, settings.field)
        linked = link_objects(objects, compartment, settings.track)
        curated = curate(
            objects, linked.families, compartment, edits, info=info, field=settings.field, settings=settings.track
        )
    summary = tracking_report(objects, linked, curated.tracks)
    write_curated(curated, summary, logger, detections=detections, tracks=tracks, events=events, report=report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
