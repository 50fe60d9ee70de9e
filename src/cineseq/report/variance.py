"""The variance of one modality that the other explains, as a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cineseq.prediction.by_sample import in_samples
from cineseq.prediction.estimands import PRIMARY, gain_text, is_claimed, lower_bound, share_text
from cineseq.report.claims import r2_claim
from cineseq.report.evidence import Evidence
from cineseq.report.found import Claim, Found, not_estimable, not_run, note_of
from cineseq.report.limits import held_out_alone
from cineseq.statistics import ALPHA
from cineseq.statistics.verdicts import Verdict, judge, overall
from cineseq.tables.crossmodal import DIRECTIONS
from cineseq.text import count, first_sentence, interval, known, p_value, percent

Row = Mapping[str, Any]


def is_explained(row: Row) -> bool:
    """Whether a row of the table ``crossmodal_summary`` may be called an explanation, see :func:`is_claimed`."""
    return is_claimed(row, "low")


def variance_sentence(
    row: Row, pooled: Row | None, source: str, target: str, by_sample: pd.DataFrame | None = None
) -> str:
    """State which fraction of the variance of ``target`` within fields ``source`` explains, or that none was shown.

    Parameters
    ----------
    row
        The row of the table ``crossmodal_summary`` about variance within fields, with an R².
    pooled
        The row of the same direction pooled over fields; None without it.
    source, target
        Names of the modalities; ``source`` is the first word of the sentence.
    by_sample
        The table ``crossmodal_by_sample``; None without it.
    """
    span = interval(row["low"], row["high"], percent, named=True)
    tested = f"{p_value(row['p_value'])}, {p_value(row['q_value'], 'q')}"
    measured = f"{span}; {gain_text(row, 'low', 'high', percent)}, {tested}"
    details = f"This is of {count(row['n'], 'cell')}; {share_text(row, percent)}"
    details += _pooled_text(pooled) + in_samples(by_sample, row, ("direction",), percent)
    if is_explained(row):
        return (
            f"{source} explains {percent(row['r2'])} of the variance of {target} within fields, in held-out groups "
            f"({measured}). {details}."
        )
    return (
        f"{source} was not shown to explain any of the variance of {target} within fields, in held-out groups: "
        f"R² = {percent(row['r2'])} ({measured}){_why_not(row)}. {details}."
    )


def _why_not(row: Row) -> str:
    """Say what does not exclude chance where the p-value does."""
    if not (known(row["p_value"]) and row["p_value"] <= ALPHA):
        return ""
    open_ones = [] if known(row["low"]) and row["low"] > row["r2_null"] else ["its interval"]
    open_ones += [] if known(row["q_value"]) and row["q_value"] <= ALPHA else ["its q-value"]
    verb = "does" if len(open_ones) == 1 else "do"
    return f"; it is more than with shuffled cells, but {' and '.join(open_ones)} {verb} not exclude chance"


def _pooled_text(row: Row | None) -> str:
    if row is None or not known(row["r2"]):
        return ""
    null = f", {percent(row['r2_null'])} with shuffled cells" if known(row["r2_null"]) else ""
    return f"; pooled over fields R² = {percent(row['r2'])}{null}"


def crossmodal(evidence: Evidence) -> Found:
    """Answer which fraction of the variance of each modality the other explains in held-out groups."""
    table = evidence.crossmodal_summary
    if table is None or table.empty:
        return not_run("comparison of modalities, which needs counts and shape of the same cells")
    rows = {(row["direction"], row["estimand"]): row for row in table.to_dict("records") if known(row["r2"])}
    if not rows:
        return not_estimable(note_of(table.iloc[0], "too few cells have both modalities"))
    texts: list[tuple[float, str, Claim]] = []
    verdicts: dict[str, Verdict] = {}
    numbers: dict[str, Any] = {}
    for direction in DIRECTIONS:
        row = rows.get((direction, PRIMARY))
        if row is None:
            continue
        source, target = direction.split("_to_")
        verdicts[f"{source} to {target}"] = judge(is_estimated=True, is_shown=is_explained(row))
        whole, each = rows.get((direction, "pooled")), evidence.crossmodal_by_sample
        name = f"{source} to {target}"
        claim = r2_claim(name, verdicts[name], row, each, ("direction",), ends=("low", "high"), form=percent)
        texts.append((row["r2_above_null"], variance_sentence(row, whole, source.capitalize(), target, each), claim))
        numbers |= {f"r2_{direction}": row["r2"], f"null_{direction}": row["r2_null"], f"p_{direction}": row["p_value"]}
        numbers |= {f"share_{direction}": row["share"], f"q_{direction}": row["q_value"]}
    if not texts:
        within = table[table["estimand"] == PRIMARY]
        return not_estimable(note_of(within.iloc[0], "nothing differs within fields"))
    # What is shown comes before what is not; the direction that explains most comes first.
    texts.sort(key=lambda text: (text[2].verdict != "shown", -text[0] if known(text[0]) else np.inf))
    bound = lower_bound()
    lead = first_sentence(texts[0][1])
    more = [texts[0][1].removeprefix(lead).strip(), *(text for _, text, _ in texts[1:])]
    more += [f"{bound[:1].upper()}{bound[1:]}.", held_out_alone(next(iter(rows.values())))]
    claims = tuple(claim for *_, claim in texts)
    details = " ".join(text for text in more if text)
    return Found(lead, overall(verdicts.values()), numbers | {"verdicts": verdicts}, details, claims)
