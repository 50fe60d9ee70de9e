"""Sentences of the lineage report; each states only what the data can show."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.lineage.detectable import Detectable
from cineseq.lineage.interpretation import OTHERS, TO_SEPARATE, interval_to_read, readings
from cineseq.lineage.selection_bias import NOT_EXCLUDED
from cineseq.lineage.sister_status import MEANING
from cineseq.lineage.trees import LineageTrees
from cineseq.statistics import ALPHA
from cineseq.statistics.permutation import benjamini_hochberg
from cineseq.tables.lineage import MATE_DIED, SISTER_DIED
from cineseq.text import count, interval, known, number, p_value, percent, ratio

NEGATIVE_CONTROLS = (
    "two_survivor_compartments",
    "two_survivor_sums",
    "dead_cage_mates",
    "time_since_sister_death",
    "ambient_score",
    "ambient_not_measured",
)
MOST_LINES = 6
FEWEST_CELLS = 10
"""Cells at risk with which a fraction of fates is estimated."""
HAZARDS = "correlation of their hazards of death"
CYCLES = (
    "Sisters with cycles of similar length have the same fate more often, whatever their deaths; the correlation of "
    "hazards (of death minus its cumulative hazard) is not affected by that."
)
ASSOCIATIONS = "These are associations within field and birth-time strata."


def family_lines(families: LineageTrees, status: pd.DataFrame) -> list[str]:
    """Describe the trees and the fates of the survivors' sisters."""
    cells = families.cells
    if not len(cells):
        return ["There are no cells with a lineage: relatives are not estimable."]
    fates = cells["fate"].value_counts()
    lines = [
        f"{count(len(cells), 'cell')} in {count(cells['root_cell'].nunique(), 'family', 'families')}: "
        f"{count(fates.get('division', 0))} divided, {count(fates.get('death', 0))} died, "
        f"{count(fates.get('unknown', 0))} have no known fate; "
        f"{count(len(families.sisters), 'pair')} of sisters."
    ]
    seen = status.loc[status["sequenced"], "status"].value_counts()
    if len(seen):
        each = ", ".join(f"{MEANING[name]}: {count(seen[name])}" for name in MEANING if name in seen)
        lines.append(f"Of {count(seen.sum(), 'survivor')} with a measured state: {each}.")
    return lines


def family_numbers(families: LineageTrees, status: pd.DataFrame) -> dict[str, int]:
    """Return the counts of the trees for the report."""
    fates = families.cells["fate"].value_counts()
    return {
        "cells": len(families.cells),
        "families": int(families.cells["root_cell"].nunique()),
        "divisions": int(fates.get("division", 0)),
        "deaths": int(fates.get("death", 0)),
        "unknown_fates": int(fates.get("unknown", 0)),
        "sister_pairs": len(families.sisters),
        "survivors_with_state": int(status["sequenced"].sum()),
    }


def negative_control_lines(warned: pd.DataFrame) -> list[str]:
    """Return one sentence per negative control: how sequencing in compartments may affect the comparison."""
    controls = warned[warned["warning"].isin(NEGATIVE_CONTROLS)]
    return [f"{row.message.rstrip('.')}; {count(row.cells, 'cell')}." for row in controls.itertuples()]


def control_lines(compared: pd.DataFrame, state: str | None) -> list[str]:
    """Report the control with dead cage-mates other than the sister, which shows the association with a death alone."""
    if not len(compared):
        return []
    rows = compared[(compared["contrast"] == MATE_DIED) & (compared["state"] == state)]
    estimates = [f"{_ratio(row)}, {p_value(row['p_value'])}" for _, row in rows.iterrows()]
    control = f"Negative control, '{state}' with a dead cage-mate other than the sister against none"
    return [f"{control}: {estimate}." for estimate in estimates]


def serious_lines(warned: pd.DataFrame) -> list[str]:
    """Return one sentence per serious warning, and per sample in which selection cannot be excluded."""
    serious = warned[(warned["severity"] == "serious") | (warned["warning"] == NOT_EXCLUDED)]
    return [
        f"Warning, sample {sample}: {text}" for sample, text in zip(serious["sample"], serious["message"], strict=True)
    ]


