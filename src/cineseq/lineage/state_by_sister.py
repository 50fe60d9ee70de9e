"""Association of every state with every contrast of sister status, and its detectable effect."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm

from cineseq.config.lineage import Lineage
from cineseq.lineage.sister_status import NOT_DEAD
from cineseq.lineage.sister_test import (
    NO_SCORE,
    Units,
    family_weights,
    gee_p,
    jackknife_interval,
    mantel_haenszel,
    permutation_p,
    root_cell_p,
    root_cells_once,
    several_families,
)
from cineseq.lineage.trees import LineageTrees, strata
from cineseq.statistics import ALPHA
from cineseq.tables.contract import Table, empty
from cineseq.tables.lineage import LINEAGE_POWER, MATE_DIED, NO_SISTER, SISTER_DIED, SISTER_UNKNOWN, STATE_BY_SISTER

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

UNIT_NAMES = dict.fromkeys((NO_SISTER, MATE_DIED), "families")
"""Units of contrasts in which a cell without a sister also counts as a family; else pairs of sisters."""


def compare_states(
    families: LineageTrees, status: pd.DataFrame, states: pd.DataFrame, settings: Lineage, seed: int
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
        Strata and number of permutations.
    seed
        Seed of the permutations.

    Returns
    -------
    pandas.DataFrame
        Columns of :data:`cineseq.tables.lineage.STATE_BY_SISTER` and of :data:`cineseq.tables.lineage.LINEAGE_POWER`,
        with ``power_note``; one row per state and contrast.
    """
    rng = np.random.default_rng(seed)
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
            row = _compare(cells.dropna(subset="state"), settings, rng, UNIT_NAMES.get(contrast, "pairs of sisters"))
            row["note"] = "; ".join(filter(None, (str(row["note"]), DESCRIPTIVE.get(contrast, ""))))
            rows.append({"state": state, "contrast": contrast, **row})
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
    numbers = (family[name].to_numpy() for name in ("survivors", "state", "stratum"))
    return family.assign(weight=family_weights(*numbers))


def _compare(
    cells: pd.DataFrame, settings: Lineage, rng: np.random.Generator, unit: str
) -> dict[str, float | int | str]:
    family = families_with_state(cells)
    every = Units(*(family[name].to_numpy() for name in ("exposed", "state", "stratum", "weight")))
    units = every.only(every.informative) if len(family) else every
    exposed, other = int(units.exposed.sum()), int((~units.exposed).sum())
    row: dict[str, float | int | str] = {"families": len(family), "informative": len(units.exposed)}
    row |= dict.fromkeys(("odds_ratio", "low", "high", "p_permutation", "p_gee", "detectable_odds_ratio"), np.nan)
    row |= {"died": exposed, "survived": other}
    row["state_rate"] = float(units.state[~units.exposed].mean()) if other else np.nan
    row["effective"] = units.effective if len(units.exposed) else 0.0
    if min(exposed, other) < settings.min_families:
        counts = f"{exposed} and {other} families in strata with both arms, {settings.min_families} of each are needed"
        row["note"] = row["power_note"] = f"not estimable: {counts}"
        return row
    # Mantel-Haenszel odds ratio, stratified permutation test, and GEE as a second test.
    row["odds_ratio"], row["low"], row["high"], odds_note = mantel_haenszel(units)
    root_cell = family["root_cell"].to_numpy()[every.informative]
    repeated = several_families(root_cell)
    # Families of one root cell are alike, so that they cannot be exchanged one by one.
    row["p_permutation"] = (
        root_cell_p(units, root_cell, settings.permutations, rng)
        if repeated
        else permutation_p(units, settings.permutations, rng)
    )
    row["p_gee"], gee_note = gee_p(cells)
    untested = "" if np.isfinite(row["p_permutation"]) else f"no p-value: {_why_untested(units)}"
    several = f"{repeated} have several {unit}" if repeated else ""
    by_root_cell = f"p and interval by root cell: {several}" if repeated else ""
    if repeated and np.isfinite(row["odds_ratio"]):
        row["low"], row["high"], odds_note = jackknife_interval(units, root_cell)
    row["note"] = "; ".join(filter(None, (odds_note, untested, gee_note, by_root_cell)))
    return row | _power(root_cells_once(units, root_cell) if repeated else units, float(row["state_rate"]), several)


def _why_untested(units: Units) -> str:
    states = pd.Series(units.state).groupby(units.stratum)
    return NO_SCORE if (states.max() > states.min()).any() else "the state does not vary within strata"


def _power(units: Units, state_rate: float, several: str) -> dict[str, float | str]:
    smallest = detectable_odds_ratio(units.effective, state_rate)
    none = "no odds ratio is detectable with so few families at this frequency of the state"
    notes = ("" if np.isfinite(smallest) else none, f"every root cell counts once: {several}" if several else "")
    note = "; ".join(filter(None, notes))
    return {"effective": units.effective, "detectable_odds_ratio": smallest, "power_note": note}


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
