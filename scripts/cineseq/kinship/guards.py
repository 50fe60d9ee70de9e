"""What sequencing in compartments could add to the answer: sums of two survivors, dead cage-mates, ambient RNA."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from cineseq.kinship.status import NOT_DEAD

DIFFERENT_P = 0.01
FEWEST_CELLS = 5
NONE_SEEN = "no survivor has a measured state"
GUARDS = {
    "two_survivor_compartments": "Survivors that share a compartment with their sister",
    "dead_cage_mates": "Dead cage-mates other than the sister",
    "ambient_not_measured": "Ambient RNA",
}


def sequencing_guards(cells: pd.DataFrame) -> list[tuple]:
    """Return rows of :data:`cineseq.results.LINEAGE_WARNINGS` without their sample, about the sequenced survivors.

    Parameters
    ----------
    cells
        Cells of the trees with ``status``, ``sequenced``, ``alive_at_end``, ``together`` (1 where the sister sits in
        the same compartment), ``mates`` (dead cells there that are not the sister) and ``ambient`` (share of counts);
        missing values are what was not measured.
    """
    seen = cells[cells["sequenced"]]
    if not len(seen):
        return [(name, 0, 0.0, "info", f"{what}: not measured, {NONE_SEEN}.") for name, what in GUARDS.items()]
    return [_sums(cells, len(cells)), _mates(seen, len(cells)), _ambient(seen, len(cells))]


def _sums(cells: pd.DataFrame, total: int) -> tuple:
    both = (cells["status"] == "survived") & (cells["alive_at_end"] == 1) & (cells["together"] == 1)
    count = int(both.sum())
    if cells["together"].isna().all():
        message = GUARDS["two_survivor_compartments"] + ": not measured, no pair of sisters was placed."
    else:
        message = (
            "Survivors that share a compartment with their living sister: their counts are the sum of both, so they "
            "enter no comparison of single cells, and none with sums of two bereaved survivors: those mix cells that "
            "are no kin, and sisters are alike in every heritable gene whatever became of a sister."
        )
    return "two_survivor_compartments", count, count / total, "info", message


def _mates(seen: pd.DataFrame, total: int) -> tuple:
    known = seen["mates"].notna() & seen["status"].isin(NOT_DEAD)
    beside = known & (seen["mates"] > 0)
    message = GUARDS["dead_cage_mates"] + ": not measured, no map of compartments places the dead cells."
    if seen["mates"].notna().any():
        message = (
            "Sequenced survivors known to have lost no sister, with a dead cage-mate: the control mate_died_vs_none. A "
            "state as frequent beside them as beside a dead sister would answer to the death, not to kinship."
        )
    return "dead_cage_mates", int(beside.sum()), float(beside.sum() / total), "info", message


def _ambient(seen: pd.DataFrame, total: int) -> tuple:
    share = seen["ambient"]
    if share.isna().all():
        message = (
            GUARDS["ambient_not_measured"]
            + ": not measured. A dead sister in reach can add its transcripts to the survivor's."
        )
        return "ambient_not_measured", len(seen), len(seen) / total, "info", message
    died, lived = (share[seen["status"] == status].dropna().to_numpy(float) for status in ("died", "survived"))
    count = int(share.notna().sum())
    message = f"Ambient RNA makes a median of {share.median():.1%} of a sequenced survivor's counts"
    if min(len(died), len(lived)) < FEWEST_CELLS:
        message += f"; too few to compare where the sister died ({len(died)}) and survived ({len(lived)})."
        return "ambient_score", count, count / total, "info", message
    p = float(mannwhitneyu(died, lived).pvalue)
    message += (
        f": {np.median(died):.1%} where the sister died, {np.median(lived):.1%} where she survived "
        f"(rank test p = {p:.2g})."
    )
    return "ambient_score", count, count / total, "warning" if p <= DIFFERENT_P else "info", message
