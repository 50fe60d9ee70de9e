"""Training the compact segmenter with cellpose's own loss and augmentation."""

from __future__ import annotations

import logging
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from cellpose.train import train_seg

from cineseq.files import replacing
from cineseq.segmentation.compact import CompactSegmenter
from cineseq.segmentation.training_images import Scene

logger = logging.getLogger(__name__)

TILE_PX = 160
BATCH = 8
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-4
ZOOM_RANGE = 0.4
"""Tiles are zoomed by 0.8 to 1.2, besides being turned and mirrored."""


def train(scenes: list[Scene], epochs: int, images_per_epoch: int, seed: int, start: Path | None = None) -> dict:
    """Train a compact segmenter on scenes and return its state dictionary (float32, on the CPU).

    Parameters
    ----------
    scenes
        Images with outlines, at least as large as a training tile.
    epochs, images_per_epoch
        How long; every image gives one tile.
    seed
        Of the initial weights; the order of tiles is seeded by cellpose.
    start
        Weights to go on from; None starts from random ones.

    Notes
    -----
    The loss is cellpose's: squared error of the flows, times 5, and cross-entropy of being in a cell (Stringer et al.
    2021, Nature Methods 18, 100).
    """
    torch.manual_seed(seed)
    net = CompactSegmenter()
    if start is not None:
        net.load_state_dict(torch.load(start, map_location="cpu", weights_only=True))
    with TemporaryDirectory() as folder:
        _, losses, _ = train_seg(
            net,
            train_data=[s.image for s in scenes],
            train_labels=[s.labels for s in scenes],
            batch_size=BATCH,
            learning_rate=LEARNING_RATE,
            weight_decay=WEIGHT_DECAY,
            n_epochs=epochs,
            nimg_per_epoch=images_per_epoch,
            bsize=TILE_PX,
            scale_range=ZOOM_RANGE,
            min_train_masks=0,
            save_path=folder,
            model_name="compact",
        )
    logger.info("Trained %d epochs; the loss fell from %.3f to %.3f.", epochs, losses[0], float(np.mean(losses[-5:])))
    return {name: value.detach().cpu().float() for name, value in net.state_dict().items()}


def save(weights: dict, path: Path) -> None:
    """Write a state dictionary where ``CompactSegmenter.load_model`` finds it, whole or not at all."""
    # Saved to a path, the file would hold the path's name, and the same weights would have another hash elsewhere.
    buffer = BytesIO()
    torch.save(weights, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
