"""Segment the cells in every frame of a movie.

In: ``movie``, the prepared OME-TIFF; ``model``, the file of the segmentation model.
Out: ``labels``, one label image per frame, 0 for background; ``report``, the model, its hash and the number of cells.
"""

from cineseq.workflow.guard import guard

guard(globals().get("snakemake"))

import logging
from pathlib import Path

from cineseq.config.base import FieldOfView, Section
from cineseq.config.imaging import Channels, Segment
from cineseq.files import write_json
from cineseq.io.stacks import open_movie, write_labels
from cineseq.segmentation.cellpose import load_model
from cineseq.segmentation.movie import choose_channels, segment_movie, segmentation_report, use_threads, warn_of_scale
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    field: FieldOfView = FieldOfView()
    channels: Channels = Channels()
    segment: Segment = Segment()


def main(
    *, movie: Path, labels: Path, report: Path, settings: Settings, threads: int = 1, model: Path | None = None
) -> None:
    """Segment the cells in every frame of a movie."""
    use_threads(threads)
    network = load_model(settings.segment, model)
    warn_of_scale(network, settings.segment)
    counts: list[int] = []
    with open_movie(movie) as frames:
        channels = choose_channels(movie, frames.info.channels, settings.channels, settings.segment, network)
        logger.info("Segmenting on %s.", ", ".join(channels))
        write_labels(segment_movie(frames, channels, network, settings.segment, counts), labels, frames.info)
    result = segmentation_report(counts, channels, network)
    for line in result["lines"]:
        logger.info("%s", line)
    if 0 in counts:
        logger.warning("%s: no cell in %d of %d frames.", movie, counts.count(0), len(counts))
    write_json(result, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
