"""Elastic nets whose penalty is chosen by grouped inner folds, and plain least squares."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path

MOST_ITERATIONS = 2000
Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class PathGrid:
    """The penalties that are tried.

    Attributes
    ----------
    l1_ratios
        Mixing ratios between ridge (0) and lasso (1).
    alphas
        Penalties per path, from the smallest that makes every coefficient zero downwards.
    smallest
        Last penalty of the path as a fraction of the first.
    tolerance
        Duality gap at which a fit stops, relative to the response's sum of squares.
    """

    l1_ratios: tuple[float, ...]
    alphas: int
    smallest: float = 1e-2
    tolerance: float = 1e-3


@dataclass(frozen=True)
class NestedFit:
    """Predictions of one outer fold.

    Attributes
    ----------
    test
        Of the test cells, shape (test cells, responses).
    inner
        Of the training cells by the inner folds at the chosen penalty, shape (training cells, responses).
    """

    test: np.ndarray
    inner: np.ndarray


@dataclass(frozen=True)
class _Fold:
    """One split of centred predictors, ready for paths."""

    train: np.ndarray
    rest: np.ndarray
    train_rows: np.ndarray
    rest_rows: np.ndarray


def nested_elastic_net(
    train: np.ndarray, test: np.ndarray, responses: np.ndarray, inner: list[Split], grid: PathGrid
) -> NestedFit:
    """Fit one elastic net per response, its penalty and mixing ratio at the minimum of the inner folds' error.

    Parameters
    ----------
    train, test
        Standardised predictors, shapes (training cells, columns) and (test cells, columns).
    responses
        Shape (training cells, responses).
    inner
        Positions among the training cells that fit and validate, grouped as the outer folds are.
    grid
        The penalties.

    References
    ----------
    Zou and Hastie, J. R. Stat. Soc. B 67 (2005) 301.
    """
    everything = np.arange(len(train))
    folds = [_fold(train[a], train[b], a, b) for a, b in inner]
    whole = _fold(train, test, everything, everything[:0])
    fit = NestedFit(np.empty((len(test), responses.shape[1])), np.empty(responses.shape))
    for number, response in enumerate(responses.T):
        fit.test[:, number], fit.inner[:, number] = _fit_one(whole, folds, response, grid)
    return fit


def least_squares(
    train: np.ndarray, test: np.ndarray, responses: np.ndarray, inner: list[Split], grid: PathGrid
) -> NestedFit:
    """Predict by ordinary least squares of minimal norm; there is no penalty, so ``inner`` and ``grid`` are not used.

    The parameters are those of :func:`nested_elastic_net`; ``inner`` of the result is the fit to the training cells.
    """
    del inner, grid
    centre, mean = train.mean(axis=0), responses.mean(axis=0)
    coefficients = np.linalg.lstsq(train - centre, responses - mean, rcond=1e-8)[0]
    return NestedFit(mean + (test - centre) @ coefficients, mean + (train - centre) @ coefficients)


def stack(parts: list[NestedFit], responses: np.ndarray) -> np.ndarray:
    """Weigh the predictions of several models, weights not negative and fitted to their inner-fold predictions.

    Returns
    -------
    numpy.ndarray
        Shape (test cells, responses).

    References
    ----------
    Breiman, Mach. Learn. 24 (1996) 49.
    """
    mean = responses.mean(axis=0)
    stacked = np.empty_like(parts[0].test)
    for number in range(responses.shape[1]):
        inner = np.column_stack([p.inner[:, number] - mean[number] for p in parts])
        weights = nnls(inner, responses[:, number] - mean[number])[0]
        stacked[:, number] = mean[number] + sum(
            w * (p.test[:, number] - mean[number]) for w, p in zip(weights, parts, strict=True)
        )
    return stacked


def _fold(train: np.ndarray, rest: np.ndarray, train_rows: np.ndarray, rest_rows: np.ndarray) -> _Fold:
    centre = train.mean(axis=0)
    return _Fold(np.asfortranarray(train - centre), rest - centre, train_rows, rest_rows)


def _fit_one(whole: _Fold, folds: list[_Fold], response: np.ndarray, grid: PathGrid) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions of the test cells and inner predictions of the training cells, for one response."""
    mean = response.mean()
    largest = np.abs(whole.train.T @ (response - mean)).max(initial=0.0) / len(response)
    if largest <= 0 or not np.isfinite(largest):
        return np.full(len(whole.rest), mean), np.full(len(response), mean)
    best: tuple[float, float, np.ndarray, np.ndarray] | None = None
    for ratio in grid.l1_ratios:
        alphas = np.geomspace(largest / ratio, largest / ratio * grid.smallest, grid.alphas)
        predicted = np.empty((len(response), len(alphas)))
        for fold in folds:
            own = response[fold.train_rows]
            predicted[fold.rest_rows] = own.mean() + fold.rest @ path(fold.train, own - own.mean(), ratio, alphas, grid)
        error = np.square(response[:, None] - predicted).mean(axis=0)
        at = int(error.argmin())
        if best is None or error[at] < best[0]:
            best = (float(error[at]), ratio, alphas[: at + 1], predicted[:, at])
    _, ratio, alphas, inner = best
    coefficients = path(whole.train, response - mean, ratio, alphas, grid)[:, -1]
    return mean + whole.rest @ coefficients, inner


def path(train: np.ndarray, response: np.ndarray, ratio: float, alphas: np.ndarray, grid: PathGrid) -> np.ndarray:
    """Return elastic-net coefficients along falling penalties, shape (columns, alphas); inputs are centred."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return enet_path(
            train,
            response,
            l1_ratio=ratio,
            alphas=alphas,
            precompute=False,
            tol=grid.tolerance,
            max_iter=MOST_ITERATIONS,
            check_input=False,
        )[1]
