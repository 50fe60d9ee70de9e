"""Uneven illumination: a smooth profile from the movie's own background, and dividing by it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from skimage.measure import block_reduce

BLOCKS = 24
DEGREE = 4
ROUNDS = 30
LOWEST_PROFILE = 0.1
"""A profile is not believed to fall below this share of its mean."""


def estimate_profile(planes: Iterable[np.ndarray], offset: float = 0.0) -> np.ndarray:
    """Estimate the illumination profile of a channel.

    Each plane is cut into about 24 x 24 blocks; their lower quartile is kept, and of that the median over time,
    so that few cells are left in it; a polynomial of degree 4 is fitted to its logarithm, and blocks that stand out
    above the fit (cells) lose weight until it no longer moves (asymmetric least
    squares, Eilers 2004, Anal. Chem. 76, 404).

    Parameters
    ----------
    planes
        Some planes of one channel, shape (height, width) each, spread over the movie.
    offset
        Grey level of the camera in the dark.

    Returns
    -------
    np.ndarray
        Shape (height, width), mean 1; all 1 where there is no light above the offset.
    """
    seen = []
    for plane in planes:
        shape = plane.shape
        size = tuple(max(1, n // BLOCKS) for n in shape)
        inner = plane[: shape[0] // size[0] * size[0], : shape[1] // size[1] * size[1]]
        seen.append(block_reduce(inner.astype(float), size, _lower_quartile))
    background = np.median(seen, axis=0) - offset
    if (background <= 0).mean() > 0.5:
        return np.ones(shape)
    background = np.maximum(background, np.median(background[background > 0]) * 1e-3)
    centres = [(np.arange(n) + 0.5) * s for n, s in zip(background.shape, size, strict=True)]
    terms = _terms(*centres, shape)
    coefficients = _fit(terms, np.log(background).ravel())
    profile = np.exp(np.tensordot(coefficients, _terms(*map(np.arange, shape), shape).T, 1).reshape(shape))
    return np.maximum(profile / profile.mean(), LOWEST_PROFILE)


def _lower_quartile(blocks: np.ndarray, axis: tuple[int, ...]) -> np.ndarray:
    return np.quantile(blocks, 0.25, axis=axis)


def _terms(y: np.ndarray, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the polynomial's terms at a grid of positions, shape (positions, terms)."""
    v, u = (2 * p / n - 1 for p, n in zip((y, x), shape, strict=True))
    powers = [(i, j) for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i)]
    return np.stack([np.outer(v**i, u**j).ravel() for i, j in powers], axis=1)


def _fit(terms: np.ndarray, values: np.ndarray) -> np.ndarray:
    weights = np.ones(len(values))
    coefficients = np.zeros(terms.shape[1])
    for _ in range(ROUNDS):
        root = np.sqrt(weights)
        coefficients = np.linalg.lstsq(terms * root[:, None], values * root, rcond=None)[0]
        residuals = values - terms @ coefficients
        spread = 1.4826 * np.median(np.abs(residuals)) + 1e-9
        weights = np.where(residuals > spread, 0.01, 1.0)
    return coefficients


def flatten(plane: np.ndarray, profile: np.ndarray, offset: float = 0.0) -> np.ndarray:
    """Divide what lies above the camera's offset by the profile; integers are rounded and clipped to their type."""
    flat = offset + (plane.astype(float) - offset) / profile
    if np.issubdtype(plane.dtype, np.integer):
        limits = np.iinfo(plane.dtype)
        flat = np.clip(np.round(flat), limits.min, limits.max)
    return flat.astype(plane.dtype)
