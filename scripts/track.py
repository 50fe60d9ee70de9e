"""Track the segmented objects, or the points, of one field of view.

In: the label stack; optionally the movie (brightness in non-function channels is evidence of death), the compartments
of the sample (cells do not pass the walls of closed ones), and manual edits, which are replayed on the result. Instead
of labels, a table of points; the movie, if there is one, then states frames, times and the size of the images.
Out: a table of detections (the track of every object), a table of tracks (parents, sisters, generations, kinds of start
and end with their confidence), a table of events (the confidence of every link, division and end), and a report. Every
object is in exactly one track, and the lineage has passed the validator.
"""

from cineseq.workflow.guard import guard

guard(globals().get("snakemake"))

import logging
from contextlib import nullcontext
from pathlib import Path

from cineseq.config.base import FieldOfView, Section
from cineseq.config.imaging import Channels, Inputs
from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.io.stacks import open_labels, open_movie
from cineseq.tracking.field import track_objects, track_points
from cineseq.tracking.finalise import write_curated
from cineseq.tracking.objects import measure_with_movie
from cineseq.tracking.read_points import points_of_field
from cineseq.workflow.step import run

logger = logging.getLogger("track")


class Settings(Section):
    """Settings of this step."""

    field: FieldOfView = FieldOfView()
    channels: Channels = Channels()
    inputs: Inputs = Inputs()
    track: Track = Track()


def main(
    *,
    labels: Path | None = None,
    points: Path | None = None,
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
    field, chosen = settings.field, settings.track
    with open_movie(movie) if movie else nullcontext() as images:
        if points is not None:
            seen = images.info if images else None
            found, info = points_of_field(points, seen, field=field, inputs=settings.inputs, settings=chosen)
            curated, summary = track_points(
                found, compartments, edits, info=info, field=field, settings=chosen, where=points, unused_movie=movie
            )
        elif labels is not None:
            with open_labels(labels) as stack:
                objects = measure_with_movie(stack, labels, images, settings.channels)
                curated, summary = track_objects(
                    objects, compartments, edits, info=stack.info, field=field, settings=chosen, where=labels
                )
        else:
            msg = "track: there are neither labels nor points to be tracked; give one of them."
            raise UserError(msg)
    write_curated(curated, summary, logger, detections=detections, tracks=tracks, events=events, report=report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
