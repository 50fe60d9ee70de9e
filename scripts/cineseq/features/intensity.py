"""Brightness of the objects of one frame in one channel."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.features.groups import grouped_means, grouped_quantiles, positions

STATISTICS = ("mean", "std", "min", "q05", "q95", "max", "mean_above_background")
"""All are in grey levels, hence what scaling between samples divides."""


def intensity_table(plane: np.ndarray, labels: np.ndarray, ids: np.ndarray, background: np.ndarray) -> pd.DataFrame:
    """Measure the brightness of objects.

    Parameters
    ----------
    plane
        One channel, shape (height, width).
    labels
        Label image, same shape.
    ids
        Labels in rising order, each with at least one pixel.
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
