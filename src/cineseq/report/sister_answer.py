"""What happened to the sisters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from cineseq.lineage.detectable import Detectable
from cineseq.lineage.interpretation import OTHERS, TO_SEPARATE, interval_to_read, readings
from cineseq.lineage.report import state_sentence, tested_states
from cineseq.lineage.selection_bias import NOT_EXCLUDED, SELECTED
from cineseq.report.claims import samples_of
from cineseq.report.evidence import Evidence
from cineseq.report.fates import ALIKE, shared_fates
from cineseq.report.found import Claim, Found, not_estimable, not_run, note_of, tested, with_interval
from cineseq.statistics.by_sample import in_samples, over_samples
from cineseq.statistics.verdicts import is_above, judge, overall
from cineseq.tables.lineage import SISTER_DIED
from cineseq.text import count, listed, natural_order, ratio

ARMS = ("died_cells", "died_with_state", "survived_cells", "survived_with_state")
CLUSTER = "cluster="
"""Beginning of the names of states that are clusters."""
NAMED = 5
"""Marker genes of a cluster, and samples that were left out, that are named."""


def sisters(evidence: Evidence) -> Found:
    """Answer whether a state of survivors is associated with the death of the sister, and how alike fates are.

    Without a tested state, the fates of the sisters themselves, condition by condition, are the answer.
    """
    fates = shared_fates(evidence.concordance, evidence.incidence, evidence.fate_pairs, evidence.cells)
    details = (*fates.sentences, ALIKE if fates.is_shown else "")
    table = evidence.states
    if table is not None and not table.empty:
        state = _state_by_sister(evidence, table)
    elif evidence.concordance is None:
        state = not_run("comparison of sisters, which needs tracks with divisions")
    else:
        state = not_estimable("no survivor with a measured state has a sister of known fate")
    own = _rows_by_sample(evidence, state.numbers.get("state"))
    caution = _caution(evidence, _compared_and_left(evidence, own)[1])
    if not fates.lead:
        more = _joined(state.more, *details, caution)
        return replace(state, more=more, numbers=state.numbers | fates.numbers)
    of_fates = judge(is_estimated=True, is_shown=fates.is_shown)
    if state.verdict in {"not_estimable", "not_run"}:
        of_states = (
            f"Whether a state of survivors is associated with the death of the sister is {_lower_first(state.lead)}"
        )
        more = _joined(*details, of_states, state.more, caution)
        return Found(fates.lead, of_fates, state.numbers | fates.numbers, more, fates.claims)
    verdicts = {"verdicts": {"a state with the death of the sister": state.verdict, "fates of sisters": of_fates}}
    return Found(
        _joined(state.lead, fates.lead),
        overall((state.verdict, of_fates)),
        state.numbers | fates.numbers | verdicts,
        _joined(state.more, *details, caution),
        (*state.claims, *fates.claims),
    )


def _joined(*texts: str) -> str:
    return " ".join(text for text in texts if text)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _state_by_sister(evidence: Evidence, table: pd.DataFrame) -> Found:
    main = table[table["contrast"] == SISTER_DIED]
    states = tested_states(table)
    tested_rows = states[states["odds_ratio"].notna()]
    if tested_rows.empty:
        first = main.iloc[0] if len(main) else table.iloc[0]
        return not_estimable(
            note_of(
                first,
                "too few families are in strata with survivors whose sister died and survivors whose sister lived",
            )
        )
    row = tested_rows.iloc[0]
    numbers = {k: row[k] for k in ("state", "odds_ratio", "low", "high", "informative", *ARMS) if k in row}
    numbers |= {"p_value": row["p_value"], "q_value": row["q"], "states_tested": len(states)}
    ends = row[["low", "high"]].to_numpy(float, na_value=np.nan)
    low, high = interval_to_read(ends[0], ends[1], row["q"])
    beyond = is_above(low, 1.0, row["q"]) or is_above(-high, -1.0, row["q"])
    verdict = judge(is_estimated=True, is_shown=beyond)
    own = _rows_by_sample(evidence, row["state"])
    above = bool(row["odds_ratio"] >= 1)
    over = None if own is None else over_samples(own, "odds_ratio", 1.0, above=above)
    claim = Claim(
        f"{row['state']} with the death of the sister",
        verdict,
        f"odds ratio {with_interval(row['odds_ratio'], row['low'], row['high'], ratio)}",
        ratio(1),
        tested(row["p_value"], row["q"]),
        *samples_of(over, ratio),
    )
    lead = (
        state_sentence(row, _detectable(evidence.power, row), for_all=True),
        _marked_by(evidence.markers, row["state"]),
        _samples_left_out(evidence, own),
    )
    by_sample = "" if own is None else in_samples(own, "odds_ratio", 1.0, "1", ratio, above=above)
    by_sample = f"By sample, it is {by_sample.removeprefix('; ')}." if by_sample else ""
    more = _joined(by_sample, readings(tested_rows)[0], OTHERS, TO_SEPARATE)
    return Found(_joined(*lead).strip(), verdict, numbers, more, (claim,))


def _marked_by(markers: pd.DataFrame | None, state: str) -> str:
    """Name the first marker genes of the cluster that a state is; empty where the state is no cluster."""
    if markers is None or not state.startswith(CLUSTER):
        return ""
    cluster = state.removeprefix(CLUSTER)
    rows = markers[(markers["comparison"] == "cluster") & (markers["group"].astype(str) == cluster)]
    if rows.empty:
        return ""
    found = rows[rows["is_marker"].fillna(value=False).astype(bool)]
    if found.empty:
        return f"Cluster {cluster} has no marker gene."
    first = found.sort_values(["q_value", "auc"], ascending=[True, False], kind="stable")["gene"].head(NAMED)
    more = f", of {count(len(found), 'marker gene')}" if len(found) > len(first) else ""
    return f"Cluster {cluster} is marked by {listed(first)}{more}."


def _rows_by_sample(evidence: Evidence, state: str | None) -> pd.DataFrame | None:
    """Return the odds ratios of a state by sample; None where they are not known."""
    each = evidence.states_by_sample
    return None if each is None or state is None else each[each["state"] == state]


def _compared_and_left(evidence: Evidence, own: pd.DataFrame | None) -> tuple[list[str], list[str]]:
    """Return the samples with informative families, and the others; none of either where these are not known."""
    if own is None or evidence.cells is None:
        return [], []
    each = own[own["part"] == "sample"].set_index("sample")
    compared = set(each.index[each["groups"].fillna(0) > 0])
    left = set(evidence.cells["sample"].astype(str)) - compared
    return natural_order(compared), natural_order(left) if compared else []


def _samples_left_out(evidence: Evidence, own: pd.DataFrame | None) -> str:
    """Name the samples that are in no stratum with both arms, each with the reason; empty without any."""
    compared, left = _compared_and_left(evidence, own)
    if not left:
        return ""
    by_reason: dict[str, list[str]] = {}
    for name in left:
        by_reason.setdefault(_why_left_out(evidence.warnings, name), []).append(name)
    parts = []
    for reason, names in by_reason.items():
        named = names if len(names) <= NAMED else [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"]
        parts.append(f"{listed(named)} {'is' if len(names) == 1 else 'are'} left out, because {reason}")
    of = listed(compared) if len(compared) <= NAMED else count(len(compared), "sample")
    return f"The comparison is of {of}; {'; '.join(parts)}."


def _why_left_out(warnings: pd.DataFrame | None, sample: str) -> str:
    selected = pd.DataFrame() if warnings is None else warnings[warnings["warning"] == SELECTED]
    if len(selected) and sample in set(selected["sample"]):
        return "sisters share compartments there, and a survivor that is sequenced in a shared one has lost its sister"
    return "no field and birth time there has survivors of both kinds"


def _detectable(power: pd.DataFrame | None, row: pd.Series) -> Detectable | None:
    if power is None:
        return None
    of_answer = (power["state"] == row["state"]) & (power["contrast"] == SISTER_DIED)
    rows = power[of_answer].dropna(subset="detectable_odds_ratio")
    if rows.empty:
        return None
    first = rows.iloc[0]
    return Detectable.of(first["detectable_odds_ratio"], first["state_rate"], row["states"])


def _caution(evidence: Evidence, left: list[str]) -> str:
    """Return the warnings against the comparison, without selection in samples that are said to be left out for it."""
    warnings = evidence.warnings
    if warnings is None:
        return ""
    serious = warnings[(warnings["severity"] == "serious") | (warnings["warning"] == NOT_EXCLUDED)]
    serious = serious[~((serious["warning"] == SELECTED) & serious["sample"].isin(left))]
    if serious.empty:
        return ""
    where = listed(sorted(set(serious["sample"])))
    return f"Caution ({where}): {' '.join(dict.fromkeys(serious['message']))}"
