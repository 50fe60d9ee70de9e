"""Simulate phase-contrast and bright-field images of adherent cells with known outlines.

A cell is a body with up to five tapering arms. Its optical thickness increases from the outline. Phase contrast shows
the thickness minus its local mean (the halo; Yin et al. 2012, Medical Image Analysis 16, 1047); slightly defocused
bright field shows the curvature of the thickness. Strength, sign, texture, shape, density, debris, illumination, blur
and noise are drawn anew for each image. No real image is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cineseq.segmentation.annotated import AnnotatedImage
from cineseq.simulate.images import smooth_noise
from cineseq.training.nuclei_images import separate, window_around

PHASE_DIAMETERS_PX = (22.0, 60.0)
"""Range of equivalent diameters for training the phase model; images are rescaled into it."""
EMPTY_SHARE = 0.03


@dataclass(frozen=True)
class SpreadCell:
    """One adherent cell: a body of ``radius`` at (y, x), arms as (angle, length, tip width), and its appearance."""

    y: float
    x: float
    radius: float
    arms: np.ndarray
    thickness: float
    plateau: float
    grain: float


def draw_phase_image(rng: np.random.Generator, size: int = 256) -> AnnotatedImage:
    """Simulate one image of ``size`` by ``size`` pixels."""
    diameter = float(np.exp(rng.uniform(*np.log(PHASE_DIAMETERS_PX))))
    cells = [] if rng.random() < EMPTY_SHARE else _cells(rng, size, diameter)
    owner, thickness = _layers(rng, cells, size)
    optical = thickness * np.clip(1 + _texture(rng, cells, owner, diameter), 0.0, 3.0) + _debris(rng, size, diameter)
    return AnnotatedImage(_record(rng, _optics(rng, optical, diameter)), separate(owner))


def draw_phase_images(seed: int, count: int, size: int = 256) -> list[AnnotatedImage]:
    """Simulate ``count`` images; an image depends only on the seed and its index."""
    return [draw_phase_image(np.random.default_rng((seed, number)), size) for number in range(count)]


def _cells(rng: np.random.Generator, size: int, diameter: float) -> list[SpreadCell]:
    coverage = rng.uniform(0.03, 0.75)
    wanted = max(1, round(coverage * size**2 / (np.pi * diameter**2 / 4)))
    spacing, round_share = rng.uniform(0.45, 1.0), rng.choice([0.05, 0.15, rng.uniform(0, 1)])
    spread, most_arms, grain = rng.uniform(0.1, 0.4), rng.integers(1, 6), rng.uniform(0.1, 1.2)
    alignment, direction = rng.choice([0.0, rng.uniform(0, 1)]), rng.uniform(0, np.pi)
    cells: list[SpreadCell] = []
    for _ in range(4 * wanted):
        if len(cells) >= wanted:
            break
        size_px = diameter * float(np.clip(rng.lognormal(0, spread), 0.5, 1.8))
        y, x = rng.uniform(-diameter / 2, size + diameter / 2, 2)
        near = spacing * diameter
        if any((c.y - y) ** 2 + (c.x - x) ** 2 < near**2 for c in cells):
            continue
        if rng.random() < round_share:
            # Rounded cells are dividing, dying or not yet attached; they are small and thick, with a strong halo.
            look = (0.35 * size_px, np.empty((0, 3)), rng.uniform(1.5, 4), 1.0, 0.3 * grain)
        else:
            turn = direction + rng.normal(0, 0.3) if rng.random() < alignment else rng.uniform(0, 2 * np.pi)
            arms = _arms(rng, size_px, int(rng.integers(1, most_arms + 1)), turn)
            look = (size_px * rng.uniform(0.24, 0.42), arms, rng.uniform(0.4, 1.4), rng.uniform(0.1, 0.6), grain)
        cells.append(SpreadCell(y, x, *look))
    return cells


def _arms(rng: np.random.Generator, diameter: float, count: int, turn: float) -> np.ndarray:
    """Return the arms of a cell: two opposite ones for a spindle, three or more for a star."""
    angles = turn + 2 * np.pi * np.arange(max(count, 2)) / max(count, 2) + rng.normal(0, 0.35, max(count, 2))
    lengths = diameter * rng.uniform(0.4, 1.3, len(angles))
    return np.stack([angles, lengths, diameter * rng.uniform(0.02, 0.16, len(angles))], axis=1)


def _layers(rng: np.random.Generator, cells: list[SpreadCell], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cell of each pixel (from 1; the deepest if cells overlap) and its optical thickness."""
    owner, depth, thickness = np.zeros((size, size), np.int32), np.zeros((size, size)), np.zeros((size, size))
    ruffle = rng.uniform(0, 0.12) * smooth_noise(rng, (size, size), rng.uniform(1.5, 4))
    for number, cell in enumerate(cells, start=1):
        longest = cell.arms[:, 1].max(initial=0.0)
        window = window_around(cell.y, cell.x, int(max(longest, cell.radius) * 1.2) + 3, size)
        y, x = np.mgrid[window]
        inside = _inside(cell, y - cell.y, x - cell.x) + cell.radius * ruffle[window]
        deeper = inside > depth[window]
        depth[window][deeper], owner[window][deeper] = inside[deeper], number
        rise = np.clip(inside / (cell.plateau * cell.radius + 0.5), 0, 1)
        thickness[window] += cell.thickness * np.sqrt(rise) * (inside > 0)
    return owner, thickness


