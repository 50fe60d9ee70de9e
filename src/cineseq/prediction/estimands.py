"""Rows of result tables that are about the means of samples, or cannot be estimated, and what makes a claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cineseq.prediction.crossval.folds import CrossvalCells
from cineseq.statistics.between import FEWEST_SAMPLES, FEWEST_TESTED, between_samples, means_of
from cineseq.statistics.jackknife import FEWEST_GROUPS
from cineseq.statistics.metrics import r2_interval
from cineseq.statistics.permutation import p_value
from cineseq.statistics.shares import Share
from cineseq.statistics.verdicts import is_above
from cineseq.text import count, interval, known, number

PRIMARY = "within"
"""The estimand of the primary result."""
CLASSES_OF_SAMPLES = "every sample holds one class only, so samples of a class still differ here; see between"
FEW_GROUPS = 20
"""Intervals from fewer groups are marked as such."""
Row = dict[str, Any]


def primary_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the primary result of a table with the column ``estimand``."""
    return table[table["estimand"] == PRIMARY]


def above_null(row: Mapping[str, Any], low: str, high: str) -> tuple[float, float, float]:
    """Return R² minus the mean of its null, and the interval of that; ``low`` and ``high`` name the ends of R²'s."""
    return row["r2_above_null"], row[low] - row["r2_null"], row[high] - row["r2_null"]


def gain_text(row: Mapping[str, Any], low: str, high: str, form: Callable[[float], str] = number) -> str:
    """Return R² minus the mean of its null with its interval, in words; that there is no null where there is none."""
    if not known(row["r2_null"]):
        return "without permutations to compare it with"
    gain, below, above = above_null(row, low, high)
    span = f" {interval(below, above, form)}" if known(row[low]) else ""
    return f"{form(gain)}{span} above the {form(row['r2_null'])} of shuffled cells"


def share_text(row: Mapping[str, Any], form: Callable[[float], str] = number) -> str:
    """Return the share of variance with its interval, in words."""
    if not known(row["share"]):
        return "the share of a linear model is not estimable"
    return f"a linear model has a share of {form(row['share'])} {interval(row['share_low'], row['share_high'], form)}"


def lower_bound(nonlinear: Mapping[str, Any] | None = None, form: Callable[[float], str] = number) -> str:
    """Say that R² and the share are of linear models, and what R² the non-linear model has, where there is one.

    Parameters
    ----------
    nonlinear
        The row of the model ``nonlinear`` of the same function and estimand; None where it was not fitted.
    form
        How numbers are written.
    """
    text = "linear models give a lower bound of what any model could explain"
    if nonlinear is None or not known(nonlinear["r2"]):
        return text
    ends = f" {interval(nonlinear['r2_low'], nonlinear['r2_high'], form)}" if known(nonlinear["r2_low"]) else ""
    return f"{text}; a non-linear model of all predictors has R² = {form(nonlinear['r2'])}{ends}"


def is_claimed(row: Mapping[str, Any], low: str = "r2_low") -> bool:
    """Whether a result may be called a prediction or an explanation.

    R² minus the mean of its null must have an interval above 0, and the false discovery rate must be at most 5 %.
    """
    return is_above(row[low], row["r2_null"], row["q_value"])


def class_note(cells: CrossvalCells) -> str | None:
    """Return a note where every sample holds a single class and there are several classes."""
    by_sample = pd.Series(cells.classes).groupby(cells.sample_labels()).nunique()
    several = len(np.unique(cells.classes)) > 1 and len(by_sample) > 1
    return CLASSES_OF_SAMPLES if several and by_sample.max() == 1 else None


def interval_note(groups: int) -> str:
    """Return why there is no interval, or that it is from few groups; empty from twenty groups."""
    if groups < FEWEST_GROUPS:
        return f"no interval: {count(groups, 'group')}, and at least {FEWEST_GROUPS} are needed"
    if groups < FEW_GROUPS:
        return f"interval from {count(groups, 'group')}, fewer than {FEW_GROUPS}: its ends are rough"
    return ""


def not_estimable_row(reason: str) -> Row:
    """Return the row of an estimand without numbers."""
    numbers = ("r2", "r2_low", "r2_high", "r2_null", "r2_above_null", "share", "share_low", "share_high", "p_value")
    return dict.fromkeys(numbers, np.nan) | {"permutations": 0, "note": f"not estimable: {reason}"}


def share_columns(share: Share, row: Row | None = None) -> Row:
    """Return the columns of a share of variance; it is never below the held-out R² of ``row``, which is part of it."""
    least, highest = (row["r2"], row["r2_high"]) if row is not None and known(row.get("r2")) else (np.nan, np.nan)
    if known(share.share) and known(least) and least > share.share:
        share = Share(least, share.low, max(least, share.high, np.nan_to_num(min(highest, 1.0))))
    return {"share": share.share, "share_low": share.low, "share_high": share.high}


def between_row(predictors: np.ndarray, targets: np.ndarray, samples: np.ndarray, permutations: int, seed: int) -> Row:
    """Return the row about the means of samples, with an interval and a p-value from twenty samples.

    Parameters
    ----------
    predictors, targets
        Values of the cells, shapes (cells, predictors) and (cells, targets).
    samples
        Sample of each cell, shape (cells,).
    permutations
        Permutations of samples.
    seed
        Seed of permutations.
    """
    number = len(np.unique(samples))
    if number < FEWEST_SAMPLES:
        many = "1 sample is" if number == 1 else f"{number} samples are"
        reason = f"{many} too few to hold one out, {FEWEST_SAMPLES} are needed"
        return not_estimable_row(reason) | {"n": number}
    # R² of the means of held-out samples, and its null under permuted samples.
    rng = np.random.default_rng(seed)
    found = between_samples(means_of(predictors, samples), means_of(targets, samples), permutations, rng)
    if not found.total.sum() > 0:
        return not_estimable_row("samples do not differ in their means") | {"n": number}
    value = float(found.gain.sum() / found.total.sum())
    mean = float(np.nanmean(found.null)) if np.isfinite(found.null).any() else np.nan
    row: Row = {"n": number, "r2": value, "r2_null": mean, "r2_above_null": value - mean}
    row |= share_columns(found.share) | {
        "r2_low": np.nan,
        "r2_high": np.nan,
        "p_value": np.nan,
        "permutations": permutations,
    }
    # Interval and p-value only where samples are enough.
    if number < FEWEST_TESTED:
        return row | {"note": f"descriptive: {number} samples, fewer than {FEWEST_TESTED}"}
    row["r2_low"], row["r2_high"] = r2_interval(found.gain, found.total, np.arange(number))
    return row | {"p_value": float(p_value(value, found.null)), "note": None}
