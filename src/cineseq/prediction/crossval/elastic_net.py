"""Elastic nets whose penalty is chosen by grouped inner folds, and plain least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import nnls

from cineseq.prediction.crossval.elastic_net_path import Problem, Sets

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
    agreements
        Weights that are tried of the agreement between a first block of columns and the others (cooperative learning);
        0 is none.
    choice
        Which penalty is taken: that at the minimum of the inner folds' error, or the strongest whose error is within
        one standard error (over inner folds) of it.
    """

    l1_ratios: tuple[float, ...]
    alphas: int
    smallest: float = 1e-2
    tolerance: float = 1e-3
    agreements: tuple[float, ...] = (0.0,)
    choice: Literal["minimum", "one_standard_error"] = "minimum"


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
class Net:
    """One response's elastic net at the penalty that the inner folds chose.

    Attributes
    ----------
    columns, coefficients
        Positions of the predictors in the working set and their coefficients, each shape (chosen,).
    centre, intercept
        Means of those predictors and of the response in the training cells.
    ratio, alpha
        The mixing ratio and the penalty; NaN where the response varies with no predictor.
    inner
        Of the training cells by the inner folds at that penalty, shape (training cells,).
    """

    columns: np.ndarray
    coefficients: np.ndarray
    centre: np.ndarray
    intercept: float
    ratio: float
    alpha: float
    inner: np.ndarray

    def predict(self, cells: np.ndarray) -> np.ndarray:
        """Predict cells from all their predictors, shape (cells, columns of the training cells)."""
        return self.intercept + (cells[:, self.columns] - self.centre) @ self.coefficients


@dataclass(frozen=True)
class _Choice:
    """An agreement and mixing ratio, the path to its penalty, the least inner error on it, and predictions there."""

    error: float
    agreement: float
    ratio: float
    alphas: np.ndarray
    inner: np.ndarray


def nested_elastic_net(
    train: np.ndarray,
    test: np.ndarray,
    responses: np.ndarray,
    inner: list[Split],
    grid: PathGrid,
    *,
    first: int | None = None,
) -> NestedFit:
    """Fit one elastic net per response, its penalty and mixing ratio chosen by the inner folds' error.

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
    first
        How many columns make the block that is asked to agree with the others; None where none is.

    References
    ----------
    Zou and Hastie, J. R. Stat. Soc. B 67 (2005) 301.
    """
    nets = fitted_nets(train, responses, inner, grid, first=first)
    return NestedFit(*(np.column_stack(part) for part in zip(*((n.predict(test), n.inner) for n in nets), strict=True)))


def fitted_nets(
    train: np.ndarray, responses: np.ndarray, inner: list[Split], grid: PathGrid, *, first: int | None = None
) -> list[Net]:
    """Return the elastic nets behind :func:`nested_elastic_net`, whose parameters these are, one per response."""
    centre = train.mean(axis=0)
    cells = np.asfortranarray(train - centre)
    sets = Sets(cells, [*(validation for _, validation in inner), np.empty(0, dtype=int)], first)
    return [_fit_one(sets, centre, response, grid) for response in responses.T]


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


def _fit_one(sets: Sets, centre: np.ndarray, response: np.ndarray, grid: PathGrid) -> Net:
    """Fit one response; the last of the sets leaves out no cell, the others one inner fold each."""
    mean = float(response.mean())
    inside, whole = list(range(len(sets.left_out) - 1)), [len(sets.left_out) - 1]
    centred = response - mean
    largest = np.abs(sets.columns.T @ centred).max(initial=0.0) / len(response)
    if largest <= 0 or not np.isfinite(largest):
        nothing = np.empty(0)
        return Net(nothing.astype(int), nothing, nothing, mean, np.nan, np.nan, np.full(len(response), mean))
    best: _Choice | None = None
    for agreement in grid.agreements:
        folds = Problem(sets, inside, response, grid.tolerance, agreement)
        for ratio in grid.l1_ratios:
            alphas = np.geomspace(largest / ratio, largest / ratio * grid.smallest, grid.alphas)
            found = _chosen(folds, sets.left_out[:-1], response, ratio, alphas, choice=grid.choice)
            if best is None or found.error < best.error:
                best = found
    if best is None:
        msg = "the grid of penalties is empty"
        raise ValueError(msg)
    final = Problem(sets, whole, response, grid.tolerance, best.agreement)
    *_, last = final.walk(best.ratio, best.alphas)
    at = last.chosen
    return Net(at, last.coefficients[0, :, -1], centre[at], mean, best.ratio, float(best.alphas[-1]), best.inner)


def _chosen(
    folds: Problem,
    validation: list[np.ndarray],
    response: np.ndarray,
    ratio: float,
    alphas: np.ndarray,
    *,
    choice: str,
) -> _Choice:
    """Walk the path until the inner folds' error has clearly risen, and choose a penalty on it."""
    predicted = np.empty((len(response), len(alphas)))
    squares = np.full(predicted.shape, np.inf)
    enough = RISE * response.var()
    for piece in folds.walk(ratio, alphas):
        for number, rows in enumerate(validation):
            predicted[rows, piece.at] = piece.predicted[rows, number]
        squares[:, piece.at] = np.square(response[:, None] - predicted[:, piece.at])
        error = squares.mean(axis=0)
        if error[piece.at.stop - 1] > error.min() + enough:
            break
    at = least = int(error.argmin())
    if choice == "one_standard_error":
        by_fold = [squares[rows, least].mean() for rows in validation]
        at = int((error <= error[least] + np.std(by_fold, ddof=1) / np.sqrt(len(by_fold))).argmax())
    return _Choice(float(error[least]), folds.agreement, ratio, alphas[: at + 1], predicted[:, at])
