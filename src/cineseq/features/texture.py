"""Texture of all objects of a frame at once, from grey-level co-occurrence matrices.

Source: R. M. Haralick, K. Shanmugam, I. Dinstein, Textural features for image classification, IEEE Trans. Syst. Man
Cybern. 3 (1973). Equal to scikit-image's ``graycomatrix`` and ``graycoprops`` object by object (tested), and some
hundred times faster.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.features.label_statistics import positions

STATISTICS = ("contrast", "homogeneity", "energy", "entropy", "correlation")


def quantised(plane: np.ndarray, low: float, high: float, levels: int) -> np.ndarray:
    """Sort grey levels into ``levels`` equal bins between ``low`` and ``high``; what lies beyond is clipped."""
    width = (high - low) / levels
    if width <= 0:
        return np.zeros(plane.shape, np.int64)
    bins = np.floor((np.asarray(plane, np.float64) - low) / width)
    return np.clip(np.nan_to_num(bins), 0, levels - 1).astype(np.int64)


def co_occurrence(grey: np.ndarray, labels: np.ndarray, ids: np.ndarray, levels: int, distance: int) -> np.ndarray:
    """Count, for each object, which grey levels lie beside each other inside it.

    Parameters
    ----------
    grey
        Grey levels 0 to ``levels`` - 1, shape (height, width).
    labels
        Label image, same shape.
    ids
        Labels in rising order.
    levels
        Number of grey levels.
    distance
        Pixels between the two of a pair.

    Returns
    -------
    numpy.ndarray
        Symmetric counts over four directions, shape (objects, levels, levels).
    """
    flat = np.full(labels.size, -1, np.int64)
    pixels, group = positions(labels, ids)
    flat[pixels] = group
    place = flat.reshape(labels.shape)
    total = np.zeros(len(ids) * levels**2, np.int64)
    for angle in np.pi / 4 * np.arange(4):
        down, right = round(np.sin(angle) * distance), round(np.cos(angle) * distance)
        here, there = _shifted(labels.shape, down, right)
        both = (place[here] >= 0) & (place[here] == place[there])
        code = (place[here][both] * levels + grey[here][both]) * levels + grey[there][both]
        total += np.bincount(code, minlength=len(total))
    counts = total.reshape(len(ids), levels, levels)
    return counts + counts.transpose(0, 2, 1)


def _shifted(shape: tuple[int, int], down: int, right: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    height, width = shape
    here = slice(0, max(height - down, 0)), slice(max(0, -right), max(width - max(0, right), 0))
    there = slice(down, height), slice(max(0, right), max(width + min(0, right), 0))
    return here, there


def texture_table(counts: np.ndarray) -> pd.DataFrame:
    """Summarise co-occurrence matrices.

    Parameters
    ----------
    counts
        Symmetric counts, shape (objects, levels, levels).

    Returns
    -------
    pandas.DataFrame
        One row per object, columns :data:`STATISTICS`; all NaN for an object too small to have a pair, and
        ``correlation`` NaN for one of a single grey level. Entropy is in nats.
    """
    pairs = counts.sum((1, 2))
    share = counts / np.where(pairs > 0, pairs, 1)[:, None, None]
    i, j = np.mgrid[: counts.shape[1], : counts.shape[2]]
    mean = (share * i).sum((1, 2))
    variance = (share * i**2).sum((1, 2)) - mean**2
    covariance = (share * i * j).sum((1, 2)) - mean**2
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    table = pd.DataFrame(
        {
            "contrast": (share * (i - j) ** 2).sum((1, 2)),
            "homogeneity": (share / (1 + (i - j) ** 2)).sum((1, 2)),
            "energy": np.sqrt((share**2).sum((1, 2))),
            "entropy": np.abs((share * logs).sum((1, 2))),
            "correlation": np.divide(covariance, variance, out=np.full(len(counts), np.nan), where=variance > 1e-9),
        }
    )
    table.loc[pairs == 0] = np.nan
    return table
