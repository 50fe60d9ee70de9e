"""Train segmentation networks with cellpose's own loss and augmentation."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from cellpose.train import train_seg
from cellpose.vit import BaseModel

from cineseq.files import replacing
from cineseq.segmentation.annotated import AnnotatedImage
from cineseq.segmentation.compact import CompactSegmenter
from cineseq.text import number

logger = logging.getLogger(__name__)

ZOOM_RANGE = 0.4
"""Range of the random zoom: tiles are zoomed by 0.8 to 1.2, besides being rotated and mirrored."""


@dataclass(frozen=True)
class Schedule:
    """Training schedule of a network.

    Attributes
    ----------
    epochs, tiles
        Epochs, and tiles per epoch. With 100 epochs or more, cellpose halves the learning rate ten times in the last
        50 epochs; above 300, in the last 100.
    learning_rate, weight_decay
        Parameters of AdamW.
    tile_px, batch
        Side of a tile, and tiles per step.
    """

    epochs: int
    tiles: int
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    tile_px: int = 160
    batch: int = 8


def train(scenes: list[AnnotatedImage], schedule: Schedule, seed: int, start: dict | None = None) -> dict:
    """Train a compact segmenter on annotated images and return its state dictionary (float32, on the CPU).

    Parameters
    ----------
    scenes
        Annotated images, at least as large as a training tile.
    schedule
        Training schedule.
    seed
        Seed of the initial weights; cellpose seeds the order of tiles itself.
    start
        Weights to start from; None starts from random weights.
    """
    torch.manual_seed(seed)
    net = CompactSegmenter()
    if start is not None:
        net.load_state_dict(start)
    return fit(net, scenes, schedule)


def fit(net: BaseModel, scenes: list[AnnotatedImage], schedule: Schedule) -> dict:
    """Train any network that cellpose runs further, and return its state dictionary (float32, on the CPU).

    Notes
    -----
    The loss is cellpose's: squared error of the flows, times 5, and cross-entropy of being in a cell (Stringer et al.
    2021, Nature Methods 18, 100).
    """
    with TemporaryDirectory() as folder:
        _, losses, _ = train_seg(
            net,
            train_data=[s.image for s in scenes],
            train_labels=[s.labels for s in scenes],
            batch_size=schedule.batch,
            learning_rate=schedule.learning_rate,
            weight_decay=schedule.weight_decay,
            n_epochs=schedule.epochs,
            nimg_per_epoch=schedule.tiles,
            bsize=schedule.tile_px,
            scale_range=ZOOM_RANGE,
            min_train_masks=0,
            save_path=folder,
            model_name="network",
        )
    logger.info(
        "Trained %d epochs; the loss was %s at first and %s at the end.",
        schedule.epochs,
        number(losses[0], 3),
        number(np.mean(losses[-5:]), 3),
    )
    return {name: value.detach().cpu().float() for name, value in net.state_dict().items()}


def mean_weights(first: dict, second: dict, share: float) -> dict:
    """Return the weighted mean of two state dictionaries; the second has weight ``share``, and its counters are kept.

    If the second was fine-tuned from the first, the mean is often better than both on images unlike the training
    images (Wortsman et al. 2022, CVPR, "Robust fine-tuning of zero-shot models").
    """
    return {
        name: torch.lerp(first[name], value, share) if value.is_floating_point() else value
        for name, value in second.items()
    }


def save(weights: dict, path: Path) -> None:
    """Write a state dictionary atomically, in the format of ``CompactSegmenter.load_model``."""
    # Save to a buffer: torch writes the name of a path into the file, so the hash would depend on the path.
    buffer = BytesIO()
    torch.save(weights, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
