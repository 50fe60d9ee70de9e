"""Cells with a planted share of each target that morphology explains, half of the targets linear, half not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SHARES = (0.0, 0.1, 0.3, 0.5, 0.8)
FACTORS, MORPHOLOGY, TARGETS = 6, 50, 40
FIELDS = 20


@dataclass(frozen=True)
class Cells:
    """Planted cells.

    Attributes
    ----------
    morphology, targets
        Shapes (cells, 50) and (cells, 40).
    share, linear
        Planted share of each target, and whether it is a linear function of the factors, shape (40,) each.
    fields
        Field of each cell, shape (cells,).
    """

    morphology: np.ndarray
    targets: np.ndarray
    share: np.ndarray
    linear: np.ndarray
    fields: np.ndarray


def planted(cells: int, seed: int, *, shift: float = 0.0, uneven: bool = False) -> Cells:
    """Return cells whose morphology shows six factors, which targets share in part.

    Parameters
    ----------
    cells
        Number of cells.
    seed
        Seed of the cells; functions of factors are the same for all seeds.
    shift
        Standard deviation of the shifts of fields, of every column, relative to that of the column.
    uneven
        Whether the noise of targets grows with the first factor.
    """
    rng, fixed = np.random.default_rng([seed, 1]), np.random.default_rng(7)
    factors = rng.normal(size=(cells, FACTORS))
    # Morphology: 128 saturating units of the factors, and a tenth of noise.
    units = np.tanh(
        factors @ fixed.normal(size=(FACTORS, 128)) / np.sqrt(FACTORS) + fixed.uniform(-1, 1, 128)
    ) @ fixed.normal(size=(128, MORPHOLOGY))
    morphology = (units - units.mean(axis=0)) / units.std(axis=0) + 0.1 * rng.normal(size=(cells, MORPHOLOGY))
    # Targets: a share of a linear function or of a sine of one direction; half of the noise has two peaks.
    share, linear = np.tile(SHARES, TARGETS // len(SHARES)), np.arange(TARGETS) % 10 < 5
    directions = fixed.normal(size=(FACTORS, TARGETS))
    along = factors @ (directions / np.linalg.norm(directions, axis=0))
    curved = np.sin(1.5 * along) * np.sqrt(2 / (1 - np.exp(-2 * 1.5**2)))
    noise = rng.normal(size=(cells, TARGETS))
    peaks = 0.9 * np.sign(rng.normal(size=(cells, TARGETS))) + np.sqrt(1 - 0.81) * noise
    noise = np.where(np.arange(TARGETS) // 5 % 4 < 2, peaks, noise)
    if uneven:
        noise = noise * np.exp(0.8 * factors[:, :1]) / np.sqrt(np.exp(2 * 0.64))
    targets = np.sqrt(share) * np.where(linear, along, curved) + np.sqrt(1 - share) * noise
    fields = np.arange(cells) % FIELDS
    shifts = [shift * rng.normal(size=(FIELDS, part.shape[1])) for part in (morphology, targets)]
    return Cells(morphology + shifts[0][fields], targets + shifts[1][fields], share, linear, fields)
