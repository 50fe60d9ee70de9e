"""Epsilon squared within strata: the share of variance that predictors explain, corrected for their number.

Cells of a stratum (a field of view) share its level. Predictors and values are centred within strata, so that only
differences between cells of the same stratum count. The share is adjusted as the adjusted R² is, and its mean is 0
where predictors explain nothing. Its interval is a jackknife over strata.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ncfdtr

from cineseq.statistics import CONFIDENCE
from cineseq.statistics.jackknife import JackknifeT, group_sums, jackknife_t
from cineseq.statistics.metrics import centred
from cineseq.statistics.permutation import CHUNK, permuted_statistics
from cineseq.statistics.position import SpatialNulls

HALVINGS = 50
"""Steps of bisection."""
TOLERANCE = 1e-10
"""Eigenvalues below this fraction of the largest count as zero."""


@dataclass(frozen=True)
class WithinStrata:
    """Predictors of the same cells, centred within strata.

    Attributes
    ----------
    predictors
        Shape (cells, k), centred within strata; made by :meth:`of`.
    strata
        Number of the stratum of each cell, from 0 and without gaps, shape (cells,).
    """

    predictors: np.ndarray
    strata: np.ndarray

    @classmethod
    def of(cls, predictors: np.ndarray, strata: np.ndarray) -> WithinStrata:
        """Centre predictors of shape (cells, k) within strata, labels of shape (cells,)."""
        codes = np.unique(strata, return_inverse=True)[1]
        return cls(centred(np.asarray(predictors, float), codes), codes)

    def centred(self, values: np.ndarray) -> np.ndarray:
        """Centre values of shape (cells,) within the strata."""
        return centred(np.asarray(values, float)[:, None], self.strata)[:, 0]

    @cached_property
    def freedom(self) -> int:
        """Number of cells minus number of strata."""
        return len(self.strata) - int(self.strata.max()) - 1

    @cached_property
    def rank(self) -> int:
        """Number of predictors that are independent within strata."""
        return int(_rank(self.predictors.T @ self.predictors))

    @cached_property
    def inverse(self) -> np.ndarray:
        """Generalised inverse of the products of predictors, shape (k, k)."""
        return np.linalg.pinv(self.predictors.T @ self.predictors, rcond=TOLERANCE, hermitian=True)

    def _by_stratum(self) -> list[np.ndarray]:
        """Return the predictors of each stratum, shapes (cells of the stratum, k)."""
        order = np.argsort(self.strata, kind="stable")
        return np.split(self.predictors[order], np.bincount(self.strata).cumsum()[:-1])

    def together(self, values: np.ndarray) -> np.ndarray:
        """Return epsilon squared of all predictors together.

        Parameters
        ----------
        values
            Centred within strata, shape (..., cells).

        Returns
        -------
        numpy.ndarray
            Shape (...); NaN where values do not vary within strata or too few cells are left over.

        References
        ----------
        Kelley, Proc. Natl Acad. Sci. USA 21 (1935) 554.
        """
        moments = values @ self.predictors  # (..., k)
        explained = np.einsum("...i,ij,...j->...", moments, self.inverse, moments)
        return _adjusted(explained, np.square(values).sum(axis=-1), self.freedom, self.rank)

    def apart(self, values: np.ndarray) -> np.ndarray:
        """Return epsilon squared of each predictor by itself, shape (..., k); values as in :meth:`together`."""
        scale = np.square(self.predictors).sum(axis=0)
        explained = (values @ self.predictors) ** 2 / np.where(scale > 0, scale, np.nan)
        return _adjusted(explained, np.square(values).sum(axis=-1)[..., None], self.freedom, 1)

    def overall(self, values: np.ndarray) -> float:
        """Return :meth:`together` of several columns as one: explained over total sums of squares of all of them.

        Parameters
        ----------
        values
            Centred within strata, shape (cells, columns).
        """
        moments = self.predictors.T @ values
        explained = np.einsum("im,ij,jm->", moments, self.inverse, moments)
        return float(_adjusted(explained, np.square(values).sum(), self.freedom, self.rank))

    def permuted_overall(
        self,
        values: np.ndarray,
        blocks: list[np.ndarray],
        permutations: int,
        rng: np.random.Generator,
        by_position: SpatialNulls | None = None,
    ) -> np.ndarray:
        """Return :meth:`overall` of permuted values, shape (permutations,).

        Parameters
        ----------
        values
            Centred within strata, shape (cells, columns).
        blocks
            From :func:`cineseq.statistics.permutation.exchangeable_blocks`, within the same strata.
        permutations
            Their number.
        rng
            Random generator.
        by_position
            How the values vary with position, which permuted values keep; None where they do not.
        """
        total = np.square(values).sum()

        def along_position(nulls: SpatialNulls, rows: np.ndarray) -> np.ndarray:
            # Permuted values, (cells, permutations, columns), a part of the permutations at a time.
            step = max(1, CHUNK // values.size)
            parts = [rows[start : start + step].T for start in range(0, len(rows), step)]
            return np.concatenate([self._of_each(nulls.permuted(part)) for part in parts])

        def statistic(rows: np.ndarray) -> np.ndarray:
            if by_position is not None and by_position.share:
                return along_position(by_position, rows)
            # Moments of each permuted predictor with each column, (permutations, k, columns); permutations stay within
            # strata, so the products of predictors do not change.
            moments = np.stack([column[rows] @ values for column in self.predictors.T], axis=1)
            explained = np.einsum("pim,ij,pjm->p", moments, self.inverse, moments)
            return _adjusted(explained, total, self.freedom, self.rank)

        return permuted_statistics(np.arange(len(values)), blocks, permutations, rng, statistic)

    def _of_each(self, values: np.ndarray) -> np.ndarray:
        """Return :meth:`overall` of each of several sets of values, shape (cells, sets, columns) to (sets,)."""
        own = centred(values, self.strata)
        moments = np.einsum("nk,npc->pkc", self.predictors, own, optimize=True)
        explained = np.einsum("pim,ij,pjm->p", moments, self.inverse, moments)
        return _adjusted(explained, np.square(own).sum(axis=(0, 2)), self.freedom, self.rank)

    def jackknife_together(self, values: np.ndarray) -> JackknifeT:
        """Return :meth:`overall` with its jackknife standard error over strata; values (cells,) or (cells, columns)."""
        columns = values.reshape(len(values), -1)
        # Sums within each stratum, then without it: products (strata, k, k), moments (strata, k, columns), squares.
        products = np.stack([own.T @ own for own in self._by_stratum()])
        moments = group_sums(self.predictors[:, :, None] * columns[:, None, :], self.strata)
        squares, freedom = group_sums(np.square(columns).sum(axis=1), self.strata), np.bincount(self.strata) - 1
        left, inner = products.sum(axis=0) - products, moments.sum(axis=0) - moments
        inverse = np.linalg.pinv(left, rcond=TOLERANCE, hermitian=True)
        explained = np.einsum("gim,gij,gjm->g", inner, inverse, inner)
        without = _adjusted(explained, squares.sum() - squares, self.freedom - freedom, _rank(left))
        return jackknife_t(self.overall(columns), without, freedom > 0)

    def jackknife_apart(self, values: np.ndarray) -> JackknifeT:
        """Return :meth:`apart` with its jackknife standard errors over strata, each shape (k,)."""
        # The same for each predictor by itself: sums within strata of shape (strata, k).
        scale = group_sums(self.predictors**2, self.strata)
        moments = group_sums(self.predictors * values[:, None], self.strata)
        squares, freedom = group_sums(values**2, self.strata), np.bincount(self.strata) - 1
        left, inner = scale.sum(axis=0) - scale, moments.sum(axis=0) - moments
        explained = inner**2 / np.where(left > 0, left, np.nan)
        total = (squares.sum() - squares)[:, None]
        without = _adjusted(explained, total, (self.freedom - freedom)[:, None], 1)
        return jackknife_t(self.apart(values), without, freedom > 0)


def normal_upper_end(estimate: np.ndarray, freedom: int, rank: int, level: float = CONFIDENCE) -> np.ndarray:
    """Return the end of the one-sided interval of epsilon squared, open below, if values are normal and independent.

    The jackknife is too sure of small estimates: around zero, leaving out a stratum hardly changes a sum of squares.
    This end inverts the distribution of the F statistic, and is exact in small samples. It does not allow for alike
    cells or for associations that differ between strata, as the jackknife does.

    Parameters
    ----------
    estimate
        Epsilon squared, shape (...).
    freedom
        Number of cells minus number of strata.
    rank
        Number of predictors.
    level
        Probability that the end is above the share.

    Returns
    -------
    numpy.ndarray
        Shape (...), 0 to 1; NaN where the estimate is.

    References
    ----------
    Steiger, Psychol. Methods 9 (2004) 164.
    """
    estimate = np.asarray(estimate, float)
    rest = freedom - rank
    ratio = np.clip(1 - (1 - estimate) * rest / freedom, 0, 1)
    f = ratio / rank / np.maximum((1 - ratio) / rest, TOLERANCE)
    # The noncentrality at which so small an F has probability 1 - level, by bisection between ends that bracket it.
    low, high = np.zeros_like(f), rank * (1 + f)
    while (short := ncfdtr(rank, rest, high, f) > 1 - level).any():
        high = np.where(short, 2 * high, high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = ncfdtr(rank, rest, middle, f) > 1 - level
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(np.isfinite(estimate), high / (high + freedom), np.nan)


def indicators(codes: np.ndarray) -> np.ndarray:
    """Return one column per group, 1 for its cells and 0 for the others; ``codes`` from 0, shape (cells,)."""
    return np.eye(int(codes.max()) + 1)[codes]


def _rank(products: np.ndarray) -> np.ndarray:
    """Return the rank of sums of products, shape (..., k, k) to (...)."""
    values = np.linalg.eigvalsh(products)
    return (values > TOLERANCE * np.maximum(values[..., -1:], 1e-300)).sum(axis=-1)


def _adjusted(
    explained: np.ndarray, total: np.ndarray, freedom: np.ndarray | int, rank: np.ndarray | int
) -> np.ndarray:
    """Return the explained share of a total, adjusted for the number of predictors."""
    left_over = np.asarray(freedom - rank)
    usable = (total > 0) & (left_over > 0)
    ratio = np.divide(total - explained, total, out=np.full(np.shape(explained), np.nan), where=usable)
    return 1 - ratio * freedom / np.where(left_over > 0, left_over, 1)
