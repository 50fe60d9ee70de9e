"""Report of the prediction step: sentences, and the numbers that other steps read."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from cineseq.prediction.covariate_sentences import adds, beyond_sentence
from cineseq.prediction.crossval.out_of_fold import NONLINEAR
from cineseq.prediction.estimands import PRIMARY, gain_text, lower_bound, share_text
from cineseq.prediction.figures import MODEL_NAMES
from cineseq.prediction.group_sentences import group_sentences
from cineseq.text import count, interval, known, number, p_value, readable

VARIANT_NAMES = {
    "one_standard_error": "one-standard-error penalty",
    "with_library_size": "library size as a predictor",
    "equal_blocks": "blocks of equal variance",
    "cooperative": "agreement penalty between expression and shape",
}
NUMBERS = ("r2", "p_value", "q_value", "r2_within_class", "p_within_class")
NUMBERS_OF_ROW = ("r2", "r2_null", "share", "p_value", "q_value")
BEYOND_NUMBERS = ("r2_covariates", "delta_r2", "low", "high", "p_value", "q_value")
REPORTED_MODELS = (
    "technical_cycle_size",
    "class",
    "expression",
    "morphology",
    "embedding",
    "features",
    "both",
    "nonlinear",
)


def report(
    tables: dict[str, pd.DataFrame], random_folds: dict[str, tuple[float, float]], notes: tuple[str, ...]
) -> dict[str, Any]:
    """Return the report of the step: sentences and numbers.

    Parameters
    ----------
    tables
        The output tables by their names in :data:`cineseq.prediction.predict.TABLES`.
    random_folds
        Per function, R² of the quick procedure with the grouped folds and with random folds.
    notes
        Sentences about the folds and cells.
    """
    contrasts, sensitivity = tables["contrasts"], tables["sensitivity"]
    lines = list(notes)
    numbers: dict[str, float | None] = {}
    for function, rows in tables["performance"].groupby("function", sort=False):
        main, whole = (rows[rows["estimand"] == e].set_index("model") for e in (PRIMARY, "pooled"))
        beyond = tables["beyond_covariates"]
        beyond = beyond[beyond["function"] == function]
        said = beyond_sentence(beyond, tables["covariates"])
        predicted = [_model_comparison_line(str(function), main, whole)]
        # What is not shown to add to the covariates is said before any prediction.
        more = [f"{readable(str(function))}: {said}."] if said else []
        lines += predicted + more if beyond.apply(adds, axis=1).all() else more + predicted
        for row in beyond.to_dict("records"):
            numbers |= {f"{function}.beyond.{row['added']}.{key}": _finite(row[key]) for key in BEYOND_NUMBERS}
        lines += group_sentences(tables["unused_groups"], str(function))
        lines += _between_line(str(function), rows[rows["estimand"] == "between"].set_index("model"))
        lines += _class_line(str(function), whole)
        own = contrasts[(contrasts["function"] == function) & (contrasts["estimand"] == PRIMARY)]
        lines += _contrast_lines(str(function), own.set_index(["model_a", "model_b"]))
        lines += _sensitivity_line(str(function), sensitivity[sensitivity["function"] == function])
        for row in rows.to_dict("records"):
            name = f"{function}.{row['model']}"
            numbers |= {f"{name}.{row['estimand']}.{key}": _finite(row[key]) for key in NUMBERS_OF_ROW}
            if row["estimand"] == "pooled":
                numbers |= {f"{name}.{key}": _finite(row[key]) for key in NUMBERS}
    for function, (grouped, by_chance) in random_folds.items():
        lines.append(_random_folds_line(function, grouped, by_chance))
        numbers[f"{function}.random_folds.r2"] = _finite(by_chance)
    lines += [_overlap_line(row) for row in tables["overlap"].to_dict("records")]
    return {"lines": lines, "numbers": numbers}


def _random_folds_line(function: str, grouped: float, by_chance: float) -> str:
    """Compare folds that keep groups whole with random folds, for the modality in which random folds gain most."""
    if by_chance > grouped:
        return (
            f"{readable(function)}: folds that split the groups would give R² = {number(by_chance)}, where folds that "
            f"keep them whole give {number(grouped)} (the modality with the largest difference, quick procedure)."
        )
    return (
        f"{readable(function)}: folds that split the groups would give no modality a higher R² than folds that keep "
        f"them whole (nearest: {number(by_chance)} against {number(grouped)}, quick procedure)."
    )


def _model_comparison_line(function: str, main: pd.DataFrame, whole: pd.DataFrame) -> str:
    """Report R² within fields of every model, above its null, with the share and R² pooled over fields."""
    estimated = [m for m in REPORTED_MODELS if m in main.index and np.isfinite(main.loc[m, "r2"])]
    pooled = [m for m in REPORTED_MODELS if m in whole.index and np.isfinite(whole.loc[m, "r2"])]
    if not pooled:
        return f"{readable(function)}: {whole['note'].iloc[0]}."
    over_all = "; ".join(
        f"{MODEL_NAMES[m]} {number(whole.loc[m, 'r2'])}"
        + (f" ({number(whole.loc[m, 'r2_null'])} with shuffled cells)" if known(whole.loc[m, "r2_null"]) else "")
        for m in pooled
    )
    if not estimated:
        reason = main["note"].iloc[0] if len(main) else "not estimable"
        return f"{readable(function)}: within fields {reason}; held-out R² pooled over fields: {over_all}."
    parts = []
    for model in estimated:
        row = main.loc[model]
        p = f", {p_value(row['p_value'])}" if np.isfinite(row["p_value"]) else ""
        parts.append(
            f"{MODEL_NAMES[model]} {number(row['r2'])} {interval(row['r2_low'], row['r2_high'])}, "
            f"{gain_text(row, 'r2_low', 'r2_high')}{p}, {share_text(row)}"
        )
    first = main.loc[estimated[0]]
    where = f"{count(first['n'], 'cell')} of {count(first['groups'], 'group')}"
    line = f"{readable(function)}: held-out R² within fields in {where}: {'; '.join(parts)}."
    nonlinear = main.loc[NONLINEAR] if NONLINEAR in estimated else None
    bound = lower_bound(nonlinear)
    line += f" {bound[0].upper()}{bound[1:]}."
    line += f" Pooled over fields, where differences between fields count as well: {over_all}."
    error = whole["circular_error"].dropna()
    if len(error):
        errors = ", ".join(f"{MODEL_NAMES[m]} {number(v, 3)}" for m, v in error.items())
        line += f" Mean angular error: {errors} turns."
    return line


def _between_line(function: str, rows: pd.DataFrame) -> list[str]:
    """Report R² between the means of samples, which are the units."""
    models = [m for m in REPORTED_MODELS if m in rows.index and known(rows.loc[m, "r2"])]
    if not models:
        return []
    parts = [f"{MODEL_NAMES[m]} {number(rows.loc[m, 'r2'])}" for m in models]
    note = rows.loc[models[0], "note"]
    kind = " (descriptive)" if isinstance(note, str) and note.startswith("descriptive") else ""
    samples = count(rows.loc[models[0], "n"], "sample")
    return [f"{readable(function)}: held-out R² between the means of {samples}{kind}: {'; '.join(parts)}."]


def _class_line(function: str, rows: pd.DataFrame) -> list[str]:
    """Report R² of the class means next to that of the best model, and its R² within class."""
    models = [m for m in ("expression", "morphology", "embedding", "features", "both") if m in rows.index]
    r2 = rows["r2"].astype(float)
    if "class" not in rows.index or not r2["class"] > 0 or not r2[models].max() > 0:
        return []
    best = rows.loc[r2[models].idxmax()]
    q = best["q_within_class"]
    null = f", {p_value(q, 'q')} over functions when permuted within class" if np.isfinite(q) else ""
    lead = "most of R² is explained by the class of a cell: " if mostly_class(best, rows.loc["class"]) else ""
    return [
        f"{readable(function)}: pooled over fields, {lead}class means alone have R² = {number(r2['class'])}, "
        f"{MODEL_NAMES[str(best.name)]} has {number(best['r2'])}, and within class "
        f"{number(best['r2_within_class'])}{null}."
    ]


def mostly_class(row: pd.Series, of_class: pd.Series) -> bool:
    """Return whether class means have over half of a model's R², and the model less than half within classes."""
    half = row["r2"] / 2
    return bool(of_class["r2"] > half and row["r2_within_class"] < half)


