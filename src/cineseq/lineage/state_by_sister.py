"""Association of every state with every contrast of sister status, and its detectable effect."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm

from cineseq.config.lineage import Lineage
from cineseq.lineage.e_value import e_values
from cineseq.lineage.sister_score import Summaries, weights
from cineseq.lineage.sister_status import NOT_DEAD
from cineseq.lineage.sister_test import Association, associate, gee_p
from cineseq.lineage.trees import LineageTrees, strata
from cineseq.statistics import ALPHA
from cineseq.tables.contract import Table, empty
from cineseq.tables.lineage import LINEAGE_POWER, MATE_DIED, NO_SISTER, SISTER_DIED, SISTER_UNKNOWN, STATE_BY_SISTER
from cineseq.text import count

POWER = 0.8


def detectable_odds_ratio(effective: float, state_rate: float) -> float:
    """Return the smallest odds ratio above 1 that is detected with 80 % power at a two-sided level of 0.05.

    Parameters
    ----------
    effective
        Sum over strata of n1 n0 / (n1 + n0), n1 and n0 being the independent survivors of both arms.
    state_rate
        Fraction with the state in the other arm.

    Returns
    -------
    float
        NaN where no odds ratio is detectable or the rate is 0 or 1.

    References
    ----------
    Cohen, Statistical Power Analysis for the Behavioral Sciences (1988), chapter 6 (arcsine transformation).
    """
    if effective <= 0 or not 0 < state_rate < 1:
        return np.nan
    # Cohen's h that reaches the power, then back from the arcsine scale to a rate.
    needed = (norm.ppf(1 - ALPHA / 2) + norm.ppf(POWER)) / np.sqrt(effective)
    angle = np.arcsin(np.sqrt(state_rate)) + needed / 2
    if angle >= np.pi / 2:
        return np.nan
    rate = np.sin(angle) ** 2
    return float(rate / (1 - rate) * (1 - state_rate) / state_rate)


DESCRIPTIVE = {
    NO_SISTER: "strata are fields only: a cell without a sister was not born in the movie, so birth "
    "times differ by design",
    SISTER_UNKNOWN: "descriptive: sisters of unknown fate may be dead or alive and enter no other contrast",
}

ESTIMANDS = ("odds ratio within field", "odds ratio within field and birth time")
"""What odds ratio, interval and p-value describe: without and with strata of birth time."""

UNIT_NAMES = dict.fromkeys((NO_SISTER, MATE_DIED), "families")
"""Units of contrasts in which a cell without a sister also counts as a family; else pairs of sisters."""


def compare_states(
    families: LineageTrees, status: pd.DataFrame, states: pd.DataFrame, settings: Lineage
) -> pd.DataFrame:
    """Compare the frequency of each state between survivors by the fate of the sister.

    Parameters
    ----------
    families, status
        Trees, and :func:`~cineseq.lineage.sister_status.sister_status` of their cells with ``sequenced``: whether the
        cell is a survivor whose state was measured. With ``dead_cage_mates``
        (:func:`~cineseq.lineage.compartment_controls.dead_cage_mates`), survivors with a dead cage-mate other than the
        sister are compared as a negative control.
    states
        One column per state (1, 0, NaN), indexed by ``track_id``.
    settings
        Strata, and the least number of families of an arm.

    Returns
    -------
    pandas.DataFrame
        Columns of :data:`cineseq.tables.lineage.STATE_BY_SISTER` and of :data:`cineseq.tables.lineage.LINEAGE_POWER`,
        with ``power_note``; one row per state and contrast.
    """
    measured = states.reindex(families.cells["track_id"]).reset_index(drop=True)
    rows = []
    contrasts = {
        SISTER_DIED: survivors_with(families, status, "died", ("survived",)),
        NO_SISTER: survivors_with(families, status, "none", ("survived",)),
        SISTER_UNKNOWN: survivors_with(families, status, "unknown", ("survived",)),
    } | ({MATE_DIED: survivors_by_cage_mate(families, status)} if "dead_cage_mates" in status else {})
    for contrast, cells in contrasts.items():
        bins = 1 if contrast == NO_SISTER else settings.birth_time_bins
        cells["stratum"] = strata(cells["field"].to_numpy(), cells["birth"].to_numpy(), bins)
        for state in measured.columns:
            cells["state"] = measured.loc[cells.index, state].to_numpy(float)
            row = _compare(cells.dropna(subset="state"), settings, UNIT_NAMES.get(contrast, "pairs of sisters"))
            row["note"] = "; ".join(filter(None, (str(row["note"]), DESCRIPTIVE.get(contrast, ""))))
            rows.append({"state": state, "contrast": contrast, "estimand": ESTIMANDS[bins > 1], **row})
    return pd.DataFrame(rows)


def survivors_with(families: LineageTrees, status: pd.DataFrame, exposed: str, others: tuple[str, ...]) -> pd.DataFrame:
    """Return the sequenced survivors whose sister has the exposed status or one of the others, one row each."""
    eligible = (status["sequenced"] & status["status"].isin([exposed, *others])).to_numpy(bool)
    cells = families.cells.loc[eligible, ["field", "birth", "root_cell"]].copy()
    cells[["block", "status"]] = status.loc[eligible, ["block", "status"]]
    cells["exposed"] = cells["status"] == exposed
    return cells


def survivors_by_cage_mate(families: LineageTrees, status: pd.DataFrame) -> pd.DataFrame:
    """Return the sequenced survivors known to have lost no sister; exposed are those with a dead cage-mate.

    Survivors of an unknown compartment are left out, and so are those whose sister may have died (unknown fate, or born
    too late to be compared). Columns are those of :func:`survivors_with`.
    """
    lost_none = status["status"].isin(NOT_DEAD)
    eligible = (status["sequenced"] & status["dead_cage_mates"].notna() & lost_none).to_numpy(bool)
    cells = families.cells.loc[eligible, ["field", "birth", "root_cell"]].copy()
    cells[["block", "status"]] = status.loc[eligible, ["block", "status"]]
    # A pair of sisters is one unit, so both are exposed where one of them is.
    return cells.assign(exposed=(status.loc[eligible, "dead_cage_mates"] > 0).groupby(cells["block"]).transform("any"))


def families_with_state(cells: pd.DataFrame) -> pd.DataFrame:
    """Return one row per family: arm, mean state of its survivors, stratum and weight.

    Parameters
    ----------
    cells
        As :func:`survivors_with` returns, with ``stratum`` and ``state``; survivors without a state are left out.
    """
    family = (
        cells.dropna(subset="state")
        .groupby("block", sort=True)
        .agg(
            exposed=("exposed", "first"),
            status=("status", "first"),
            state=("state", "mean"),
            survivors=("state", "size"),
            stratum=("stratum", "first"),
            root_cell=("root_cell", "first"),
        )
    )
    family["stratum"] = np.unique(family["stratum"].to_numpy(), return_inverse=True)[1]
    return family.assign(weight=weights(summaries_of(family))[:, 0])


def summaries_of(family: pd.DataFrame) -> Summaries:
    """Return the families of :func:`families_with_state` as the sister test needs them."""
    names = ("exposed", "state", "survivors", "stratum", "root_cell")
    return Summaries.of_state(*(family[name].to_numpy() for name in names))


def _compare(cells: pd.DataFrame, settings: Lineage, unit: str) -> dict[str, float | int | str]:
    family = families_with_state(cells)
    summaries = summaries_of(family)
    found = associate(summaries, settings.min_families)
    row: dict[str, float | int | str] = {"families": len(family), "informative": found.exposed + found.other}
    row |= {"died": found.exposed, "survived": found.other, "state_rate": found.rate, "effective": found.effective}
    row |= cells_of_arms(cells[cells["block"].isin(family.index[summaries.informative])] if len(family) else cells)
    row |= {"odds_ratio": found.odds_ratio, "low": found.low, "high": found.high}
    row |= {"p_value": found.p_value, "p_permutation": found.p_value}
    row |= dict.fromkeys(("p_gee", "detectable_odds_ratio", "e_value", "e_value_interval"), np.nan)
    if not found.tested:
        row["note"] = row["power_note"] = found.note
        return row
    row["e_value"], row["e_value_interval"] = e_values(found.odds_ratio, found.low, found.high, found.rate)
    row["p_gee"], gee_note = gee_p(cells)
    several = f"{count(found.repeated, 'root cell')} with several {unit}" if found.repeated else ""
    alike = f"p and interval allow for {several}" if several else ""
    row["note"] = "; ".join(filter(None, (found.note, gee_note, alike)))
    return row | _power(found, several)


def cells_of_arms(cells: pd.DataFrame) -> dict[str, int]:
    """Return the number of survivors in each arm and of those with the state, of strata with both arms."""
    counts: dict[str, int] = {}
    for arm, is_arm in (("died", cells["exposed"]), ("survived", ~cells["exposed"].astype(bool))):
        state = cells.loc[is_arm.astype(bool), "state"]
        counts |= {f"{arm}_cells": len(state), f"{arm}_with_state": int((state == 1).sum())}
    return counts


def _power(found: Association, several: str) -> dict[str, float | str]:
    smallest = detectable_odds_ratio(found.effective, found.rate)
    none = "no odds ratio is detectable with so few families at this frequency of the state"
    notes = ("" if np.isfinite(smallest) else none, f"allows for {several}" if several else "")
    return {"detectable_odds_ratio": smallest, "power_note": "; ".join(filter(None, notes))}


def state_table(compared: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of :data:`cineseq.tables.lineage.STATE_BY_SISTER`; no rows where nothing was compared."""
    return _columns(compared, STATE_BY_SISTER)


def power_table(compared: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of :data:`cineseq.tables.lineage.LINEAGE_POWER`; no rows where nothing was compared."""
    if len(compared):
        compared = compared.assign(note=compared["power_note"])
    return _columns(compared, LINEAGE_POWER)


def _columns(compared: pd.DataFrame, table: Table) -> pd.DataFrame:
    return compared[[c.name for c in table.columns]] if len(compared) else empty(table)
