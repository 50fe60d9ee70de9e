"""Simulate images of single cells to train and to probe the compact embedder.

Size, shape, texture, granules and brightness of each cell are drawn independently, for three imaging modes (nuclear
stain, cytoplasmic fluorescence, phase contrast). The images are caricatures: they teach a small network what may vary
in a crop, not what cells look like.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage, special

CANVAS_PX = 96
"""Side of a simulated image; larger than a crop, so that views can be rotated and shifted within it."""
KINDS = ("nuclear", "cytoplasmic", "phase")
MOST_GRANULES = 16
MARGIN_PX = 3
ATTRIBUTES = (
    "log_area",
    "eccentricity",
    "irregularity",
    "texture_scale",
    "texture_strength",
    "granules",
    "brightness",
    "rim",
)
"""Simulated attributes that a probe should recover."""


@dataclass(frozen=True)
class SimulatedCells:
    """Simulated cells.

    Attributes
    ----------
    images
        Grey levels from 0 (black) to 1 (white), shape (cells, CANVAS_PX, CANVAS_PX), float32.
    masks
        Masks of the cells, same shape.
    attributes
        One row per cell: :data:`ATTRIBUTES` and ``kind``.
    """

    images: np.ndarray
    masks: np.ndarray
    attributes: pd.DataFrame


def simulate_cells(count: int, rng: np.random.Generator, batch: int = 256) -> SimulatedCells:
    """Simulate ``count`` cells, each alone on its canvas with its surroundings at background level.

    Parameters
    ----------
    count
        Cells.
    rng
        Random generator.
    batch
        Number of cells simulated at once, which bounds the memory.
    """
    parts = [_simulate(min(batch, count - start), rng) for start in range(0, count, batch)]
    return SimulatedCells(
        np.concatenate([p.images for p in parts]),
        np.concatenate([p.masks for p in parts]),
        pd.concat([p.attributes for p in parts], ignore_index=True),
    )


def central(images: np.ndarray, side: int) -> np.ndarray:
    """Return the central square of each canvas, shape (cells, side, side)."""
    start = (CANVAS_PX - side) // 2
    return images[:, start : start + side, start : start + side]


def _simulate(n: int, rng: np.random.Generator) -> SimulatedCells:
    traits = _traits(n, rng)
    depth, masks = _shape(traits, rng)
    body = _body(traits, depth, rng)
    images = _imaged(traits, depth, masks, body, rng)
    traits["log_area"] = np.log(masks.sum((1, 2)))
    return SimulatedCells(images, masks, traits[[*ATTRIBUTES, "kind"]])


def _traits(n: int, rng: np.random.Generator) -> pd.DataFrame:
    flatness = rng.uniform(0.4, 1.0, n)
    return pd.DataFrame(
        {
            "radius": np.exp(rng.uniform(np.log(8), np.log(24), n)),
            "flatness": flatness,
            "eccentricity": np.sqrt(1 - flatness**2),
            "irregularity": rng.uniform(0, 0.22, n),
            "texture_scale": rng.uniform(np.log(0.8), np.log(5), n),
            "texture_strength": rng.uniform(0, 0.35, n),
            "granules": rng.integers(0, MOST_GRANULES + 1, n),
            "brightness": rng.uniform(0.25, 0.85, n),
            "rim": rng.uniform(0, 0.4, n),
            "kind": rng.integers(0, len(KINDS), n),
        }
    )


def _column(values: pd.Series | np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float32)[:, None, None]


def _shape(traits: pd.DataFrame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the depth inside the outline in pixels (negative outside) and the masks."""
    n = len(traits)
    y, x = (np.mgrid[:CANVAS_PX, :CANVAS_PX] - (CANVAS_PX - 1) / 2).astype(np.float32)
    turn = _column(rng.uniform(0, np.pi, n))
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    root = np.sqrt(_column(traits["flatness"]))
    radius, angle = np.hypot(along * root, across / root), np.arctan2(across, along)
    waves = [(k, rng.normal(size=n) / k, rng.uniform(0, 2 * np.pi, n)) for k in (2, 3, 4, 5)]
    lobes = sum(_column(height) * np.cos(k * angle + _column(phase)) for k, height, phase in waves)
    traits["irregularity"] *= 2 * np.sqrt(sum(height**2 for _, height, _ in waves))
    lobes = lobes / _column(2 * np.sqrt(sum(height**2 for _, height, _ in waves)))
    outline = _column(traits["radius"]) * np.clip(1 + _column(traits["irregularity"]) * lobes, 0.4, 1.6)
    depth = (outline - radius).astype(np.float32)
    return depth, depth > 0


