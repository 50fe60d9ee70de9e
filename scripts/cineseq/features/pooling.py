"""From the tokens of a vision transformer to one vector per cell."""

from __future__ import annotations

import torch
from torch import nn


def cell_vectors(network: nn.Module, images: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Concatenate the class token and the mean of the patch tokens, weighted by how much of each patch is cell.

    Parameters
    ----------
    network
        A vision transformer of timm with a class token.
    images
        Normalised images, shape (cells, 3, side, side).
    masks
        Share of each pixel that is cell, 0 to 1, shape (cells, side, side).

    Returns
    -------
    torch.Tensor
        Shape (cells, 2 x width of the network), float32.
    """
    tokens = network.forward_features(images).float()
    patches = tokens[:, network.num_prefix_tokens :]
    weights = nn.functional.avg_pool2d(masks[:, None], network.patch_embed.patch_size).flatten(1)
    weights = weights / weights.sum(1, keepdim=True).clamp_min(1e-6)
    return torch.cat([tokens[:, 0], torch.einsum("np,npd->nd", weights, patches)], dim=1)