def concordance_lines(concordance: pd.DataFrame) -> list[str]:
    """Return one sentence per condition on the concordance of sisters, with cousins and neighbours for comparison."""
    lines = []
    for condition, rows in concordance.groupby("condition", sort=True):
        by = rows.set_index("relation")
        sisters = by.loc["sisters"]
        if not np.isfinite(sisters["concordance"]):
            lines.append(f"{condition}: concordance of sisters' fates is {sisters['note']}.")
            continue
        lines.append(
            f"{condition}: sisters have the same fate in {percent(sisters['concordance'])} of "
            f"{count(sisters['pairs'], 'pair')} with both fates known, {percent(sisters['expected_independent'])} if "
            f"independent ({_beyond_chance(by)}){hazard_text(sisters)}."
        )
    return [*lines, CYCLES] if any(HAZARDS in line for line in lines) else lines


def hazard_text(sisters: pd.Series) -> str:
    """Return the correlation of the hazards of death of sisters; begins with a semicolon, empty where it is unknown.

    Parameters
    ----------
    sisters
        A row of :data:`cineseq.tables.lineage.CONCORDANCE`.
    """
    p = sisters.get("p_hazard")
    return f"; {HAZARDS} {number(sisters['hazard_correlation'])}, {p_value(p)}" if known(p) else ""


def left_out_lines(together: pd.DataFrame) -> list[str]:
    """Report, per condition, the pairs of sisters that the concordance leaves out because a fate is unknown.

    Parameters
    ----------
    together
        The table :data:`cineseq.tables.lineage.FATE_PAIRS`.
    """
    lines = []
    for condition, rows in together.groupby("condition", sort=True):
        pairs = rows.set_index(["fate", "sister_fate"])["pairs"]
        died, divided, alive = (int(pairs[end, "alive at the end"]) for end in ("died", "divided", "alive at the end"))
        unknown = int(pairs.xs("unknown", level="sister_fate").sum())
        if left_out := died + divided + alive + unknown:
            lines.append(
                f"{condition}: of {count(pairs.sum(), 'pair')} of sisters {count(left_out)} are left out, because a "
                f"fate is not known (one alive at the end and one dead {count(died)}, one alive and one divided "
                f"{count(divided)}, both alive {count(alive)}, an end unknown {count(unknown)}); the concordance of "
                "all pairs may differ."
            )
    return lines


def state_lines(compared: pd.DataFrame) -> list[str]:
    """Report the states by the fate of the sister: smallest p-values first, detectable effects, and interpretation."""
    if not len(compared):
        return ["The association of a state with the sister's fate is not estimable: no survivor has a measured state."]
    main = compared[compared["contrast"] == SISTER_DIED]
    tested = tested_states(compared)
    if not len(tested):
        reason = main["note"].iloc[0] if len(main) else "there is no such state"
        return [f"The association of a state with the sister's fate is {reason}."]
    first = tested.iloc[0]
    lines = [
        f"{count(len(tested), 'state was', 'states were')} compared between survivors whose sister died and those "
        f"whose sister lived; the informative families for '{first['state']}' are {count(first['died'])} and "
        f"{count(first['survived'])}, equivalent to {number(first['effective'], 1)} balanced pairs within strata."
    ]
    shown = tested.head(MOST_LINES)
    return [*lines, *(_state_line(row) for _, row in shown.iterrows()), *_reading_lines(tested)]


def _reading_lines(tested: pd.DataFrame) -> list[str]:
    """Return the interpretation of the first states, states with the same one together, and what holds for all."""
    by_text: dict[str, list[str]] = {}
    for state, text in list(zip(tested["state"], readings(tested), strict=True))[:MOST_LINES]:
        by_text.setdefault(text, []).append(f"'{state}'")
    lines = [f"How to interpret {', '.join(states)}: {text}" for text, states in by_text.items()]
    return [*lines, f"For every state: {OTHERS} {TO_SEPARATE} {ASSOCIATIONS}"]


def tested_states(compared: pd.DataFrame) -> pd.DataFrame:
    """Return the tested states, the smallest p-value first, with the false discovery rate over all of them."""
    main = compared[compared["contrast"] == SISTER_DIED]
    tested = main[main["p_value"].notna()].sort_values(["p_value", "state"], kind="stable")
    return tested.assign(q=benjamini_hochberg(tested["p_value"].to_numpy(float)), states=len(tested))


def nearest_state(compared: pd.DataFrame) -> str | None:
    """Return the state with the smallest p-value; None where none was tested."""
    tested = tested_states(compared) if len(compared) else compared
    return str(tested["state"].iloc[0]) if len(tested) else None


