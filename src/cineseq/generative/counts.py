"""Counts around a conditional mean: negative binomial, with library sizes of cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cineseq.generative.means import MeanModel

POWERS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
DEPTHS = (1.0, 0.75, 0.5, 0.25, 0.0, 1.25, 1.5)
"""Powers of total counts; the first is that of counts which are a fraction of them."""


@dataclass(frozen=True)
class CountModel:
    """Negative binomial counts of genes.

    Attributes
    ----------
    factor, power
        Expected counts are a factor times a power of what the mean logarithm stands for, shape (genes,) each: the mean
        of logarithms varies less than the logarithm of the mean.
    depth
        Power of the total counts of a cell to which expected counts are proportional, shape (genes,).
    dispersion
        Variance beyond that of Poisson counts, relative to the squared mean, shape (genes,).
    library
        Conditional mean of the logarithm of total counts.
    libraries
        Total counts of training cells relative to those that were expected of them, shape (cells,), from which those of
        generated cells are drawn.
    typical
        Total counts to which the logarithms are normalised.
    """

    factor: np.ndarray
    power: np.ndarray
    depth: np.ndarray
    dispersion: np.ndarray
    library: MeanModel
    libraries: np.ndarray
    typical: float

    def expected(self, log_mean: np.ndarray, libraries: np.ndarray) -> np.ndarray:
        """Return expected counts, shape (cells, genes), from mean logarithms and total counts of cells."""
        return _rate(log_mean) ** self.power * (libraries / self.typical)[:, None] ** self.depth * self.factor

    def moments(self, log_mean: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return sums over cells of expected counts and of expected squared counts, shape (2, genes).

        Parameters are those of :meth:`draw`; nothing is drawn, so that they are those of infinitely many draws.
        """
        rate = self.expected(log_mean, np.exp(self.library.predict(x)[:, 0]))
        first, square = _over_libraries(rate, self.libraries, self.depth)
        return len(rate) * np.stack([first, first + (1 + self.dispersion) * square])

    def draw(self, log_mean: np.ndarray, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return counts of cells, shape (cells, genes).

        Parameters
        ----------
        log_mean
            Conditional mean of log-normalised expression, shape (cells, genes). It is not a sample: the noise of cells
            is in the counts already.
        x
            Predictors of the cells, shape (cells, predictors).
        rng
            Draws counts, and total counts around those that are expected.
        """
        relative = self.libraries[rng.integers(len(self.libraries), size=len(log_mean))]
        libraries = np.exp(self.library.predict(x)[:, 0]) * relative
        mean = self.expected(log_mean, libraries)
        shape = 1 / np.maximum(self.dispersion, 1e-6)
        rate = np.where(self.dispersion > 1e-6, rng.gamma(shape, mean / shape), mean)
        return rng.poisson(rate).astype(np.float32)


def fit_counts(
    counts: np.ndarray, log_mean: np.ndarray, library: MeanModel, libraries: np.ndarray, typical: float
) -> CountModel:
    """Fit each gene by moments, so that generated counts have the mean and variance of the measured ones.

    Dispersion is around the conditional mean with the total counts that are generated, not with the measured ones,
    which may go with the expression of a gene beyond what predictors tell.

    Parameters
    ----------
    counts
        Measured counts of training cells, shape (cells, genes).
    log_mean
        Conditional means of log-normalised expression of the same cells, by models that did not see them.
    library
        Conditional mean of the logarithm of total counts, learned in these cells.
    libraries
        Total counts of the cells, shape (cells,).
    typical
        Total counts to which logarithms are normalised.
    """
    rate, size = _rate(log_mean), (libraries / typical)[:, None]
    # Powers of least squared error of each gene, one after the other.
    power = _least(counts, POWERS, lambda tried: rate**tried * size)
    rate = rate**power
    depth = _least(counts, DEPTHS, lambda tried: rate * size**tried)
    # Mean and variance of counts as they are generated, with total counts of which only the mean is known: those of the
    # measured ones. What the means do not give, and Poisson counts do not, is dispersion.
    predicted = np.exp(library.held_out[:, 0])
    relative = libraries / predicted
    mean, square = _over_libraries(rate * (predicted / typical)[:, None] ** depth, relative, depth)
    factor = counts.mean(axis=0) / np.maximum(mean, 1e-12)
    mean, square = mean * factor, square * factor**2
    beyond = counts.var(axis=0) - (square - mean**2) - mean
    dispersion = np.clip(beyond / np.maximum(square, 1e-12), 0, None)
    return CountModel(factor, power, depth, dispersion, library, relative, float(typical))


def _least(counts: np.ndarray, powers: Sequence[float], expected: Callable[[float], np.ndarray]) -> np.ndarray:
    """Return the power of least squared error of each gene, shape (genes,), scaled to the mean of the gene."""
    best, power = np.full((2, counts.shape[1]), np.inf)
    for tried in powers:
        mean = expected(tried)
        scale = counts.sum(axis=0) / np.maximum(mean.sum(axis=0), 1e-12)
        error = np.square(counts - mean * scale).sum(axis=0)
        better = error < best
        best, power = np.where(better, error, best), np.where(better, tried, power)
    return power


def _over_libraries(rate: np.ndarray, relative: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and mean square of expected counts over cells and draws of relative total counts, (genes,)."""
    powers, position = np.unique(depth, return_inverse=True)
    mean, square = (np.array([(relative ** (k * p)).mean() for p in powers])[position] for k in (1, 2))
    return rate.mean(axis=0) * mean, np.square(rate).mean(axis=0) * square


def _rate(log_mean: np.ndarray) -> np.ndarray:
    """Return normalised counts of mean logarithms; never quite 0, since a prediction of 0 is no certainty."""
    return np.maximum(np.expm1(log_mean), 1e-3)
