"""Find bright spots in cells, such as lipid droplets or engulfed particles, by the curvature of the smoothed image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

from cineseq.statistics import MAD_TO_SD

NEIGHBOURHOOD_RADII = 5.0
"""Half width of the neighbourhood whose noise a spot is compared with, in radii of a spot."""


@dataclass(frozen=True)
class Spots:
    """Spots of one frame.

    Attributes
    ----------
    rows, columns
        Pixels of their centres, shape (spots,).
    labels
        The cell of each, same length.
    intensity
        Sum of grey levels above the surroundings, same length.
    """

    rows: np.ndarray
    columns: np.ndarray
    labels: np.ndarray
    intensity: np.ndarray


def find_spots(plane: np.ndarray, labels: np.ndarray, radius_px: float, threshold: float) -> Spots:
    """Find the spots of about one size in the cells of a frame.

    The image is smoothed by a Gaussian whose standard deviation is the radius over the square root of 2, to which discs
    of this radius respond most (Lindeberg 1998, Int. J. Comput. Vis. 30, 79). A spot is a local maximum of twice the
    geometric mean of the two principal curvatures. In a round spot this is the negative Laplacian of the smoothed
    image; at the edge of a cell, or on a fibre, one curvature is near 0, and so is the response. It has to exceed a
    number of robust standard deviations of the Laplacian in its neighbourhood: the texture of the cell counts as
    noise. Equal maxima next to each other are one spot.

    Parameters
    ----------
    plane
        One channel of a frame, shape (height, width).
    labels
        Masks or regions of the cells, same shape.
    radius_px
        Radius of a spot in pixels.
    threshold
        Least response, in standard deviations.
    """
    # The kernels do not add up to exactly zero, so that a level would leave a trace.
    image = plane - float(np.median(plane))
    response, laplacian = _curvature(image, radius_px / np.sqrt(2))
    highest = ndimage.maximum_filter(response, size=2 * max(round(radius_px), 1) + 1)
    peaks = (response == highest) & (response > 0) & (labels > 0)
    # A constant has responses by rounding.
    noise = np.maximum(_local_noise(laplacian, NEIGHBOURHOOD_RADII * radius_px), 1e-9 * (1 + np.abs(image).max()))
    rows, columns = _middles(peaks & (response > threshold * noise))
    return Spots(rows, columns, labels[rows, columns], _intensities(image, rows, columns, radius_px))


def _curvature(image: np.ndarray, sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Return twice the geometric mean of the principal curvatures, 0 unless both are downward, and the Laplacian."""
    down, across, mixed = (-ndimage.gaussian_filter(image, sd, order) for order in ((2, 0), (0, 2), (1, 1)))
    if min(image.shape) == 1:  # A line of pixels has one curvature.
        return np.maximum(down + across, 0), down + across
    product = down * across - mixed**2
    return np.where(down + across > 0, 2 * np.sqrt(np.maximum(product, 0)), 0), down + across


def _middles(peaks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return one pixel of each connected plateau of peaks: the one nearest to its centre."""
    plateau, count = ndimage.label(peaks, structure=np.ones((3, 3)))
    rows, columns = np.nonzero(peaks)
    mine = plateau[rows, columns]
    size = np.maximum(np.bincount(mine, minlength=count + 1), 1)
    centres = [np.bincount(mine, at, minlength=count + 1) / size for at in (rows, columns)]
    away = np.hypot(rows - centres[0][mine], columns - centres[1][mine])
    # Sorted by plateau and distance, the first row of each plateau is its middle.
    order = np.lexsort((away, mine))
    middle = np.sort(order[np.unique(mine[order], return_index=True)[1]])
    return rows[middle], columns[middle]


def _local_noise(response: np.ndarray, reach_px: float) -> np.ndarray:
    """Return the robust standard deviation of the response around each pixel.

    Spots hardly touch the median of the deviations, which is that of noise and texture; it is found on a coarse grid
    of windows and interpolated.
    """
    step = max(round(reach_px / 2), 1)
    half = max(round(reach_px), 2)
    centres = [np.arange(min(step // 2, size - 1), size, step) for size in response.shape]
    # The windows of one row of centres at a time, (centres, pixels).
    padded = np.pad(response, half, mode="symmetric")
    windows = sliding_window_view(padded, (2 * half + 1, 2 * half + 1))
    grid = np.empty([len(one) for one in centres])
    for i, y in enumerate(centres[0]):
        row = windows[y, centres[1]].reshape(len(centres[1]), -1)
        grid[i] = MAD_TO_SD * np.median(np.abs(row - np.median(row, axis=1)[:, None]), axis=1)
    rows, columns = np.indices(response.shape)
    at = [(place - centre[0]) / step for place, centre in zip((rows, columns), centres, strict=True)]
    return ndimage.map_coordinates(grid, at, order=1, mode="nearest")


def _intensities(image: np.ndarray, rows: np.ndarray, columns: np.ndarray, radius_px: float) -> np.ndarray:
    """Return the sum within one and a half radii of each spot above the median of the ring up to three radii."""
    reach = int(np.ceil(3 * radius_px))
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    away = np.hypot(dy, dx)
    inside, ring = away <= 1.5 * radius_px, (away > 1.5 * radius_px) & (away <= 3 * radius_px)
    padded = np.pad(image, reach, mode="edge")
    # Pixels of the disc and of the ring of each spot, (spots, pixels).
    disc, around = (
        padded[rows[:, None] + reach + dy[part], columns[:, None] + reach + dx[part]] for part in (inside, ring)
    )
    if not len(rows):
        return np.zeros(0)
    return (disc - np.median(around, axis=1)[:, None]).sum(axis=1)


def spot_values(
    plane: np.ndarray, labels: np.ndarray, ids: np.ndarray, radius_px: float, threshold: float
) -> dict[str, np.ndarray]:
    """Return ``spot_count`` and ``spot_intensity`` (the sum of its spots) of each cell, in order of ids."""
    spots = find_spots(plane, labels, radius_px, threshold)
    found = pd.Series(spots.intensity, dtype=float).groupby(spots.labels).agg(["size", "sum"])
    found = found.reindex(pd.Index(ids)).fillna(0)
    return {"spot_count": found["size"].to_numpy(float), "spot_intensity": found["sum"].to_numpy(float)}
