"""Possible biases of the comparison of sisters: selection by occupancy, lost tracks, unknown fates, ambient RNA."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu, norm

from cineseq.lineage.sister_status import NOT_DEAD
from cineseq.lineage.trees import LineageTrees, strata
from cineseq.text import p_value, percent, quantity, significant

DIFFERENT_P = 0.01
FEWEST_CELLS = 5
NONE_SEEN = "no survivor has a measured state"
CONTROLS = {
    "two_survivor_compartments": "Survivors that share a compartment with their sister",
    "dead_cage_mates": "Dead cage-mates other than the sister",
    "ambient_not_measured": "Ambient RNA",
}


def sequencing_controls(cells: pd.DataFrame) -> list[tuple]:
    """Return rows of :data:`cineseq.tables.lineage.LINEAGE_WARNINGS`, without the sample: the negative controls.

    Parameters
    ----------
    cells
        Cells of the trees with ``status``, ``sequenced``, ``alive_at_end``, ``together`` (1 where the sister is in the
        same compartment), ``dead_cage_mates`` (number of them, sister excluded) and ``ambient`` (fraction of counts);
        NaN where not measured.
    """
    seen = cells[cells["sequenced"]]
    if not len(seen):
        return [(name, 0, 0.0, "info", f"{what}: not measured, {NONE_SEEN}.") for name, what in CONTROLS.items()]
    return [_pairs_of_survivors(cells, len(cells)), _cage_mates(seen, len(cells)), _ambient(seen, len(cells))]


def _pairs_of_survivors(cells: pd.DataFrame, total: int) -> tuple:
    both = (cells["status"] == "survived") & (cells["alive_at_end"] == 1) & (cells["together"] == 1)
    alive = int(both.sum())
    if cells["together"].isna().all():
        message = CONTROLS["two_survivor_compartments"] + ": not measured, no pair of sisters is in known compartments."
    else:
        message = (
            "Survivors that share a compartment with their living sister: their counts are the sum of two cells, so "
            "they enter no comparison of single cells. Nor are they compared with sums of two survivors that lost "
            "their sisters: those are unrelated cells, while sisters are alike in every heritable gene."
        )
    return "two_survivor_compartments", alive, alive / total, "info", message


def _cage_mates(seen: pd.DataFrame, total: int) -> tuple:
    known = seen["dead_cage_mates"].notna() & seen["status"].isin(NOT_DEAD)
    beside = known & (seen["dead_cage_mates"] > 0)
    message = CONTROLS["dead_cage_mates"] + ": not measured, the compartments of dead cells are not known."
    if seen["dead_cage_mates"].notna().any():
        message = (
            "Sequenced survivors known to have lost no sister, with a dead cage-mate: the control mate_died_vs_none. "
            "If a state is as frequent beside a dead cage-mate as beside a dead sister, it is associated with the "
            "death and not with relatedness."
        )
    return "dead_cage_mates", int(beside.sum()), float(beside.sum() / total), "info", message


def _ambient(seen: pd.DataFrame, total: int) -> tuple:
    fraction = seen["ambient"]
    if fraction.isna().all():
        message = (
            CONTROLS["ambient_not_measured"]
            + ": not measured. A dead sister nearby can add its transcripts to those of the survivor."
        )
        return "ambient_not_measured", len(seen), len(seen) / total, "info", message
    died, lived = (fraction[seen["status"] == status].dropna().to_numpy(float) for status in ("died", "survived"))
    measured = int(fraction.notna().sum())
    message = f"Ambient RNA makes up a median of {percent(fraction.median(), 1)} of the counts of a sequenced survivor"
    if min(len(died), len(lived)) < FEWEST_CELLS:
        message += f"; too few to compare where the sister died ({len(died)}) with where it survived ({len(lived)})."
        return "ambient_score", measured, measured / total, "info", message
    p = float(mannwhitneyu(died, lived).pvalue)
    message += (
        f": {percent(np.median(died), 1)} where the sister died, {percent(np.median(lived), 1)} where it survived "
        f"(rank test, {p_value(p)})."
    )
    return "ambient_score", measured, measured / total, "warning" if p <= DIFFERENT_P else "info", message


logger = logging.getLogger(__name__)
INFLATED_BY = 0.15
SELECTION_P = 1e-4
MOST_BINS = 5
SURVIVORS_PER_STRATUM = 10
"""Least mean number of survivors per stratum; bins of birth time are merged to reach it."""

SHARED_COMPARTMENT = 0.5
FEWEST_PAIRS_TOGETHER = 3
MANY_LOST = 0.2
MANY_UNKNOWN = 0.25
SELECTION = {
    "shared": "Sisters share a compartment here, so a compartment with one live cell after a division implies a dead "
    "sister: {counts}",
    "inflated": "Survivors were sequenced as if sisters shared compartments and only compartments with one live cell "
    "were sequenced: {counts}, an excess of {excess} over survivors of the same field and birth time",
}

COUNTS = "of {seen} sequenced survivors with a known sister {in_seen} lost it, of all {all_} survivors {in_all}"
ADVICE = "; do not compare them with cells that never divided."
PROBLEMS = {
    "fate_contradicted": "Fates that contradict the times or the daughters of the cell were set to unknown.",
    "three_sisters": "Divisions with more than two daughters make no pairs of sisters.",
    "family_in_two_fields": "Families that span two fields make no pairs of sisters.",
}


def lineage_warnings(
    families: LineageTrees, status: pd.DataFrame, pairs: pd.DataFrame | None, ambient: pd.Series | None = None
) -> pd.DataFrame:
    """List possible biases of the comparison, for each sample and for the study.

    Parameters
    ----------
    families, status
        Trees, and :func:`~cineseq.lineage.sister_status.sister_status` of their cells with ``sequenced``: whether the
        cell is a survivor whose state was measured.
    pairs
        The pairs table, whose compartments show which sisters were together; None where there is none.
    ambient
        Fraction of each sequenced cell's counts that is likely to be ambient, by ``track_id``; None where not measured.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.lineage.LINEAGE_WARNINGS`.
    """
    together = _together(families, status, pairs)
    fraction = np.nan if ambient is None else ambient.reindex(families.cells["track_id"]).to_numpy(float)
    cage_mates = status.get("dead_cage_mates", np.nan)
    known = status[["status", "sequenced", "sister"]]
    cells = families.cells.assign(together=together, ambient=fraction, dead_cage_mates=cage_mates, **known)
    rows = []
    for sample, group in cells.groupby("sample", sort=True):
        rows += [(kind, sample, *rest) for kind, *rest in _of_sample(group)]
    rows += [(kind, "all", *rest) for kind, *rest in _of_study(families, cells)]
    table = pd.DataFrame(rows, columns=["warning", "sample", "cells", "share", "severity", "message"])
    for row in table[table["severity"] == "serious"].itertuples():
        logger.warning("%s, sample %s: %s", row.warning, row.sample, row.message)
    return table


def _together(families: LineageTrees, status: pd.DataFrame, pairs: pd.DataFrame | None) -> np.ndarray:
    """Return 1 where a cell shares its sister's compartment, 0 where it does not, NaN where not known."""
    if pairs is None:
        return np.full(len(families.cells), np.nan)
    placed = pairs.dropna(subset=["track_id", "compartment_id"]).drop_duplicates("track_id").set_index("track_id")
    of_cell = pd.factorize(placed["compartment_id"].reindex(families.cells["track_id"]))[0]
    sister = status["sister"].to_numpy()
    known = (of_cell >= 0) & (sister >= 0) & (of_cell[sister] >= 0)
    return np.where(known, (of_cell == of_cell[sister]).astype(float), np.nan)


