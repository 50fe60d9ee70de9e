"""What happened to the sisters."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.lineage.detectable import Detectable
from cineseq.lineage.interpretation import interval_to_read, readings
from cineseq.lineage.report import state_sentence, tested_states
from cineseq.lineage.selection_bias import NOT_EXCLUDED
from cineseq.report.evidence import Evidence
from cineseq.report.fates import ALIKE, shared_fates
from cineseq.report.found import Found, not_estimable, not_run, note_of
from cineseq.statistics.by_sample import in_samples
from cineseq.statistics.verdicts import is_above, judge, overall
from cineseq.tables.lineage import SISTER_DIED
from cineseq.text import listed, ratio


def sisters(evidence: Evidence) -> Found:
    """Answer whether a state of survivors is associated with the death of the sister, and how alike fates are.

    Without a tested state, the fates of the sisters themselves, condition by condition, are the answer.
    """
    fates = shared_fates(evidence.concordance, evidence.incidence)
    alike = (fates.lead, *fates.sentences, ALIKE if fates.is_shown else "")
    caution = _caution(evidence.warnings)
    table = evidence.states
    if table is None or table.empty:
        state = not_estimable("no survivor with a measured state has a sister of known fate")
        if evidence.concordance is None:
            state = not_run("comparison of sisters, which needs tracks with divisions")
    else:
        state = _state_by_sister(table, evidence.power, evidence.states_by_sample)
    text, verdict, numbers = state
    of_fates = judge(is_estimated=True, is_shown=fates.is_shown)
    if not fates.lead:
        return " ".join(t for t in (text, *alike, caution) if t), verdict, numbers | fates.numbers
    verdicts = {"verdicts": {"a state with the death of the sister": verdict, "fates of sisters": of_fates}}
    if verdict not in {"not_estimable", "not_run"}:
        whole = overall((verdict, of_fates))
        return " ".join(t for t in (text, *alike, caution) if t), whole, numbers | fates.numbers | verdicts
    of_states = f"Whether a state of survivors is associated with the death of the sister is {_lower_first(text)}"
    return " ".join(t for t in (*alike, of_states, caution) if t), of_fates, numbers | fates.numbers


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _state_by_sister(table: pd.DataFrame, power: pd.DataFrame | None, by_sample: pd.DataFrame | None) -> Found:
    main = table[table["contrast"] == SISTER_DIED]
    states = tested_states(table)
    tested = states[states["odds_ratio"].notna()]
    if tested.empty:
        first = main.iloc[0] if len(main) else table.iloc[0]
        return not_estimable(
            note_of(
                first,
                "too few families are in strata with survivors whose sister died and survivors whose sister lived",
            )
        )
    row = tested.iloc[0]
    numbers = {k: row[k] for k in ("state", "odds_ratio", "low", "high", "informative")}
    numbers |= {"p_value": row["p_value"], "q_value": row["q"], "states_tested": len(states)}
    ends = row[["low", "high"]].to_numpy(float, na_value=np.nan)
    low, high = interval_to_read(ends[0], ends[1], row["q"])
    sentence = state_sentence(row, _detectable(power, row), for_all=True)
    text = f"{sentence} {_in_samples(by_sample, row)}{readings(tested)[0]}"
    beyond = is_above(low, 1.0, row["q"]) or is_above(-high, -1.0, row["q"])
    return text, judge(is_estimated=True, is_shown=beyond), numbers


def _in_samples(by_sample: pd.DataFrame | None, row: pd.Series) -> str:
    """Say in how many samples the odds ratio is on the same side of 1; empty without samples."""
    if by_sample is None:
        return ""
    own = by_sample[by_sample["state"] == row["state"]]
    text = in_samples(own, "odds_ratio", 1.0, "1", ratio, above=bool(row["odds_ratio"] >= 1))
    return f"By sample, it is {text.removeprefix('; ')}. " if text else ""


def _detectable(power: pd.DataFrame | None, row: pd.Series) -> Detectable | None:
    if power is None:
        return None
    of_answer = (power["state"] == row["state"]) & (power["contrast"] == SISTER_DIED)
    rows = power[of_answer].dropna(subset="detectable_odds_ratio")
    if rows.empty:
        return None
    first = rows.iloc[0]
    return Detectable.of(first["detectable_odds_ratio"], first["state_rate"], row["states"])


def _caution(warnings: pd.DataFrame | None) -> str:
    if warnings is None:
        return ""
    serious = warnings[(warnings["severity"] == "serious") | (warnings["warning"] == NOT_EXCLUDED)]
    if serious.empty:
        return ""
    where = listed(sorted(set(serious["sample"])))
    return f"Caution ({where}): {' '.join(dict.fromkeys(serious['message']))}"
