"""The primary result in each sample, and what one more sample would show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cineseq.prediction.estimands import HEADLINE, Row
from cineseq.prediction.model_comparison import training_mean
from cineseq.prediction.performance import FEWEST_CELLS, ModelComparison, Within
from cineseq.statistics.heterogeneity import FEWEST_SAMPLES, random_effects
from cineseq.statistics.jackknife import FEWEST_GROUPS, JackknifeT
from cineseq.statistics.metrics import r2_jackknife
from cineseq.tables.prediction import MODELS
from cineseq.text import count, interval, known

ALL = "all"
"""Name of the sample in rows over samples."""
OVER_FAMILIES = "its interval is over families, not fields, and takes them as independent"


def by_sample_rows(comparison: ModelComparison) -> pd.DataFrame:
    """Return R² within fields of every model in each sample, with its mean and prediction interval over samples.

    Empty where nothing is estimable within fields; ``performance`` then has the reason.
    """
    within = comparison.within
    rows: list[Row] = []
    if not isinstance(within, Within):
        return pd.DataFrame(rows)
    total = np.square(within.cells.values - training_mean(within.cells.values, within.cells.plan)).sum(axis=1)
    for model, predicted in within.estimated().items():
        if model not in MODELS or model == "mean":
            continue
        gain = total - np.square(within.cells.values - predicted).sum(axis=1)
        found = [_row_of_sample(comparison, within, gain, total, name) for name in pd.unique(comparison.samples)]
        both = [*(row for row, _ in found), *_rows_over_samples(found)]
        rows += [{"function": comparison.response.name, "model": model} | row for row in both]
    return pd.DataFrame(rows)


def _row_of_sample(
    comparison: ModelComparison, within: Within, gain: np.ndarray, total: np.ndarray, name: str
) -> tuple[Row, float]:
    """Return the row of one sample, and the standard error of its R²; NaN where it has none."""
    own = comparison.samples == name
    row: Row = {"part": "sample", "sample": name, "n": int(own.sum())}
    if own.sum() < FEWEST_CELLS or not total[own].sum() > 0:
        few = f"{count(own.sum(), 'cell')} of at least {FEWEST_CELLS}"
        reason = few if own.sum() < FEWEST_CELLS else "the function does not differ within fields"
        return row | {"r2": np.nan, "note": f"not estimable: {reason}"}, np.nan
    # Whole fields are independent; with too few of them in the sample, families of cells.
    grouped_by, labels = "fov", within.cells.field_labels()[own]
    if len(np.unique(labels)) < FEWEST_GROUPS:
        grouped_by, labels = "family", within.cells.families[own]
    units = pd.factorize(labels)[0]
    found: JackknifeT = r2_jackknife(gain[own], total[own], units)
    low, high = found.interval()
    few = f"no interval: fewer than {FEWEST_GROUPS} fields, and families"
    note = few if not np.isfinite(low) else OVER_FAMILIES if grouped_by == "family" else None
    row |= {"groups": int(units.max()) + 1, "grouped_by": grouped_by, "note": note}
    return row | {"r2": float(found.estimate), "r2_low": float(low), "r2_high": float(high)}, float(found.error)


def _rows_over_samples(found: list[tuple[Row, float]]) -> list[Row]:
    """Return the mean over samples and the prediction interval of one more."""
    effects, errors = np.array([row["r2"] for row, _ in found]), np.array([error for _, error in found])
    over = random_effects(effects, errors)
    row: Row = {"sample": ALL, "n": sum(row["n"] for row, _ in found), "grouped_by": "sample"}
    if over is None:
        usable = int((np.isfinite(effects) & (errors > 0)).sum())
        reason = f"{count(usable, 'sample')} with an interval, and at least {FEWEST_SAMPLES} are needed"
        row |= {"groups": usable, "r2": np.nan, "note": f"not estimable: {reason}"}
        return [row | {"part": part} for part in ("mean", "new_sample")]
    row |= {"groups": over.samples, "r2": over.mean, "spread": over.spread}
    return [
        row | {"part": "mean", "r2_low": over.low, "r2_high": over.high},
        row | {"part": "new_sample", "r2_low": over.new_low, "r2_high": min(over.new_high, 1.0)},
    ]


def in_samples(table: pd.DataFrame | None, headline: Mapping[str, Any]) -> str:
    """Say in how many samples a result holds, and what one more sample would show.

    Parameters
    ----------
    table
        The table ``by_sample``; None without it.
    headline
        The row of ``performance``. The text is empty where it is not within fields, or of a single sample.
    """
    if table is None or headline["estimand"] != HEADLINE:
        return ""
    rows = table[(table["function"] == headline["function"]) & (table["model"] == headline["model"])]
    each = rows[(rows["part"] == "sample") & rows["r2"].notna()]
    if len(each) < 2:
        return ""
    null = headline["r2_null"] if known(headline["r2_null"]) else 0.0
    what = "the mean of shuffled cells" if known(headline["r2_null"]) else "zero"
    above, surely = int((each["r2"] > null).sum()), int((each["r2_low"] > null).sum())
    text = f"; above {what} in {above} of {count(len(each), 'sample')}, with the whole interval in {surely}"
    new = rows[rows["part"] == "new_sample"].iloc[0]
    if not known(new["r2_low"]):
        return text
    return f"{text}; 95 % prediction interval for one more sample {interval(new['r2_low'], new['r2_high'])}"