def _of_sample(cells: pd.DataFrame) -> list[tuple]:
    rows = []
    selection = _selection_by_occupancy(cells)
    if selection:
        rows.append(selection)
    lost = cells["end_kind"].isin(("lost", "left_fov"))
    if lost.any():
        severity = "warning" if lost.mean() >= MANY_LOST else "info"
        message = "Tracks that were lost or left the field: their fate is unknown, neither death nor survival."
        rows.append(("tracks_lost", int(lost.sum()), float(lost.mean()), severity, message))
    born = cells[cells["sequenced"] & (cells["siblings"] > 0)]
    unknown = born["status"] == "unknown"
    if unknown.any():
        severity = "warning" if unknown.mean() >= MANY_UNKNOWN else "info"
        message = "Sequenced survivors born in the movie whose sister's fate is unknown: left out of the comparison."
        rows.append(("sister_unknown", int(unknown.sum()), float(unknown.mean()), severity, message))
    return rows


def _selection_by_occupancy(cells: pd.DataFrame) -> tuple | None:
    """Detect whether the selection of cells for sequencing depends on the death of the sister.

    This is assumed where survivors share a compartment with their living sister, or where dead sisters are more
    frequent among sequenced survivors than among all survivors of the same field and birth time.
    """
    alive = cells[cells["status"].isin(["died", "survived"]) & (cells["sequenced"] | (cells["alive_at_end"] == 1))]
    seen = alive["sequenced"]
    with_sister = alive[alive["status"] == "survived"]["together"].dropna()
    shared = len(with_sister) >= FEWEST_PAIRS_TOGETHER and with_sister.mean() >= SHARED_COMPARTMENT
    dead = alive["status"] == "died"
    excess, p = _excess(dead, seen, alive)
    inflated = p < SELECTION_P and excess >= INFLATED_BY
    if not (inflated or shared) or not (seen & dead).any():
        return None
    of_seen, of_all = percent(dead[seen].mean(), 0), percent(dead.mean(), 0)
    counts = COUNTS.format(seen=int(seen.sum()), in_seen=of_seen, all_=len(alive), in_all=of_all)
    message = SELECTION["shared" if shared else "inflated"].format(counts=counts, excess=percent(excess, 0)) + ADVICE
    return "one_cell_compartments", int((seen & dead).sum()), float(dead[seen].mean()), "serious", message


