"""Explained variance of out-of-fold predictions against the mean of the training cells."""

from __future__ import annotations

import numpy as np
import pandas as pd


def r2(residual: np.ndarray, baseline: np.ndarray) -> np.ndarray | float:
    """Return 1 - SSE / SSE of the training mean, over cells.

    Parameters
    ----------
    residual
        Measured minus predicted, shape (cells, ...).
    baseline
        Measured minus the mean of the training cells of the same fold, of the same shape.

    Returns
    -------
    float or numpy.ndarray
        Shape (...): one value per trailing index; NaN where the baseline has no error. Negative values are kept.
    """
    total = np.square(baseline).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(total > 0, 1 - np.square(residual).sum(axis=0) / total, np.nan)
    return float(value) if value.ndim == 0 else value


def centred(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Subtract from every column its mean within each group; ``values`` has shape (cells, columns)."""
    codes = pd.factorize(groups)[0]
    sums = np.zeros((codes.max() + 1, *values.shape[1:]))
    np.add.at(sums, codes, values)
    size = np.bincount(codes).reshape(-1, *([1] * (values.ndim - 1)))
    return values - (sums / size)[codes]


def r2_within(residual: np.ndarray, baseline: np.ndarray, groups: np.ndarray) -> float:
    """Return the R2 that is left when differences between groups are taken out, summed over the columns.

    It is 0 for a model that only knows the group means, and 0 for the training mean itself.
    """
    return float(r2(centred(residual, groups).ravel(), centred(baseline, groups).ravel()))
