"""Measure the texture of all objects of a frame at once, from grey-level co-occurrence matrices.

Source: R. M. Haralick, K. Shanmugam, I. Dinstein, Textural features for image classification, IEEE Trans. Syst. Man
Cybern. 3 (1973). The values equal those of scikit-image's ``graycomatrix`` and ``graycoprops`` for each object
(tested), and are computed about a hundred times faster.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.features.label_statistics import positions

STATISTICS = ("contrast", "homogeneity", "energy", "entropy", "correlation")


def quantised(plane: np.ndarray, low: float, high: float, levels: int) -> np.ndarray:
    """Quantise grey levels into ``levels`` equal bins between ``low`` and ``high``; values outside are clipped."""
    width = (high - low) / levels
    if width <= 0:
        return np.zeros(plane.shape, np.int64)
    bins = np.floor((np.asarray(plane, np.float64) - low) / width)
    return np.clip(np.nan_to_num(bins), 0, levels - 1).astype(np.int64)


def co_occurrence(grey: np.ndarray, labels: np.ndarray, ids: np.ndarray, levels: int, distance: int) -> np.ndarray:
    """Return the grey-level co-occurrence matrix of each object.

    Parameters
    ----------
    grey
        Grey levels 0 to ``levels`` - 1, shape (height, width).
    labels
        Label image, same shape.
    ids
        Labels in ascending order.
    levels
        Number of grey levels.
    distance
        Distance between the two pixels of a pair, in pixels.

    Returns
    -------
    numpy.ndarray
        Symmetric counts over four directions, shape (objects, levels, levels).
    """
    # Index of the object at each pixel, (height, width); -1 outside the objects.
    flat = np.full(labels.size, -1, np.int64)
    pixels, group = positions(labels, ids)
    flat[pixels] = group
    index = flat.reshape(labels.shape)
    # Count pairs of pixels of one object in the directions 0, 45, 90 and 135 degrees (Haralick et al., 1973). A pair
    # is coded as one integer, (object, first level, second level), so that a single bincount serves all objects.
    total = np.zeros(len(ids) * levels**2, np.int64)
    for angle in np.pi / 4 * np.arange(4):
        down, right = round(np.sin(angle) * distance), round(np.cos(angle) * distance)
        here, there = _shifted(labels.shape, down, right)
        both = (index[here] >= 0) & (index[here] == index[there])
        code = (index[here][both] * levels + grey[here][both]) * levels + grey[there][both]
        total += np.bincount(code, minlength=len(total))
    # Add the transpose, which counts each pair in both directions.
    counts = total.reshape(len(ids), levels, levels)
    return counts + counts.transpose(0, 2, 1)


def _shifted(shape: tuple[int, int], down: int, right: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the slices that pair each pixel with the one ``down`` rows and ``right`` columns away."""
    height, width = shape
    here = slice(0, max(height - down, 0)), slice(max(0, -right), max(width - max(0, right), 0))
    there = slice(down, height), slice(max(0, right), max(width + min(0, right), 0))
    return here, there


def texture_table(counts: np.ndarray) -> pd.DataFrame:
    """Compute Haralick features of co-occurrence matrices.

    Parameters
    ----------
    counts
        Symmetric counts, shape (objects, levels, levels).

    Returns
    -------
    pandas.DataFrame
        One row per object, columns :data:`STATISTICS`; all NaN for an object without pairs, and
        ``correlation`` NaN for an object with a single grey level. Entropy is in nats.
    """
    # Joint probabilities p(i, j), (objects, levels, levels). They are symmetric, so both margins are equal.
    pairs = counts.sum((1, 2))
    joint = counts / np.where(pairs > 0, pairs, 1)[:, None, None]
    i, j = np.mgrid[: counts.shape[1], : counts.shape[2]]
    # Mean, variance and covariance of the grey levels, (objects,).
    mean = (joint * i).sum((1, 2))
    variance = (joint * i**2).sum((1, 2)) - mean**2
    covariance = (joint * i * j).sum((1, 2)) - mean**2
    # Features of Haralick et al. (1973); energy is the root of their angular second moment, as in scikit-image.
    logs = np.log(joint, out=np.zeros_like(joint), where=joint > 0)
    table = pd.DataFrame(
        {
            "contrast": (joint * (i - j) ** 2).sum((1, 2)),
            "homogeneity": (joint / (1 + (i - j) ** 2)).sum((1, 2)),
            "energy": np.sqrt((joint**2).sum((1, 2))),
            "entropy": np.abs((joint * logs).sum((1, 2))),
            "correlation": np.divide(covariance, variance, out=np.full(len(counts), np.nan), where=variance > 1e-9),
        }
    )
    table.loc[pairs == 0] = np.nan
    return table
