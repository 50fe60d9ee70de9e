"""Tables of the performance of each model and of differences between models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.prediction.crossval.folds import CrossvalCells
from cineseq.prediction.model_comparison import ModelFit, training_mean
from cineseq.prediction.responses import Response, angular_error
from cineseq.statistics.correlation import spearman_within
from cineseq.statistics.metrics import group_weights, r2, r2_interval, r2_within
from cineseq.statistics.permutation import benjamini_hochberg, p_value
from cineseq.tables.prediction import COMPARED_MODELS, MODELS

PAIRS = (
    ("both", "expression"),
    ("both", "morphology"),
    ("both", "embedding"),
    ("both", "features"),
    ("both", "all_morphology"),
    ("both", "both_permuted"),
    ("both", "both_late"),
    ("both", "technical_cycle_size"),
    ("nonlinear", "both"),
    ("nonlinear", "expression"),
    ("morphology", "expression"),
    ("embedding", "expression"),
    ("embedding", "morphology"),
    ("features", "expression"),
    ("features", "morphology"),
    ("features", "embedding"),
    ("all_morphology", "expression"),
    ("expression", "technical_cycle_size"),
    ("morphology", "technical_cycle_size"),
    ("embedding", "technical_cycle_size"),
    ("features", "technical_cycle_size"),
    ("morphology", "size"),
    ("expression", "class"),
    ("morphology", "class"),
    ("embedding", "class"),
    ("features", "class"),
)
FEWEST_GROUPS_FOR_INTERVAL = 5
FEWEST_CELLS = 5
FEW_GROUPS = "interval from fewer than five groups: read it as a range, not as 95 %"


@dataclass(frozen=True)
class ModelComparison:
    """All models of one function, fitted on the same cells and folds.

    Attributes
    ----------
    response
        The function of these cells.
    cells
        Values, groups and folds of the cells.
    fits
        One fit per model.
    samples
        Sample of each cell, shape (cells,).
    track_ids
        Identity of each cell, shape (cells,).
    """

    response: Response
    cells: CrossvalCells
    fits: dict[str, ModelFit]
    samples: np.ndarray
    track_ids: np.ndarray

    def baseline(self) -> np.ndarray:
        """Return the mean of the training cells of each cell's fold, shape (cells, columns)."""
        return training_mean(self.cells.values, self.cells.plan)

    def estimated(self, models: tuple[str, ...] = COMPARED_MODELS) -> dict[str, np.ndarray]:
        """Return the predictions of those models that could be estimated."""
        fits = {name: self.fits[name] for name in models if name in self.fits}
        return {name: fit.predicted for name, fit in fits.items() if fit.predicted is not None}


def performance_rows(comparison: ModelComparison, bootstraps: int, seed: int) -> pd.DataFrame:
    """Return one row per model: R² with its cluster-bootstrap interval, R² within class, rank correlation, p-value.

    :func:`with_q_values` adds q-values over all functions.
    """
    plan, values = comparison.cells.plan, comparison.cells.values
    baseline = comparison.baseline()
    # Cluster bootstrap: weights of groups, shape (bootstraps, groups); squared errors per cell, shape (cells,).
    weights = group_weights(plan.groups, bootstraps, np.random.default_rng(seed))
    total = np.square(values - baseline).sum(axis=1)
    rows = []
    for name in (model for model in MODELS if model in comparison.fits):
        fit = comparison.fits[name]
        row = {"function": comparison.response.name, "model": name, "n": len(values), "groups": plan.groups}
        row["grouped_by"] = plan.grouped_by
        notes = [fit.note]
        if fit.predicted is not None:
            residual = values - fit.predicted
            gain = total - np.square(residual).sum(axis=1)
            row["r2"] = gain.sum() / total.sum()
            row["r2_low"], row["r2_high"] = r2_interval(gain, total, plan.units, weights)
            row["r2_within_class"] = r2_within(residual, values - baseline, comparison.cells.classes)
            row |= _ranks_or_angles(comparison, fit.predicted, baseline)
            row["p_value"] = p_value(fit.quick, fit.null)
            row["p_within_class"] = p_value(fit.quick_within, fit.null_within)
            if plan.groups < FEWEST_GROUPS_FOR_INTERVAL and name != "mean":
                notes.append(FEW_GROUPS)
        drawn = {"permutations": len(fit.null), "class_permutations": len(fit.null_within)}
        rows.append(row | drawn | {"note": "; ".join(filter(None, notes)) or None})
    return pd.DataFrame(rows)


