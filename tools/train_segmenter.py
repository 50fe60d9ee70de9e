"""Train the compact segmentation models that are shipped; not a rule of the workflow.

In: a seed; the training images are simulated, and no real image is used.
Out: ``model`` and ``phase_model``, the weights for nuclei and for cells in phase contrast; ``card`` and
``phase_card``, their model cards: data, steps, seed, hash and scores on unseen simulated images.
"""

import logging
from pathlib import Path

import torch
from pydantic import Field

from cineseq.config.base import Section
from cineseq.files import write_text
from cineseq.models.registry import COMPACT, COMPACT_PHASE, model_file
from cineseq.segmentation.movie import use_threads
from cineseq.segmentation.training import Schedule, mean_weights, save, train
from cineseq.training.nuclei_images import TOUCHING, draw_images
from cineseq.training.phase_images import draw_phase_images
from cineseq.training.segmenter_card import NUCLEI, PHASE, score_by_size, write_card
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)

MODEL, PHASE_MODEL = model_file(COMPACT), model_file(COMPACT_PHASE)
CARD, PHASE_CARD = MODEL.with_suffix(".md"), PHASE_MODEL.with_suffix(".md")
UNSEEN = 1_000_000
"""Added to the seed of scenes that only score."""


class Stage(Section):
    """One stage of training."""

    scenes: int = Field(ge=8, description="Simulated training images.")
    epochs: int = Field(ge=2, description="Epochs of training.")
    tiles: int = Field(ge=8, description="Tiles per epoch, one from each image drawn.")
    learning_rate: float = Field(gt=0, description="Initial learning rate.")

    @property
    def schedule(self) -> Schedule:
        """The schedule of this stage for the trainer."""
        return Schedule(self.epochs, self.tiles, self.learning_rate)

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return self.epochs * -(-self.tiles // Schedule.batch)


class Settings(Section):
    """Settings of this step."""

    nuclei: Stage = Stage(scenes=400, epochs=320, tiles=24, learning_rate=3e-3)
    touching: Stage = Stage(scenes=200, epochs=100, tiles=56, learning_rate=2e-3)
    practice: Stage = Stage(scenes=400, epochs=200, tiles=80, learning_rate=2e-3)
    practised: float = Field(
        0.9, gt=0, le=1, description="Weight of the weights after practice in the mean with those before it."
    )
    phase: Stage = Stage(scenes=160, epochs=100, tiles=8, learning_rate=3e-3)
    test_scenes: int = Field(60, ge=1, description="Simulated images that the scores are from.")
    seed: int = Field(1, ge=0, description="Seed of the images and of the initial weights.")


def main(
    *,
    model: Path = MODEL,
    card: Path = CARD,
    phase_model: Path = PHASE_MODEL,
    phase_card: Path = PHASE_CARD,
    settings: Settings,
    threads: int = 1,
) -> None:
    """Train the compact segmenters on simulated cells and write their weights and model cards."""
    use_threads(threads)
    seed = settings.seed
    nuclei = draw_images(seed, settings.nuclei.scenes)
    logger.info("Drew %d scenes with %d cells.", len(nuclei), sum(int(s.labels.max()) for s in nuclei))
    weights = train(nuclei, settings.nuclei.schedule, seed)
    # Training on touching nuclei only would forget the others.
    touching = draw_images(seed + 1, settings.touching.scenes, domain=TOUCHING) + nuclei[: settings.touching.scenes]
    parted = train(touching, settings.touching.schedule, seed, weights)
    # More steps on new scenes only: after the first ones too many touching nuclei are merged.
    practice = draw_images(seed + 2, settings.practice.scenes)
    practice += draw_images(seed + 3, settings.practice.scenes, domain=TOUCHING)
    # The mean preserves the performance on nuclei with a waist, which practice on touching nuclei lowers.
    _ship(mean_weights(parted, train(practice, settings.practice.schedule, seed, parted), settings.practised), model)
    unseen = draw_images(seed + UNSEEN, settings.test_scenes)
    write_text(write_card(NUCLEI, model, settings, score_by_size(model, unseen)), card)

    phase = draw_phase_images(seed + 2, settings.phase.scenes)
    _ship(train(phase, settings.phase.schedule, seed, weights), phase_model)
    unseen = draw_phase_images(seed + UNSEEN, settings.test_scenes)
    write_text(write_card(PHASE, phase_model, settings, score_by_size(phase_model, unseen)), phase_card)


def _ship(weights: dict, model: Path) -> None:
    # 30 px is the nominal diameter of cellpose: with it, images are not rescaled.
    save(weights | {"diam_labels": torch.tensor([30.0])}, model)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
