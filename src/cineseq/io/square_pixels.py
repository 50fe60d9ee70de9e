"""Oblong pixels: their sides, and images and labels on square pixels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

SQUARE = (1.0, 1.0)


def pixel_sides(aspect: float) -> tuple[float, float]:
    """Return height and width of a pixel in sides of a square of the same area; ``aspect`` is height over width.

    Positions times these are positions on square pixels, where distances and angles are those of the sample.
    """
    return aspect**0.5, aspect**-0.5


def squared_labels(labels: np.ndarray, sides: tuple[float, float]) -> np.ndarray:
    """Return labels, shape (height, width), on square pixels whose side is the shorter one of the oblong pixels."""
    places = [
        ((np.arange(round(n * f)) + 0.5) / f).astype(int).clip(max=n - 1)
        for n, f in zip(labels.shape, _factors(sides), strict=True)
    ]
    return labels[np.ix_(*places)]


def squared_image(plane: np.ndarray, sides: tuple[float, float]) -> np.ndarray:
    """Return an image as :func:`squared_labels` does labels, interpolated, float32."""
    return ndimage.zoom(plane.astype(np.float32), _factors(sides), order=1, mode="nearest", grid_mode=True)


def oblong_labels(squared: np.ndarray, shape: tuple[int, int], sides: tuple[float, float]) -> np.ndarray:
    """Return labels on square pixels as labels of ``shape`` on the oblong ones: that at the middle of each pixel."""
    places = [
        ((np.arange(n) + 0.5) * f).astype(int).clip(max=m - 1)
        for n, m, f in zip(shape, squared.shape, _factors(sides), strict=True)
    ]
    return squared[np.ix_(*places)]


def _factors(sides: tuple[float, float]) -> tuple[float, float]:
    """Return how many square pixels a pixel is high and wide."""
    return sides[0] / min(sides), sides[1] / min(sides)
