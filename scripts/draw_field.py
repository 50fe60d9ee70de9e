"""Draw the tracks of one field of view, compute its quality measures, and list its least certain events.

In: the field's masks, movie (where there is one), detections, tracks and events.
Out: a PNG with the first, middle and last frame, cells outlined in the colour of their track; a PNG with every channel
under its name and crops of the cells at the end, where there is a movie; a JSON with the numbers
by which the report chooses typical and worst fields; a table of the least certain events, a folder with one film strip
(PNG) each, and a page that shows both, from which users copy rows into the table of edits that the next run replays;
the film strips of all cells for the explorer.
"""

from cineseq.workflow.guard import guard

guard(globals().get("snakemake"))

import logging
from contextlib import nullcontext
from pathlib import Path

from cineseq.config.base import FieldOfView, Section
from cineseq.config.features import Embed, Features
from cineseq.config.imaging import Channels, Segment
from cineseq.config.tracking import Curation
from cineseq.curation.page import as_png, write_curation
from cineseq.curation.ranking import least_certain
from cineseq.curation.strips import draw_strips, plan_shots
from cineseq.features.channels import channels_for, check_same_size
from cineseq.features.stored_crops import cut_endpoint
from cineseq.files import write_json
from cineseq.io.stacks import open_labels, open_movie
from cineseq.report.cell_strips import FieldImages, write_cell_strips
from cineseq.report.pictures import (
    boxes,
    build_panels,
    count_black_frames,
    draw_channels,
    draw_panels,
    shown_channel,
    write_picture,
)
from cineseq.report.quality import field_numbers, quality_lines
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import DETECTIONS, EVENTS, TRACKS
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    field: FieldOfView = FieldOfView()
    channels: Channels = Channels()
    segment: Segment = Segment()
    features: Features = Features()
    embed: Embed = Embed()
    curation: Curation = Curation()


def main(
    *,
    labels: Path,
    movie: Path | None = None,
    detections: Path,
    tracks: Path,
    events: Path,
    picture: Path,
    channels: Path | None = None,
    crops: Path | None = None,
    quality: Path,
    uncertain: Path,
    strips: Path,
    page: Path,
    cell_strips: Path,
    most_strips: int = 500,
    settings: Settings,
) -> None:
    """Draw one field of view, compute its quality measures, and list its least certain events."""
    found, kept = read_table(detections, DETECTIONS), read_table(tracks, TRACKS)
    every = read_table(events, EVENTS)
    listed = least_certain(every, settings.curation.rows)
    with open_labels(labels) as masks, open_movie(movie) if movie else nullcontext() as frames:
        channel = shown_channel(frames, settings.channels, settings.segment)
        black = count_black_frames(frames, channel) if frames and channel else None
        info = masks.info
        visible_movie = frames if channel else None
        rows = [build_panels(masks, found, kept, visible_movie, channel, box=box) for box in boxes(info, found)]
        shots = plan_shots(listed, found, (info.frames, info.height, info.width), settings.curation.frames_around)
        if frames and channels:
            write_picture(draw_channels(frames, settings.channels.function), channels)
        images = FieldImages(masks, visible_movie, channel)
        filmed = write_cell_strips(cell_strips, kept, found, images, most_strips)
        if frames and crops:
            check_same_size(masks, frames)
            shown = channels_for("pictures", None, settings.channels, frames)
            cells = cut_endpoint((masks, frames), shown, (found, kept), settings.features, settings.embed)
            cells.write(crops)
            logger.info("Kept crops of %d cells in %d channels.", len(cells.track_id), len(shown))
        drawn = [as_png(strip) for strip in draw_strips(shots, found, masks, visible_movie, channel)]
    field = f"{settings.field.sample} / {settings.field.fov}"
    written = write_picture(draw_panels(rows, info, f"{field}   {channel or 'masks only'}"), picture)
    logger.info("Drew the film strips of %d of %d cells.", filmed, len(kept))
    numbers = field_numbers(found, kept, info.frames, black)
    logger.info("Drew %d frames of %s (%d kB).", len(rows[0]), field, written // 1000)
    place = {"sample": settings.field.sample, "fov": settings.field.fov, "pixel_size_um": info.pixel_size_um}
    write_json({"lines": quality_lines(numbers), "numbers": numbers, **place}, quality)
    logger.info("Listed %d of %d events; %d have been edited.", len(listed), len(every), every["edited"].sum())
    write_curation(listed, drawn, len(every), settings.field, table=uncertain, strips=strips, page=page)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
