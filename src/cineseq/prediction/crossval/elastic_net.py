"""Elastic nets with a penalty chosen by grouped inner folds, least squares, and stacking."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.optimize import nnls

from cineseq.prediction.crossval.elastic_net_path import Problem, Sets
from cineseq.prediction.crossval.left_out import ridge_without

# A path ends when the inner error exceeds its minimum by this fraction of the variance of the response.
RISE = 0.02
Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class PathGrid:
    """Grid of penalties.

    Attributes
    ----------
    l1_ratios
        Mixing ratios between ridge (0) and lasso (1).
    alphas
        Number of penalties per path; the first is the smallest that makes every coefficient zero.
    smallest
        Last penalty of the path as a fraction of the first.
    tolerance
        Duality gap at which a fit stops, relative to the sum of squares of the response.
    agreements
        Weights of the penalty on disagreement between the first block of columns and the others (cooperative learning);
        0 is none.
    choice
        Which penalty is chosen: at the minimum of the inner error, or the strongest with an error within one standard
        error (over inner folds) of it.
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
        Predictions of the test cells, shape (test cells, responses).
    inner
        Predictions of the training cells by the inner folds at the chosen penalty, shape (training cells, responses).
    without
        Predictions of the test cells once a block of training cells is left out, at the chosen penalty, shape (blocks,
        test cells, responses) in the order of ``numpy.unique``; None where they were not asked for.
    """

    test: np.ndarray
    inner: np.ndarray
    without: np.ndarray | None = None


@dataclass(frozen=True)
class Net:
    """Elastic net of one response at the penalty chosen by the inner folds.

    Attributes
    ----------
    columns, coefficients
        Positions of the predictors in the working set and their coefficients, each shape (chosen,).
    centre, intercept
        Means of these predictors and of the response in the training cells.
    ratio, alpha
        The mixing ratio and the penalty; NaN if the response is uncorrelated with all predictors.
    inner
        Predictions of the training cells by the inner folds at that penalty, shape (training cells,).
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

    def without(self, train: np.ndarray, test: np.ndarray, response: np.ndarray, blocks: np.ndarray) -> np.ndarray:
        """Predict test cells without each block of training cells, shape (blocks, test cells).

        Parameters
        ----------
        train, test
            Predictors, as in :meth:`predict`.
        response
            Of the training cells, shape (training cells,).
        blocks
            Block of each training cell, shape (training cells,).
        """
        chosen = self.coefficients != 0
        columns, centre = self.columns[chosen], self.centre[chosen]
        if not len(columns):
            return np.full((len(np.unique(blocks)), len(test)), self.intercept)
        lasso = self.alpha * self.ratio * np.sign(self.coefficients[chosen])
        own = train[:, columns] - centre
        weights = ridge_without(own, response - self.intercept, blocks, self.alpha * (1 - self.ratio), lasso)
        return self.intercept + weights @ (test[:, columns] - centre).T


@dataclass(frozen=True)
class _Choice:
    """Agreement weight, mixing ratio and path up to the chosen penalty, with least inner error and predictions."""

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
    blocks: np.ndarray | None = None,
) -> NestedFit:
    """Fit one elastic net per response, with penalty and mixing ratio chosen by the error of the inner folds.

    Parameters
    ----------
    train, test
        Standardised predictors, shapes (training cells, columns) and (test cells, columns).
    responses
        Shape (training cells, responses).
    inner
        Positions among the training cells for fitting and validation, grouped like the outer folds.
    grid
        Grid of penalties.
    first
        Number of columns of the first block of cooperative learning; None without it.
    blocks
        Blocks of training cells that are left out in turn, shape (training cells,); None: none is. Not with
        cooperative learning.

    References
    ----------
    Zou and Hastie, J. R. Stat. Soc. B 67 (2005) 301.
    """
    nets = fitted_nets(train, responses, inner, grid, first=first)
    found, guessed = (np.column_stack(part) for part in zip(*((n.predict(test), n.inner) for n in nets), strict=True))
    if blocks is None or first is not None:
        return NestedFit(found, guessed)
    without = [net.without(train, test, own, blocks) for net, own in zip(nets, responses.T, strict=True)]
    return NestedFit(found, guessed, np.stack(without, axis=2))


def fitted_nets(
    train: np.ndarray, responses: np.ndarray, inner: list[Split], grid: PathGrid, *, first: int | None = None
) -> list[Net]:
    """Return the elastic nets of :func:`nested_elastic_net`, one per response; parameters are the same."""
    centre = train.mean(axis=0)
    cells = np.asfortranarray(train - centre)
    sets = Sets(cells, [*(validation for _, validation in inner), np.empty(0, dtype=int)], first)
    return [_fit_one(sets, centre, response, grid) for response in responses.T]