def _state_line(row: pd.Series) -> str:
    if not np.isfinite(row["odds_ratio"]):
        where = "where the sister died against where it lived"
        return f"'{row['state']}' {where}: {row['note']}, {p_value(row['p_value'])}."
    detectable = Detectable.of(row["detectable_odds_ratio"], row.get("state_rate", np.nan), row["states"])
    return state_sentence(row, detectable)


def state_sentence(row: pd.Series, detectable: Detectable | None, *, for_all: bool = False) -> str:
    """Return a sentence on the association of a state with the fate of the sister, with its odds ratio.

    Parameters
    ----------
    row
        One row of :func:`tested_states`, with an odds ratio.
    detectable
        Smallest odds ratios that these families detect; None where unknown.
    for_all
        Whether the sentence stands for all states; the row is then that of the smallest p-value.
    """
    families = count(row["informative"], "informative family", "informative families")
    measured = (
        f"odds ratio {ratio(row['odds_ratio'])} within field and birth time ("
        f"{interval(row['low'], row['high'], ratio, named=True)}; "
        f"{p_value(row['p_value'])}{_over_states(row)}; {families})"
    )
    died, survived = frequency(row, "died"), frequency(row, "survived")
    both = f" ({died} whose sister died have it, and {survived} whose sister lived)" if died else ""
    if row["q"] > ALPHA:
        not_shown = (
            "No state of survivors was shown to be associated with the sister's death; the smallest p-value is that of "
            f"{row['state']}"
            if for_all
            else f"The state {row['state']} was not shown to be associated with the sister's death"
        )
        return f"{not_shown}{both}: {measured}. {_detectable(detectable)}"
    ends = row[["low", "high"]].to_numpy(float, na_value=np.nan)
    low, high = interval_to_read(ends[0], ends[1], row["q"])
    if not (high < 1 or low > 1):
        unresolved = "is associated with the fate of the sister, but the direction is not resolved"
        return f"The state {row['state']} {unresolved}{both}: {measured}."
    more_or_less = "more" if low > 1 else "less"
    of_died, of_survived = (f" ({text})" if text else "" for text in (died, survived))
    where = f"in survivors whose sister died{of_died} than in those whose sister lived{of_survived}"
    return f"The state {row['state']} is {more_or_less} frequent {where}: {measured}."


def frequency(row: pd.Series, arm: str) -> str:
    """Return how many survivors of an arm have the state, as ``12 of 40 cells``; empty where they were not counted.

    Parameters
    ----------
    row
        A row of :data:`cineseq.tables.lineage.STATE_BY_SISTER`.
    arm
        ``died`` or ``survived``.
    """
    cells, with_state = row.get(f"{arm}_cells"), row.get(f"{arm}_with_state")
    return f"{count(with_state)} of {count(cells, 'cell')}" if known(cells) and known(with_state) else ""


def _over_states(row: pd.Series) -> str:
    return f", {p_value(row['q'], 'q')} over {count(row['states'], 'state')}" if row["states"] > 1 else ""


def _ratio(row: pd.Series) -> str:
    if not np.isfinite(row["odds_ratio"]):
        return str(row["note"])
    return f"odds ratio {ratio(row['odds_ratio'])} {interval(row['low'], row['high'], ratio)}"


def _detectable(smallest: Detectable | None) -> str:
    if smallest is None:
        return "The smallest effect that this number of families can detect is unknown; an association is not excluded."
    return smallest.sentence()


def _beyond_chance(by: pd.DataFrame) -> str:
    """Report how much sisters' fates agree beyond chance, or why that is not estimable."""
    sisters = by.loc["sisters"]
    if not np.isfinite(sisters["phi"]):
        return f"phi and p are {sisters['note']}"
    others = [f"{r} {_phi(by.loc[r])}" for r in ("cousins", "neighbours") if np.isfinite(by.loc[r, "phi"])]
    of_sisters = f"phi {_phi(sisters)}, permutation within strata {p_value(sisters['p_value'])}"
    return f"{of_sisters}; for comparison {', '.join(others)}" if others else of_sisters


def _phi(row: pd.Series) -> str:
    ends = f" {interval(row['phi_low'], row['phi_high'])}" if np.isfinite(row["phi_low"]) else ""
    return f"{number(row['phi'])}{ends}"


def last_observed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one condition by event, at the last age at which a tenth of its cells were at risk."""
    observed = table[table["at_risk"] >= max(FEWEST_CELLS, 0.1 * table["at_risk"].max())]
    return observed[observed["time"] == observed["time"].max()].set_index("event")
