"""Counts around a conditional mean: negative binomial, with library sizes of cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cineseq.generative.means import MeanModel

POWERS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)


@dataclass(frozen=True)
class CountModel:
    """Negative binomial counts of genes.

    Attributes
    ----------
    factor, power
        Expected counts are a factor times a power of what the mean logarithm stands for, shape (genes,) each: the mean
        of logarithms varies less than the logarithm of the mean.
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
    dispersion: np.ndarray
    library: MeanModel
    libraries: np.ndarray
    typical: float

    def expected(self, log_mean: np.ndarray, libraries: np.ndarray) -> np.ndarray:
        """Return expected counts, shape (cells, genes), from mean logarithms and total counts of cells."""
        return _rate(log_mean) ** self.power * (libraries / self.typical)[:, None] * self.factor

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
    """Fit mean and dispersion of each gene by moments.

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
    # Power of least squared error of each gene, with the factor that gives the mean.
    best, power, factor = np.full((3, counts.shape[1]), np.inf)
    for tried in POWERS:
        expected = rate**tried * size
        scale = counts.sum(axis=0) / np.maximum(expected.sum(axis=0), 1e-12)
        error = np.square(counts - expected * scale).sum(axis=0)
        better = error < best
        best, power, factor = (np.where(better, a, b) for a, b in ((error, best), (tried, power), (scale, factor)))
    # Dispersion that gives counts the variance of the measured ones: of the means, of Poisson counts, and the rest.
    mean = rate**power * size * factor
    beyond = counts.var(axis=0) - mean.var(axis=0) - mean.mean(axis=0)
    dispersion = np.clip(beyond / np.maximum(np.square(mean).mean(axis=0), 1e-12), 0, None)
    relative = libraries / np.exp(library.held_out[:, 0])
    return CountModel(factor, power, dispersion, library, relative, float(typical))


def _rate(log_mean: np.ndarray) -> np.ndarray:
    """Return normalised counts of mean logarithms; never quite 0, since a prediction of 0 is no certainty."""
    return np.maximum(np.expm1(log_mean), 1e-3)
