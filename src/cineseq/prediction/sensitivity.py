"""Calibration of the primary analysis, and its sensitivity to alternative choices."""

from __future__ import annotations

from dataclasses import replace

import joblib
import numpy as np
import pandas as pd

from cineseq.config.prediction import Folds, Prediction
from cineseq.prediction.crossval.feature_blocks import LIBRARY_SIZE, Block
from cineseq.prediction.crossval.folds import FoldPlan, grouped_folds
from cineseq.prediction.crossval.out_of_fold import NOTHING_KEPT, STACKED, Procedure, out_of_fold
from cineseq.prediction.estimands import interval_note
from cineseq.prediction.model_comparison import full_procedure, model_blocks, quick_procedure, quick_r2
from cineseq.prediction.performance import ModelComparison
from cineseq.prediction.task import PredictionTask
from cineseq.statistics.metrics import area_interval, area_under_curve, r2_interval

# Weights of the agreement penalty of cooperative learning (Ding et al.); the inner folds choose one.
AGREEMENTS = (0.0, 0.1, 0.5, 1.0)
COMPARED = (*STACKED, "all_morphology", "both")
Designs = dict[str, tuple[Block, ...]]


def sensitivity_rows(
    comparison: ModelComparison,
    blocks: dict[str, Block | None],
    *,
    settings: Prediction,
    folds: Folds,
    threads: int,
    kept: joblib.Memory = NOTHING_KEPT,
) -> pd.DataFrame:
    """Return R² and calibration of the primary analysis and its variants, and the difference between them.

    Parameters
    ----------
    comparison
        All models of one function, as fitted in the primary analysis.
    blocks
        Feature blocks of its cells.
    settings, folds
        The sections ``prediction`` and ``folds`` of the configuration.
    threads
        Number of worker processes.
    kept
        Cache of fits, kept until the step is done.

    Returns
    -------
    pandas.DataFrame
        One row per variant and model, with the columns of the table ``sensitivity``. Only indicators have an area
        under the ROC curve. The primary analysis is the variant ``headline``.
    """
    plan, values = comparison.cells.plan, comparison.cells.values
    predictions = {"headline": comparison.estimated()}
    for name, (designs, procedure) in _variants(blocks, comparison, settings, folds).items():
        predictions[name] = out_of_fold(designs, values, plan, procedure, threads, kept=kept)
        predictions[name].pop("both_late", None)
    rows = [
        {"function": comparison.response.name, "variant": variant, "model": model}
        | _scores(comparison, own, predictions["headline"][model])
        for variant, models in predictions.items()
        for model, own in models.items()
    ]
    return pd.DataFrame(rows)


def calibration_slope(predicted: np.ndarray, measured: np.ndarray, baseline: np.ndarray) -> float:
    """Return the regression slope of measured on predicted values, both minus the training mean.

    A slope of 1 is calibrated; predictions with a slope below 1 are overconfident.

    Parameters
    ----------
    predicted, measured, baseline
        Out-of-fold predictions, values and training means, each shape (cells, columns).

    Returns
    -------
    float
        NaN where the predictions do not vary.
    """
    x, y = (predicted - baseline).ravel(), (measured - baseline).ravel()
    x, y = x - x.mean(), y - y.mean()
    spread = x @ x
    return float(x @ y / spread) if spread > 1e-12 * max(y @ y, 1e-300) else float("nan")


def _variants(
    blocks: dict[str, Block | None], comparison: ModelComparison, settings: Prediction, folds: Folds
) -> dict[str, tuple[Designs, Procedure]]:
    """Return designs and procedure of every configured variant that the data allow."""
    # The variants leave out the shuffled control, so the seed has no effect.
    everything = model_blocks(blocks, comparison.cells, np.random.default_rng(0))
    designs = {name: everything[name] for name in COMPARED if name in everything}
    primary = full_procedure(settings, folds)
    variants = {
        "one_standard_error": (designs, replace(primary, grid=replace(primary.grid, choice="one_standard_error")))
    }
    technical = blocks.get("technical")
    if technical is not None and LIBRARY_SIZE in technical.names:
        at = technical.names.index(LIBRARY_SIZE)
        size = Block(technical.values[:, [at]], (LIBRARY_SIZE,))
        variants["with_library_size"] = ({name: (*parts, size) for name, parts in designs.items()}, primary)
    if "both" in designs:
        cooperative = replace(primary, grid=replace(primary.grid, agreements=AGREEMENTS))
        variants["cooperative"] = ({"both": designs["both"]}, cooperative)
        variants["equal_blocks"] = ({"both": designs["both"]}, replace(primary, weighing="blocks"))
    return {name: variant for name, variant in variants.items() if name in settings.sensitivity}


def _scores(comparison: ModelComparison, predicted: np.ndarray, primary: np.ndarray) -> dict[str, object]:
    plan, values, baseline = comparison.cells.plan, comparison.cells.values, comparison.baseline()
    total = np.square(values - baseline).sum(axis=1)
    errors, before = (np.square(values - p).sum(axis=1) for p in (predicted, primary))
    low, high = r2_interval(before - errors, total, plan.units)
    return {
        "n": len(values),
        "r2": 1 - errors.sum() / total.sum(),
        "delta_r2": (before - errors).sum() / total.sum(),
        "low": low,
        "high": high,
        "calibration_slope": calibration_slope(predicted, values, baseline),
        "note": interval_note(plan.groups) or None,
    } | _area(comparison, predicted - baseline)


def _area(comparison: ModelComparison, deviation: np.ndarray) -> dict[str, float]:
    """Return the area under the ROC curve of an indicator with its interval; empty for any other response.

    ``deviation`` is the prediction minus the training mean, which is anticorrelated with the mean of a held-out group.
    """
    if not comparison.response.is_indicator:
        return {}
    # Predictions that differ only by rounding errors are ties.
    scores, positive = np.round(deviation[:, 0], 9), comparison.cells.values[:, 0] == 1
    low, high = area_interval(scores, positive, comparison.cells.plan.units)
    return {"auc": area_under_curve(scores, positive), "auc_low": low, "auc_high": high}


def random_folds(
    task: PredictionTask, blocks: dict[str, Block | None], comparison: ModelComparison, threads: int
) -> tuple[float, float] | None:
    """Return R² of the quick procedure with grouped folds, and with random folds that split the groups.

    It is for the modality with the largest difference between the two.
    """
    designs: dict[str, tuple[Block, ...]] = {n: (b,) for n in STACKED if (b := blocks.get(n)) is not None}
    cells = comparison.cells
    rng = np.random.default_rng(task.seed)
    alone = rng.permutation(len(cells.values))
    random = FoldPlan(alone, grouped_folds(alone, cells.plan.folds), ("cell",), ())
    procedure = quick_procedure(task.prediction, task.folds)
    claims = {
        plan: out_of_fold(designs, cells.values, folds, procedure, threads)
        for plan, folds in (("grouped", cells.plan), ("random", random))
    }

    def score(plan: str, folds: FoldPlan, name: str) -> float:
        return float(quick_r2(claims[plan][name], cells.values[:, None, :], folds)[0])

    scores = {name: (score("grouped", cells.plan, name), score("random", random, name)) for name in designs}
    return max(scores.values(), key=lambda pair: pair[1] - pair[0], default=None)
