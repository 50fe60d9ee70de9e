"""Variance of targets that predictors explain in held-out groups."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import joblib
import numpy as np

from cineseq.config.prediction import Crossmodal, Folds
from cineseq.crossmodal.explained_values import Errors, Targets, errors_of, residuals_without, training_means
from cineseq.prediction.by_sample import r2_by_sample
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import CrossvalCells, FoldPlan, NotEstimableError
from cineseq.prediction.crossval.left_out import retrained_of, training_blocks
from cineseq.prediction.crossval.out_of_fold import workers
from cineseq.prediction.crossval.ridge import RidgeFold, Tuning, ridge_folds
from cineseq.prediction.crossval.transform import design
from cineseq.prediction.estimands import Row, between_row, class_note, not_estimable_row, share_columns
from cineseq.progress import progress
from cineseq.statistics.metrics import centred, r2, r2_interval
from cineseq.statistics.permutation import draw_rows, exchangeable_blocks, p_value
from cineseq.statistics.shares import MOST_PREDICTORS, variance_share
from cineseq.statistics.streams import child_seed, stream

logger = logging.getLogger(__name__)
PER_TASK = 10
"""Number of permutations per task of a worker."""


@dataclass(frozen=True)
class PerTarget:
    """Held-out R² of each target, the mean of its null, and its p-value, each of shape (targets,)."""

    r2: np.ndarray
    r2_null: np.ndarray
    p_value: np.ndarray


@dataclass(frozen=True)
class Explained:
    """Variance of the targets that the predictors explain.

    Attributes
    ----------
    within, pooled
        Values per target within fields, and pooled over them.
    r2_within_class, r2_class
        Values per target, pooled: after centring within class, and of the class mean only, shape (targets,).
    total
        Values for all targets together per estimand, with the columns of the table ``crossmodal_summary``;
        :class:`Targets` defines the weights of targets.
    by_sample
        R² within fields in each sample, with the columns of the table ``crossmodal_by_sample``; empty where there is no
        R² within fields.
    """

    within: PerTarget
    pooled: PerTarget
    r2_within_class: np.ndarray
    r2_class: np.ndarray
    total: dict[str, Row]
    by_sample: list[Row]


@dataclass(frozen=True)
class ExplainOptions:
    """Settings of the cross-modal step.

    Attributes
    ----------
    settings, folds
        Sections ``crossmodal`` and ``folds`` of the configuration.
    seed
        Seed of permutations.
    threads
        Number of worker processes.
    """

    settings: Crossmodal
    folds: Folds
    seed: int
    threads: int

    def of_direction(self, direction: str) -> ExplainOptions:
        """Return the same settings with the seed of one direction."""
        return replace(self, seed=child_seed(self.seed, direction))


@dataclass(frozen=True)
class _Fit:
    """Errors of held-out cells, and the null.

    Attributes
    ----------
    errors
        Of the fit.
    without, without_class
        Squared errors in total, and within class, by models without each block of training cells, each shape (blocks,
        cells).
    null
        R² per target, shape (permutations, targets).
    null_total, null_class
        R² in total, and within class, each shape (permutations,).
    """

    errors: Errors
    without: np.ndarray
    without_class: np.ndarray
    null: np.ndarray
    null_total: np.ndarray
    null_class: np.ndarray


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
    pooled = _fit(predictors, targets, cells, options, "pooled")
    errors = pooled.errors
    class_residual = np.where(errors.known, targets.values - _class_means(targets.values, cells), 0).astype(float)
    of_classes: Row = {"r2_class": _ratio(*(errors.in_total(e, cells.plan) for e in (class_residual, errors.baseline)))}
    # One row per estimand; those of pooled errors differ in what is taken out of the errors of held-out cells.
    total: dict[str, Row] = {}
    within = PerTarget(*np.full((3, errors.known.shape[1]), np.nan))
    by_sample: list[Row] = []
    try:
        centred = cells.within_fields()
        blocks = [replace(block, centre=centred.centre) for block in predictors]
        fit = _fit(blocks, targets.within(centred.centre), centred, options, "within")
        within = _per_target(fit)
        own = _in_total(fit.errors, cells.plan)
        total["within"] = _row(own, fit.without, fit.null_total, cells.plan)
        residual, baseline = (np.square(part).sum(axis=1) for part in own)
        by_sample = r2_by_sample(baseline - residual, baseline, centred, cells.sample_labels())
    except NotEstimableError as reason:
        total["within"] = not_estimable_row(str(reason))
    whole = _in_total(errors, cells.plan)
    in_class = [_centred_in_class(e, errors.known, cells.classes) for e in whole]
    total["within_class"] = _row(in_class, pooled.without_class, pooled.null_class, cells.plan) | {
        "note": class_note(cells)
    }
    total["pooled"] = _row(whole, pooled.without, pooled.null_total, cells.plan)
    # Shares of variance, with the means of fields, classes or all cells as fixed effects.
    similar = _all_predictors(predictors, options.settings.min_detected)
    fixed = {"within": cells.field_labels(), "within_class": cells.classes, "pooled": np.zeros(len(cells.strata))}
    for name, groups in fixed.items():
        total[name] |= share_columns(variance_share(similar, _in_share(targets, groups), groups), total[name])
    of_all = _in_share(targets, fixed["pooled"])
    seed = child_seed(options.seed, "between")
    total["between"] = between_row(similar, of_all, cells.sample_labels(), options.settings.permutations, seed)
    names = {"r2_low": "low", "r2_high": "high"}
    of_classes["r2_within_class"] = total["within_class"]["r2"]
    total = {name: {names.get(k, k): v for k, v in (row | of_classes).items()} for name, row in total.items()}
    from_class = np.asarray(r2(class_residual, errors.baseline))
    from_within = r2(*(_centred_in_class(e, errors.known, cells.classes) for e in (errors.residual, errors.baseline)))
    return Explained(within, _per_target(pooled), np.asarray(from_within), from_class, total, by_sample)


def _fit(
    predictors: Sequence[Block], targets: Targets, cells: CrossvalCells, options: ExplainOptions, estimand: str
) -> _Fit:
    """Fit cross-validated ridge on principal components, and the same with shuffled pairing."""
    plan, settings = cells.plan, options.settings
    designs = [design(predictors, train, settings.min_detected, None) for train, _ in plan.splits()]
    by_fold = ridge_folds(designs, plan, Tuning(options.folds.inner, settings.components, settings.penalties))
    targets = targets.with_axes(plan)
    errors = errors_of(by_fold, targets, plan)
    without = []
    for residual in residuals_without(by_fold, targets, plan, training_blocks(plan)):
        whole = errors.in_total(residual, plan)
        parts = (whole, _centred_in_class(whole, errors.known, cells.classes))
        without.append([np.square(part).sum(axis=1) for part in parts])
    in_total, in_class = np.swapaxes(without, 0, 1)
    rng = stream(options.seed, estimand)
    return _Fit(errors, in_total, in_class, *_null(by_fold, targets, cells, options, rng))


def _per_target(fit: _Fit) -> PerTarget:
    values = np.asarray(r2(fit.errors.residual, fit.errors.baseline))
    mean_null = fit.null.mean(axis=0) if len(fit.null) else np.full(len(values), np.nan)
    return PerTarget(values, mean_null, np.asarray(p_value(values, fit.null)))


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
    by_fold: list[RidgeFold],
    targets: Targets,
    cells: CrossvalCells,
    options: ExplainOptions,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return R² per target, in total and within class under permutation of target rows within strata and class.

    Permuted targets vary with position as the measured ones do, where it is known. Shapes are (permutations, targets),
    (permutations,) and (permutations,).
    """
    permutations = options.settings.permutations
    if not permutations:
        return np.empty((0, targets.values.shape[1])), np.empty(0), np.empty(0)
    divided = cells.within_class()
    targets = targets.along_position(divided.place)
    blocks = exchangeable_blocks(divided.strata, cells.families)
    rows = [draw_rows(blocks, rng) for _ in range(permutations)]
    tasks = [rows[start : start + PER_TASK] for start in range(0, permutations, PER_TASK)]
    calls = (joblib.delayed(_permuted)(by_fold, targets, cells, task) for task in tasks)
    done = zip(
        progress(tasks, "Shuffled pairings, tens", logger), workers(options.threads, "generator")(calls), strict=False
    )
    per_target, total, within = (np.concatenate(part) for part in zip(*(result for _, result in done), strict=True))
    return per_target, total, within


