"""Flat-field correction: an illumination profile estimated from the background of the movie, and division by it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from skimage.measure import block_reduce

from cineseq.statistics import MAD_TO_SD

BLOCKS = 24
"""Blocks per side into which a plane is divided."""
DEGREE = 4
"""Degree of the polynomial of the log profile."""
ROUNDS = 30
"""Iterations of the asymmetric least squares."""
LOWEST_PROFILE = 0.1
"""Lower limit of a profile, as a fraction of its mean."""


def estimate_profile(planes: Iterable[np.ndarray], offset: float = 0.0) -> np.ndarray:
    """Estimate the illumination profile of a channel.

    Each plane is divided into about 24 x 24 blocks. The lower quartile of each block, and the median of it over time,
    contain little signal of cells. A polynomial of degree 4 is fitted to its logarithm by asymmetric least squares
    (Eilers 2004, Anal. Chem. 76, 404): blocks above the fit, which contain cells, get a low weight.

    Parameters
    ----------
    planes
        Planes of one channel, shape (height, width) each, spread over the movie.
    offset
        Grey level of the camera without light.

    Returns
    -------
    numpy.ndarray
        Profile with mean 1, shape (height, width); all 1 where there is no light above the offset.
    """
    # Background: lower quartile of every block, then the median over planes, shape (blocks y, blocks x).
    quartiles = []
    for plane in planes:
        height, width = plane.shape
        size = (max(1, height // BLOCKS), max(1, width // BLOCKS))
        inner = plane[: height // size[0] * size[0], : width // size[1] * size[1]]
        quartiles.append(block_reduce(inner.astype(float), size, _lower_quartile))
    background = np.median(quartiles, axis=0) - offset
    if (background <= 0).mean() > 0.5:
        return np.ones((height, width))
    background = np.maximum(background, np.median(background[background > 0]) * 1e-3)
    # Fit the log background at the centres of the blocks; evaluate the polynomial at every pixel.
    y, x = ((np.arange(n) + 0.5) * s for n, s in zip(background.shape, size, strict=True))
    coefficients = _fit(_terms(y, x, (height, width)), np.log(background).ravel())
    terms = _terms(np.arange(height), np.arange(width), (height, width))
    profile = np.exp(np.tensordot(coefficients, terms.T, 1).reshape(height, width))
    return np.maximum(profile / profile.mean(), LOWEST_PROFILE)


def _lower_quartile(blocks: np.ndarray, axis: tuple[int, ...]) -> np.ndarray:
    return np.quantile(blocks, 0.25, axis=axis)


def _terms(y: np.ndarray, x: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the terms of the polynomial on the grid of ``y`` and ``x``, shape (positions, terms)."""
    v, u = (2 * p / n - 1 for p, n in zip((y, x), shape, strict=True))
    powers = [(i, j) for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i)]
    return np.stack([np.outer(v**i, u**j).ravel() for i, j in powers], axis=1)


def _fit(terms: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Fit by asymmetric least squares; return the coefficients, shape (terms,)."""
    weights = np.ones(len(values))
    coefficients = np.zeros(terms.shape[1])
    for _ in range(ROUNDS):
        root = np.sqrt(weights)
        coefficients = np.linalg.lstsq(terms * root[:, None], values * root, rcond=None)[0]
        residuals = values - terms @ coefficients
        # Robust spread of the residuals (median absolute deviation); blocks above it get a low weight.
        spread = MAD_TO_SD * np.median(np.abs(residuals)) + 1e-9
        weights = np.where(residuals > spread, 0.01, 1.0)
    return coefficients


def flatten(plane: np.ndarray, profile: np.ndarray, offset: float = 0.0) -> np.ndarray:
    """Divide the signal above the offset by the profile; integers are rounded and clipped to their range."""
    flat = offset + (plane.astype(float) - offset) / profile
    if np.issubdtype(plane.dtype, np.integer):
        limits = np.iinfo(plane.dtype)
        flat = np.clip(np.round(flat), limits.min, limits.max)
    return flat.astype(plane.dtype)
