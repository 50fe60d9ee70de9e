"""How well a linear model reads planted attributes from a representation of simulated cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

PENALTIES = np.logspace(-2, 4, 13)


def probe(features: np.ndarray, attributes: pd.DataFrame, seed: int) -> pd.Series:
    """Return the held-out R2 of every attribute under five-fold ridge regression.

    Parameters
    ----------
    features
        Representation, shape (cells, dimensions).
    attributes
        Planted values, one column each.
    seed
        Seed of the folds.

    Returns
    -------
    pandas.Series
        R2 by attribute, against the mean of the same cells.
    """
    folds = KFold(5, shuffle=True, random_state=seed)
    model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
    scores = {}
    for name in attributes.columns:
        y = attributes[name].to_numpy(float)
        guess = cross_val_predict(model, features, y, cv=folds)
        scores[name] = 1 - np.sum((y - guess) ** 2) / np.sum((y - y.mean()) ** 2)
    return pd.Series(scores)


def pixel_components(images: np.ndarray, components: int, seed: int) -> np.ndarray:
    """Return principal components of raw pixels, the baseline of the same width, shape (cells, components)."""
    return PCA(components, svd_solver="randomized", random_state=seed).fit_transform(images.reshape(len(images), -1))
