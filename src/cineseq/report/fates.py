"""The fates of cells and of their sisters as sentences, condition by condition."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from cineseq.lineage.concordance import sisters_by_sample
from cineseq.lineage.report import hazard_text, last_observed
from cineseq.report.found import NONE, Claim, tested, with_interval
from cineseq.statistics import ALPHA, CONFIDENCE
from cineseq.statistics.heterogeneity import random_effects
from cineseq.statistics.permutation import benjamini_hochberg
from cineseq.statistics.verdicts import judge
from cineseq.text import (
    NOT_ESTIMABLE,
    count,
    interval,
    known,
    listed,
    natural_order,
    number,
    p_value,
    percent,
    quantity,
    significant,
)

CONDITIONS_NAMED = 12
"""Conditions with a sentence of their own in the answer; the others are in the tables."""
NO_P = "no p-value: "
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
        Sentences on all conditions: whether fates are shared, how many pairs are left out, and whether the hazard of
        death is shared. Empty where no condition has a concordance.
    sentences
        One sentence per condition, controls last.
    claims
        The concordance of each condition in numbers, controls last.
    is_shown
        Whether sisters share their fate beyond chance in a condition, at a false discovery rate over conditions.
    numbers
        Concordance, pairs and p-value of the condition with the smallest p-value, and of every condition.
    """

    lead: str
    sentences: tuple[str, ...]
    claims: tuple[Claim, ...]
    is_shown: bool
    numbers: dict[str, Any]


def shared_fates(
    concordance: pd.DataFrame | None,
    incidence: pd.DataFrame | None,
    pairs: pd.DataFrame | None = None,
    cells: pd.DataFrame | None = None,
) -> SharedFates:
    """Describe, per condition, which fates cells met and how often sisters met the same one.

    Parameters
    ----------
    concordance
        The table :data:`cineseq.tables.lineage.CONCORDANCE`; None where it was not made.
    incidence
        The table :data:`cineseq.tables.lineage.FATE_INCIDENCE`; None where it was not made.
    pairs
        The table :data:`cineseq.tables.lineage.FATE_PAIRS`; None where it was not made.
    cells
        As :func:`cineseq.lineage.concordance.sisters_by_sample`; None where they are not known.
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
        return SharedFates("", tuple(sentences), (), is_shown=False, numbers={})
    rows = rows.loc[[name for name in named if name in rows.index]]
    q = benjamini_hochberg(rows["p_value"].to_numpy(float, na_value=np.nan))
    lead = " ".join(text for text in (_lead(rows, q), _left_out(sisters, pairs), _hazards(rows)) if text)
    each = _sisters_by_sample(cells)
    claims = tuple(_claim(row, value, len(rows), each) for (_, row), value in zip(rows.iterrows(), q, strict=True))
    is_shown = bool(np.nanmin(q, initial=1) <= ALPHA)
    return SharedFates(lead, tuple(sentences), claims[:CONDITIONS_NAMED], is_shown, _numbers(rows))


def _sisters_by_sample(cells: pd.DataFrame | None) -> pd.DataFrame:
    needed = {"condition", "sample", "parent_id", "fate"}
    return pd.DataFrame() if cells is None or not needed <= set(cells) else sisters_by_sample(cells)


def _claim(row: pd.Series, q: float, conditions: int, by_sample: pd.DataFrame) -> Claim:
    """Return the claim that sisters of one condition share their fate."""
    own = by_sample[by_sample["condition"] == row.name] if len(by_sample) else by_sample
    more = int((own["concordance"] > own["expected_independent"]).sum()) if len(own) > 1 else 0
    samples = f"{more} of {count(len(own))}" if len(own) > 1 else NONE
    one_more = _one_more(own)
    phi = f"; phi {with_interval(row['phi'], row['phi_low'], row['phi_high'])}" if known(row["phi"]) else ""
    name = f"sisters share their fate{f', {row.name}' if conditions > 1 else ''}"
    effect = f"same fate in {percent(row['concordance'])} of {count(row['pairs'], 'pair')}{phi}"
    verdict = judge(is_estimated=True, is_shown=bool(q <= ALPHA))
    return Claim(
        name, verdict, effect, percent(row["expected_independent"]), tested(row["p_value"], q), samples, one_more
    )


def _one_more(by_sample: pd.DataFrame) -> str:
    """Return the prediction interval of phi in one more sample, from random effects on the scale of Fisher's z."""
    if "phi" not in by_sample:
        return NONE
    ends = by_sample[["phi", "phi_low", "phi_high"]].to_numpy(float)
    z, low, high = np.arctanh(np.where(np.abs(ends) < 1, ends, np.nan)).T
    over = random_effects(z, (high - low) / (2 * norm.ppf((1 + CONFIDENCE) / 2)))
    return NONE if over is None else f"phi {interval(np.tanh(over.new_low), np.tanh(over.new_high))}"