def _permuted(
    by_fold: list[RidgeFold], targets: Targets, cells: CrossvalCells, rows: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return R² per target, shape (permutations, targets), in total and within class, shape (permutations,)."""
    per_target, total, within = [], [], []
    for order in rows:
        errors = errors_of(by_fold, targets.rows(order), cells.plan)
        per_target.append(r2(errors.residual, errors.baseline))
        whole = _in_total(errors, cells.plan)
        total.append(_ratio(*whole))
        within.append(_ratio(*(_centred_in_class(e, errors.known, cells.classes) for e in whole)))
    return np.array(per_target), np.array(total), np.array(within)


def _ratio(residual: np.ndarray, baseline: np.ndarray) -> float:
    return float(r2(residual.ravel(), baseline.ravel()))


def _in_total(errors: Errors, plan: FoldPlan) -> tuple[np.ndarray, np.ndarray]:
    """Return the errors of the model and of the training mean as they count in the total."""
    return errors.in_total(errors.residual, plan), errors.in_total(errors.baseline, plan)


def _row(errors: Sequence[np.ndarray], without: np.ndarray, null: np.ndarray, plan: FoldPlan) -> Row:
    """Return R² in total with its interval over groups, the mean of its null, and its p-value.

    ``errors`` are those of the model and of the training mean; ``without`` are squared errors per cell by models
    without each block of training cells.
    """
    # Squared errors per cell, shape (cells,).
    residual, baseline = (np.square(part).sum(axis=1) for part in errors)
    low, high = r2_interval(baseline - residual, baseline, plan.units, retrained_of(plan, baseline - without))
    high = float(np.minimum(high, 1.0))
    value = float(1 - residual.sum() / baseline.sum()) if baseline.sum() > 0 else np.nan
    mean = float(null.mean()) if len(null) else np.nan
    row: Row = {"r2": value, "r2_low": low, "r2_high": high, "r2_null": mean, "r2_above_null": value - mean}
    return row | {"n": len(residual), "p_value": float(p_value(value, null)), "permutations": len(null), "note": None}


def _centred_in_class(errors: np.ndarray, known: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Subtract the class mean of the measured cells from the errors of each target; 0 where not measured."""
    return np.nan_to_num(centred(np.where(known, errors, np.nan), classes))


def _all_predictors(blocks: Sequence[Block], min_detected: float) -> np.ndarray:
    """Return the predictors of all cells, imputed and scaled over them; of more genes, the most variable ones."""
    cells = np.arange(len(blocks[0].values))
    return design(blocks, cells, min_detected, MOST_PREDICTORS)


def _in_share(targets: Targets, groups: np.ndarray) -> np.ndarray:
    """Return the targets as they count in the total, over all cells: scaled, or scores on principal axes."""
    values = targets.values.astype(float)
    if targets.components is not None:
        axes = np.linalg.svd(np.nan_to_num(centred(values, groups)), full_matrices=False)[2][: targets.components]
        return np.nan_to_num(values - np.nanmean(values, axis=0)) @ axes.T
    if targets.weigh == "variance":
        return values
    deviation = np.nanstd(values, axis=0)
    return values / np.where(deviation > 0, deviation, 1)
