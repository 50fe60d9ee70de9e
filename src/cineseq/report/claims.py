"""Claims of the answers as rows of numbers: effect with its interval, chance, test, and the samples that agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from cineseq.prediction.by_sample import own_rows
from cineseq.report.found import NONE, Claim, tested, with_interval
from cineseq.statistics.by_sample import OverSamples, over_samples
from cineseq.statistics.verdicts import Verdict
from cineseq.text import count, interval, known, number

Form = Callable[[float], str]


def r2_claim(
    name: str,
    verdict: Verdict,
    row: Mapping[str, Any],
    by_sample: pd.DataFrame | None,
    keys: tuple[str, ...],
    *,
    ends: tuple[str, str] = ("r2_low", "r2_high"),
    form: Form = number,
) -> Claim:
    """Return the claim that a model predicts or explains something.

    Parameters
    ----------
    name, verdict
        What is claimed, and the verdict on it.
    row
        The row of the result, with ``r2``, ``r2_null``, p-value and q-value.
    by_sample, keys
        As :func:`cineseq.prediction.by_sample.in_samples`.
    ends
        Columns of the ends of the interval.
    form
        Writes a number.
    """
    rows = own_rows(by_sample, row, keys)
    null = row["r2_null"] if known(row["r2_null"]) else 0.0
    over = None if rows is None else over_samples(rows, "r2", null)
    effect = f"R² = {with_interval(row['r2'], row[ends[0]], row[ends[1]], form)}"
    by_chance = form(row["r2_null"]) if known(row["r2_null"]) else NONE
    return Claim(name, verdict, effect, by_chance, tested(row["p_value"], row["q_value"]), *samples_of(over, form))


def samples_of(over: OverSamples | None, form: Form) -> tuple[str, str]:
    """Return in how many samples an effect is on its side of chance, and the interval for one more sample."""
    if over is None:
        return NONE, NONE
    one_more = interval(over.low, over.high, form) if known(over.low) else NONE
    return f"{over.on_side} of {count(over.samples)}", one_more
