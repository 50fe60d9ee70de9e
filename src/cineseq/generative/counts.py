"""Counts around a conditional mean: negative binomial, with library sizes of cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CountModel:
    """Negative binomial counts of genes.

    Attributes
    ----------
    factor
        What the mean counts of genes are relative to the exponential of their mean logarithm, shape (genes,).
    dispersion
        Variance beyond that of Poisson counts, relative to the squared mean, shape (genes,).
    libraries
        Total counts of training cells, from which those of generated cells are drawn, shape (cells,).
    typical
        Total counts to which the logarithms are normalised.
    """

    factor: np.ndarray
    dispersion: np.ndarray
    libraries: np.ndarray
    typical: float

    def expected(self, log_mean: np.ndarray, libraries: np.ndarray) -> np.ndarray:
        """Return expected counts, shape (cells, genes), from mean logarithms and total counts of cells."""
        return _rate(log_mean) * (libraries / self.typical)[:, None] * self.factor

    def draw(self, log_mean: np.ndarray, rng: np.random.Generator, libraries: np.ndarray | None = None) -> np.ndarray:
        """Return counts of cells, shape (cells, genes).

        Parameters
        ----------
        log_mean
            Conditional mean of log-normalised expression, shape (cells, genes). It is not a sample: the noise of cells
            is in the counts already.
        rng
            Draws counts, and libraries.
        libraries
            Total counts of the cells, shape (cells,); None: those of training cells at random.
        """
        if libraries is None:
            libraries = self.libraries[rng.integers(len(self.libraries), size=len(log_mean))]
        mean = self.expected(log_mean, libraries)
        shape = 1 / np.maximum(self.dispersion, 1e-6)
        rate = np.where(self.dispersion > 1e-6, rng.gamma(shape, mean / shape), mean)
        return rng.poisson(rate).astype(np.float32)


def fit_counts(counts: np.ndarray, log_mean: np.ndarray, libraries: np.ndarray, typical: float) -> CountModel:
    """Fit mean and dispersion of each gene by moments.

    Parameters
    ----------
    counts
        Measured counts of training cells, shape (cells, genes).
    log_mean
        Conditional means of log-normalised expression of the same cells, by models that did not see them.
    libraries
        Total counts of the cells, shape (cells,).
    typical
        Total counts to which logarithms are normalised.
    """
    expected = _rate(log_mean) * (libraries / typical)[:, None]
    factor = counts.sum(axis=0) / np.maximum(expected.sum(axis=0), 1e-12)
    mean = expected * factor
    beyond = (np.square(counts - mean) - mean).sum(axis=0)
    dispersion = np.clip(beyond / np.maximum(np.square(mean).sum(axis=0), 1e-12), 0, None)
    return CountModel(factor, dispersion, libraries, float(typical))


def _rate(log_mean: np.ndarray) -> np.ndarray:
    """Return normalised counts of mean logarithms; never quite 0, since a prediction of 0 is no certainty."""
    return np.maximum(np.expm1(log_mean), 1e-3)
