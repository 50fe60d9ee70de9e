"""Read a raw movie in any supported format, correct it, and write it as one OME-TIFF.

In: one OME-TIFF, TIFF stack, OME-Zarr (2 or 3, zipped or not), or the files of a TIFF series.
Out: ``movie``, an OME-TIFF with named channels, pixel size and frame interval, every ``frame_step``-th frame, corrected
for uneven illumination and drift if configured (then with the origin of each frame, from which later steps know which
area was imaged); ``saturated``, its saturated pixels, where a path is given; ``report``, sentences and numbers.
"""

from cineseq.workflow.guard import guard

guard(globals().get("snakemake"))

import logging
from pathlib import Path

from cineseq.config.base import FieldOfView, Section
from cineseq.config.imaging import Channels, Inputs
from cineseq.files import write_json
from cineseq.io.readers import open_source
from cineseq.io.stacks import write_movie
from cineseq.preprocessing.checks import check_single_frame
from cineseq.preprocessing.movie import (
    Plan,
    Recording,
    Tally,
    corrected_planes,
    estimate_corrections,
    plan_movie,
    read_options,
)
from cineseq.preprocessing.report import NOTABLE_SATURATION, movie_report
from cineseq.text import percent
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    field: FieldOfView = FieldOfView()
    inputs: Inputs = Inputs()
    channels: Channels = Channels()


def main(*, images: list[Path], movie: Path, report: Path, settings: Settings, saturated: Path | None = None) -> None:
    """Read a raw movie, correct it, and write it as one OME-TIFF."""
    inputs, channels = settings.inputs, settings.channels
    options = read_options(inputs, channels, settings.field.series)
    tally = Tally()
    with open_source(images, inputs.channel_pattern, options, inputs.missing_frames) as source:
        plan = plan_movie(source, inputs, channels, settings.field.frame_step)
        check_single_frame(images[0], plan.info.frames, source.info.frames, inputs)
        corrections = estimate_corrections(source, plan, inputs)
        recording = Recording.of(source, plan, corrections, inputs)
        write_movie(corrected_planes(recording, tally), movie, corrections.applied_to(plan.info))
        raw_frames = source.info.frames
    if saturated is not None:
        tally.saturation.write(saturated, [name for name in plan.info.channels if tally.saturated_share(name) > 0])
    _log(images[0], plan, tally, raw_frames)
    recorded = {"recorded": recording.recorded(tally).model_dump(mode="json")}
    write_json(movie_report(plan, corrections, tally, raw_frames) | recorded, report)


def _log(path: Path, plan: Plan, tally: Tally, raw_frames: int) -> None:
    info = plan.info
    logger.info(
        "Kept %d of %d frames of %d x %d px, channels %s.",
        info.frames,
        raw_frames,
        info.height,
        info.width,
        ", ".join(info.channels),
    )
    if info.frames == 1:
        logger.warning("%s: one frame; cells can be measured, but not tracked.", path)
    for frame, name in tally.black:
        logger.warning("%s: frame %d of channel %s has a single grey level (black); it is kept.", path, frame, name)
    for name in info.channels:
        if tally.saturated_share(name) > NOTABLE_SATURATION:
            logger.warning(
                "%s: %s of the pixels of channel %s are saturated.", path, percent(tally.saturated_share(name), 2), name
            )


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
