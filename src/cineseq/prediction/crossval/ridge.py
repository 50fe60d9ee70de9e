"""Cross-validated ridge regression of many targets on principal components, fast enough for many permutations.

Everything that depends only on the predictors (components, decompositions, penalties) is computed once. Targets, in
particular permuted ones, then cost two matrix products per fold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from cineseq.prediction.crossval.folds import FoldPlan, inner_splits

LARGEST_PENALTY = 1e3
SMALLEST_PENALTY = 1e-2
WIDER = 5
"""Components in which those of fewer training cells are sought, relative to the components that are used."""
Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class _Decomposed:
    """Ridge regression on some cells, by singular value decomposition of their component scores.

    Attributes
    ----------
    back
        Projects targets on the left singular vectors, shape (components, cells); 0 outside of the training cells.
    ahead
        Component scores of the cells to predict in the singular basis, shape (cells to predict, components).
    shrink
        Factors s / (s^2 + penalty), shape (penalties, components); the last penalty is infinite and predicts the mean.
    penalties
        The penalties, shape (penalties,).
    """

    back: np.ndarray
    ahead: np.ndarray
    shrink: np.ndarray
    penalties: np.ndarray


@dataclass(frozen=True)
class _Validation:
    """One inner fold: its ridge regression, and matrices that give its validation error.

    Attributes
    ----------
    ridge
        Fitted to the inner training cells.
    against
        Gives products of ``ridge.ahead`` with targets minus their training mean, shape (components, cells).
    square
        Cross-products of ``ridge.ahead``, shape (components, components).
    """

    ridge: _Decomposed
    against: np.ndarray
    square: np.ndarray


@dataclass(frozen=True)
class _Wide:
    """Singular vectors of the training cells in more components than are used.

    Attributes
    ----------
    back
        Left singular vectors times singular values, shape (wide, cells); 0 outside of the training cells.
    ahead
        Component scores of the test cells, shape (test cells, wide).
    components
        Number of components that are used.
    """

    back: np.ndarray
    ahead: np.ndarray
    components: int


@dataclass(frozen=True)
class RidgeFold:
    """Parts of one outer fold that do not depend on the targets."""

    train: np.ndarray
    test: np.ndarray
    ridge: _Decomposed
    inner: tuple[_Validation, ...]
    wide: _Wide

    def at(self, cells: np.ndarray) -> RidgeFold:
        """Return the same regression for some of its test cells, given by their positions among these."""
        ridge = replace(self.ridge, ahead=self.ridge.ahead[cells])
        return replace(self, test=self.test[cells], ridge=ridge, wide=replace(self.wide, ahead=self.wide.ahead[cells]))


@dataclass(frozen=True)
class Tuning:
    """Settings of the ridge regression in an outer fold.

    Attributes
    ----------
    inner
        Number of grouped inner folds, which choose the penalty.
    components
        Number of principal components of the predictors.
    penalties
        Number of finite penalties; an infinite one is added.
    """

    inner: int
    components: int
    penalties: int


def ridge_folds(designs: list[np.ndarray], plan: FoldPlan, tuning: Tuning) -> list[RidgeFold]:
    """Prepare the ridge regressions of every outer fold.

    Principal components are fitted to the training cells of the outer fold; the penalty is chosen by inner folds
    that are grouped like the outer ones.

    Parameters
    ----------
    designs
        Predictors of each outer fold, standardised on its training cells, shape (cells, columns) each.
    plan
        Outer folds and groups.
    tuning
        Inner folds, components and penalties.
    """
    return [ridge_fold(d, split, plan.units, tuning) for d, split in zip(designs, plan.splits(), strict=True)]


def predict(folds: list[RidgeFold], targets: np.ndarray) -> np.ndarray:
    """Return out-of-fold predictions of every target, each with the penalty chosen by its inner folds.

    Parameters
    ----------
    folds
        From :func:`ridge_folds`.
    targets
        Shape (cells, targets). Missing values of training cells are replaced by the mean of the measured training
        cells of the fold, which shrinks the fit slightly towards the mean.

    References
    ----------
    Hoerl and Kennard, Technometrics 12 (1970) 55.
    """
    predicted = np.empty_like(targets)
    for fold in folds:
        predicted[fold.test] = predict_best((fold,), targets)
    return predicted


def predict_without(folds: list[RidgeFold], targets: np.ndarray, blocks: np.ndarray) -> Iterator[np.ndarray]:
    """Yield out-of-fold predictions without each block of training cells, at the penalties already chosen.

    Parameters
    ----------
    folds, targets
        As in :func:`predict`.
    blocks
        Block of each cell, 0 to blocks - 1, shape (cells,); each is in the test cells of one fold.
    """
    chosen = [Chosen.of((fold,), targets) for fold in folds]
    for block in range(int(blocks.max()) + 1):
        cells, predicted = np.flatnonzero(blocks == block), np.empty_like(targets)
        for fold, own in zip(folds, chosen, strict=True):
            # Its own test cells are predicted by models that were trained without it anyway.
            predicted[fold.test] = own.without(cells)
        yield predicted


def predict_best(alternatives: tuple[RidgeFold, ...], targets: np.ndarray) -> np.ndarray:
    """Return predictions of the test cells of one outer fold, by the alternative and penalty of least inner error.

    Parameters
    ----------
    alternatives
        The same outer and inner cells with different designs.
    targets
        As in :func:`predict`.

    Returns
    -------
    numpy.ndarray
        Shape (test cells, targets).
    """
    return Chosen.of(alternatives, targets).predict()


@dataclass(frozen=True)
class Chosen:
    """Alternative and penalty of least inner error of each target, in one outer fold.

    Attributes
    ----------
    alternatives
        The same outer and inner cells with different designs.
    mean
        Mean of the training cells, shape (targets,).
    filled
        Targets minus that mean, 0 where missing, shape (cells, targets).
    alternative, penalty
        What was chosen, each shape (targets,).
    """

    alternatives: tuple[RidgeFold, ...]
    mean: np.ndarray
    filled: np.ndarray
    alternative: np.ndarray
    penalty: np.ndarray

    @classmethod
    def of(cls, alternatives: tuple[RidgeFold, ...], targets: np.ndarray) -> Chosen:
        """Choose for each target, shape (cells, targets)."""
        mean = np.nanmean(targets[alternatives[0].train], axis=0)
        filled = np.nan_to_num(targets - mean, copy=False)
        errors = [_inner_errors(fold.inner, filled) for fold in alternatives]
        best = np.array([error.min(axis=0) for error in errors]).argmin(axis=0)
        penalty = np.array([error.argmin(axis=0) for error in errors])[best, np.arange(len(best))]
        return cls(alternatives, mean, filled, best, penalty)

    def predict(self) -> np.ndarray:
        """Predict the test cells at the chosen penalties, shape (test cells, targets)."""
        predicted = np.empty((len(self.alternatives[0].test), len(self.mean)))
        for number, fold in enumerate(self.alternatives):
            # Weights of the components, shape (components, targets), at the penalty chosen for each target.
            own = self.alternative == number
            weights = fold.ridge.shrink[self.penalty[own]].T * (fold.ridge.back @ self.filled[:, own])
            predicted[:, own] = self.mean[own] + fold.ridge.ahead @ weights
        return predicted

    def without(self, cells: np.ndarray) -> np.ndarray:
        """Predict the test cells without some training cells at the chosen penalties, shape (test cells, targets).

        Principal components are those of the remaining cells, within the first ``WIDER`` times as many components of
        all training cells; means are kept.

        Parameters
        ----------
        cells
            Positions of the cells that are left out.
        """
        predicted = np.tile(self.mean, (len(self.alternatives[0].test), 1))
        for number, fold in enumerate(self.alternatives):
            # Components of the remaining cells: eigenvectors of their cross products, shape (wide, components).
            wide, own = fold.wide, self.alternative == number
            out = wide.back[:, cells]
            values, vectors = np.linalg.eigh(wide.back @ wide.back.T - out @ out.T)
            values, vectors = (part[..., ::-1][..., : wide.components] for part in (values, vectors))
            products = wide.back @ self.filled[:, own] - out @ self.filled[np.ix_(cells, own)]
            penalty = fold.ridge.penalties[self.penalty[own]]
            weights = (vectors.T @ products) / (np.maximum(values, 0)[:, None] + penalty)
            predicted[:, own] += wide.ahead @ vectors @ weights
        return predicted


def _inner_errors(inner: tuple[_Validation, ...], targets: np.ndarray) -> np.ndarray:
    """Return the inner error of every penalty up to a constant, shape (penalties, targets).

    The squared error of predictions Z w is w' Z'Z w - 2 w' Z'y plus a constant, so predictions need not be computed
    for every penalty.
    """
    error = np.zeros((1, 1))  # shape (penalties, targets) after the first fold
    for fold in inner:
        # Weights of every penalty, shape (penalties, components, targets).
        weights = fold.ridge.shrink[:, :, None] * (fold.ridge.back @ targets)
        error = error + np.einsum("pct,pct->pt", weights, fold.square @ weights - 2 * (fold.against @ targets))
    return error


def ridge_fold(design: np.ndarray, split: Split, units: np.ndarray, tuning: Tuning) -> RidgeFold:
    """Prepare one outer fold, as :func:`ridge_folds` does; ``units`` are the groups of all cells."""
    # Principal components of the training cells; scores of all cells, shape (cells, components).
    train, test = split
    centred = design - design[train].mean(axis=0)
    left, singular, axes = np.linalg.svd(centred[train], full_matrices=False)
    scores = centred @ axes[: tuning.components].T
    many = WIDER * tuning.components
    back = np.zeros((min(many, len(singular)), len(design)), np.float32)
    back[:, train] = (left * singular)[:, :many].T
    wide = _Wide(back, (centred[test] @ axes[:many].T).astype(np.float32), tuning.components)
    inner = [(train[a], train[b]) for a, b in inner_splits(units[train], tuning.inner)]
    return RidgeFold(
        train,
        test,
        _decomposed(scores, train, test, tuning.penalties),
        tuple(_validation(scores, a, b, tuning.penalties) for a, b in inner),
        wide,
    )


def _validation(scores: np.ndarray, train: np.ndarray, test: np.ndarray, penalties: int) -> _Validation:
    ridge = _decomposed(scores, train, test, penalties)
    # Z'(y - training mean of y) as one matrix that is applied to y, shape (components, cells).
    against = np.zeros_like(ridge.back)
    against[:, test] = ridge.ahead.T
    against[:, train] -= ridge.ahead.sum(axis=0)[:, None] / len(train)
    return _Validation(ridge, against, ridge.ahead.T @ ridge.ahead)


def _decomposed(scores: np.ndarray, train: np.ndarray, test: np.ndarray, penalties: int) -> _Decomposed:
    """Decompose the scores of the training cells; penalties are relative to their mean squared singular value."""
    centre = scores[train].mean(axis=0)
    left, singular, right = np.linalg.svd(scores[train] - centre, full_matrices=False)
    usable = singular > singular.max(initial=0.0) * 1e-7
    left, singular, right = left[:, usable], singular[usable], right[usable]
    back = np.zeros((len(singular), len(scores)))
    back[:, train] = left.T
    # Ridge factors of every penalty, shape (penalties + 1, components).
    scale = np.square(singular).mean() if len(singular) else 1.0
    grid = scale * np.geomspace(SMALLEST_PENALTY, LARGEST_PENALTY, penalties)
    shrink = np.vstack([singular / (np.square(singular) + grid[:, None]), np.zeros(len(singular))])
    ahead = (scores[test] - centre) @ right.T
    return _Decomposed(*(np.asarray(part, np.float32) for part in (back, ahead, shrink, [*grid, np.inf])))
