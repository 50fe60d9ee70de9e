"""Measure size, shape, intensity and texture of every object of one field of view.

In: the label stack and, if there is one, the movie. Out: a table with one row per object, in micrometres if the pixel
size is known, else in pixels; and a report. Function channels are left out unless ``channels.allow_function_in`` names
this step. Grey levels are not scaled here: ``cells.scaling`` applies later, to the cells of all samples.
"""

from cineseq.workflow.guard import guard

guard(globals().get("snakemake"))

import logging
from contextlib import ExitStack
from pathlib import Path

from cineseq.config.base import FieldOfView, Section
from cineseq.config.features import Morphology
from cineseq.config.imaging import Channels
from cineseq.features.channels import channels_for, check_same_size
from cineseq.features.morphology import MeasuredChannels, measure, morphology_report
from cineseq.files import write_json
from cineseq.io.stacks import Labels, open_labels, open_movie
from cineseq.tables.contract import write_table
from cineseq.tables.imaging import MORPHOLOGY
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    field: FieldOfView = FieldOfView()
    channels: Channels = Channels()
    morphology: Morphology = Morphology()


def main(*, labels: Path, movie: Path | None = None, morphology: Path, report: Path, settings: Settings) -> None:
    """Measure one field of view."""
    with ExitStack() as files:
        stack = files.enter_context(open_labels(labels))
        optics = None if movie is None else _optics(stack, movie, settings, files)
        table, counts = measure(stack, optics, settings.morphology)
        result = morphology_report(stack.info, optics, counts, settings.morphology)
    for line in result["lines"]:
        logger.info("%s", line)
    write_table(table.assign(sample=settings.field.sample, fov=settings.field.fov), morphology, MORPHOLOGY)
    write_json(result, report)


def _optics(stack: Labels, movie: Path, settings: Settings, files: ExitStack) -> MeasuredChannels:
    source = files.enter_context(open_movie(movie))
    check_same_size(stack, source)
    return MeasuredChannels.of(
        source, channels_for("morphology", settings.morphology.channels, settings.channels, source)
    )


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
