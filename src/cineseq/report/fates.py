"""The fates of cells and of their sisters as sentences, condition by condition."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cineseq.lineage.report import hazard_sentence, last_observed
from cineseq.statistics import ALPHA
from cineseq.statistics.permutation import benjamini_hochberg
from cineseq.text import (
    NOT_ESTIMABLE,
    count,
    interval,
    known,
    listed,
    natural_order,
    p_value,
    percent,
    quantity,
    significant,
)

CONDITIONS_NAMED = 12
"""Conditions with a sentence of their own in the answer; the others are in the tables."""
CONTROL = re.compile(r"(?i)(?<![a-z])(controls?|ctrl|untreated|vehicle|dmso|mock)(?![a-z])")
"""Names of control conditions, which come after the others."""
ALIKE = (
    "A pair counts only where both fates came within the movie, so sisters that are alike in the timing of their "
    "divisions alone can also appear to share a fate."
)


@dataclass(frozen=True)
class SharedFates:
    """What is known of the fates of sisters.

    Attributes
    ----------
    lead
        One sentence on all conditions; empty where no condition has a concordance.
    sentences
        One sentence per condition, controls last.
    is_shown
        Whether sisters share their fate beyond chance in a condition, at a false discovery rate over conditions.
    numbers
        Concordance, pairs and p-value of the condition with the smallest p-value, and of every condition.
    """

    lead: str
    sentences: tuple[str, ...]
    is_shown: bool
    numbers: dict[str, Any]


def shared_fates(concordance: pd.DataFrame | None, incidence: pd.DataFrame | None) -> SharedFates:
    """Describe, per condition, which fates cells met and how often sisters met the same one.

    Parameters
    ----------
    concordance
        The table :data:`cineseq.tables.lineage.CONCORDANCE`; None where it was not made.
    incidence
        The table :data:`cineseq.tables.lineage.FATE_INCIDENCE`; None where it was not made.
    """
    sisters = None if concordance is None else concordance[concordance["relation"] == "sisters"]
    rows = pd.DataFrame() if sisters is None else sisters.dropna(subset=["concordance"]).set_index("condition")
    met = {} if incidence is None else _fates_met(incidence)
    named = controls_last({*rows.index, *met})
    sentences = []
    for name in named:
        where = f"In {name}, " if len(named) > 1 else ""
        sentences.append(_of_condition(where, met.get(name), rows.loc[name] if name in rows.index else None))
    if (left := len(named) - CONDITIONS_NAMED) > 0:
        sentences = [*sentences[:CONDITIONS_NAMED], f"The tables have {count(left, 'more condition')}."]
    if rows.empty:
        return SharedFates("", tuple(sentences), is_shown=False, numbers={})
    rows = rows.loc[[name for name in named if name in rows.index]]
    q = benjamini_hochberg(rows["p_value"].to_numpy(float, na_value=np.nan))
    return SharedFates(_lead(rows, q), tuple(sentences), bool(np.nanmin(q, initial=1) <= ALPHA), _numbers(rows))


def controls_last(names: set[str]) -> list[str]:
    """Return the names of conditions in natural order, controls last."""
    return sorted(natural_order(names), key=lambda name: bool(CONTROL.search(name)))


def _fates_met(incidence: pd.DataFrame) -> dict[str, str]:
    """Return, by condition, the fractions of cells that divided and died, at the last age with enough cells."""
    met = {}
    for condition, rows in incidence.dropna(subset=["incidence", "time", "at_risk"]).groupby("condition", sort=False):
        last = last_observed(rows)
        if not {"division", "death"} <= set(last.index):
            continue
        divided, died = (_fraction(last.loc[event]) for event in ("division", "death"))
        age = quantity(last["time"].iloc[0], last["unit"].iloc[0])
        met[str(condition)] = f"by {age} after birth {divided} of the cells had divided and {died} had died"
    return met


def _fraction(row: pd.Series) -> str:
    ends = interval(row["low"], row["high"], percent) if row["low"] != row["high"] else ""
    return f"{percent(row['incidence'])} {ends}".strip()


def _of_condition(where: str, met: str | None, row: pd.Series | None) -> str:
    shared = None
    if row is not None:
        shared = (
            f"sisters had the same fate in {percent(row['concordance'])} of {count(row['pairs'], 'pair')} "
            f"({percent(row['expected_independent'])} expected if fates were independent, {_beyond_chance(row)})"
        )
    text = f"{where}{'; '.join(part for part in (met, shared) if part)}."
    hazard = "" if row is None or not known(row.get("p_hazard")) else f" {hazard_sentence(row)}"
    return text[:1].upper() + text[1:] + hazard


def _beyond_chance(row: pd.Series) -> str:
    """Return the p-value of the concordance of fates, or why it is not estimable."""
    note = row.get("note")
    if known(row["p_value"]) or not isinstance(note, str) or not note:
        return p_value(row["p_value"])
    return f"p {note}" if note.startswith(NOT_ESTIMABLE) else f"{p_value(None)}: {note}"


def _lead(rows: pd.DataFrame, q: np.ndarray) -> str:
    """State in how many conditions sisters share their fate beyond chance, and name the others."""
    tested, shown = np.isfinite(q), np.nan_to_num(q, nan=1.0) <= ALPHA
    if not tested.any():
        least, most = rows["concordance"].min(), rows["concordance"].max()
        span = percent(most) if least == most else f"{percent(least)} to {percent(most)}"
        return f"Sisters had the same fate in {span} of pairs; whether that is more than by chance could not be tested."
    if len(rows) == 1:
        verb = "shared" if shown.any() else "were not shown to share"
        return f"Sisters {verb} their fate more often than by chance within field and birth time."
    conditions = count(tested.sum(), "condition that could be tested", "conditions that could be tested")
    told = f"Sisters shared their fate more often than by chance in {shown.sum()} of {conditions}"
    if not shown.any():
        told = f"Sisters were not shown to share their fate more often than by chance in any of {conditions}"
    rate = f"within field and birth time, q ≤ {significant(ALPHA)}"
    others = [
        f"{what} in {listed(rows.index[which])}"
        for what, which in (("not shown", tested & ~shown), ("not estimable", ~tested))
        if which.any()
    ]
    return f"{told} ({rate}){'; ' if others else ''}{', '.join(others)}."


def _numbers(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the numbers of the condition with the smallest p-value, which has most pairs where several do."""
    first = rows.sort_values(["p_value", "pairs"], ascending=[True, False], na_position="last").iloc[0]
    return {
        "condition": str(first.name),
        "concordance": first["concordance"],
        "expected_concordance": first["expected_independent"],
        "pairs": first["pairs"],
        "p_concordance": first["p_value"],
        "conditions": list(rows.index),
    }
