"""One direction of the question: how much of some targets a set of predictors explains in held-out groups."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import joblib
import numpy as np

from cineseq.config.crossmodal import Crossmodal
from cineseq.config.prediction import Folds
from cineseq.crossmodal.ridge import RidgeFold, Tuning, predict, ridge_folds
from cineseq.prediction.blocks import Block
from cineseq.prediction.folds import FoldPlan
from cineseq.prediction.models import Cells, training_mean
from cineseq.prediction.outer import workers
from cineseq.prediction.transform import design, standardised
from cineseq.progress import progress
from cineseq.statistics.bootstrap import group_weights, r2_interval
from cineseq.statistics.permutation import draw_rows, exchangeable_blocks, p_value
from cineseq.statistics.r2 import r2, r2_within

logger = logging.getLogger(__name__)
PER_TASK = 10
"""Permutations per task of a worker."""


@dataclass(frozen=True)
class Explained:
    """Variance of the targets that the predictors explain.

    Attributes
    ----------
    r2, r2_null, r2_within_class, r2_class, p_value
        Per target, shape (targets,).
    total
        Flat numbers of all targets together: ``r2``, ``low``, ``high``, ``r2_null``, ``r2_within_class``,
        ``r2_class``, ``p_value``; targets weigh as their variance.
    """

    r2: np.ndarray
    r2_null: np.ndarray
    r2_within_class: np.ndarray
    r2_class: np.ndarray
    p_value: np.ndarray
    total: dict[str, float]


@dataclass(frozen=True)
class Asked:
    """How variance is explained.

    Attributes
    ----------
    settings, folds
        Sections ``crossmodal`` and ``folds`` of the configuration.
    seed
        Seeds permutations and bootstrap.
    threads
        Worker processes.
    """

    settings: Crossmodal
    folds: Folds
    seed: int
    threads: int


def explain(predictors: Sequence[Block], targets: np.ndarray, cells: Cells, asked: Asked) -> Explained:
    """Explain targets by predictors in held-out groups, and by the same predictors of other cells of the class.

    Parameters
    ----------
    predictors
        Blocks side by side; selected, imputed and scaled in the training cells of each fold.
    targets
        Shape (cells, targets), without missing values, scaled as they should weigh in the total.
    cells
        How the cells are grouped.
    asked
        How.
    """
    plan, settings = cells.plan, asked.settings
    designs = [design(predictors, train, settings.min_detected, None) for train, _ in plan.splits()]
    tuning = Tuning(asked.folds.inner, settings.components, settings.penalties)
    by_fold = ridge_folds(designs, plan, tuning)
    targets = targets.astype(np.float32)
    residual = (targets - predict(by_fold, targets)).astype(float)
    baseline = (targets - training_mean(targets, plan)).astype(float)
    class_residual = targets - _class_means(targets, cells)
    null, null_total = _null(by_fold, targets, cells, asked)
    per_target = r2(residual, baseline)
    total = _total(residual, baseline, cells, settings.bootstraps, asked.seed)
    total |= {
        "r2_null": float(null_total.mean()) if len(null_total) else np.nan,
        "r2_class": float(r2(class_residual.ravel(), baseline.ravel())),
        "p_value": p_value(total["r2"], null_total),
    }
    p = p_value(per_target, null)
    mean_null = null.mean(axis=0) if len(null) else np.full(targets.shape[1], np.nan)
    within = r2_within(residual, baseline, cells.classes)
    return Explained(per_target, mean_null, within, r2(class_residual, baseline), p, total)


def scaled_features(block: Block) -> Block:
    """Impute and scale features over all cells, so that each weighs the same in the total; blind to expression."""
    return standardised(block, np.arange(len(block.values)), 0.0, None)


def _class_means(targets: np.ndarray, cells: Cells) -> np.ndarray:
    """Return for every cell the mean of its class in the training cells; their overall mean for an unseen class."""
    predicted = np.empty_like(targets)
    for train, test in cells.plan.splits():
        for label in np.unique(cells.classes[test]):
            known = train[cells.classes[train] == label]
            own = test[cells.classes[test] == label]
            predicted[own] = targets[known if len(known) else train].mean(axis=0)
    return predicted


def _null(by_fold: list[RidgeFold], targets: np.ndarray, cells: Cells, asked: Asked) -> tuple[np.ndarray, np.ndarray]:
    """Return R2 per target, and in total, when the rows of the targets change places within strata and class."""
    permutations = asked.settings.permutations
    if not permutations:
        return np.empty((0, targets.shape[1])), np.empty(0)
    rng = np.random.default_rng(asked.seed)
    within = np.array([f"{s} {c}" for s, c in zip(cells.strata, cells.classes, strict=True)])
    blocks = exchangeable_blocks(within, cells.families)
    rows = [draw_rows(blocks, rng) for _ in range(permutations)]
    tasks = [rows[start : start + PER_TASK] for start in range(0, permutations, PER_TASK)]
    calls = (joblib.delayed(_permuted)(by_fold, targets, cells.plan, task) for task in tasks)
    done = zip(
        progress(tasks, "Shuffled pairings, tens", logger), workers(asked.threads, "generator")(calls), strict=False
    )
    residual, baseline = (np.concatenate(part) for part in zip(*(sums for _, sums in done), strict=True))
    return 1 - residual / np.where(baseline > 0, baseline, np.nan), 1 - residual.sum(axis=1) / baseline.sum(axis=1)


def _permuted(
    by_fold: list[RidgeFold], targets: np.ndarray, plan: FoldPlan, rows: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return squared errors of the model and of the training mean per permutation, shape (permutations, targets)."""
    residual, baseline = [], []
    for order in rows:
        permuted = targets[order]
        residual.append(np.square(permuted - predict(by_fold, permuted)).sum(axis=0, dtype=float))
        baseline.append(np.square(permuted - training_mean(permuted, plan)).sum(axis=0, dtype=float))
    return np.array(residual), np.array(baseline)


def _total(residual: np.ndarray, baseline: np.ndarray, cells: Cells, bootstraps: int, seed: int) -> dict[str, float]:
    total = np.square(baseline).sum(axis=1)
    gain = total - np.square(residual).sum(axis=1)
    weights = group_weights(cells.plan.groups, bootstraps, np.random.default_rng(seed))
    low, high = r2_interval(gain, total, cells.plan.units, weights)
    within = _summed_within(residual, baseline, cells.classes)
    return {"r2": float(gain.sum() / total.sum()), "low": low, "high": high, "r2_within_class": within}


def _summed_within(residual: np.ndarray, baseline: np.ndarray, classes: np.ndarray) -> float:
    """Return the within-class R2 of all targets together."""
    columns = residual.shape[1]
    labels = (np.unique(classes, return_inverse=True)[1][:, None] * columns + np.arange(columns)).ravel()
    return float(r2_within(residual.ravel(), baseline.ravel(), labels))
