"""Compute embedding vectors from crops of cells."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.nn.functional import interpolate

from cineseq.features.embedder import Embedder


def cell_vectors(network: VisionTransformer, images: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Concatenate the class token and the mean of the patch tokens, weighted by the cell fraction of each patch.

    Parameters
    ----------
    network
        A vision transformer of timm with a class token.
    images
        Normalised images, shape (cells, 3, side, side).
    masks
        Fraction of each pixel that is cell, 0 to 1, shape (cells, side, side).

    Returns
    -------
    torch.Tensor
        Shape (cells, 2 x width of the network), float32.
    """
    # Tokens, (cells, prefix + patches, width); the class token is the first of the prefix.
    tokens = network.forward_features(images).float()
    patches = tokens[:, network.num_prefix_tokens :]
    # Cell fraction of each patch, (cells, patches), normalised to sum to 1.
    weights = nn.functional.avg_pool2d(masks[:, None], network.patch_embed.patch_size).flatten(1)
    weights = weights / weights.sum(1, keepdim=True).clamp_min(1e-6)
    return torch.cat([tokens[:, 0], torch.einsum("np,npd->nd", weights, patches)], dim=1)


DECIMALS = 4
"""Vectors are rounded to so many decimals; later digits depend on the processor, not on the cell."""


def vectors_of(
    embedder: Embedder,
    images: np.ndarray,
    masks: np.ndarray,
    *,
    orientations: int = 1,
    batch_size: int = 64,
    bfloat16: bool = False,
) -> np.ndarray:
    """Embed crops of one channel.

    Parameters
    ----------
    embedder
        The model.
    images
        Grey levels 0 to 1, shape (cells, side, side).
    masks
        Masks of the cells, same shape.
    orientations
        1, 4 (quarter turns) or 8 (quarter turns and their mirror images). Vectors are averaged over them, which
        reduces the effect of a cell's orientation.
    batch_size
        Number of crops per batch.
    bfloat16
        Whether to compute in bfloat16.

    Returns
    -------
    numpy.ndarray
        Shape (cells, embedder.columns), float64, rounded to :data:`DECIMALS`.
    """
    parts = [
        _batch(embedder, images[i : i + batch_size], masks[i : i + batch_size], orientations, bfloat16)
        for i in range(0, len(images), batch_size)
    ]
    return np.round(np.concatenate(parts), DECIMALS) if parts else np.empty((0, embedder.columns))


@torch.inference_mode()
def _batch(
    embedder: Embedder,
    images: np.ndarray,
    masks: np.ndarray,
    orientations: int,
    bfloat16: bool,  # noqa: FBT001
) -> np.ndarray:
    # Resize images and masks to the input size of the network, (cells, 1, image_px, image_px).
    side = (embedder.image_px, embedder.image_px)
    crops = torch.from_numpy(np.ascontiguousarray(images, np.float32))[:, None].to(embedder.device)
    cells = torch.from_numpy(np.ascontiguousarray(masks, np.float32))[:, None].to(embedder.device)
    crops = interpolate(crops, side, mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)
    cells = interpolate(cells, side, mode="bilinear", align_corners=False, antialias=True)
    # Repeat the grey channel three times, normalise, and average the vectors over the orientations.
    mean, std = (torch.tensor(v, device=embedder.device)[:, None, None] for v in (embedder.mean, embedder.std))
    total = torch.zeros(len(images), embedder.columns, device=embedder.device)
    with torch.autocast(embedder.device, torch.bfloat16, enabled=bfloat16):
        for turned, mask in zip(_turned(crops, orientations), _turned(cells, orientations), strict=True):
            total += cell_vectors(embedder.network, (turned.expand(-1, 3, -1, -1) - mean) / std, mask[:, 0])
    return (total / orientations).double().cpu().numpy()


def _turned(images: torch.Tensor, orientations: int) -> Iterator[torch.Tensor]:
    for i in range(orientations):
        turned = torch.rot90(images, i % 4, (2, 3))
        yield turned.flip(3) if i >= 4 else turned
