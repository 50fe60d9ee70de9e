"""Tables of the performance of each model and of differences between models."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from cineseq.prediction.crossval.folds import CrossvalCells, FoldPlan
from cineseq.prediction.crossval.left_out import retrained_of
from cineseq.prediction.estimands import Row, class_note, interval_note, not_estimable_row, share_columns
from cineseq.prediction.model_comparison import ModelFit, NullTest, training_mean
from cineseq.prediction.model_shares import ModelShares
from cineseq.prediction.responses import Response, angular_error
from cineseq.statistics.correlation import spearman_within
from cineseq.statistics.metrics import centred, r2, r2_interval
from cineseq.statistics.permutation import benjamini_hochberg
from cineseq.tables.contract import ESTIMANDS
from cineseq.tables.prediction import CLUSTER_LABELS, COMPARED_MODELS, MODELS
from cineseq.text import known

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
    ("expression", CLUSTER_LABELS),
    ("morphology", "class"),
    ("embedding", "class"),
    ("features", "class"),
)
FEWEST_CELLS = 5


@dataclass(frozen=True)
class Within:
    """The models of one function fitted within fields.

    Attributes
    ----------
    cells
        The cells with values centred within fields.
    fits
        One fit per model, of centred values on centred predictors.
    shares
        Per model, its shares of variance and its row between samples.
    """

    cells: CrossvalCells
    fits: dict[str, ModelFit]
    shares: dict[str, ModelShares]

    def estimated(self) -> dict[str, np.ndarray]:
        """Return the predictions of those models that could be estimated."""
        return {name: fit.predicted for name, fit in self.fits.items() if fit.predicted is not None}


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
        One fit per model, pooled over fields.
    samples
        Sample of each cell, shape (cells,).
    track_ids
        Identity of each cell, shape (cells,).
    within
        The same within fields; None where it was not fitted, a text where it is not estimable: the reason.
    """

    response: Response
    cells: CrossvalCells
    fits: dict[str, ModelFit]
    samples: np.ndarray
    track_ids: np.ndarray
    within: Within | str | None = None

    def baseline(self) -> np.ndarray:
        """Return the mean of the training cells of each cell's fold, shape (cells, columns)."""
        return training_mean(self.cells.values, self.cells.plan)

    def estimated(self, models: tuple[str, ...] = COMPARED_MODELS) -> dict[str, np.ndarray]:
        """Return the predictions of those models that could be estimated."""
        fits = {name: self.fits[name] for name in models if name in self.fits}
        return {name: fit.predicted for name, fit in fits.items() if fit.predicted is not None}


def performance_rows(comparison: ModelComparison) -> pd.DataFrame:
    """Return one row per model and estimand: R² with its interval, the mean of its null, its share and p-value.

    :func:`with_q_values` adds q-values over all functions.
    """
    plan, share = comparison.cells.plan, {"position_share": position_share(comparison)}
    rows = []
    for name in (model for model in MODELS if model in comparison.fits):
        by_estimand = _rows_of_model(comparison, name)
        of_class = by_estimand["within_class"]
        alias = {"r2_within_class": of_class.get("r2", np.nan), "p_within_class": of_class.get("p_value", np.nan)}
        alias["class_permutations"] = of_class["permutations"]
        for estimand, row in by_estimand.items():
            key = {"function": comparison.response.name, "model": name, "estimand": estimand}
            many = {"n": len(comparison.cells.values), "groups": plan.groups, "grouped_by": plan.grouped_by}
            rows.append(key | many | alias | row | ({} if estimand == "between" else share))
    return pd.DataFrame(rows)


def position_share(comparison: ModelComparison) -> float:
    """Return the share of the function's variance within fields that follows position; NaN where the null ignores it.

    It is that of the values within fields, where these were fitted.
    """
    cells = comparison.within.cells if isinstance(comparison.within, Within) else comparison.cells
    by_position = cells.null_by_position()
    return np.nan if by_position is None else by_position.share


def _rows_of_model(comparison: ModelComparison, name: str) -> dict[str, Row]:
    """Return the row of every estimand of one model."""
    cells, fit, within = comparison.cells, comparison.fits[name], comparison.within
    rows: dict[str, Row] = {}
    shares = within.shares.get(name) if isinstance(within, Within) else None
    if isinstance(within, Within):
        own = within.fits[name]
        rows["within"] = {"permutations": own.test.permutations, "note": own.note}
        if own.predicted is not None:
            rows["within"] |= _scores(within.cells, own, own.test)
            rows["within"] |= _ranks(own.predicted, within.cells, comparison.samples, comparison.response)
    elif within is not None:
        rows["within"] = not_estimable_row(within)
    notes = {"within_class": class_note(cells) or "", "pooled": ""}
    rows |= {estimand: {"permutations": 0, "note": fit.note} for estimand in notes}
    if fit.predicted is not None:
        rows["within_class"] |= _scores(cells, fit, fit.test_within, cells.classes)
        rows["pooled"] |= _scores(cells, fit, fit.test)
        rows["pooled"] |= _ranks_or_angles(comparison, fit.predicted, comparison.baseline())
        rows["within_class"]["permutations"] = fit.test_within.permutations
        rows["pooled"]["permutations"] = fit.test.permutations
    few = interval_note(cells.plan.groups) if name != "mean" else ""
    for estimand, row in rows.items():
        row.update(
            {} if shares is None or estimand not in shares.shares else share_columns(shares.shares[estimand], row)
        )
        parts = (row["note"], notes.get(estimand), few if "r2" in row and known(row["r2"]) else "")
        row["note"] = "; ".join(filter(None, parts)) or None
    if shares is not None:
        rows["between"] = shares.between | {"groups": shares.between["n"]}
    elif isinstance(within, Within):
        rows["between"] = {"permutations": 0, "note": _without_between(name, fit)}
    return rows


