"""What is to be explained, with its gaps: what a fold takes from its training cells, and the errors it makes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cineseq.crossmodal.ridge import RidgeFold, predict
from cineseq.prediction.folds import FoldPlan


@dataclass(frozen=True)
class Targets:
    """Values to be explained.

    Attributes
    ----------
    values
        Shape (cells, targets), single precision; NaN where a target was not measured. Such a cell counts nowhere for
        that target.
    weigh
        How targets weigh in the total: as their ``variance``, or all ``equal`` (divided by their deviation in the
        training cells of each fold).
    """

    values: np.ndarray
    weigh: Literal["variance", "equal"]

    def rows(self, order: np.ndarray) -> Targets:
        """Return the targets of other cells in the same places."""
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
        What errors are multiplied by in the total, shape (cells, targets).
    """

    residual: np.ndarray
    baseline: np.ndarray
    known: np.ndarray
    weight: np.ndarray


def single_precision(values: np.ndarray) -> np.ndarray:
    """Return targets moved and stretched to where single precision holds them; folds take their own mean and scale."""
    deviation = np.nanstd(values, axis=0)
    return ((values - np.nanmean(values, axis=0)) / np.where(deviation > 0, deviation, 1)).astype(np.float32)


def errors_of(by_fold: list[RidgeFold], targets: Targets, plan: FoldPlan) -> Errors:
    """Predict targets out of fold and return the errors of the model and of the training mean."""
    values, known = targets.values, np.isfinite(targets.values)
    residual = np.where(known, values - predict(by_fold, values), 0)
    baseline = np.where(known, values - training_means(values, plan), 0)
    weight = np.ones_like(values) if targets.weigh == "variance" else _training_scales(values, plan)
    return Errors(residual.astype(float), baseline.astype(float), known, weight)


def training_means(values: np.ndarray, plan: FoldPlan) -> np.ndarray:
    """Return for every cell the mean of the measured training cells of its fold; same shape as ``values``."""
    means = np.empty_like(values)
    for train, test in plan.splits():
        means[test] = np.nanmean(values[train], axis=0)
    return means


def _training_scales(values: np.ndarray, plan: FoldPlan) -> np.ndarray:
    """Return for every cell one over the deviation of the training cells of its fold; 0 where they do not vary."""
    scales = np.zeros_like(values)
    for train, test in plan.splits():
        deviation = np.nanstd(values[train], axis=0)
        scales[test] = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    return scales
