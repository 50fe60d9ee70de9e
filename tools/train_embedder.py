"""Train the compact embedder on simulated cells (not a rule; its result is in resources/).

In: a seed; the cells are drawn by ``cineseq.training.crop_images``. Out: ``model``, the weights as safetensors that
state their architecture, and ``card``, the model card with the scores of a linear probe on held-out simulated cells,
compared with the same network untrained and with raw pixels.
"""

import copy
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models.vision_transformer import VisionTransformer

from cineseq.config.base import Section
from cineseq.features.embedder import COMPACT_ARCHITECTURE, Embedder, compact_network, save_compact
from cineseq.features.embedding import vectors_of
from cineseq.models.registry import COMPACT_FILE
from cineseq.training.crop_images import ATTRIBUTES, SimulatedCells, central, simulate_cells
from cineseq.training.dino import Recipe, train
from cineseq.training.embedder_card import Training, pixel_components, probe, write_card
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)
CARD = COMPACT_FILE.with_suffix(".md")
NOTE = "Small vision transformer trained with the DINO objective on simulated cells only; not DINOv2."


class Settings(Section):
    """Settings of this script."""

    cells: int = Field(12000, ge=64, description="Simulated cells to train on.")
    held_out: int = Field(2000, ge=200, description="Simulated cells to probe on.")
    steps: int = Field(1000, ge=2, description="Steps of the optimiser.")
    seed: int = Field(1, description="Seed of the cells, the initial weights and the views.")


def main(
    *,
    model: Path = COMPACT_FILE,
    card: Path = CARD,
    settings: Settings,
    threads: int = 1,
) -> None:
    """Train the compact embedder, probe it, and write its weights and its model card."""
    torch.set_num_threads(threads)
    torch.manual_seed(settings.seed)
    recipe = Recipe(steps=settings.steps, global_px=COMPACT_ARCHITECTURE["img_size"])
    training, held_out = (
        simulate_cells(n, np.random.default_rng([settings.seed, i]))
        for i, n in enumerate((settings.cells, settings.held_out))
    )
    network = compact_network()
    untrained = copy.deepcopy(network)
    losses = train(network, torch.from_numpy(training.images), recipe, seed=settings.seed)
    scores = _scores({"trained": network, "untrained": untrained}, held_out, settings.seed)
    for name, values in scores.items():
        logger.info("Mean held-out R² of %d planted attributes, %s: %.3f.", len(values), name, values.mean())
    save_compact(network, COMPACT_ARCHITECTURE, NOTE, model)
    parameters = sum(p.numel() for p in network.parameters())
    ends = float(np.mean(losses[:100])), float(np.mean(losses[-100:]))
    story = (recipe, COMPACT_ARCHITECTURE, parameters, settings.cells, settings.held_out, settings.seed, ends, scores)
    write_card(Training(*story), model, card)


def _scores(networks: dict[str, VisionTransformer], cells: SimulatedCells, seed: int) -> pd.DataFrame:
    """Return the probe scores of every network, and of raw pixels, on the same crops."""
    side = COMPACT_ARCHITECTURE["img_size"]
    images, masks = central(cells.images, side), central(cells.masks, side)
    attributes = cells.attributes[list(ATTRIBUTES)]
    columns = {}
    for name, network in networks.items():
        embedder = Embedder(network.eval(), name, "", "", side, IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, "cpu")
        columns[name] = probe(vectors_of(embedder, images, masks, orientations=4), attributes, seed)
    width = 2 * COMPACT_ARCHITECTURE["embed_dim"]
    columns["raw pixels"] = probe(pixel_components(images, width, seed), attributes, seed)
    return pd.DataFrame(columns)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
