"""Variance of targets that predictors explain in held-out groups."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import joblib
import numpy as np

from cineseq.config.prediction import Crossmodal, Folds
from cineseq.crossmodal.explained_values import Errors, Targets, errors_of, training_means
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import CrossvalCells, FoldPlan
from cineseq.prediction.crossval.out_of_fold import workers
from cineseq.prediction.crossval.ridge import RidgeFold, Tuning, ridge_folds
from cineseq.prediction.crossval.transform import design
from cineseq.progress import progress
from cineseq.statistics.metrics import centred, group_weights, r2, r2_interval
from cineseq.statistics.permutation import draw_rows, exchangeable_blocks, p_value

logger = logging.getLogger(__name__)
PER_TASK = 10
"""Number of permutations per task of a worker."""


@dataclass(frozen=True)
class Explained:
    """Variance of the targets that the predictors explain.

    Attributes
    ----------
    r2, r2_null, r2_within_class, r2_class, p_value
        Values per target, shape (targets,).
    total
        Values for all targets together: ``r2``, ``low``, ``high``, ``r2_null``, ``r2_within_class``, ``r2_class``,
        ``p_value``; :class:`Targets` defines the weights of targets.
    """

    r2: np.ndarray
    r2_null: np.ndarray
    r2_within_class: np.ndarray
    r2_class: np.ndarray
    p_value: np.ndarray
    total: dict[str, float]


@dataclass(frozen=True)
class ExplainOptions:
    """Settings of the cross-modal step.

    Attributes
    ----------
    settings, folds
        Sections ``crossmodal`` and ``folds`` of the configuration.
    seed
        Seed of permutations and bootstrap.
    threads
        Number of worker processes.
    """

    settings: Crossmodal
    folds: Folds
    seed: int
    threads: int


def explain(predictors: Sequence[Block], targets: Targets, cells: CrossvalCells, options: ExplainOptions) -> Explained:
    """Explain targets by predictors in held-out groups, with the null of predictors from other cells of the class.

    Parameters
    ----------
    predictors
        Blocks of predictors, selected, imputed and scaled in the training cells of each fold.
    targets
        Values to explain; a cell without a value is left out for that target.
    cells
        Folds and labels of the cells.
    options
        Settings.
    """
    # Cross-validated ridge on principal components; errors of held-out cells, shape (cells, targets).
    plan, settings = cells.plan, options.settings
    designs = [design(predictors, train, settings.min_detected, None) for train, _ in plan.splits()]
    tuning = Tuning(options.folds.inner, settings.components, settings.penalties)
    by_fold = ridge_folds(designs, plan, tuning)
    errors = errors_of(by_fold, targets, plan)
    class_residual = np.where(errors.known, targets.values - _class_means(targets.values, cells), 0).astype(float)
    # Null: shuffled pairing within strata and class; interval: cluster bootstrap of groups.
    null, null_total = _null(by_fold, targets, cells, options)
    total = _total(errors, cells, settings.bootstraps, options.seed)
    total |= {
        "r2_null": float(null_total.mean()) if len(null_total) else np.nan,
        "r2_class": float(r2((class_residual * errors.weight).ravel(), (errors.baseline * errors.weight).ravel())),
        "p_value": float(p_value(total["r2"], null_total)),
    }
    # R² per target, shape (targets,).
    per_target = np.asarray(r2(errors.residual, errors.baseline))
    mean_null = null.mean(axis=0) if len(null) else np.full(len(per_target), np.nan)
    within = r2(*(_centred_in_class(e, errors.known, cells.classes) for e in (errors.residual, errors.baseline)))
    from_class = np.asarray(r2(class_residual, errors.baseline))
    p = np.asarray(p_value(per_target, null))
    return Explained(per_target, mean_null, np.asarray(within), from_class, p, total)


def _class_means(values: np.ndarray, cells: CrossvalCells) -> np.ndarray:
    """Return the mean of the class of each cell in the training cells; the overall mean for an unseen class."""
    predicted = training_means(values, cells.plan)
    for train, test in cells.plan.splits():
        for label in np.unique(cells.classes[test]):
            known = train[cells.classes[train] == label]
            seen = np.isfinite(values[known]).any(axis=0)
            own = test[cells.classes[test] == label]
            predicted[np.ix_(own, seen)] = np.nanmean(values[np.ix_(known, seen)], axis=0)
    return predicted


def _null(
    by_fold: list[RidgeFold], targets: Targets, cells: CrossvalCells, options: ExplainOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Return R² per target and in total under permutation of target rows within strata and class.

    Shapes are (permutations, targets) and (permutations,).
    """
    permutations = options.settings.permutations
    if not permutations:
        return np.empty((0, targets.values.shape[1])), np.empty(0)
    rng = np.random.default_rng(options.seed)
    within = np.array([f"{s} {c}" for s, c in zip(cells.strata, cells.classes, strict=True)])
    blocks = exchangeable_blocks(within, cells.families)
    rows = [draw_rows(blocks, rng) for _ in range(permutations)]
    tasks = [rows[start : start + PER_TASK] for start in range(0, permutations, PER_TASK)]
    calls = (joblib.delayed(_permuted)(by_fold, targets, cells.plan, task) for task in tasks)
    done = zip(
        progress(tasks, "Shuffled pairings, tens", logger), workers(options.threads, "generator")(calls), strict=False
    )
    per_target, total = (np.concatenate(part) for part in zip(*(result for _, result in done), strict=True))
    return per_target, total


def _permuted(
    by_fold: list[RidgeFold], targets: Targets, plan: FoldPlan, rows: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return R² per target, shape (permutations, targets), and in total, shape (permutations,)."""
    per_target, total = [], []
    for order in rows:
        errors = errors_of(by_fold, targets.rows(order), plan)
        per_target.append(r2(errors.residual, errors.baseline))
        total.append(r2((errors.residual * errors.weight).ravel(), (errors.baseline * errors.weight).ravel()))
    return np.array(per_target), np.array(total)


def _total(errors: Errors, cells: CrossvalCells, bootstraps: int, seed: int) -> dict[str, float]:
    # Weighted squared errors per cell, shape (cells,), and bootstrap weights of groups, shape (bootstraps, groups).
    residual, baseline = errors.residual * errors.weight, errors.baseline * errors.weight
    total = np.square(baseline).sum(axis=1)
    gain = total - np.square(residual).sum(axis=1)
    weights = group_weights(cells.plan.groups, bootstraps, np.random.default_rng(seed))
    low, high = r2_interval(gain, total, cells.plan.units, weights)
    within = float(r2(*(_centred_in_class(e, errors.known, cells.classes).ravel() for e in (residual, baseline))))
    return {"r2": float(gain.sum() / total.sum()), "low": low, "high": high, "r2_within_class": within}


def _centred_in_class(errors: np.ndarray, known: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Subtract the class mean of the measured cells from the errors of each target; 0 where not measured."""
    columns = errors.shape[1]
    labels = np.unique(classes, return_inverse=True)[1][:, None] * columns + np.arange(columns)
    within = np.zeros_like(errors)
    within[known] = centred(errors[known], labels[known])
    return within