def _contrast_lines(function: str, rows: pd.DataFrame) -> list[str]:
    """Report whether both modalities predict better than expression, all of morphology, and the shuffled control.

    Morphology and embedding may complement each other, so the comparison is with both of them, not with each.
    """
    sides = ("expression", "all_morphology")
    if not {("both", m) for m in (*sides, "both_permuted")} <= set(rows.index):
        return []
    needed = [rows.loc[("both", m)] for m in (*sides, "both_permuted")]
    least = min(sides, key=lambda m: rows.loc[("both", m), "delta_r2"])
    gain = rows.loc[("both", least)]
    verdict = "are shown to predict" if all(row["low"] > 0 for row in needed) else "are not shown to predict"
    return [
        f"{readable(function)}: within fields, expression and shape together {verdict} better than the better of them: "
        f"ΔR² = {number(gain['delta_r2'], signed=True)} {interval(gain['low'], gain['high'])} over "
        f"{MODEL_NAMES[least]}, {number(needed[-1]['delta_r2'], signed=True)} "
        f"{interval(needed[-1]['low'], needed[-1]['high'])} over shuffled shape."
    ]


def _sensitivity_line(function: str, rows: pd.DataFrame) -> list[str]:
    """Report the calibration of the largest model and its R² under alternative choices."""
    model = next(
        (m for m in ("both", "expression", "embedding", "features", "morphology") if m in set(rows["model"])), None
    )
    if model is None:
        return []
    own = rows[rows["model"] == model].set_index("variant")
    others = [
        f"{VARIANT_NAMES[variant]} {number(row['r2'])} "
        f"{interval(row['low'], row['high'], partial(number, signed=True))}"
        for variant, row in own.drop(index="headline").iterrows()
    ]
    primary = own.loc["headline"]
    auc, low, high = primary[["auc", "auc_low", "auc_high"]]
    area = f", area under the ROC curve {number(auc)} {interval(low, high)}" if np.isfinite(auc) else ""
    return [
        f"{readable(function)}: pooled over fields, {MODEL_NAMES[model]} has R² = {number(primary['r2'])}, calibration "
        f"slope {number(primary['calibration_slope'])}{area}; alternative choices, with the interval of the "
        f"difference: {', '.join(others)}."
    ]


def _overlap_line(row: dict[str, Any]) -> str:
    name = readable(row["function"])
    if pd.isna(row.get("shared")) or pd.notna(row.get("note")):
        return f"{name}: {count(row['selected'], 'selected gene')}; the overlap with cluster markers is {row['note']}."
    return (
        f"{name}: {count(row['shared'])} of {count(row['selected'], 'selected gene')} are among "
        f"{count(row['markers'], 'cluster marker')}; {number(row['expected'], 1)} expected by chance "
        f"({p_value(row['p_value'])} for as many or more, {p_value(row['p_fewer'])} for as few or fewer), "
        f"{number(row['expected_matched'], 1)} among equally expressed genes ({p_value(row['p_matched'])} and "
        f"{p_value(row['p_fewer_matched'])})."
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
