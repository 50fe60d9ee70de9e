"""Measure the time course of the function channels of one field of view, and score each track.

In: label stack, movie, detections, tracks and, where there are any, masks of whole cells. Out: the time course (one
row per object and function channel, background subtracted), one row of scores per track, a picture of the regions and
of the background that were taken, and a report that also gives the correlation of each function channel with every
other channel. A score that a track does not have (it was never seen alive, it has no onset) is missing; a rate without
a rise is zero.
"""

from cineseq.workflow.guard import guard

guard(globals().get("snakemake"))

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cineseq.config.base import FieldOfView, Section
from cineseq.config.features import Function
from cineseq.config.imaging import Channels, Inputs
from cineseq.features.channels import check_same_size, function_channels
from cineseq.features.corrections import corrected, warnings_of
from cineseq.features.function_scores import function_report, score_table
from cineseq.features.timecourse import bleed_through, nuclei_without_cell, object_brightness
from cineseq.files import write_json
from cineseq.io.stacks import open_labels, open_movie
from cineseq.preprocessing.masks import open_cell_masks
from cineseq.preprocessing.saturation import Saturation
from cineseq.report.pictures import write_picture
from cineseq.report.region_pictures import draw_regions
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.imaging import DETECTIONS, SCORES, TIMECOURSE, TRACKS
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    field: FieldOfView = FieldOfView()
    inputs: Inputs = Inputs()
    channels: Channels = Channels()
    function: Function = Function()


def main(
    *,
    labels: Path,
    movie: Path,
    detections: Path,
    tracks: Path,
    timecourse: Path,
    scores: Path,
    report: Path,
    regions: Path,
    settings: Settings,
    cells: Sequence[Path] = (),
    saturated: Path | None = None,
) -> None:
    """Score one field of view."""
    found, followed = read_table(detections, DETECTIONS), read_table(tracks, TRACKS)
    known = None if saturated is None else Saturation.read(saturated).of
    step = settings.field.frame_step
    with (
        open_labels(labels) as stack,
        open_movie(movie) as source,
        open_cell_masks(cells, source.info, settings.inputs, step, settings.field.series) as whole,
    ):
        check_same_size(stack, source)
        function = function_channels(settings.channels, settings.function, source)
        flat_field = settings.inputs.flat_field != "none"
        channels = tuple(name for name in source.info.channels if name != settings.channels.death)
        brightness = object_brightness(
            stack, source, channels, found, settings.function, flat_field=flat_field, cells=whole, saturated=known
        )
        shown = brightness[brightness["channel"].isin(function)]
        write_picture(draw_regions(stack, source, found, shown, settings.function, cells=whole), regions)
        without = None if whole is None else nuclei_without_cell(stack, whole)
        frame_hours = float(source.info.hours(np.array(1)))
        brightness["hours"] = source.info.hours(brightness["frame"].to_numpy())
    course = brightness[brightness["channel"].isin(function)].drop(columns="label")
    said = warnings_of(course, settings.function)
    course = corrected(course, settings.function)
    table = score_table(course, followed, settings.function)
    correlations = bleed_through(brightness, function)
    result = function_report(
        table, course, followed, correlations, settings.function, frame_hours=frame_hours, without_cell=without
    )
    result["lines"] += said
    for line in result["lines"]:
        logger.info("%s", line)
    write_table(course, timecourse, TIMECOURSE)
    write_table(table, scores, SCORES)
    write_json(result, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
