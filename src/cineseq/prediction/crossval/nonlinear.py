"""Learners that are not additive: kernel ridge with products of two columns, and gradient boosting of trees."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics.pairwise import polynomial_kernel

from cineseq.prediction.crossval.elastic_net import NestedFit, PathGrid, Split

Nonlinear = Literal["kernel_ridge", "gradient_boosting"]
PENALTIES = np.logspace(-2, 3, 8)
"""Ridge penalties of the kernel, relative to its mean diagonal."""


def kernel_ridge(
    train: np.ndarray,
    test: np.ndarray,
    responses: np.ndarray,
    inner: list[Split],
    grid: PathGrid,
    *,
    blocks: np.ndarray | None = None,
) -> NestedFit:
    """Predict by ridge regression on all columns, their squares and their products (a quadratic kernel).

    Parameters
    ----------
    train, test
        Scaled columns, shapes (training cells, columns) and (test cells, columns).
    responses
        Shape (training cells, responses).
    inner
        Grouped inner folds, which choose the penalty of each response.
    grid, blocks
        Not used.

    Returns
    -------
    NestedFit
        Predictions of the test cells, and of the training cells by the inner folds.

    References
    ----------
    Saunders, Gammerman and Vovk, ICML (1998) 515.
    """
    del grid, blocks
    kernel = polynomial_kernel(train, degree=2)
    # Inner folds: predictions of every held-out training cell at every penalty, shape (penalties, cells, responses).
    guessed = np.empty((len(PENALTIES), *responses.shape))
    for own, held in inner:
        guessed[:, held] = _ridge_paths(kernel[np.ix_(own, own)], kernel[np.ix_(held, own)], responses[own])
    best = np.square(guessed - responses).sum(axis=1).argmin(axis=0)
    column = np.arange(responses.shape[1])
    path = _ridge_paths(kernel, polynomial_kernel(test, train, degree=2), responses)
    return NestedFit(path[best, :, column].T, guessed[best, :, column].T)


def _ridge_paths(kernel: np.ndarray, between: np.ndarray, responses: np.ndarray) -> np.ndarray:
    """Return predictions at every penalty, shape (penalties, predicted cells, responses)."""
    # Centring of the kernel, so that the intercept is not penalised: K - 1K - K1 + 1K1.
    column, overall = kernel.mean(axis=0), kernel.mean()
    centred = kernel - column - column[:, None] + overall
    crossed = between - between.mean(axis=1, keepdims=True) - column + overall
    values, vectors = np.linalg.eigh(centred)
    mean = responses.mean(axis=0)
    turned, seen = vectors.T @ (responses - mean), crossed @ vectors
    penalties = PENALTIES * max(np.trace(centred) / len(centred), 1e-12)
    return np.stack([mean + seen @ (turned / (np.clip(values, 0, None) + p)[:, None]) for p in penalties])


def gradient_boosting(
    train: np.ndarray,
    test: np.ndarray,
    responses: np.ndarray,
    inner: list[Split],
    grid: PathGrid,
    *,
    blocks: np.ndarray | None = None,
) -> NestedFit:
    """Predict each response by gradient boosting of small trees; parameters are those of :func:`kernel_ridge`.

    ``inner``, ``grid`` and ``blocks`` are not used, because the number and size of the trees are fixed; ``inner`` of
    the result is the fit to the training cells.

    References
    ----------
    Friedman, Ann. Stat. 29 (2001) 1189.
    """
    del inner, grid, blocks
    fitted = [
        HistGradientBoostingRegressor(
            max_iter=60, learning_rate=0.1, max_leaf_nodes=6, min_samples_leaf=10, early_stopping=False, random_state=0
        ).fit(train, response)
        for response in responses.T
    ]
    return NestedFit(*(np.column_stack([model.predict(rows) for model in fitted]) for rows in (test, train)))
