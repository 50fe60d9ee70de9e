"""Draw what became of one field of view, and count what tells a good field from a bad one.

In: the field's masks, movie (where there is one), detections and tracks.
Out: one PNG with the first, middle and last frame, cells outlined in the colour of their track; one JSON with the
numbers by which the report picks typical and worst fields.
"""

import logging
from contextlib import nullcontext
from pathlib import Path

from cineseq import contracts
from cineseq.config.base import FieldOfView, Section
from cineseq.config.inputs import Channels
from cineseq.config.segment import Segment
from cineseq.files import write_json
from cineseq.report.pictures import boxes, build_panels, count_black_frames, draw_panels, shown_channel, write_picture
from cineseq.report.quality import field_numbers, quality_lines
from cineseq.stacks import open_labels, open_movie
from cineseq.step import run
from cineseq.tables import read_table

logger = logging.getLogger(__name__)


class Settings(Section):
    """What this step is told."""

    field: FieldOfView = FieldOfView()
    channels: Channels = Channels()
    segment: Segment = Segment()


def main(
    *,
    labels: Path,
    movie: Path | None = None,
    detections: Path,
    tracks: Path,
    picture: Path,
    quality: Path,
    settings: Settings,
) -> None:
    """Draw one field of view and count what says how well it went."""
    found, kept = read_table(detections, contracts.DETECTIONS), read_table(tracks, contracts.TRACKS)
    with open_labels(labels) as masks, open_movie(movie) if movie else nullcontext() as frames:
        channel = shown_channel(frames, settings.channels, settings.segment)
        black = count_black_frames(frames, channel) if channel else None
        info = masks.info
        visible_movie = frames if channel else None
        rows = [build_panels(masks, found, kept, visible_movie, channel, box=box) for box in boxes(info, found)]
    field = f"{settings.field.sample} / {settings.field.fov}"
    written = write_picture(draw_panels(rows, info, f"{field}   {channel or 'masks only'}"), picture)
    numbers = field_numbers(found, kept, info.frames, black)
    logger.info("Drew %d frames of %s (%d kB).", len(rows[0]), field, written // 1000)
    place = {"sample": settings.field.sample, "fov": settings.field.fov, "pixel_size_um": info.pixel_size_um}
    write_json({"lines": quality_lines(numbers), "numbers": numbers, **place}, quality)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