def _inside(cell: SpreadCell, dy: np.ndarray, dx: np.ndarray) -> np.ndarray:
    """Return the depth inside a cell in pixels (negative outside): a disc joined smoothly to tapered arms."""
    parts = [cell.radius - np.hypot(dy, dx)]
    for angle, length, tip in cell.arms:
        along = dy * np.sin(angle) + dx * np.cos(angle)
        share = np.clip(along / length, 0, 1)
        off = np.hypot(dy - share * length * np.sin(angle), dx - share * length * np.cos(angle))
        parts.append(cell.radius * 0.85 * (1 - share) + tip * share - off)
    softness = max(0.5, 0.15 * cell.radius)
    return softness * np.logaddexp.reduce(np.stack(parts) / softness, axis=0) - softness * np.log(len(parts))


def _texture(rng: np.random.Generator, cells: list[SpreadCell], owner: np.ndarray, diameter: float) -> np.ndarray:
    """Return relative changes of thickness in cells: granules, nucleoli, vacuoles."""
    grain = np.array([0.0, *(c.grain for c in cells)])[owner]
    texture = grain * 0.5 * smooth_noise(rng, owner.shape, rng.uniform(0.5, 1.2))
    texture += grain * 0.4 * smooth_noise(rng, owner.shape, diameter * rng.uniform(0.06, 0.15))
    for cell in cells:
        for _ in range(rng.integers(0, 5)):
            width = max(0.6, cell.radius * rng.uniform(0.05, 0.2))
            y, x = np.array([cell.y, cell.x]) + rng.normal(0, cell.radius * 0.4, 2)
            window = window_around(y, x, int(3 * width) + 1, len(owner))
            yy, xx = np.mgrid[window]
            texture[window] += rng.uniform(-1.5, 2.5) * np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / (2 * width**2))
    return texture * (owner > 0)


def _debris(rng: np.random.Generator, size: int, diameter: float) -> np.ndarray:
    """Return the optical thickness of specks and patches of residue that are not cells."""
    count = rng.integers(0, 40)
    field = np.zeros((size, size))
    field[tuple(rng.integers(0, size, (2, count)))] = rng.lognormal(0, 0.7, count)
    width = rng.uniform(0.5, max(0.6, 0.05 * diameter))
    specks = ndimage.gaussian_filter(field, width) * 2 * np.pi * width**2 * rng.uniform(0.1, 1.2)
    patches = np.clip(smooth_noise(rng, (size, size), diameter * 0.25) - rng.uniform(2, 3.5), 0, None)
    return specks + rng.choice([0.0, rng.uniform(0, 0.6)]) * patches * rng.uniform(0, 1, (size, size))


def _optics(rng: np.random.Generator, optical: np.ndarray, diameter: float) -> np.ndarray:
    """Return the image contrast of optical thickness; 0 for background."""
    sharp = ndimage.gaussian_filter(optical, rng.uniform(0.4, 1.2))
    sign = -1.0 if rng.random() < 0.8 else 1.0
    if rng.random() < 0.8:
        halo = rng.uniform(0.6, 1.0) * ndimage.gaussian_filter(optical, diameter * rng.uniform(0.06, 0.3))
        return sign * (sharp - halo)
    return sign * (rng.uniform(0, 0.3) * sharp - ndimage.laplace(sharp) * rng.uniform(0.5, 2.0))


def _record(rng: np.random.Generator, signal: np.ndarray) -> np.ndarray:
    """Apply uneven illumination, noise and saturation."""
    size = len(signal)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    tilt = rng.normal(0, 0.3, 3)
    uneven = tilt[0] * x + tilt[1] * y + tilt[2] * (x**2 + y**2)
    contrast = float(signal.std()) + 1e-3
    image = signal / contrast + rng.choice([0.0, rng.uniform(0, 2.0)]) * uneven
    image += rng.uniform(0, 0.3) * smooth_noise(rng, signal.shape, size / 10)
    image += np.exp(rng.uniform(np.log(0.02), np.log(0.5))) * rng.normal(size=signal.shape)
    if rng.random() < 0.3:
        image = np.clip(image, *np.percentile(image, [rng.uniform(0, 1), rng.uniform(98, 100)]))
    return image.astype(np.float32)