def _body(traits: pd.DataFrame, depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return texture and granules with zero mean, in units of the cell's brightness."""
    n = len(traits)
    texture = _smooth_textures(n, np.exp(traits["texture_scale"].to_numpy()), rng) * _column(traits["texture_strength"])
    y, x = np.mgrid[:CANVAS_PX, :CANVAS_PX].astype(np.float32)
    count, radius = traits["granules"].to_numpy(), traits["radius"].to_numpy()
    spots = np.zeros_like(depth)
    for i in range(MOST_GRANULES):
        place, turn = radius * 0.8 * np.sqrt(rng.uniform(size=n)), rng.uniform(0, 2 * np.pi, n)
        cy, cx = (CANVAS_PX / 2 + place * np.sin(turn)), (CANVAS_PX / 2 + place * np.cos(turn))
        spots += _column(count > i) * np.exp(-((y - _column(cy)) ** 2 + (x - _column(cx)) ** 2) / 3)
    return texture + 0.4 * np.minimum(spots, 1.5)


def _smooth_textures(count: int, scale_px: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return noise fields of unit variance, smoothed each by its own Gaussian, shape (count, canvas, canvas)."""
    white = np.fft.rfft2(rng.normal(size=(count, CANVAS_PX, CANVAS_PX)).astype(np.float32))
    fy, fx = np.fft.fftfreq(CANVAS_PX)[:, None], np.fft.rfftfreq(CANVAS_PX)[None]
    transfer = np.exp(-2 * np.pi**2 * _column(scale_px) ** 2 * (fy**2 + fx**2))
    field = np.fft.irfft2(white * transfer, s=(CANVAS_PX, CANVAS_PX))
    return (field / field.std((1, 2), keepdims=True)).astype(np.float32)


def _imaged(
    traits: pd.DataFrame, depth: np.ndarray, masks: np.ndarray, body: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Render the cells in their imaging mode, add noise, and set everything beyond a small margin to background."""
    n, kind = len(traits), _column(traits["kind"])
    bright, rim, radius = (_column(traits[c]) for c in ("brightness", "rim", "radius"))
    inside, edge = special.expit(depth / 0.8), np.exp(-((depth / 1.8) ** 2))
    dome = np.sqrt(np.clip(depth / radius, 0, 1))
    dark = _column(rng.uniform(0.02, 0.15, n))
    grey = _column(rng.uniform(0.4, 0.6, n))
    nuclear = dark + bright * inside * (1 + body) + bright * rim * edge
    cytoplasmic = dark + bright * (dome * (1 + body) - 0.3 * inside * (depth > 0.6 * radius)) + bright * rim * edge
    halo = np.exp(-(((depth + 2.5) / 2) ** 2))
    phase = grey + (bright - 0.55) * 0.5 * inside + 0.6 * body * inside + 0.6 * rim * (halo - edge)
    image = np.where(kind == 0, nuclear, np.where(kind == 1, cytoplasmic, phase))
    background = np.where(kind == 2, grey, dark)
    image = image + _column(rng.uniform(0.005, 0.05, n)) * rng.normal(size=image.shape)
    ring = ndimage.distance_transform_edt(~masks, sampling=(1e3, 1, 1)) <= MARGIN_PX
    return np.clip(np.where(ring, image, background), 0, 1).astype(np.float32)
