"""Local background: the pixels in a ring around a cell that belong to no cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from cineseq.features.label_statistics import STATISTICS, grouped_means, grouped_quantiles, positions
from cineseq.io.square_pixels import SQUARE

ALL = slice(None)
LEAST_PIXELS = 10
"""If a ring has fewer pixels, the background of the frame is used instead."""


@dataclass(frozen=True)
class Rings:
    """Rings around the objects of one frame.

    Attributes
    ----------
    labels
        Label of the object whose ring a pixel belongs to, 0 for none, shape (height, width).
    open
        Whether a pixel is farther than the gap from all objects, same shape.
    """

    labels: np.ndarray
    open: np.ndarray


def rings(
    labels: np.ndarray,
    gap_px: float,
    width_px: float,
    seen: tuple[slice, slice] = (ALL, ALL),
    sides: tuple[float, float] = SQUARE,
) -> Rings:
    """Return rings around all objects; each ring pixel belongs to its nearest object.

    Parameters
    ----------
    labels
        Label image, shape (height, width).
    gap_px
        Distance from the masks at which the rings begin.
    width_px
        Width of the rings.
    seen
        The imaged area of the frame; the rest is padding from drift correction, not background.
    sides
        Height and width of a pixel, see :attr:`cineseq.io.stacks.MovieInfo.pixel_sides`.
    """
    shown = np.zeros(labels.shape, bool)
    shown[seen] = True
    if not labels.any():
        return Rings(np.zeros_like(labels), shown)
    # Distance of each pixel to its nearest object, (height, width), and the index of that object's pixel.
    distance, nearest = ndimage.distance_transform_edt(labels == 0, sampling=sides, return_indices=True)
    beyond = (distance > gap_px) & shown
    ring = beyond & (distance <= gap_px + width_px)
    return Rings(np.where(ring, labels[tuple(nearest)], 0), beyond)


def local_background(plane: np.ndarray, around: Rings, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the median of each object's ring.

    Parameters
    ----------
    plane
        One channel of the frame, shape (height, width).
    around
        Rings of the frame.
    ids
        Labels in ascending order.

    Returns
    -------
    tuple of numpy.ndarray
        Background of each object, and whether it comes from its own ring; both have shape (objects,). If a ring has
        fewer than :data:`LEAST_PIXELS` pixels, the background is the median of all open pixels of the frame, or the
        1st percentile of the frame without open pixels.
    """
    # Median of each ring.
    pixels, group = positions(around.labels, ids)
    values = plane.ravel()[pixels]
    size = np.bincount(group, minlength=len(ids))
    own = size >= LEAST_PIXELS
    background = grouped_quantiles(values, group, len(ids), np.array([0.5]))[:, 0]
    if not own.all():
        anywhere = np.median(plane[around.open]) if around.open.any() else np.percentile(plane, 1)
        background = np.where(own, background, float(anywhere))
    return background, own


def intensity_table(plane: np.ndarray, labels: np.ndarray, ids: np.ndarray, background: np.ndarray) -> pd.DataFrame:
    """Measure the intensity of objects.

    Parameters
    ----------
    plane
        One channel, shape (height, width).
    labels
        Label image, same shape.
    ids
        Labels in ascending order, each with at least one pixel.
    background
        Local background of each object, shape (objects,).

    Returns
    -------
    pandas.DataFrame
        One row per object, columns :data:`STATISTICS`, in grey levels; only the last is background-corrected.
    """
    pixels, group = positions(labels, ids)
    values = plane.ravel()[pixels].astype(float)
    mean = grouped_means(values, group, len(ids))
    spread = np.sqrt(grouped_means((values - mean[group]) ** 2, group, len(ids)))
    quantiles = grouped_quantiles(values, group, len(ids), np.array([0, 0.05, 0.95, 1]))
    columns = [mean, spread, *quantiles.T, mean - background]
    return pd.DataFrame(dict(zip(STATISTICS, columns, strict=True)))
