"""Rows of the table of scores."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

Row = dict[str, Any]


def row(
    area: str,
    measure: str,
    recovered: float | None,
    *,
    planted: float | None = None,
    low: float | None = None,
    high: float | None = None,
    note: str | None = None,
) -> Row:
    """Return one row of the contract TRUTH; what is not finite is missing."""
    values = {"planted": planted, "recovered": recovered, "low": low, "high": high}
    finite = {name: float(v) if v is not None and math.isfinite(v) else math.nan for name, v in values.items()}
    return {"area": area, "measure": measure, **finite, "note": note}


def truth_lines(table: pd.DataFrame) -> list[str]:
    """Say each measure in a line, with what was planted."""
    lines = []
    for measure, found, planted, note in table[["measure", "recovered", "planted", "note"]].itertuples(index=False):
        text = "not estimable" if pd.isna(found) else f"{found:.3g}"
        of = "" if pd.isna(planted) else f" (planted {planted:.3g})"
        lines.append(f"{measure.replace('_', ' ')}: {text}{of}" + (f"; {note}." if isinstance(note, str) else "."))
    return lines


def ratio(part: float, whole: float) -> float:
    """Return a share, NaN of nothing."""
    return part / whole if whole else math.nan


def harmonic(precision: float, recall: float) -> float:
    """Return F1 of precision and recall."""
    return ratio(2 * precision * recall, precision + recall)
