"""The DINO objective for a small vision transformer: a student learns to predict the output of its moving average.

Source: M. Caron et al., Emerging properties in self-supervised vision transformers, ICCV 2021. Unlike natural images,
crops of cells are never rescaled, because size is information: views are rotated, mirrored, shifted and cropped.
"""

from __future__ import annotations

import copy
import logging
import math
from dataclasses import dataclass

import numpy as np
import torch
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.nn.functional import affine_grid, grid_sample, log_softmax, normalize, softmax

from cineseq.text import number

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """Training settings of the embedder; defaults follow the source, scaled to a small network and minutes of CPU.

    Attributes
    ----------
    steps, batch
        Number of optimiser steps, and of cells per step.
    learning_rate, weight_decay
        Parameters of AdamW; the rate warms up over a tenth of the steps, then follows a cosine schedule.
    global_px, local_px, locals_per_cell
        Sides of the two global and the several local views.
    prototypes
        Width of the output of the head.
    student_temperature, teacher_temperature
        Temperatures of the two softmax functions; the lower one sharpens.
    teacher_momentum, center_momentum
        Momenta of the moving averages; the first rises to 1 on a cosine schedule.
    """

    steps: int = 1000
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.04
    global_px: int = 64
    local_px: int = 32
    locals_per_cell: int = 3
    prototypes: int = 1024
    student_temperature: float = 0.1
    teacher_temperature: float = 0.04
    teacher_momentum: float = 0.99
    center_momentum: float = 0.9


class Head(nn.Module):
    """Projection to prototypes: three layers, a normalised bottleneck, weight-normalised prototypes."""

    def __init__(self, width: int, prototypes: int, hidden: int = 256, bottleneck: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, bottleneck)
        )
        self.prototypes = nn.Parameter(torch.randn(prototypes, bottleneck) * 0.02)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return cosine similarities to the prototypes, shape (views, prototypes)."""
        return normalize(self.layers(features)) @ normalize(self.prototypes).T


class DinoNetwork(nn.Module):
    """A network with its head; used for the student and the teacher."""

    def __init__(self, network: VisionTransformer, width: int, prototypes: int) -> None:
        super().__init__()
        self.network, self.head = network, Head(width, prototypes)

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Return prototype scores of the class token, shape (views, prototypes)."""
        return self.head(self.network.forward_features(views)[:, 0])


def train(network: VisionTransformer, images: torch.Tensor, recipe: Recipe, *, seed: int) -> list[float]:
    """Train ``network`` in place and return the loss of every step.

    The network is left with the teacher's weights, which embed better than the student's.

    Parameters
    ----------
    network
        A vision transformer with a class token and ``dynamic_img_size``.
    images
        Grey levels 0 to 1, shape (cells, side, side).
    recipe
        Training settings.
    seed
        Seed of the views and batches.
    """
    torch.manual_seed(seed)
    student = DinoNetwork(network, network.embed_dim, recipe.prototypes)
    teacher = copy.deepcopy(student).eval().requires_grad_(requires_grad=False)
    optimiser = torch.optim.AdamW(student.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    center, losses = torch.zeros(recipe.prototypes), []
    for step in range(recipe.steps):
        cells = images[torch.randint(len(images), (recipe.batch,))]
        large = [_normalised(views(cells, recipe.global_px)) for _ in range(2)]
        small = [_normalised(views(cells, recipe.local_px)) for _ in range(recipe.locals_per_cell)]
        with torch.no_grad():
            named = teacher(torch.cat(large))
        scores = [*student(torch.cat(large)).chunk(2), *student(torch.cat(small)).chunk(len(small))]
        loss = dino_loss(scores, list(named.chunk(2)), center, recipe)
        _step(optimiser, student, loss, step, recipe)
        center = recipe.center_momentum * center + (1 - recipe.center_momentum) * named.mean(0)
        _follow(teacher, student, step, recipe)
        losses.append(loss.item())
        if step % 100 == 0:
            logger.info("Step %d of %d: loss %s.", step, recipe.steps, number(np.mean(losses[-100:]), 3))
    network.load_state_dict(teacher.network.state_dict())
    return losses


def dino_loss(
    students: list[torch.Tensor], teachers: list[torch.Tensor], center: torch.Tensor, recipe: Recipe
) -> torch.Tensor:
    """Return the mean cross-entropy of each student view to each other teacher view (centred and sharpened)."""
    terms = [
        -(softmax((t - center) / recipe.teacher_temperature, -1) * log_softmax(s / recipe.student_temperature, -1))
        .sum(-1)
        .mean()
        for j, t in enumerate(teachers)
        for i, s in enumerate(students)
        if i != j
    ]
    return torch.stack(terms).mean()


def views(cells: torch.Tensor, side: int) -> torch.Tensor:
    """Return one random view of each cell: rotated, mirrored, shifted, with grey levels jittered and noise; not zoomed.

    Parameters
    ----------
    cells
        Grey levels 0 to 1, shape (cells, canvas, canvas).
    side
        Side of the views; small views are shifted farther from the centre.
    """
    n, canvas = len(cells), cells.shape[-1]
    turn = torch.rand(n) * 2 * math.pi
    mirror = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    scale = side / canvas
    reach = 4 if side > canvas / 2 else 12
    shift = (torch.rand(n, 2) * 2 - 1) * reach * 2 / canvas
    cosine, sine = torch.cos(turn) * scale, torch.sin(turn) * scale
    theta = torch.stack(
        [torch.stack([cosine, -sine * mirror, shift[:, 0]], 1), torch.stack([sine, cosine * mirror, shift[:, 1]], 1)], 1
    )
    grid = affine_grid(theta, [n, 1, side, side], align_corners=False)
    cut = grid_sample(cells[:, None], grid, padding_mode="border", align_corners=False)
    gain, offset = 1 + 0.15 * torch.randn(n, 1, 1, 1), 0.04 * torch.randn(n, 1, 1, 1)
    noise = 0.03 * torch.rand(n, 1, 1, 1) * torch.randn_like(cut)
    return (cut * gain + offset + noise).clamp(0, 1)


def _normalised(cut: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(v)[:, None, None] for v in (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD))
    return (cut.expand(-1, 3, -1, -1) - mean) / std


def _step(
    optimiser: torch.optim.Optimizer, student: DinoNetwork, loss: torch.Tensor, step: int, recipe: Recipe
) -> None:
    warm = max(recipe.steps // 10, 1)
    done = (step - warm) / max(recipe.steps - warm, 1)
    rate = (step + 1) / warm if step < warm else 0.5 * (1 + math.cos(math.pi * done))
    for group in optimiser.param_groups:
        group["lr"] = recipe.learning_rate * rate
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(student.parameters(), 3.0)
    if step < warm // 2:
        # As in the source, freeze the prototypes at first, so that they do not change faster than the features.
        student.head.prototypes.grad = None
    optimiser.step()


@torch.no_grad()
def _follow(teacher: nn.Module, student: nn.Module, step: int, recipe: Recipe) -> None:
    momentum = 1 - (1 - recipe.teacher_momentum) * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
    for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
        slow.lerp_(fast, 1 - momentum)
