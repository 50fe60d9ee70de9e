"""Statistics over the pixels of all objects at once."""

from __future__ import annotations

import numpy as np

STATISTICS = ("mean", "std", "min", "q05", "q95", "max", "mean_above_background")
"""Intensity statistics; all are in grey levels, so scaling between samples divides them."""


def positions(labels: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels of objects.

    Parameters
    ----------
    labels
        Label image, any shape.
    ids
        Labels in ascending order; pixels of other labels are left out.

    Returns
    -------
    tuple of numpy.ndarray
        Flat indices of the pixels, shape (pixels,), and for each pixel the index of its object in ``ids``.
    """
    pixels = np.flatnonzero(labels)
    if len(ids) == 0:
        return pixels[:0], pixels[:0]
    mine = labels.ravel()[pixels]
    index = np.minimum(np.searchsorted(ids, mine), len(ids) - 1)
    known = ids[index] == mine
    return pixels[known], index[known]


def grouped_quantiles(values: np.ndarray, groups: np.ndarray, count: int, quantiles: np.ndarray) -> np.ndarray:
    """Return quantiles of each group, interpolated linearly as by :func:`numpy.quantile`.

    Parameters
    ----------
    values
        Shape (values,).
    groups
        Group of each value, 0 to ``count`` - 1.
    count
        Number of groups.
    quantiles
        Between 0 and 1, shape (quantiles,).

    Returns
    -------
    numpy.ndarray
        Shape (count, quantiles); NaN for a group without values.
    """
    # Sort by group, then by value, and find the fractional index of each quantile, (count, quantiles).
    ordered = values[np.lexsort((values, groups))].astype(float)
    size = np.bincount(groups, minlength=count)
    first = np.cumsum(size) - size
    index = first[:, None] + np.maximum(size - 1, 0)[:, None] * np.asarray(quantiles, float)
    # Interpolate between the two neighbouring values; NaN pads the end for an empty last group.
    below = np.floor(index).astype(int)
    padded = np.append(ordered, np.nan)
    low, high = padded[np.minimum(below, len(ordered))], padded[np.minimum(np.ceil(index).astype(int), len(ordered))]
    found = low + (index - below) * (high - low)
    return np.where(size[:, None] > 0, found, np.nan)


def grouped_means(values: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """Return the mean of each group, shape (count,); NaN for a group without values."""
    size = np.bincount(groups, minlength=count)
    total = np.bincount(groups, values.astype(float), minlength=count)
    return np.divide(total, size, out=np.full(count, np.nan), where=size > 0)
