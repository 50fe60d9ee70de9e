"""Values to explain, with missing values: training means and scales, errors of held-out cells, noise ceiling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import sparse

from cineseq.config.expression import Normalisation
from cineseq.expression.normalise import thin
from cineseq.io.counts import log_normalised
from cineseq.prediction.crossval.folds import FoldPlan
from cineseq.prediction.crossval.ridge import RidgeFold, predict


@dataclass(frozen=True)
class Targets:
    """Values to explain.

    Attributes
    ----------
    values
        Shape (cells, targets), single precision; NaN where a target was not measured; such a cell is left out for
        that target.
    weigh
        Weights of targets in the total: by their ``variance``, or all ``equal`` (divided by their standard deviation in
        the training cells of each fold).
    """

    values: np.ndarray
    weigh: Literal["variance", "equal"]

    def rows(self, order: np.ndarray) -> Targets:
        """Return the targets with reordered rows."""
        return replace(self, values=self.values[order])


@dataclass(frozen=True)
class Errors:
    """Errors of held-out cells, 0 where a target was not measured.

    Attributes
    ----------
    residual, baseline
        Measured minus predicted, and measured minus the training mean, shape (cells, targets).
    known
        Whether the target was measured, shape (cells, targets).
    weight
        Weights of errors in the total, shape (cells, targets).
    """

    residual: np.ndarray
    baseline: np.ndarray
    known: np.ndarray
    weight: np.ndarray


def single_precision(values: np.ndarray) -> np.ndarray:
    """Return targets centred and scaled for single precision; folds use their own mean and scale."""
    deviation = np.nanstd(values, axis=0)
    return ((values - np.nanmean(values, axis=0)) / np.where(deviation > 0, deviation, 1)).astype(np.float32)


def errors_of(by_fold: list[RidgeFold], targets: Targets, plan: FoldPlan) -> Errors:
    """Predict targets out of fold; return the errors of the model and of the training mean."""
    values, known = targets.values, np.isfinite(targets.values)
    residual = np.where(known, values - predict(by_fold, values), 0)
    baseline = np.where(known, values - training_means(values, plan), 0)
    weight = np.ones_like(values) if targets.weigh == "variance" else _training_scales(values, plan)
    return Errors(residual.astype(float), baseline.astype(float), known, weight)


def training_means(values: np.ndarray, plan: FoldPlan) -> np.ndarray:
    """Return the mean of the measured training cells of the fold of each cell, shape as ``values``."""
    means = np.empty_like(values)
    for train, test in plan.splits():
        means[test] = np.nanmean(values[train], axis=0)
    return means


def _training_scales(values: np.ndarray, plan: FoldPlan) -> np.ndarray:
    """Return 1 / standard deviation of the training cells of the fold of each cell; 0 where they are constant."""
    scales = np.zeros_like(values)
    for train, test in plan.splits():
        deviation = np.nanstd(values[train], axis=0)
        scales[test] = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    return scales


def noise_ceiling(
    counts: sparse.csr_matrix, genes: np.ndarray, thinnings: int, seed: int, normalisation: Normalisation = "median"
) -> np.ndarray:
    """Return the reliability of each gene: correlation between two halves of its counts, corrected to full depth.

    Parameters
    ----------
    counts
        Whole counts, shape (cells, genes).
    genes
        Positions of the genes.
    thinnings
        Number of random halvings to average.
    seed
        Seed of the halvings.
    normalisation
        Normalisation of each half.

    Returns
    -------
    numpy.ndarray
        2 r / (1 + r), shape (genes,); about 0 or slightly below for pure noise, NaN for a constant half.

    References
    ----------
    Spearman and Brown, Br. J. Psychol. 3 (1910); count thinning: Neufeld et al., Biostatistics 25 (2024) 270.
    """
    rng = np.random.default_rng(seed)
    reliability = np.zeros((thinnings, len(genes)))
    for number in range(thinnings):
        # Binomial thinning into two halves, each normalised and centred, shape (cells, genes).
        first, second = (
            log_normalised(half, normalisation)[:, genes].toarray().astype(float) for half in thin(counts, rng)
        )
        first, second = first - first.mean(axis=0), second - second.mean(axis=0)
        length = np.sqrt(np.square(first).sum(axis=0) * np.square(second).sum(axis=0))
        with np.errstate(invalid="ignore", divide="ignore"):
            r = (first * second).sum(axis=0) / np.where(length > 0, length, np.nan)
        # Spearman-Brown: reliability at full depth from the correlation of halves.
        reliability[number] = 2 * r / (1 + r)
    return reliability.mean(axis=0)
