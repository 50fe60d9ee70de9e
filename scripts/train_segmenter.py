"""Make the compact segmentation model that is shipped; not a rule of the workflow.

In: nothing but a seed: the training images are simulated. Real images are never seen.
Out: ``model``, the weights; ``card``, what they are: data, steps, seed, hash and scores on unseen simulated images.
"""

import logging
from pathlib import Path

from pydantic import Field

from cineseq.config.base import Section
from cineseq.files import write_text
from cineseq.segmentation.models import COMPACT, model_file
from cineseq.segmentation.scoring import score_by_size, write_card
from cineseq.segmentation.steps import use_threads
from cineseq.segmentation.training import save, train
from cineseq.segmentation.training_images import draw_scenes
from cineseq.step import run

logger = logging.getLogger(__name__)

MODEL = model_file(COMPACT)
CARD = MODEL.with_suffix(".md")


class Settings(Section):
    """What this step is told."""

    scenes: int = Field(400, ge=8, description="Simulated training images.")
    epochs: int = Field(
        320,
        ge=2,
        description="Epochs of training; above 300 cellpose halves the learning rate ten times in the last 100.",
    )
    images_per_epoch: int = Field(24, ge=8, description="Tiles per epoch, one of each image drawn.")
    test_scenes: int = Field(60, ge=1, description="Simulated images that the scores are from.")
    seed: int = Field(1, ge=0, description="Seed of the images and of the initial weights.")


def main(
    *,
    model: Path = MODEL,
    card: Path = CARD,
    settings: Settings,
    threads: int = 1,
) -> None:
    """Train the compact segmenter on simulated nuclei and write its weights and its card."""
    use_threads(threads)
    scenes = draw_scenes(settings.seed, settings.scenes)
    logger.info("Drew %d scenes with %d cells.", len(scenes), sum(int(s.labels.max()) for s in scenes))
    save(train(scenes, settings.epochs, settings.images_per_epoch, settings.seed), model)
    unseen = draw_scenes(settings.seed + 1_000_000, settings.test_scenes)
    write_text(write_card(model, settings, score_by_size(model, unseen)), card)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
