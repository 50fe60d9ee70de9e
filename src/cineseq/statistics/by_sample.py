"""An effect in each sample and what one more sample would show: rows and words that several steps share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cineseq.statistics.heterogeneity import FEWEST_SAMPLES, random_effects
from cineseq.text import count as counted
from cineseq.text import interval, known

Row = dict[str, Any]
ALL = "all"
"""Name of the sample in rows over samples."""


def rows_over_samples(
    rows: Sequence[Row],
    errors: Sequence[float],
    effect: str,
    *,
    most: float = np.inf,
    scale: tuple[Callable[[Any], Any], Callable[[Any], Any]] | None = None,
) -> list[Row]:
    """Return the mean over samples and the prediction interval of one more.

    Parameters
    ----------
    rows, errors
        The row of each sample, and the standard error of its effect; NaN where it has none.
    effect
        Name of the column of the effect.
    most
        Largest value that the effect can have.
    scale
        Function to the scale on which effects are normally distributed and ``errors`` are given, and its inverse.
    """
    to, back = scale or (lambda value: value, lambda value: value)
    effects = to(np.array([row[effect] for row in rows], float))
    # Random effects on the scale on which errors are given; means and intervals are taken back from it.
    over = random_effects(effects, np.array(errors, float))
    row: Row = {"sample": ALL, "n": sum(row["n"] for row in rows), "grouped_by": "sample"}
    if over is None:
        usable = int((np.isfinite(effects) & (np.array(errors, float) > 0)).sum())
        reason = f"{counted(usable, 'sample')} with an interval, and at least {FEWEST_SAMPLES} are needed"
        row |= {"groups": usable, effect: np.nan, "note": f"not estimable: {reason}"}
        return [row | {"part": part} for part in ("mean", "new_sample")]
    row |= {"groups": over.samples, effect: back(over.mean), "spread": over.spread}
    low, high = f"{effect}_low", f"{effect}_high"
    return [
        row | {"part": "mean", low: back(over.low), high: min(back(over.high), most)},
        row | {"part": "new_sample", low: back(over.new_low), high: min(back(over.new_high), most)},
    ]


@dataclass(frozen=True)
class OverSamples:
    """In how many samples an effect is on one side of a value.

    Attributes
    ----------
    samples, on_side, surely
        Samples with an effect, those in which it is on that side, and those in which its whole interval is.
    has_intervals
        Whether any sample has an interval.
    low, high
        Ends of the 95 % prediction interval for one more sample; NaN where there is none.
    """

    samples: int
    on_side: int
    surely: int
    has_intervals: bool
    low: float
    high: float


def over_samples(rows: pd.DataFrame, effect: str, null: float, *, above: bool = True) -> OverSamples | None:
    """Count the samples in which an effect is on one side of a value.

    Parameters
    ----------
    rows
        Rows of one effect, with the columns of :func:`cineseq.tables.contract.columns_by_sample`.
    effect
        Name of the column of the effect.
    null
        The value.
    above
        Whether samples above the value are counted, or those below it.

    Returns
    -------
    OverSamples or None
        None with fewer than two samples.
    """
    each = rows[(rows["part"] == "sample") & rows[effect].notna()]
    # An effect without any error is that of a model without predictors, which predicts the mean.
    ends = each[[f"{effect}_low", f"{effect}_high"]].to_numpy(float, na_value=np.nan)
    if len(each) < 2 or (ends[:, 0] == ends[:, 1]).all():
        return None
    sign, end = (1, "low") if above else (-1, "high")
    on_side = int((sign * each[effect] > sign * null).sum())
    surely = int((sign * each[f"{effect}_{end}"] > sign * null).sum())
    new = rows[rows["part"] == "new_sample"].iloc[0]
    ends_of_new = (float(new[name]) if known(new[name]) else np.nan for name in (f"{effect}_low", f"{effect}_high"))
    return OverSamples(len(each), on_side, surely, bool(each[f"{effect}_{end}"].notna().any()), *ends_of_new)


def in_samples(
    rows: pd.DataFrame, effect: str, null: float, what: str, form: Callable[[float], str], *, above: bool = True
) -> str:
    """Say in how many samples an effect is on one side of a value, and what one more sample would show.

    Parameters
    ----------
    rows, effect, null, above
        As :func:`over_samples`.
    what
        Name of the value in the sentence.
    form
        Writes a number.

    Returns
    -------
    str
        Begins with a semicolon; empty with fewer than two samples.
    """
    found = over_samples(rows, effect, null, above=above)
    if found is None:
        return ""
    side = "above" if above else "below"
    text = f"; {side} {what} in {found.on_side} of {counted(found.samples, 'sample')}"
    if found.has_intervals:
        text += f", with the whole interval in {found.surely}"
    if not known(found.low):
        return text
    return f"{text}; 95 % prediction interval for one more sample {interval(found.low, found.high, form)}"
