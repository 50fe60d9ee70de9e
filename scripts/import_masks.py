"""Check user-supplied masks and write them as one label stack.

In: one stack of label images or a series of them; the prepared ``movie`` where there is one.
Out: ``labels``, every ``frame_step``-th mask, otherwise unchanged; ``report``, sentences and numbers.
"""

from cineseq.workflow.guard import guard

guard(globals().get("snakemake"))

import logging
from pathlib import Path

from cineseq.config.base import FieldOfView, Section
from cineseq.config.imaging import Inputs
from cineseq.errors import UserError
from cineseq.files import write_json
from cineseq.io.readers import ReadOptions, open_source
from cineseq.io.stacks import MovieInfo, open_movie, write_labels
from cineseq.preprocessing.checks import check_single_frame
from cineseq.preprocessing.compare_fields import Recorded
from cineseq.preprocessing.masks import external_labels, label_info, mask_report, survey
from cineseq.text import significant
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    field: FieldOfView = FieldOfView()
    inputs: Inputs = Inputs()


def main(*, masks: list[Path], labels: Path, report: Path, settings: Settings, movie: Path | None = None) -> None:
    """Check user-supplied masks and write them as one label stack."""
    inputs = settings.inputs
    shown = None if movie is None else _movie_info(movie, inputs)
    options = ReadOptions(axes=inputs.axes, series=settings.field.series, masks=True)
    with open_source(masks, inputs.channel_pattern, options, inputs.missing_frames) as source:
        for note in source.info.notes:
            logger.info("%s", note)
        frames = range(0, source.info.frames, settings.field.frame_step)
        info, notices = label_info(source, frames, inputs, shown)
        for notice in notices:
            logger.warning("%s", notice)
        surveyed = survey(source, frames)
        check_single_frame(masks[0], len(frames), source.info.frames, inputs)
        lost = frozenset[int]() if movie is None or inputs.missing_chunks != "mask" else _without_image(movie)
        write_labels(external_labels(source, frames, surveyed, lost), labels, info)
    logger.info("Imported %d masks with a median of %s objects.", info.frames, significant(surveyed.median))
    for frame in surveyed.empty:
        logger.warning("%s: the mask of frame %d is empty.", masks[0], frame)
    if surveyed.floating:
        logger.warning("Converted %d masks of whole floating-point numbers to integers.", surveyed.floating)
    recorded = Recorded(pixel_size_um=info.pixel_size_um, frame_interval_min=info.frame_interval_min)
    write_json(mask_report(surveyed, info, notices) | {"recorded": recorded.model_dump(mode="json")}, report)


def _without_image(movie: Path) -> frozenset[int]:
    """Return the frames of a movie that were left out since a part of them was lost; all their pixels are 0."""
    with open_movie(movie) as opened:
        planes = ((t, opened.planes(t, opened.channels)) for t in range(opened.info.frames))
        return frozenset(t for t, here in planes if not here.any())


def _movie_info(movie: Path, inputs: Inputs) -> MovieInfo:
    """Return the metadata of the movie, which must not have been shifted against the masks."""
    if inputs.drift != "none":
        msg = (
            f"{movie}: user-supplied masks belong to the raw frames; set inputs.drift to none, or leave the masks out."
        )
        raise UserError(msg)
    with open_movie(movie) as opened:
        return opened.info


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
