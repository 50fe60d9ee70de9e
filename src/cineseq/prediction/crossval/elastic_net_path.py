"""Elastic-net paths of one response on the overlapping training sets of cross-validation, with a working set.

All training sets are subsets of the same cells, each without one fold. Columns that could be selected enter a working
set (strong rules), and scikit-learn's coordinate descent runs on its Gram matrices. After each piece of the path the
optimality condition is checked for all columns outside of the working set, and violating columns are added. The Gram
matrix of a training set is that of all cells minus that of the cells it leaves out, so that all sets together cost
little more than one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path

MOST_ITERATIONS = 2000
# A piece of the path spans at most this factor of the penalty, so that few columns enter between two checks.
PIECE = 0.8
# Columns that reach this fraction of their bound also join the working set, so that few pieces are repeated.
NEAR = 0.95
# Up to this number of columns, computing whole Gram matrices at once is faster than extending them.
ALL_AT_ONCE = 1000


class Sets:
    """Training sets that leave out some of the same cells, with the Gram matrices computed so far.

    Parameters
    ----------
    columns
        Predictors of all cells, centred over all of them, in Fortran order, shape (cells, columns).
    left_out
        Positions of the cells that each set leaves out.
    first
        Number of columns, from the first, of the first side in cooperative learning; None for all.
    """

    def __init__(self, columns: np.ndarray, left_out: list[np.ndarray], first: int | None = None) -> None:
        self.columns, self.left_out = columns, left_out
        # +1 for columns of the first side, -1 for the others, shape (columns,); 1 for kept cells, shape (cells, sets).
        self.side = np.ones(columns.shape[1])
        self.side[columns.shape[1] if first is None else first :] = -1
        self.kept = np.ones((len(columns), len(left_out)))
        for number, rows in enumerate(left_out):
            self.kept[rows, number] = 0
        self._place = np.full(columns.shape[1], -1)
        self._count = 0
        # Buffers with spare room, so that adding few columns at a time seldom copies them.
        # Columns known so far, shape (cells, room), and one Gram matrix per set, shape (room, room).
        self._known = np.empty((len(columns), 0), order="F")
        self._grams = [np.empty((0, 0)) for _ in left_out]
        if columns.shape[1] <= ALL_AT_ONCE:
            self._learn(np.arange(columns.shape[1]))

    def gram(self, number: int, columns: np.ndarray) -> np.ndarray:
        """Return the Gram matrix of some columns, centred in one set, shape (columns, columns)."""
        self._learn(columns[self._place[columns] < 0])
        places = self._place[columns]
        return self._grams[number][np.ix_(places, places)]

    def _learn(self, new: np.ndarray) -> None:
        """Extend the Gram matrices by new columns."""
        if not len(new):
            return
        first, last = self._count, self._count + len(new)
        self._reserve(last)
        self._known[:, first:last] = self.columns[:, new]
        known = self._known[:, :last]
        added = known[:, first:]
        # Cross products of all cells, minus those of the cells left out, minus the correction for centring.
        whole = known.T @ added
        for number, rows in enumerate(self.left_out):
            kept = self.kept[:, number]
            mean = kept @ known / kept.sum()
            cross = whole - known[rows].T @ added[rows] - kept.sum() * np.outer(mean, mean[first:])
            self._grams[number][:last, first:last] = cross
            self._grams[number][first:last, :first] = cross[:first].T
        self._place[new] = np.arange(first, last)
        self._count = last

    def _reserve(self, columns: int) -> None:
        """Make room for a total number of columns, and for half as many again if there are more."""
        if columns <= self._known.shape[1]:
            return
        room = min(columns + columns // 2, self.columns.shape[1])
        known = np.empty((len(self.columns), room), order="F")
        known[:, : self._count] = self._known[:, : self._count]
        self._known = known
        for number, before in enumerate(self._grams):
            self._grams[number] = np.empty((room, room))
            self._grams[number][: self._count, : self._count] = before[: self._count, : self._count]


@dataclass(frozen=True)
class Piece:
    """Solutions for consecutive penalties of the path.

    Attributes
    ----------
    at
        Positions of the penalties.
    predicted
        Predictions of all cells by the fit to each set, shape (cells, sets, penalties).
    chosen
        Columns of the working set, shape (chosen,).
    coefficients
        Coefficients of these columns, shape (sets, chosen, penalties).
    """

    at: slice
    predicted: np.ndarray
    chosen: np.ndarray
    coefficients: np.ndarray


class Problem:
    """Elastic-net problem of one response on some training sets, with the working set of its path.

    Parameters
    ----------
    sets
        Predictors and training sets.
    numbers
        Numbers of the sets to fit.
    response
        Shape (cells,).
    tolerance
        Duality gap at which a fit stops, relative to the sum of squares of the response. No column outside the working
        set exceeds its bound by more than this fraction.
    agreement
        Weight of half the squared difference between the predictions of both sides, relative to half the squared error.

    References
    ----------
    Friedman, Hastie and Tibshirani, J. Stat. Softw. 33 (2010) 1 (covariance updates); Tibshirani et al., J. R. Stat.
    Soc. B 74 (2012) 245 (strong rules with a check of the optimality condition); Ding et al., Proc. Natl. Acad. Sci.
    119 (2022) e2202113119 (agreement).
    """

    def __init__(
        self, sets: Sets, numbers: list[int], response: np.ndarray, tolerance: float, agreement: float = 0.0
    ) -> None:
        self._sets, self._numbers, self._tolerance, self.agreement = sets, numbers, tolerance, agreement
        self._kept = sets.kept[:, numbers]
        self._sizes = self._kept.sum(axis=0)
        self._means = response @ self._kept / self._sizes
        self._centred = (response[:, None] - self._means) * self._kept
        # Products of columns and response, shape (columns, sets). The centred response sums to zero in each set, so the
        # columns need not be centred.
        self.products = sets.columns.T @ self._centred
        self._grams = [np.empty((0, 0)) for _ in numbers]
        self.chosen = np.empty(0, dtype=int)

    def walk(self, ratio: float, alphas: np.ndarray) -> Iterator[Piece]:
        """Yield the path piece by piece; each piece is computed only when requested.

        Parameters
        ----------
        ratio
            Mixing ratio between ridge (0) and lasso (1).
        alphas
            Decreasing penalties, shape (penalties,).
        """
        step = alphas[1] / alphas[0] if len(alphas) > 1 else 1.0
        length = max(1, int(np.log(PIECE) / np.log(step))) if step < 1 else 1
        start_at = np.zeros((len(self._numbers), len(self.products)))
        for first in range(0, len(alphas), length):
            at = slice(first, min(first + length, len(alphas)))
            if first == 0:
                # Start with an empty working set; Gram matrices of columns from an earlier path are kept.
                self.chosen, self._grams = np.empty(0, dtype=int), [np.empty((0, 0)) for _ in self._numbers]
                self._include(self._entering(self.products[:, :, None], ratio * alphas[at], NEAR))
            # Fit the working set, add columns that violate the optimality condition, and refit until there are none.
            piece = self._solve(ratio, alphas[at], start_at)
            while len(new := self._missed(piece, ratio * alphas[at])):
                self._include(new)
                start_at[:, piece.chosen] = piece.coefficients[:, :, 0]
                piece = self._solve(ratio, alphas[at], start_at)
            # Warm start of the next piece.
            start_at[:, piece.chosen] = piece.coefficients[:, :, -1]
            yield Piece(at, piece.predicted + self._means[:, None], piece.chosen, piece.coefficients)

    def _include(self, new: np.ndarray) -> None:
        """Add columns to the working set."""
        if len(new):
            self.chosen = np.concatenate([self.chosen, new])
            self._grams = [self._sets.gram(number, self.chosen) for number in self._numbers]
            if self.agreement:
                side = self._sets.side[self.chosen]
                # Cooperative learning is a least-squares problem with augmented rows; only the Gram matrix changes.
                self._grams = [gram * (1 + self.agreement * np.outer(side, side)) for gram in self._grams]

    def _entering(self, products: np.ndarray, penalties: np.ndarray, fraction: float) -> np.ndarray:
        """Return columns outside the working set whose product with a residual reaches a fraction of its bound."""
        bounds = self._sizes[:, None] * penalties * fraction
        reached = (np.abs(products) >= bounds).any(axis=(1, 2))
        reached[self.chosen] = False
        return np.flatnonzero(reached)

    def _missed(self, piece: Piece, penalties: np.ndarray) -> np.ndarray:
        """Return columns that violate the optimality condition, with those close to it; empty where none does."""
        # Gradient: product of every column with the residuals, shape (columns, sets, penalties).
        residual = (self._centred[:, :, None] - piece.predicted) * self._kept[:, :, None]
        products = self._products(residual)
        if self.agreement:
            side = self._sets.side[:, None, None]
            products -= self.agreement * side * self._products(self._difference(piece))
        if not len(self._entering(products, penalties, 1 + self._tolerance)):
            return np.empty(0, dtype=int)
        return self._entering(products, penalties, NEAR)

    def _products(self, values: np.ndarray) -> np.ndarray:
        """Return the product of every column with values of shape (cells, sets, penalties)."""
        flat = values.reshape(len(values), -1)
        return (self._sets.columns.T @ flat).reshape(-1, *values.shape[1:])

    def _difference(self, piece: Piece) -> np.ndarray:
        """Return the prediction of the first side minus that of the other, centred per set; 0 for cells left out."""
        values = self._sets.columns[:, piece.chosen] * self._sets.side[piece.chosen]
        apart = np.einsum("ij,sjk->isk", values, piece.coefficients, optimize=True)
        mean = np.einsum("is,isk->sk", self._kept, apart) / self._sizes[:, None]
        return (apart - mean) * self._kept[:, :, None]

    def _solve(self, ratio: float, alphas: np.ndarray, start_at: np.ndarray) -> Piece:
        """Fit the working set; predictions are of the centred response."""
        # Shapes (sets, chosen, penalties) and (cells, sets, penalties).
        coefficients = np.zeros((len(self._numbers), len(self.chosen), len(alphas)))
        predicted = np.zeros((len(self._kept), len(self._numbers), len(alphas)))
        values = self._sets.columns[:, self.chosen]
        for number, gram in enumerate(self._grams):
            if not len(gram):
                break
            coefficients[number] = _path(
                gram,
                self.products[self.chosen, number],
                self._centred[self._kept[:, number] > 0, number],
                ratio=ratio,
                alphas=alphas,
                start_at=start_at[number, self.chosen],
                tolerance=self._tolerance,
            )
            fitted = values @ coefficients[number]
            predicted[:, number] = fitted - self._kept[:, number] @ fitted / self._sizes[number]
        return Piece(slice(0), predicted, self.chosen, coefficients)


def _path(
    gram: np.ndarray,
    products: np.ndarray,
    response: np.ndarray,
    *,
    ratio: float,
    alphas: np.ndarray,
    start_at: np.ndarray,
    tolerance: float,
) -> np.ndarray:
    """Return elastic-net coefficients along decreasing penalties, shape (columns, penalties).

    Coordinate descent with covariance updates (Friedman, Hastie and Tibshirani 2010), as scikit-learn implements it.
    """
    # With a precomputed Gram matrix, scikit-learn uses only the shape of the predictors.
    shape_only = np.broadcast_to(0.0, (len(response), len(gram)))
    with warnings.catch_warnings(), config_context(skip_parameter_validation=True):
        warnings.simplefilter("ignore", ConvergenceWarning)
        return enet_path(
            shape_only,
            response,
            l1_ratio=ratio,
            alphas=alphas,
            precompute=gram,
            Xy=products,
            coef_init=start_at,
            tol=tolerance,
            max_iter=MOST_ITERATIONS,
            check_input=False,
            random_state=0,  # never used in cyclic order, but without it scikit-learn moves the global generator
        )[1]
