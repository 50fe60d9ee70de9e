"""Render one field of view of the simulated experiment.

In: the positions of `simulate_study`. Out: a raw movie in the form that a microscope writes, and the true masks, whose
labels are the numbers of the tracks.
"""

import logging
from pathlib import Path

from cineseq.config.base import FieldOfView, Section
from cineseq.config.simulate import Simulate
from cineseq.io.stacks import MovieInfo, write_labels, write_movie
from cineseq.simulate.images import CHANNELS, render_movie, truth_masks
from cineseq.simulate.outputs import read_positions
from cineseq.statistics.streams import stream
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    simulate: Simulate = Simulate()
    field: FieldOfView = FieldOfView()
    seed: int = 1


def main(*, positions: Path, movie: Path, masks: Path, settings: Settings) -> None:
    """Render the movie and the masks of one field of view."""
    wanted, here = settings.simulate, settings.field
    rows = read_positions(positions, here)
    info = MovieInfo(
        wanted.frames, wanted.size_px, wanted.size_px, CHANNELS, wanted.pixel_size_um, wanted.frame_interval_min
    )
    noise = stream(settings.seed, "images", here.sample, here.fov)
    write_movie(render_movie(rows, info.frames, info.height, noise), movie, info)
    write_labels(truth_masks(rows, info.frames, info.height), masks, info)
    logger.info("Rendered %d frames with %d cells in them.", info.frames, rows.loc[rows["tracked"], "number"].nunique())


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