def _excess(dead: pd.Series, seen: pd.Series, cells: pd.DataFrame) -> tuple[float, float]:
    """Return the excess frequency of dead sisters among sequenced survivors within strata, and its p-value.

    Strata of field and birth time remove differences in capture between fields and between ages of cells.

    References
    ----------
    Mantel and Haenszel, J. Natl. Cancer Inst. 22 (1959) 719; one-sided, without correction for continuity.
    """
    bins = int(np.clip(len(cells) // max(1, cells["field"].nunique() * SURVIVORS_PER_STRATUM), 1, MOST_BINS))
    code = strata(cells["field"].to_numpy(), cells["birth"].to_numpy(), bins)
    # Per stratum, shape (strata,): survivors, with a dead sister, sequenced, and both.
    total, lost, read, both = (np.bincount(code, w).astype(float) for w in (None, dead, seen, dead & seen))
    varied = (total > 1) & (lost > 0) & (lost < total) & (read > 0) & (read < total)
    total, lost, read, both = (counts[varied] for counts in (total, lost, read, both))
    if not len(total):
        return 0.0, 1.0
    # Mantel-Haenszel test: observed less expected count of the hypergeometric, and its variance.
    more = (both - read * lost / total).sum()
    variance = (read * (total - read) * lost * (total - lost) / (total**2 * (total - 1))).sum()
    return float(more / read.sum()), float(norm.sf(more / np.sqrt(variance)))


def _of_study(families: LineageTrees, cells: pd.DataFrame) -> list[tuple]:
    if cells.empty:
        return [("no_lineage", 0, 0.0, "info", "No lineage is known, so sisters cannot be compared.")]
    total = max(1, len(cells))
    rows = []
    for name, count in families.problems.items():
        if count:
            rows.append((name, count, count / total, "warning", PROBLEMS[name]))
    if not (cells["fate"] == "division").any():
        rows.append(("no_divisions", 0, 0.0, "warning", "No division was seen, so there are no sisters."))
    if not (cells["fate"] == "death").any():
        rows.append(("no_deaths", 0, 0.0, "warning", "No death was seen, so there is no survivor with a dead sister."))
    unknown = cells["fate"] == "unknown"
    message = "Cells of unknown fate (lost, out of the field, or alive at the end); never counted as dead or divided."
    severity = "warning" if unknown.all() else "info"
    rows.append(("fates_unknown", int(unknown.sum()), float(unknown.mean()), severity, message))
    return rows + _since_death(families, cells) + sequencing_controls(cells)


def _since_death(families: LineageTrees, cells: pd.DataFrame) -> list[tuple]:
    rows = np.flatnonzero((cells["status"] == "died") & cells["sequenced"])
    if not len(rows):
        reason = "lost its sister" if cells["sequenced"].any() else "has a measured state"
        message = f"Time since the sister's death: not measured, no survivor {reason}."
        return [("time_since_sister_death", 0, 0.0, "info", message)]
    since = cells["field_end"].to_numpy()[rows] - cells["end"].to_numpy()[cells["sister"].to_numpy()[rows]]
    low, middle, high = np.percentile(since, [25, 50, 75])
    message = (
        f"The sister died {quantity(middle, families.unit)} before the end (median; quartiles {significant(low)} to "
        f"{significant(high)}); states that respond to the death itself would depend on this time."
    )
    return [("time_since_sister_death", len(rows), len(rows) / len(cells), "info", message)]
