"""How much the headline depends on choices that could have been made otherwise, and how well it is calibrated."""

from __future__ import annotations

from dataclasses import replace

import joblib
import numpy as np
import pandas as pd

from cineseq.config.prediction import Folds, Prediction
from cineseq.prediction.crossval.feature_blocks import LIBRARY_SIZE, Block
from cineseq.prediction.crossval.out_of_fold import NOTHING_KEPT, STACKED, Procedure, out_of_fold
from cineseq.prediction.model_comparison import full_procedure, model_blocks
from cineseq.prediction.performance import ModelComparison
from cineseq.statistics.metrics import area_interval, area_under_curve, group_weights, r2_interval

# Of the weights that Ding et al. try, no agreement to full agreement; the inner folds choose.
AGREEMENTS = (0.0, 0.1, 0.5, 1.0)
COMPARED = (*STACKED, "all_morphology", "both")
Designs = dict[str, tuple[Block, ...]]


def sensitivity_rows(
    comparison: ModelComparison,
    blocks: dict[str, Block | None],
    *,
    settings: Prediction,
    folds: Folds,
    seed: int,
    threads: int,
    kept: joblib.Memory = NOTHING_KEPT,
) -> pd.DataFrame:
    """Return the headline and its variants with calibration, R², and the difference to the headline.

    Parameters
    ----------
    comparison
        Every model of one function, as it was fitted for the headline.
    blocks
        The blocks of its cells.
    settings, folds
        The sections ``prediction`` and ``folds`` of the configuration.
    seed, threads
        Seeds the resampling of groups; worker processes.
    kept
        Where fits are kept until the step is done.

    Returns
    -------
    pandas.DataFrame
        One row per variant and model, columns of the table ``sensitivity``; the area under the ROC curve of indicators
        alone.
    """
    plan, values = comparison.cells.plan, comparison.cells.values
    found = {"headline": comparison.estimated()}
    for name, (designs, procedure) in _variants(blocks, comparison, settings, folds).items():
        found[name] = out_of_fold(designs, values, plan, procedure, threads, kept=kept)
        found[name].pop("both_late", None)
    weights = group_weights(plan.groups, settings.bootstraps, np.random.default_rng(seed))
    rows = [
        {"function": comparison.response.name, "variant": variant, "model": model}
        | _judged(comparison, predicted, found["headline"][model], weights)
        for variant, models in found.items()
        for model, predicted in models.items()
    ]
    return pd.DataFrame(rows)


def calibration_slope(predicted: np.ndarray, measured: np.ndarray, baseline: np.ndarray) -> float:
    """Return the slope of measured on predicted, both less the training mean; 1 is calibrated, below 1 overconfident.

    Parameters
    ----------
    predicted, measured, baseline
        Out-of-fold predictions, values and training means, each shape (cells, columns).

    Returns
    -------
    float
        NaN where the predictions do not vary.
    """
    rise, own = (predicted - baseline).ravel(), (measured - baseline).ravel()
    rise, own = rise - rise.mean(), own - own.mean()
    spread = rise @ rise
    return float(rise @ own / spread) if spread > 1e-12 * max(own @ own, 1e-300) else float("nan")


def _variants(
    blocks: dict[str, Block | None], comparison: ModelComparison, settings: Prediction, folds: Folds
) -> dict[str, tuple[Designs, Procedure]]:
    """Return the designs and the procedure of every variant that is asked for and that these data allow."""
    # The shuffled control is not among the variants, so what draws it does not matter.
    everything = model_blocks(blocks, comparison.cells, np.random.default_rng(0))
    designs = {name: everything[name] for name in COMPARED if name in everything}
    headline = full_procedure(settings, folds)
    variants = {
        "one_standard_error": (designs, replace(headline, grid=replace(headline.grid, choice="one_standard_error")))
    }
    technical = blocks.get("technical")
    if technical is not None and LIBRARY_SIZE in technical.names:
        at = technical.names.index(LIBRARY_SIZE)
        size = Block(technical.values[:, [at]], (LIBRARY_SIZE,))
        variants["with_library_size"] = ({name: (*parts, size) for name, parts in designs.items()}, headline)
    if "both" in designs:
        agreeing = replace(headline, grid=replace(headline.grid, agreements=AGREEMENTS))
        variants["cooperative"] = ({"both": designs["both"]}, agreeing)
        variants["equal_blocks"] = ({"both": designs["both"]}, replace(headline, weighing="blocks"))
    return {name: variant for name, variant in variants.items() if name in settings.sensitivity}


def _judged(
    comparison: ModelComparison, predicted: np.ndarray, headline: np.ndarray, weights: np.ndarray
) -> dict[str, object]:
    plan, values, baseline = comparison.cells.plan, comparison.cells.values, comparison.baseline()
    total = np.square(values - baseline).sum(axis=1)
    errors, before = (np.square(values - p).sum(axis=1) for p in (predicted, headline))
    low, high = r2_interval(before - errors, total, plan.units, weights)
    return {
        "n": len(values),
        "r2": 1 - errors.sum() / total.sum(),
        "delta_r2": (before - errors).sum() / total.sum(),
        "low": low,
        "high": high,
        "calibration_slope": calibration_slope(predicted, values, baseline),
    } | _told_apart(comparison, predicted - baseline, weights)


def _told_apart(comparison: ModelComparison, rise: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Return the area under the ROC curve of an indicator, and its interval; nothing for any other response.

    As for the rank correlation, predictions are less the training mean, which is anticorrelated with a held-out group.
    """
    if not comparison.response.is_indicator:
        return {}
    # Predictions that differ by rounding alone are ties.
    scores, positive = np.round(rise[:, 0], 9), comparison.cells.values[:, 0] == 1
    low, high = area_interval(scores, positive, comparison.cells.plan.units, weights)
    return {"auc": area_under_curve(scores, positive), "auc_low": low, "auc_high": high}
