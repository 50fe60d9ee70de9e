"""List what tracking is least sure of in one field of view, with a film strip of each.

In: the field's masks, movie (where there is one), detections and events.
Out: the table of the least certain events, a folder with one PNG film strip each, and a page that shows both, from
which a person copies rows into the table of edits that the next run replays.
"""

import logging
from contextlib import nullcontext
from pathlib import Path

from cineseq.config.base import FieldOfView, Section
from cineseq.config.curation import Curation
from cineseq.config.inputs import Channels
from cineseq.config.segment import Segment
from cineseq.contracts import CURATION, DETECTIONS, EVENTS
from cineseq.curation.page import as_png, render_curation
from cineseq.curation.strips import draw_strips, plan_shots
from cineseq.curation.uncertain import least_certain
from cineseq.files import replacing, write_text
from cineseq.report.pictures import shown_channel
from cineseq.stacks import open_labels, open_movie
from cineseq.step import run
from cineseq.tables import read_table, write_table

logger = logging.getLogger(__name__)


class Settings(Section):
    """What this step is told."""

    field: FieldOfView = FieldOfView()
    channels: Channels = Channels()
    segment: Segment = Segment()
    curation: Curation = Curation()


def main(
    *,
    labels: Path,
    movie: Path | None = None,
    detections: Path,
    events: Path,
    table: Path,
    strips: Path,
    page: Path,
    settings: Settings,
) -> None:
    """List and draw the least certain events of one field of view."""
    found, every = read_table(detections, DETECTIONS), read_table(events, EVENTS)
    listed = least_certain(every, settings.curation.rows)
    with open_labels(labels) as masks, open_movie(movie) if movie else nullcontext() as frames:
        channel = shown_channel(frames, settings.channels, settings.segment)
        wanted = plan_shots(
            listed, found, (len(masks), masks.info.height, masks.info.width), settings.curation.frames_around
        )
        drawn = [as_png(strip) for strip in draw_strips(wanted, found, masks, frames if channel else None, channel)]
    logger.info("Listed %d of %d events; %d have been edited.", len(listed), len(every), every["edited"].sum())
    write_table(listed, table, CURATION)
    with replacing(strips) as folder:
        folder.mkdir()
        for name, png in zip(listed["strip"], drawn, strict=True):
            (folder / name).write_bytes(png)
    write_text(render_curation(listed, drawn, len(every), settings.field), page)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