def _left_out(sisters: pd.DataFrame | None, pairs: pd.DataFrame | None) -> str:
    """Report the pairs of sisters of which a fate is not known."""
    if sisters is None or pairs is None or not (total := int(pairs["pairs"].sum())):
        return ""
    left = total - int(sisters["pairs"].sum())
    if left <= 0:
        return ""
    return (
        f"{count(left)} of {count(total, 'pair')} of sisters ({percent(left / total)}) are left out, because a fate is "
        "not known; all pairs may differ from these."
    )


def _hazards(rows: pd.DataFrame) -> str:
    """Report in how many conditions sisters share the hazard of death itself; empty where it could not be tested."""
    found = rows.dropna(subset="p_hazard") if "p_hazard" in rows else rows.iloc[:0]
    if found.empty:
        return ""
    p = found["p_hazard"].to_numpy(float)
    shown = int((benjamini_hochberg(p) <= ALPHA).sum())
    least, most = number(found["hazard_correlation"].min()), number(found["hazard_correlation"].max())
    size = f"correlation of residuals {least if least == most else f'{least} to {most}'}"
    several = len(found) > 1
    if shown:
        verb = f"is shared by sisters{f' in {shown} of {len(found)} conditions' if several else ''}"
        test = f"within field and birth time, q ≤ {significant(ALPHA)}"
    else:
        verb = f"was not shown to be shared by sisters{' in any condition' if several else ''}"
        test = f"within field and birth time, {'smallest ' if several else ''}{p_value(p.min())}"
    return f"The hazard of death itself, which cycles of similar length do not affect, {verb} ({size}; {test})."


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
        met[str(condition)] = (
            f"by {age} after birth {divided} of the cells born in the movie had divided and {died} had died"
        )
    return met


def _fraction(row: pd.Series) -> str:
    ends = interval(row["low"], row["high"], percent) if row["low"] != row["high"] else ""
    return f"{percent(row['incidence'])} {ends}".strip()


def _of_condition(where: str, met: str | None, row: pd.Series | None) -> str:
    shared = None
    if row is not None:
        shared = (
            f"sisters had the same fate in {percent(row['concordance'])} of {count(row['pairs'], 'pair')} "
            f"({percent(row['expected_independent'])} expected if fates were independent, {_beyond_chance(row)}"
            f"{hazard_text(row)})"
        )
    text = f"{where}{'; '.join(part for part in (met, shared) if part)}."
    return text[:1].upper() + text[1:]


def _beyond_chance(row: pd.Series) -> str:
    """Return the p-value of the concordance of fates, or why it is not estimable."""
    note = row.get("note")
    if known(row["p_value"]) or not isinstance(note, str) or not note:
        return p_value(row["p_value"])
    if note.startswith(NOT_ESTIMABLE):
        return f"p {note}"
    # The note has other remarks as well.
    reasons = [part for part in note.split("; ") if part.startswith(NO_P)]
    return f"{p_value(None)}: {reasons[0].removeprefix(NO_P) if reasons else note}"


def _lead(rows: pd.DataFrame, q: np.ndarray) -> str:
    """State in how many conditions sisters share their fate beyond chance, and name the others."""
    has_test, shown = np.isfinite(q), np.nan_to_num(q, nan=1.0) <= ALPHA
    if not has_test.any():
        same = f"Sisters had the same fate in {_range(rows['concordance'])} of pairs"
        return f"{same}; whether that is more than by chance could not be tested."
    verb = "shared" if shown.any() else "were not shown to share"
    told = f"Sisters {verb} their fate more often than by chance"
    if len(rows) == 1:
        test = p_value(rows["p_value"].iloc[0])
        return f"{told} within field and birth time ({_effect(rows)}; {test})."
    tried = count(has_test.sum(), "condition that could be tested", "conditions that could be tested")
    where = f"in {shown.sum() if shown.any() else 'any'} of {tried}"
    if has_test.sum() == 1:
        where = f"in {rows.index[has_test][0]}, the only condition that could be tested"
    others = [
        f"{what} in {listed(rows.index[which])}"
        for what, which in (("not shown", has_test & ~shown & shown.any()), ("not testable", ~has_test))
        if which.any()
    ]
    ends = f"within field and birth time, q ≤ {significant(ALPHA)}; {_effect(rows[has_test])}"
    return f"{told} {where} ({ends}){'; ' if others else ''}{', '.join(others)}."


def _effect(rows: pd.DataFrame) -> str:
    """Return the concordance of some conditions beside what is expected of independent fates."""
    met, expected = (_range(rows[name]) for name in ("concordance", "expected_independent"))
    return f"same fate in {met} of {count(rows['pairs'].sum(), 'pair')}, {expected} expected if fates were independent"


def _range(values: pd.Series) -> str:
    least, most = percent(values.min()), percent(values.max())
    return most if least == most else f"{least.removesuffix(' %')} to {most}"


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