def least_squares(
    train: np.ndarray,
    test: np.ndarray,
    responses: np.ndarray,
    inner: list[Split],
    grid: PathGrid,
    *,
    blocks: np.ndarray | None = None,
) -> NestedFit:
    """Predict by ordinary least squares of minimal norm; without a penalty, ``inner`` and ``grid`` are not used.

    Parameters are those of :func:`nested_elastic_net`; ``inner`` of the result is the fit to the training cells.
    """
    del inner, grid
    centre, mean = train.mean(axis=0), responses.mean(axis=0)
    own, others, centred = train - centre, test - centre, responses - mean
    coefficients = np.linalg.lstsq(own, centred, rcond=1e-8)[0]
    fit = NestedFit(mean + others @ coefficients, mean + own @ coefficients)
    if blocks is None:
        return fit
    kept = [blocks != block for block in np.unique(blocks)]
    without = [mean + others @ np.linalg.lstsq(own[rows], centred[rows], rcond=1e-8)[0] for rows in kept]
    return replace(fit, without=np.array(without))


def stack(parts: list[NestedFit], responses: np.ndarray) -> NestedFit:
    """Combine several models by stacking: non-negative weights, fitted to their inner-fold predictions.

    Parameters
    ----------
    parts
        Fits of the models.
    responses
        Of the training cells, shape (training cells, responses).

    Returns
    -------
    NestedFit
        With the same weights where a block of training cells is left out.

    References
    ----------
    Breiman, Mach. Learn. 24 (1996) 49.
    """
    mean = responses.mean(axis=0)
    # Non-negative least squares of each response on the models' predictions, weights of shape (models, responses).
    inner = np.stack([part.inner for part in parts]) - mean
    pairs = zip(inner.transpose(2, 1, 0), (responses - mean).T, strict=True)
    weights = np.column_stack([nnls(guessed, response)[0] for guessed, response in pairs])

    def combined(predictions: list[np.ndarray]) -> np.ndarray:
        return mean + sum(w * (p - mean) for w, p in zip(weights, predictions, strict=True))

    without = [part.without for part in parts if part.without is not None]
    fit = NestedFit(combined([part.test for part in parts]), combined([part.inner for part in parts]))
    return replace(fit, without=combined(without)) if len(without) == len(parts) else fit


def _fit_one(sets: Sets, centre: np.ndarray, response: np.ndarray, grid: PathGrid) -> Net:
    """Fit one response. The last set leaves out no cell; each of the others leaves out one inner fold."""
    # Smallest penalty (times the mixing ratio) at which every coefficient is zero.
    mean = float(response.mean())
    inside, whole = list(range(len(sets.left_out) - 1)), [len(sets.left_out) - 1]
    centred = response - mean
    largest = np.abs(sets.columns.T @ centred).max(initial=0.0) / len(response)
    if largest <= 0 or not np.isfinite(largest):
        nothing = np.empty(0)
        return Net(nothing.astype(int), nothing, nothing, mean, np.nan, np.nan, np.full(len(response), mean))
    # Inner folds choose agreement, mixing ratio and penalty.
    best: _Choice | None = None
    for agreement in grid.agreements:
        folds = Problem(sets, inside, response, grid.tolerance, agreement)
        for ratio in grid.l1_ratios:
            alphas = np.geomspace(largest / ratio, largest / ratio * grid.smallest, grid.alphas)
            candidate = _chosen(folds, sets.left_out[:-1], response, ratio, alphas, choice=grid.choice)
            if best is None or candidate.error < best.error:
                best = candidate
    if best is None:
        msg = "the grid of penalties is empty"
        raise ValueError(msg)
    # Refit on all training cells along the path to the chosen penalty.
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
    """Choose a penalty on the path, which ends once the inner error has clearly risen."""
    # Predictions of the validation cells and their squared errors, shape (training cells, penalties).
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
    # Minimum of the inner error, or the one-standard-error rule over inner folds.
    at = least = int(error.argmin())
    if choice == "one_standard_error":
        by_fold = [squares[rows, least].mean() for rows in validation]
        at = int((error <= error[least] + np.std(by_fold, ddof=1) / np.sqrt(len(by_fold))).argmax())
    return _Choice(float(error[least]), folds.agreement, ratio, alphas[: at + 1], predicted[:, at])