def not_estimable_rows(function: str, cells: int, reason: str, models: tuple[str, ...]) -> pd.DataFrame:
    """Return one row per model with the reason why the function is not estimable."""
    note = f"not estimable: {reason}"
    none = {"n": cells, "permutations": 0, "class_permutations": 0, "note": note}
    return pd.DataFrame({"function": function, "model": list(models), **none})


def with_q_values(rows: pd.DataFrame) -> pd.DataFrame:
    """Add q-values over functions and models, of R² and of R² within class."""
    rates = {"q_value": "p_value", "q_within_class": "p_within_class"}
    return rows.assign(**{q: benjamini_hochberg(rows[p].to_numpy(float)) for q, p in rates.items()})


def contrast_rows(comparison: ModelComparison, bootstraps: int, seed: int) -> pd.DataFrame:
    """Return differences of R² on the same cells and folds, with intervals from resampling groups.

    Squared errors of both models are paired by cell, so that variation common to both cancels.
    """
    plan, values = comparison.cells.plan, comparison.cells.values
    total = np.square(values - comparison.baseline()).sum(axis=1)
    errors = {name: np.square(values - p).sum(axis=1) for name, p in comparison.estimated().items()}
    weights = group_weights(plan.groups, bootstraps, np.random.default_rng(seed))
    note = FEW_GROUPS if plan.groups < FEWEST_GROUPS_FOR_INTERVAL else None
    rows = []
    for a, b in PAIRS:
        if a in errors and b in errors:
            gain = errors[b] - errors[a]
            low, high = r2_interval(gain, total, plan.units, weights)
            row = {"model_a": a, "model_b": b, "delta_r2": gain.sum() / total.sum(), "low": low, "high": high}
            rows.append({"function": comparison.response.name, **row, "note": note})
    columns = ["function", "model_a", "model_b", "delta_r2", "low", "high", "note"]
    return pd.DataFrame(rows, columns=columns)


def sample_rows(comparison: ModelComparison) -> pd.DataFrame:
    """Return R² of every model in each sample, against the training mean; NaN with the reason where not estimable."""
    baseline = comparison.cells.values - comparison.baseline()
    rows = []
    for name, predicted in comparison.estimated(MODELS).items():
        residual = comparison.cells.values - predicted
        for sample in pd.unique(comparison.samples):
            own = comparison.samples == sample
            value, note = _of_sample(residual[own].ravel(), baseline[own].ravel(), int(own.sum()))
            row = {"function": comparison.response.name, "model": name, "sample": sample, "n": int(own.sum())}
            rows.append(row | {"r2": value, "note": note})
    return pd.DataFrame(rows)


def _of_sample(residual: np.ndarray, baseline: np.ndarray, cells: int) -> tuple[float, str | None]:
    if cells < FEWEST_CELLS:
        return np.nan, f"not estimable: {cells} of at least {FEWEST_CELLS} cells"
    value = float(r2(residual, baseline))
    return value, None if np.isfinite(value) else "not estimable: every cell has the value of the training mean"


def prediction_rows(comparison: ModelComparison) -> pd.DataFrame:
    """Return measured and predicted values of each cell; cosine and sine of an angle count as two functions."""
    baseline = comparison.baseline()
    return pd.concat(
        pd.DataFrame(
            {
                "function": column,
                "model": name,
                "track_id": comparison.track_ids,
                "fold": comparison.cells.plan.fold,
                "measured": comparison.cells.values[:, number],
                "predicted": predicted[:, number],
                "baseline": baseline[:, number],
            }
        )
        for number, column in enumerate(comparison.response.columns)
        for name, predicted in comparison.estimated(MODELS).items()
    )


def _ranks_or_angles(comparison: ModelComparison, predicted: np.ndarray, baseline: np.ndarray) -> dict[str, float]:
    """Return the angular error of an angle, or the rank correlation of any other function.

    The training mean is subtracted from the predictions, because it is anticorrelated with the mean of the held-out
    group.
    """
    values = comparison.cells.values
    if comparison.response.is_angle:
        return {"circular_error": angular_error(predicted, values)}
    deviation = (predicted - baseline)[:, 0]
    return {"spearman": spearman_within(deviation, values[:, 0], comparison.samples)}
