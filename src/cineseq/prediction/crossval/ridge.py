"""Cross-fitted ridge regression of many targets on principal components, cheap enough for hundreds of permutations.

All that depends on the predictors alone (components, decompositions, penalties) is made once; targets then cost two
matrix products per fold, however often their rows are permuted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cineseq.prediction.crossval.folds import FoldPlan, inner_splits

LARGEST_PENALTY = 1e3
SMALLEST_PENALTY = 1e-2
Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class _Decomposed:
    """Ridge on some cells, by singular value decomposition of their component scores.

    Attributes
    ----------
    back
        Takes targets to the singular basis, shape (components, cells); 0 for cells outside the training cells.
    ahead
        Component scores of the cells to predict, in that basis, shape (cells to predict, components).
    shrink
        Ridge factors, shape (penalties, components); the last penalty is infinite, so that the mean is predicted.
    """

    back: np.ndarray
    ahead: np.ndarray
    shrink: np.ndarray


@dataclass(frozen=True)
class _Validation:
    """One inner fold: its ridge, and what its error needs of the validated cells.

    Attributes
    ----------
    ridge
        Fitted to the inner training cells.
    against
        Takes targets to their products with ``ridge.ahead``, the training mean taken out, shape (components, cells).
    square
        Cross-products of ``ridge.ahead``, shape (components, components).
    """

    ridge: _Decomposed
    against: np.ndarray
    square: np.ndarray


@dataclass(frozen=True)
class RidgeFold:
    """Everything of one outer fold that does not depend on the targets."""

    train: np.ndarray
    test: np.ndarray
    ridge: _Decomposed
    inner: tuple[_Validation, ...]


@dataclass(frozen=True)
class Tuning:
    """How a ridge regression is set up inside an outer fold.

    Attributes
    ----------
    inner
        Grouped inner folds that choose the penalty.
    components
        Principal components of the predictors that are kept.
    penalties
        Penalties that are tried, beside the infinite one.
    """

    inner: int
    components: int
    penalties: int


def ridge_folds(designs: list[np.ndarray], plan: FoldPlan, tuning: Tuning) -> list[RidgeFold]:
    """Prepare the ridge regressions of every outer fold.

    Principal components are fitted to the training cells of the outer fold; the penalty is chosen by its inner folds,
    grouped as the outer ones are.

    Parameters
    ----------
    designs
        Predictors per outer fold, already standardised on its training cells, each shape (cells, columns).
    plan
        Outer folds and groups.
    tuning
        Inner folds, components and penalties.
    """
    return [_ridge_fold(d, split, plan.units, tuning) for d, split in zip(designs, plan.splits(), strict=True)]


def predict(folds: list[RidgeFold], targets: np.ndarray) -> np.ndarray:
    """Return out-of-fold predictions of every target, each with the penalty that its inner folds choose.

    Parameters
    ----------
    folds
        From :func:`ridge_folds`.
    targets
        Shape (cells, targets). Where one is missing in a training cell, the mean of the measured training cells of
        the fold stands for it, which pulls the fit a little towards the mean.

    References
    ----------
    Hoerl and Kennard, Technometrics 12 (1970) 55.
    """
    predicted = np.empty_like(targets)
    for fold in folds:
        mean = np.nanmean(targets[fold.train], axis=0)
        filled = np.nan_to_num(targets - mean, copy=False)
        chosen = _best_penalty(fold.inner, filled)
        weights = fold.ridge.shrink[chosen].T * (fold.ridge.back @ filled)
        predicted[fold.test] = mean + fold.ridge.ahead @ weights
    return predicted


def _best_penalty(inner: tuple[_Validation, ...], targets: np.ndarray) -> np.ndarray:
    """Return the number of the penalty with the least inner error, shape (targets,).

    The error of predictions Z w is w' Z'Z w - 2 w' Z'y and a constant, so no prediction is written out per penalty.
    """
    error = np.zeros((1, 1))
    for fold in inner:
        weights = fold.ridge.shrink[:, :, None] * (fold.ridge.back @ targets)
        error = error + np.einsum("pct,pct->pt", weights, fold.square @ weights - 2 * (fold.against @ targets))
    return error.argmin(axis=0)


def _ridge_fold(design: np.ndarray, split: Split, units: np.ndarray, tuning: Tuning) -> RidgeFold:
    train, test = split
    centred = design - design[train].mean(axis=0)
    axes = np.linalg.svd(centred[train], full_matrices=False)[2]
    scores = centred @ axes[: tuning.components].T
    inner = [(train[a], train[b]) for a, b in inner_splits(units[train], tuning.inner)]
    return RidgeFold(
        train,
        test,
        _decomposed(scores, train, test, tuning.penalties),
        tuple(_validation(scores, a, b, tuning.penalties) for a, b in inner),
    )


def _validation(scores: np.ndarray, train: np.ndarray, test: np.ndarray, penalties: int) -> _Validation:
    ridge = _decomposed(scores, train, test, penalties)
    against = np.zeros_like(ridge.back)
    against[:, test] = ridge.ahead.T
    against[:, train] -= ridge.ahead.sum(axis=0)[:, None] / len(train)
    return _Validation(ridge, against, ridge.ahead.T @ ridge.ahead)


def _decomposed(scores: np.ndarray, train: np.ndarray, test: np.ndarray, penalties: int) -> _Decomposed:
    """Decompose the scores of the training cells; penalties are relative to their mean variance."""
    centre = scores[train].mean(axis=0)
    left, singular, right = np.linalg.svd(scores[train] - centre, full_matrices=False)
    usable = singular > singular.max(initial=0.0) * 1e-7
    left, singular, right = left[:, usable], singular[usable], right[usable]
    back = np.zeros((len(singular), len(scores)))
    back[:, train] = left.T
    scale = np.square(singular).mean() if len(singular) else 1.0
    grid = scale * np.geomspace(SMALLEST_PENALTY, LARGEST_PENALTY, penalties)
    shrink = np.vstack([singular / (np.square(singular) + grid[:, None]), np.zeros(len(singular))])
    ahead = (scores[test] - centre) @ right.T
    return _Decomposed(*(part.astype(np.float32) for part in (back, ahead, shrink)))
