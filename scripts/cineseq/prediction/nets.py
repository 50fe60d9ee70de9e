"""Elastic nets whose penalty is chosen by grouped inner folds, and plain least squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from cineseq.prediction.paths import Problem, Sets

# A path is left when the inner folds' error has risen above its minimum by this share of the response's variance.
RISE = 0.02
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
    centre = train.mean(axis=0)
    cells = np.asfortranarray(train - centre)
    sets = Sets(cells, [*(validation for _, validation in inner), np.empty(0, dtype=int)])
    fit = NestedFit(np.empty((len(test), responses.shape[1])), np.empty(responses.shape))
    for number, response in enumerate(responses.T):
        columns, coefficients, fit.inner[:, number] = _fit_one(sets, response, grid)
        fit.test[:, number] = response.mean() + (test[:, columns] - centre[columns]) @ coefficients
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


def _fit_one(sets: Sets, response: np.ndarray, grid: PathGrid) -> tuple[np.ndarray, ...]:
    """Return the columns with their coefficients, and the inner predictions of the training cells, for one response.

    The last of the sets leaves out no cell, the others one inner fold each.
    """
    inside, whole = list(range(len(sets.left_out) - 1)), [len(sets.left_out) - 1]
    final = Problem(sets, whole, response, grid.tolerance)
    largest = np.abs(final.products).max(initial=0.0) / len(response)
    if largest <= 0 or not np.isfinite(largest):
        return np.empty(0, dtype=int), np.empty(0), np.full(len(response), response.mean())
    folds = Problem(sets, inside, response, grid.tolerance)
    best: tuple[float, float, np.ndarray, np.ndarray] | None = None
    for ratio in grid.l1_ratios:
        alphas = np.geomspace(largest / ratio, largest / ratio * grid.smallest, grid.alphas)
        error, inner, at = _least_error(folds, sets.left_out[:-1], response, ratio, alphas)
        if best is None or error < best[0]:
            best = (error, ratio, alphas[: at + 1], inner)
    _, ratio, alphas, inner = best
    final.include(folds.chosen)
    *_, last = final.walk(ratio, alphas)
    return last.chosen, last.coefficients[0, :, -1], inner


def _least_error(
    folds: Problem, validation: list[np.ndarray], response: np.ndarray, ratio: float, alphas: np.ndarray
) -> tuple[float, np.ndarray, int]:
    """Walk the path until the inner folds' error has clearly risen; return its minimum, predictions and place there."""
    predicted, error = np.empty((len(response), len(alphas))), np.full(len(alphas), np.inf)
    enough = RISE * response.var()
    for piece in folds.walk(ratio, alphas):
        for number, rows in enumerate(validation):
            predicted[rows, piece.at] = piece.predicted[rows, number]
        error[piece.at] = np.square(response[:, None] - predicted[:, piece.at]).mean(axis=0)
        if error[piece.at.stop - 1] > error.min() + enough:
            break
    at = int(error.argmin())
    return float(error[at]), predicted[:, at], at
