"""Conditional means of one modality given the other, by learners that inner grouped folds choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import FoldPlan

LEARNERS = ("ridge", "pls", "kernel_ridge", "network")
"""Learners, the simplest first; the first of two that are equally good is chosen."""
MEAN = "mean"
"""What is chosen where no learner is better than the mean of the training cells."""


@dataclass(frozen=True)
class Learning:
    """How conditional means are learned.

    Attributes
    ----------
    learners
        Which of :data:`LEARNERS` are compared.
    inner
        Number of grouped inner folds, which choose penalties and learners.
    min_detected, max_genes
        Filters of genes among the predictors, fitted to the training cells of each fold.
    """

    learners: tuple[str, ...] = LEARNERS
    inner: int = 3
    min_detected: float = 0.05
    max_genes: int | None = 2000


@dataclass(frozen=True)
class MeanModel:
    """Conditional mean that was learned in some training cells.

    Attributes
    ----------
    learner
        Name of the learner chosen for each target, shape (targets,); ``mean`` where none is better than the mean.
    held_out
        Predictions of the training cells by the chosen learners of the inner folds, shape (training cells, targets).
    inner_r2
        R² of each learner in the inner folds, by its name, shape (targets,) each.
    """

    learner: np.ndarray
    held_out: np.ndarray
    inner_r2: dict[str, np.ndarray]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the conditional mean of cells, shape (cells, predictors) to (cells, targets)."""
        raise NotImplementedError

    def by_learner(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Return the conditional mean of cells by every learner, shape (cells, targets) each."""
        raise NotImplementedError


def fit_mean(x: np.ndarray, y: np.ndarray, units: np.ndarray, seed: int, learning: Learning = Learning()) -> MeanModel:  # noqa: B008 - frozen
    """Learn the conditional mean in training cells; learners and penalties are chosen by inner grouped folds.

    Parameters
    ----------
    x, y
        Predictors and targets of the training cells, shapes (cells, predictors) and (cells, targets).
    units
        Group of each cell, shape (cells,).
    seed
        Seed of initial weights, batches and landmarks.
    learning
        Learners and inner folds.
    """
    raise NotImplementedError


@dataclass(frozen=True)
class CrossFitted:
    """Conditional means of held-out cells.

    Attributes
    ----------
    mean
        Prediction of each cell by models of the other outer folds, each target by its chosen learner, shape (cells,
        targets).
    baseline
        Mean of the training cells of each cell's fold, shape (cells, targets).
    by_learner
        Predictions of held-out cells by each learner alone, shape (cells, targets) each.
    learner
        Names of the learners that were chosen, shape (folds, targets).
    choices
        One row per fold and learner: ``fold``, ``learner``, ``targets`` for which it was chosen, mean ``inner_r2``.
    """

    mean: np.ndarray
    baseline: np.ndarray
    by_learner: dict[str, np.ndarray]
    learner: np.ndarray
    choices: pd.DataFrame


def cross_fitted(
    x: np.ndarray | Sequence[Block],
    y: np.ndarray,
    folds: FoldPlan,
    seed: int,
    learning: Learning = Learning(),  # noqa: B008 - frozen
    *,
    threads: int = 1,
) -> CrossFitted:
    """Predict targets of held-out groups, with everything learned in the other groups.

    Parameters
    ----------
    x
        Predictors: an array of shape (cells, predictors), or blocks, which are selected, imputed and scaled in the
        training cells of each fold.
    y
        Targets, shape (cells, targets); a missing value of a training cell is replaced by the mean.
    folds
        Outer folds and groups.
    seed
        Seed of initial weights, batches and landmarks.
    learning
        Learners and inner folds.
    threads
        Number of worker processes; the result does not depend on it.
    """
    raise NotImplementedError
