"""Possible biases of the comparison of sisters: selection by occupancy, lost tracks, unknown fates, ambient RNA."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from cineseq.lineage.capture import capture
from cineseq.lineage.separated_pairs import Sharing, sharing, together
from cineseq.lineage.sister_status import NOT_DEAD
from cineseq.lineage.trees import LineageTrees
from cineseq.text import count, p_value, percent, quantity, significant

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
    if seen["dead_cage_mates"].notna().any() and not beside.any():
        message = (
            "No sequenced survivor that is known to have lost no sister has a dead cage-mate, so the control "
            "mate_died_vs_none is empty."
        )
    elif seen["dead_cage_mates"].notna().any():
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
MANY_LOST = 0.2
MANY_UNKNOWN = 0.25
SELECTED = "one_cell_compartments"
NOT_EXCLUDED = "selection_not_excluded"
SELECTION = {
    "shared": "{pairs} of {placed} of sisters in known compartments share one. Two living sisters in one compartment "
    "were not sequenced, so a survivor that is sequenced there has lost its sister: {counts}. Only pairs in different "
    "compartments before the fate of either are compared",
    "inflated": "Survivors were sequenced as if sisters shared compartments and only compartments with one live cell "
    "were sequenced: {counts}, an excess of {excess} over survivors of the same field and birth time",
}

COUNTS = "of {seen} sequenced survivors with a known sister {in_seen} lost it, of all {all_} survivors {in_all}"
ADVICE = ". Do not compare such survivors with cells that never divided."
UNDETECTED = (
    "Which sisters shared a compartment is not known, and with {pairs} of sisters the sequencing of survivors does not "
    "show whether living sisters in one compartment were left out: selection for dead sisters cannot be excluded. A "
    "table of compartments would show it."
)
PROBLEMS = {
    "fate_contradicted": "Fates that contradict the times or the daughters of the cell were set to unknown.",
    "three_sisters": "Divisions with more than two daughters make no pairs of sisters.",
    "family_in_two_fields": "Families that span two fields make no pairs of sisters.",
}


def lineage_warnings(
    families: LineageTrees,
    status: pd.DataFrame,
    pairs: pd.DataFrame | None,
    ambient: pd.Series | None = None,
    dead: pd.DataFrame | None = None,
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
    dead
        Dead cells in compartments, see :func:`~cineseq.lineage.separated_pairs.together`; None where not known.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.lineage.LINEAGE_WARNINGS`.
    """
    shared = together(families, status, pairs, dead)
    fraction = np.nan if ambient is None else ambient.reindex(families.cells["track_id"]).to_numpy(float)
    cage_mates = status.get("dead_cage_mates", np.nan)
    known = status[["status", "sequenced", "sister"]]
    cells = families.cells.assign(together=shared, ambient=fraction, dead_cage_mates=cage_mates, **known)
    rows = []
    for sample, group in cells.groupby("sample", sort=True):
        rows += [(kind, sample, *rest) for kind, *rest in _of_sample(group)]
    rows += [(kind, "all", *rest) for kind, *rest in _of_study(families, cells)]
    table = pd.DataFrame(rows, columns=["warning", "sample", "cells", "share", "severity", "message"])
    for row in table[table["severity"] == "serious"].itertuples():
        logger.warning("%s, sample %s: %s", row.warning, row.sample, row.message)
    return table


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

    Where compartments of sisters are known, this is seen from the pairs that share one. Elsewhere survivors with a dead
    sister would be sequenced more often than others of the same field and birth time; where too few families show
    that, it cannot be excluded.
    """
    alive = cells[cells["status"].isin(["died", "survived"]) & (cells["sequenced"] | (cells["alive_at_end"] == 1))]
    seen, dead = alive["sequenced"], alive["status"] == "died"
    if not (seen & dead).any():
        return None
    lost = int((seen & dead).sum()), float(dead[seen].mean())
    found = sharing(cells)
    if found.placed:
        return (SELECTED, *lost, "serious", _selected(alive, found, 0.0)) if found.selects else None
    captured = capture(alive.assign(dead=dead, read=seen))
    if captured.selects:
        return (SELECTED, *lost, "serious", _selected(alive, None, captured.excess))
    if seen.all() or captured.excludes:
        return None
    pairs = len(np.unique(np.minimum(alive.index, alive["sister"])))
    return NOT_EXCLUDED, *lost, "warning", UNDETECTED.format(pairs=count(pairs, "pair"))


def _selected(alive: pd.DataFrame, found: Sharing | None, excess: float) -> str:
    seen, dead = alive["sequenced"], alive["status"] == "died"
    of_seen, of_all = percent(dead[seen].mean(), 0), percent(dead.mean(), 0)
    counts = COUNTS.format(seen=count(seen.sum()), in_seen=of_seen, all_=count(len(alive)), in_all=of_all)
    if found is None:
        return SELECTION["inflated"].format(counts=counts, excess=percent(excess)) + ADVICE
    pairs, placed = count(found.pairs), count(found.placed, "pair")
    return SELECTION["shared"].format(pairs=pairs, placed=placed, counts=counts) + ADVICE


def _of_study(families: LineageTrees, cells: pd.DataFrame) -> list[tuple]:
    if cells.empty:
        return [("no_lineage", 0, 0.0, "info", "No lineage is known, so sisters cannot be compared.")]
    total = max(1, len(cells))
    rows = []
    for name, rows_of_it in families.problems.items():
        if rows_of_it:
            rows.append((name, rows_of_it, rows_of_it / total, "warning", PROBLEMS[name]))
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
