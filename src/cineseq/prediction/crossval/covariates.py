"""Penalised additive splines of covariates, fitted to the training cells of a fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.ridge import Chosen, RidgeFold, Tuning, predict_best, ridge_fold
from cineseq.prediction.crossval.transform import SMALLEST_DEVIATION, standardised

MOST_TERMS = 4
"""Columns of the spline of one covariate: five knots."""

CELLS_PER_TERM = 3
"""Training cells for each column of the design; with fewer the splines have fewer knots."""

PENALTIES = 9
CLOSE_PENALTIES = np.geomspace(1e-3, 1e4, 15)
CURVES = (1.0, 0.1, 0.0)
"""Weights of the curved columns beside the straight ones, among which inner folds choose; 0 leaves lines."""

_KNOTS = {2: (0.10, 0.50, 0.90), 3: (0.05, 0.35, 0.65, 0.95), 4: (0.05, 0.275, 0.50, 0.725, 0.95)}


@dataclass(frozen=True)
class Splines:
    """Columns of splines, shape (cells, terms), and which of them are curved, shape (terms,)."""

    values: np.ndarray
    curved: np.ndarray

    def weights(self, curve: float) -> np.ndarray:
        """Return the weights of the columns that are left when curves have some weight; those of weight 0 are not."""
        weights = np.where(self.curved, curve, 1.0)
        return weights[weights > 0]


def natural_splines(block: Block, train: np.ndarray) -> Splines:
    """Return natural cubic splines of the columns of a block.

    Knots are quantiles of the training cells. The columns of one covariate have mean 0 and variance 1 in the training
    cells and are uncorrelated there. A covariate of fewer than six values is one column. Outside of the outer knots the
    splines are linear.

    Parameters
    ----------
    block
        Covariates; missing values are replaced by the median of the training cells.
    train
        Positions of the training cells.

    References
    ----------
    Harrell, Regression Modeling Strategies (2015), section 2.4.5 (knots).
    """
    values = standardised(block, train, 0.0, None).values
    terms = int(np.clip(len(train) // (CELLS_PER_TERM * max(1, values.shape[1])), 1, MOST_TERMS))
    parts = [_spline(column, train, terms) for column in values.T]
    curved = np.concatenate([np.arange(part.shape[1]) > 0 for part in parts]) if parts else np.zeros(0, bool)
    return Splines(np.column_stack(parts) if parts else values, curved)


def _spline(values: np.ndarray, train: np.ndarray, terms: int) -> np.ndarray:
    """Return the uncorrelated columns of the spline of one covariate, shape (cells, at most terms)."""
    columns = [values]
    if terms > 1 and len(np.unique(values[train])) > MOST_TERMS + 1:
        knots = np.unique(np.quantile(values[train], _KNOTS[terms]))
        # Restricted cubic terms, one for each knot but the last two; linear beyond the outer knots.
        *inner, before, last = knots if len(knots) > 2 else (0.0, 1.0)
        cubes = {knot: np.maximum(values - knot, 0) ** 3 for knot in knots}
        columns += [
            cubes[k] - cubes[before] * (last - k) / (last - before) + cubes[last] * (before - k) / (last - before)
            for k in inner
        ]
    design = np.column_stack(columns)
    design = design - design[train].mean(axis=0)
    # Uncorrelated in the training cells: the triangular factor of these is undone in all cells.
    triangle = np.linalg.qr(design[train] / design[train].std(axis=0))[1]
    keep = np.abs(np.diag(triangle)) > 1e-6 * np.sqrt(len(train))
    design, triangle = design[:, keep] / design[train][:, keep].std(axis=0), triangle[np.ix_(keep, keep)]
    return np.linalg.solve(triangle.T, design.T).T * np.sqrt(len(train))


def cubic_curves(values: np.ndarray) -> np.ndarray:
    """Return cubic splines of columns, with a knot at the median and powers up to the ends, for tests.

    A natural spline is a straight line beyond its outer knots: what it leaves there of a curve is left of the function
    and of all that goes with the covariate.

    Parameters
    ----------
    values
        Covariates without missing values, shape (cells, covariates). Where cells are few, or a covariate has fewer than
        six values, terms are left out, the cube beyond the median first.

    Returns
    -------
    numpy.ndarray
        Shape (cells, terms), each term with standard deviation 1.
    """
    terms = int(np.clip(len(values) // (CELLS_PER_TERM * max(1, values.shape[1])), 1, MOST_TERMS))
    parts = []
    for column in values.T:
        own = (column - column.mean()) / max(column.std(), SMALLEST_DEVIATION)
        curves = [own, np.square(own), own**3, np.maximum(own - np.median(own), 0) ** 3]
        parts += curves[: terms if len(np.unique(column)) > MOST_TERMS + 1 else 1]
    design = np.column_stack(parts) if parts else np.empty((len(values), 0))
    return design / np.maximum(design.std(axis=0), SMALLEST_DEVIATION)


@dataclass(frozen=True)
class CovariateModel:
    """Penalised splines of some training cells, ready for any number of targets.

    Attributes
    ----------
    train
        Positions of the training cells.
    values
        The splines, shape (cells, terms).
    alternatives
        Ridge regressions with different weights of the curves, which predict all cells; none without a column.
    """

    train: np.ndarray
    values: np.ndarray
    alternatives: tuple[RidgeFold, ...]

    @classmethod
    def of(cls, splines: Splines, train: np.ndarray, units: np.ndarray, inner: int) -> CovariateModel:
        """Prepare the fits to the training cells, shape (training cells,); ``inner`` folds of ``units`` choose."""
        split = (train, np.arange(len(units)))
        weights = CURVES if splines.curved.any() else (1.0,)
        designs = [splines.values[:, ~splines.curved | (w > 0)] * splines.weights(w) for w in weights]
        folds = [ridge_fold(d, split, units, Tuning(inner, d.shape[1], PENALTIES)) for d in designs if d.shape[1]]
        return cls(train, splines.values, tuple(folds))

    def predict(self, targets: np.ndarray) -> np.ndarray:
        """Return the fit of all cells, shape (cells, targets), of which only training cells are used.

        Inner folds choose penalty and weight of the curves for each target; the largest penalty predicts the mean.
        """
        if not self.alternatives:
            return np.tile(targets[self.train].mean(axis=0), (len(targets), 1))
        return predict_best(self.alternatives, targets)

    def without(self, targets: np.ndarray, blocks: np.ndarray) -> np.ndarray:
        """Return :meth:`predict` without each block of training cells, shape (blocks, cells, targets).

        ``blocks`` are those of all cells, shape (cells,); only blocks of training cells count, in the order of
        ``numpy.unique``.
        """
        own = np.unique(blocks[self.train])
        if not self.alternatives:
            return np.tile(targets[self.train].mean(axis=0), (len(own), len(targets), 1))
        chosen = Chosen.of(self.alternatives, targets)
        return np.array([chosen.without(np.flatnonzero(blocks == block)) for block in own])

    def predict_closely(self, targets: np.ndarray) -> np.ndarray:
        """Return the fit of all cells with full curves, each target at the least generalised cross-validation error.

        It is for added columns: less is left of a curve than in :meth:`predict`, which predicts other cells better.

        Parameters
        ----------
        targets
            Shape (cells, targets).

        References
        ----------
        Golub, Heath and Wahba, Technometrics 21 (1979) 215.
        """
        mean = targets[self.train].mean(axis=0)
        own = targets[self.train] - mean
        centre = self.values[self.train].mean(axis=0)
        left, singular, right = np.linalg.svd(self.values[self.train] - centre, full_matrices=False)
        usable = singular > singular.max(initial=0.0) * 1e-7
        left, singular, right = left[:, usable], singular[usable], right[usable]
        if not len(singular):
            return np.tile(mean, (len(targets), 1))
        # Shrinkage of every penalty, (penalties, rank); the last predicts the mean.
        square, projected = np.square(singular), left.T @ own
        kept = np.vstack([square / (square + square.mean() * CLOSE_PENALTIES[:, None]), np.zeros(len(square))])
        # Residual sum of squares, (penalties, targets), and what is left of the degrees of freedom, (penalties,).
        residual = np.square(own).sum(axis=0) - (2 * kept - np.square(kept)) @ np.square(projected)
        freedom = np.maximum(len(own) - 1 - kept.sum(axis=1), 1e-9)
        chosen = (residual / np.square(freedom)[:, None]).argmin(axis=0)
        scores = (self.values - centre) @ right.T
        return mean + scores @ (kept[chosen].T * projected / singular[:, None])
