"""The primary result in each sample, and what one more sample would show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cineseq.prediction.crossval.folds import CrossvalCells
from cineseq.prediction.estimands import PRIMARY, Row
from cineseq.prediction.model_comparison import training_mean
from cineseq.prediction.performance import FEWEST_CELLS, ModelComparison, Within
from cineseq.statistics.by_sample import in_samples as over_samples_text
from cineseq.statistics.by_sample import rows_over_samples
from cineseq.statistics.jackknife import FEWEST_GROUPS, JackknifeT
from cineseq.statistics.metrics import r2_jackknife
from cineseq.tables.prediction import MODELS
from cineseq.text import count, known

Form = Callable[[float], str]
SMALLEST_SHARE = 1e-9
"""Least squared error of the training mean in a sample, as a fraction of that in all, at which R² is estimated."""
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
        found = r2_by_sample(gain, total, within.cells, comparison.samples)
        rows += [{"function": comparison.response.name, "model": model} | row for row in found]
    return pd.DataFrame(rows)


def r2_by_sample(gain: np.ndarray, total: np.ndarray, cells: CrossvalCells, samples: np.ndarray) -> list[Row]:
    """Return R² in each sample with its interval, then its mean and what one more sample would show.

    Parameters
    ----------
    gain, total
        Squared error of the training mean minus that of the model, and that of the training mean, shape (cells,).
    cells
        Fields and families of the cells.
    samples
        Sample of each cell, shape (cells,).
    """
    found = [_of_sample(gain, total, cells, samples == name) for name in pd.unique(samples)]
    rows = [{"part": "sample", "sample": name} | row for name, (row, _) in zip(pd.unique(samples), found, strict=True)]
    return [*rows, *rows_over_samples(rows, [error for _, error in found], "r2", most=1.0)]


def _of_sample(gain: np.ndarray, total: np.ndarray, cells: CrossvalCells, own: np.ndarray) -> tuple[Row, float]:
    """Return the row of one sample, and the standard error of its R²; NaN where it has none."""
    row: Row = {"n": int(own.sum())}
    # A function that is the same in all cells of each field differs there by rounding only.
    if own.sum() < FEWEST_CELLS or not total[own].sum() > SMALLEST_SHARE * total.mean() * own.sum():
        few = f"{count(own.sum(), 'cell')} of at least {FEWEST_CELLS}"
        reason = few if own.sum() < FEWEST_CELLS else "what is predicted does not differ within fields"
        return row | {"r2": np.nan, "note": f"not estimable: {reason}"}, np.nan
    # Whole fields are independent; with too few of them in the sample, families of cells.
    grouped_by, labels = "fov", cells.field_labels()[own]
    if len(np.unique(labels)) < FEWEST_GROUPS:
        grouped_by, labels = "family", cells.families[own]
    units = pd.factorize(labels)[0]
    found: JackknifeT = r2_jackknife(gain[own], total[own], units)
    low, high = found.interval()
    few = f"no interval: fewer than {FEWEST_GROUPS} fields, and families"
    note = few if not np.isfinite(low) else OVER_FAMILIES if grouped_by == "family" else None
    row |= {"groups": int(units.max()) + 1, "grouped_by": grouped_by, "note": note}
    row |= {"r2": float(found.estimate), "r2_low": float(low), "r2_high": float(np.minimum(high, 1.0))}
    return row, float(found.error)


def own_rows(table: pd.DataFrame | None, primary: Mapping[str, Any], keys: tuple[str, ...]) -> pd.DataFrame | None:
    """Return the rows by sample of a result; None without a table, or where the result is not within fields.

    Parameters are those of :func:`in_samples`.
    """
    if table is None or primary["estimand"] != PRIMARY:
        return None
    return table[(table[list(keys)] == [primary[key] for key in keys]).all(axis=1)]


def in_samples(table: pd.DataFrame | None, primary: Mapping[str, Any], keys: tuple[str, ...], form: Form) -> str:
    """Say in how many samples an R² holds, and what one more sample would show.

    Parameters
    ----------
    table
        The table of R² by sample; None without it.
    primary
        The row of the result. The text is empty where it is not within fields, or of a single sample.
    keys
        Columns that ``table`` and ``primary`` share.
    form
        Writes a number.
    """
    rows = own_rows(table, primary, keys)
    if rows is None:
        return ""
    null = primary["r2_null"] if known(primary["r2_null"]) else 0.0
    what = "the mean of shuffled cells" if known(primary["r2_null"]) else "zero"
    return over_samples_text(rows, "r2", null, what, form)