def _without_between(name: str, fit: ModelFit) -> str:
    if fit.predicted is None:
        return fit.note
    if name == "mean":
        return "not estimable: it has no predictors"
    return "not estimable: means of samples are predicted by linear models of predictors of their own only"


@dataclass(frozen=True)
class SquaredErrors:
    """Squared errors of a model and of the training mean, summed over the columns of the function.

    Attributes
    ----------
    model, total
        Of the model and of the training mean, each shape (cells,).
    without
        Of the model without each block of training cells, shape (blocks, cells); None where that was not fitted.
    """

    model: np.ndarray
    total: np.ndarray
    without: np.ndarray | None

    @classmethod
    def of(cls, cells: CrossvalCells, fit: ModelFit, classes: np.ndarray | None = None) -> SquaredErrors:
        """Return those of a fit; with classes, differences between the means of classes are taken out of the errors."""

        def squares(predicted: np.ndarray) -> np.ndarray:
            # Cells come first and columns last.
            error = cells.values[(slice(None), *[None] * (predicted.ndim - 2))] - predicted
            return np.square(error if classes is None else centred(error, classes)).sum(axis=-1)

        if fit.predicted is None:
            msg = "a model without predictions has no errors"
            raise ValueError(msg)
        without = None if fit.without is None else squares(fit.without.swapaxes(0, 1)).T
        return cls(squares(fit.predicted), squares(training_mean(cells.values, cells.plan)), without)

    def interval(self, plan: FoldPlan, reference: SquaredErrors | None = None) -> tuple[float, float]:
        """Return the interval of R², or of how much larger it is than that of a reference on the same cells.

        A reference that was not fitted without blocks counts as one that needs no training.
        """
        before = self.total if reference is None else reference.model
        retrained = None
        if self.without is not None:
            changed = before if reference is None or reference.without is None else reference.without
            retrained = retrained_of(plan, changed - self.without)
        return r2_interval(before - self.model, self.total, plan.units, retrained)


def _scores(cells: CrossvalCells, fit: ModelFit, test: NullTest, classes: np.ndarray | None = None) -> Row:
    """Return R² with its interval, the mean of its null, and the p-value of the quick procedure."""
    errors, drawn = SquaredErrors.of(cells, fit, classes), test.null
    value = 1 - errors.model.sum() / errors.total.sum() if errors.total.sum() > 0 else np.nan
    low, high = errors.interval(cells.plan)
    high = float(np.minimum(high, 1.0))
    mean = float(np.nanmean(drawn)) if np.isfinite(drawn).any() else np.nan
    row: Row = {"r2": value, "r2_low": low, "r2_high": high, "r2_null": mean, "r2_above_null": value - mean}
    return row | {"p_value": test.p_value}


def not_estimable_rows(function: str, cells: int, reason: str, models: tuple[str, ...]) -> pd.DataFrame:
    """Return one row per model and estimand with the reason why the function is not estimable."""
    note = f"not estimable: {reason}"
    none = {"n": cells, "permutations": 0, "class_permutations": 0, "note": note}
    keys = pd.DataFrame(product(models, ESTIMANDS), columns=["model", "estimand"])
    return keys.assign(function=function, **none)


def with_q_values(rows: pd.DataFrame) -> pd.DataFrame:
    """Add q-values over functions: that one model predicts, by one estimand, is a family of hypotheses."""
    q = rows.groupby(["estimand", "model"])["p_value"].transform(lambda p: benjamini_hochberg(p.to_numpy(float)))
    of_class = rows.assign(q=q)[rows["estimand"] == "within_class"].set_index(["function", "model"])["q"]
    keys = pd.MultiIndex.from_frame(rows[["function", "model"]])
    return rows.assign(q_value=q, q_within_class=of_class.reindex(keys).to_numpy(float))


def contrast_rows(comparison: ModelComparison) -> pd.DataFrame:
    """Return differences of R² on the same cells and folds, with jackknife-t intervals over groups.

    Squared errors of both models are paired by cell, so that variation common to both cancels. Differences are within
    fields, where that was fitted, and pooled.
    """
    plan = comparison.cells.plan
    note = interval_note(plan.groups) or None
    sources = {"pooled": (comparison.cells, {n: comparison.fits[n] for n in comparison.estimated()})}
    if isinstance(comparison.within, Within):
        sources = {"within": (comparison.within.cells, comparison.within.fits), **sources}
    rows = []
    for estimand, (cells, fits) in sources.items():
        errors = {name: SquaredErrors.of(cells, fit) for name, fit in fits.items() if fit.predicted is not None}
        for a, b in PAIRS:
            if a in errors and b in errors:
                delta = (errors[b].model - errors[a].model).sum() / errors[a].total.sum()
                low, high = errors[a].interval(plan, errors[b])
                row = {"model_a": a, "model_b": b, "estimand": estimand, "delta_r2": delta}
                rows.append({"function": comparison.response.name, **row, "low": low, "high": high, "note": note})
    columns = ["function", "model_a", "model_b", "estimand", "delta_r2", "low", "high", "note"]
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


def _ranks(predicted: np.ndarray, cells: CrossvalCells, samples: np.ndarray, response: Response) -> dict[str, float]:
    """Return the rank correlation within samples of centred values and predictions; nothing for an angle."""
    if response.is_angle:
        return {}
    return {"spearman": spearman_within(predicted[:, 0], cells.values[:, 0], samples)}


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
