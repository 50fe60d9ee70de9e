"""What the prediction step says in words, and the numbers that other steps read."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from cineseq.prediction.figures import WORDS
from cineseq.text import count, interval, number, p_value, readable

VARIANT_WORDS = {
    "one_standard_error": "penalty one standard error stronger",
    "with_library_size": "library size as a column",
    "equal_blocks": "blocks of equal variance",
    "cooperative": "expression and shape drawn to agree",
}
NUMBERS = ("r2", "p_value", "q_value", "r2_within_class", "p_within_class")
SAID = ("technical_cycle_size", "class", "expression", "morphology", "embedding", "features", "both")


def report(
    tables: dict[str, pd.DataFrame], random_folds: dict[str, tuple[float, float]], notes: tuple[str, ...]
) -> dict[str, Any]:
    """Return the step's report: one line per finding and flat numbers.

    Parameters
    ----------
    tables
        The tables that are written, by their names in :data:`cineseq.prediction.predict.TABLES`.
    random_folds
        Per function, R² of the quick procedure with the grouped folds and with random folds.
    notes
        Sentences about how it was done.
    """
    contrasts, sensitivity = tables["contrasts"], tables["sensitivity"]
    lines = list(notes)
    numbers: dict[str, float | None] = {}
    for function, rows in tables["performance"].groupby("function", sort=False):
        by_model = rows.set_index("model")
        lines.append(_ladder_line(str(function), by_model))
        lines += _class_line(str(function), by_model)
        lines += _contrast_lines(
            str(function), contrasts[contrasts["function"] == function].set_index(["model_a", "model_b"])
        )
        lines += _sensitivity_line(str(function), sensitivity[sensitivity["function"] == function])
        for model, row in by_model.iterrows():
            numbers |= {f"{function}.{model}.{key}": _finite(row[key]) for key in NUMBERS}
    for function, (grouped, by_chance) in random_folds.items():
        lines.append(
            f"{readable(function)}: folds that split the groups would claim R² = {number(by_chance)} where "
            f"folds that keep "
            f"them whole give {number(grouped)} (the modality that they flatter most, quick procedure)."
        )
        numbers[f"{function}.random_folds.r2"] = _finite(by_chance)
    lines += [_overlap_line(row) for row in tables["overlap"].to_dict("records")]
    return {"lines": lines, "numbers": numbers}


def _ladder_line(function: str, rows: pd.DataFrame) -> str:
    estimated = [m for m in SAID if m in rows.index and np.isfinite(rows.loc[m, "r2"])]
    if not estimated:
        return f"{readable(function)}: {rows['note'].iloc[0]}."
    parts = []
    for model in estimated:
        row = rows.loc[model]
        p = f", {p_value(row['p_value'])}" if np.isfinite(row["p_value"]) else ""
        parts.append(f"{WORDS[model]} {number(row['r2'])} {interval(row['r2_low'], row['r2_high'])}{p}")
    first = rows.loc[estimated[0]]
    where = f"{count(first['n'], 'cell')} of {count(first['groups'], 'group')}"
    said = f"{readable(function)}: held-out R² in {where}: {'; '.join(parts)}."
    error = rows["circular_error"].dropna()
    if len(error):
        said += " Mean angular error: " + ", ".join(f"{WORDS[m]} {number(v, 3)}" for m, v in error.items()) + " turns."
    return said


def _class_line(function: str, rows: pd.DataFrame) -> list[str]:
    """Say how much of the best model's R² the class means have, and what is left within class."""
    models = [m for m in ("expression", "morphology", "embedding", "features", "both") if m in rows.index]
    r2 = rows["r2"].astype(float)
    if "class" not in rows.index or not r2["class"] > 0 or not r2[models].max() > 0:
        return []
    best = rows.loc[r2[models].idxmax()]
    q = best["q_within_class"]
    null = f", {p_value(q, 'q')} over models when permuted within class" if np.isfinite(q) else ""
    lead = "most of it is the class of a cell: " if mostly_class(best, rows.loc["class"]) else ""
    return [
        f"{readable(function)}: {lead}class means alone reach R² = {number(r2['class'])} where "
        f"{WORDS[str(best.name)]} has "
        f"{number(best['r2'])}, and within class {number(best['r2_within_class'])}{null}."
    ]


def mostly_class(row: pd.Series, of_class: pd.Series) -> bool:
    """Whether class means reach more than half of a model's R² and the model less than half of it within classes."""
    half = row["r2"] / 2
    return bool(of_class["r2"] > half and row["r2_within_class"] < half)


def _contrast_lines(function: str, rows: pd.DataFrame) -> list[str]:
    """Say whether both beats expression, all of morphology and its shuffled control, or that this is not shown.

    Morphology and embedding may complement each other, so it is not enough to beat each of them alone.
    """
    sides = ("expression", "all_morphology")
    if not {("both", m) for m in (*sides, "both_permuted")} <= set(rows.index):
        return []
    needed = [rows.loc[("both", m)] for m in (*sides, "both_permuted")]
    least = min(sides, key=lambda m: rows.loc[("both", m), "delta_r2"])
    gain = rows.loc[("both", least)]
    verdict = "are shown to predict" if all(row["low"] > 0 for row in needed) else "are not shown to predict"
    return [
        f"{readable(function)}: expression and shape together {verdict} better than the better of them: "
        f"ΔR² = {number(gain['delta_r2'], signed=True)} {interval(gain['low'], gain['high'])} over {WORDS[least]}, "
        f"{number(needed[-1]['delta_r2'], signed=True)} {interval(needed[-1]['low'], needed[-1]['high'])} "
        f"over shuffled shape."
    ]


def _sensitivity_line(function: str, rows: pd.DataFrame) -> list[str]:
    """Say how the widest model is calibrated, and what other choices would have made of it."""
    model = next(
        (m for m in ("both", "expression", "embedding", "features", "morphology") if m in set(rows["model"])), None
    )
    if model is None:
        return []
    own = rows[rows["model"] == model].set_index("variant")
    others = [
        f"{VARIANT_WORDS[variant]} {number(row['r2'])} "
        f"{interval(row['low'], row['high'], partial(number, signed=True))}"
        for variant, row in own.drop(index="headline").iterrows()
    ]
    headline = own.loc["headline"]
    auc, low, high = headline[["auc", "auc_low", "auc_high"]]
    area = f", area under the ROC curve {number(auc)} {interval(low, high)}" if np.isfinite(auc) else ""
    return [
        f"{readable(function)}: {WORDS[model]} has R² = {number(headline['r2'])}, calibration slope "
        f"{number(headline['calibration_slope'])}{area}; other choices, with the interval of the difference: "
        f"{', '.join(others)}."
    ]


def _overlap_line(row: dict[str, Any]) -> str:
    name = readable(row["function"])
    if pd.isna(row.get("shared")) or pd.notna(row.get("note")):
        return f"{name}: {int(row['selected'])} selected genes; overlap with cluster markers {row['note']}."
    return (
        f"{name}: {int(row['shared'])} of {int(row['selected'])} selected genes are among "
        f"{count(row['markers'], 'cluster marker')}; {number(row['expected'], 1)} expected by chance "
        f"({p_value(row['p_value'])} for as many or more, {p_value(row['p_fewer'])} for as few or fewer), "
        f"{number(row['expected_matched'], 1)} among equally expressed genes ({p_value(row['p_matched'])} and "
        f"{p_value(row['p_fewer_matched'])})."
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
