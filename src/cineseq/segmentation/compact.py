"""The compact segmenter, a small U-Net that predicts cellpose's flows and runs in cellpose's own code."""

from __future__ import annotations

from itertools import pairwise

import torch
from cellpose.vit import BaseModel
from torch import nn
from torch.nn import functional

WIDTHS = (12, 24, 48, 72, 96)
STRIDE = 2 ** (len(WIDTHS) - 1)
STYLE_LENGTH = 256
"""Length of the style vector that cellpose 4 expects but no longer uses."""


class CompactSegmenter(BaseModel):
    """A five-level U-Net (about 0.5 M parameters) for fluorescent nuclei of 8 to 60 px.

    Its input is cellpose's: images normalised to percentiles, shape (tiles, channels, height, width), of which only
    the first channel is used. Its output is cellpose's: the flows in y and x times 5 and the cell logit, shape (tiles,
    3, height, width), with an empty style vector. Height and width must be multiples of ``STRIDE``.

    Training and inference are those of cellpose (Stringer et al. 2021, Nature Methods 18, 100; Pachitariu et al. 2025,
    bioRxiv 2025.04.28.651001); the network is a U-Net (Ronneberger et al. 2015, MICCAI).
    """

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(dtype=dtype)
        self.backbone = "compact_unet"
        self.down = nn.ModuleList(_block(i, o) for i, o in zip((1, *WIDTHS[:-1]), WIDTHS, strict=True))
        pairs = list(pairwise(WIDTHS))
        self.up = nn.ModuleList(_block(narrow + wide, narrow) for narrow, wide in reversed(pairs))
        self.out = nn.Conv2d(WIDTHS[0], 3, kernel_size=1)
        # cellpose does not load a checkpoint without this key.
        self.W2 = nn.Parameter(torch.zeros(1), requires_grad=False)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return flows and cell logits, shape (tiles, 3, height, width), and an empty style."""
        # Dividing cells and debris can be 50 times brighter than the 99th percentile that cellpose scales to 1.
        y = torch.asinh(x[:, :1])
        kept = []
        for level, block in enumerate(self.down):
            y = block(functional.max_pool2d(y, 2) if level else y)
            kept.append(y)
        kept.pop()
        for block in self.up:
            y = block(torch.cat([functional.interpolate(y, scale_factor=2.0), kept.pop()], dim=1))
        return self.out(y), torch.zeros((len(x), STYLE_LENGTH), device=x.device, dtype=x.dtype)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    """Return two 3 x 3 convolutions with batch normalisation, so that results do not depend on the tiling."""
    layers: list[nn.Module] = []
    for width in (inputs, outputs):
        layers += [nn.Conv2d(width, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


DIAMETERS_PX = (8.0, 62.0)
