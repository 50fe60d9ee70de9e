"""Report on pairs and their counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import linregress, spearmanr

from cineseq.io.paired import PairedData
from cineseq.pairing.common_genes import lost_report
from cineseq.pairing.join import StudyCounts, blank_totals
from cineseq.pairing.match import Matched
from cineseq.pairing.mispairing import WrongPairs, wrong_pairs_of
from cineseq.pairing.readings import Doubt
from cineseq.statistics import ALPHA
from cineseq.tables.imaging import FATES, PAIR_STATUSES
from cineseq.text import count, number, p_value, percent

MIN_FOR_SLOPE = 10
EXAMPLES = 3
SOME_WRONG, MANY_WRONG = 0.05, 0.2
"""Fractions of wrong pairs above which there is a warning, and a serious notice."""
OFF = 0.5
"""Shift in pitches from which on it is said."""
FITTING = 0.4
"""If a smaller fraction of barcodes lies on compartments, they do not fit, whatever the shift."""
FEW_STRAY = 0.9
"""If a smaller fraction of barcodes lies in its own compartment, the report doubts the barcode map."""


def pairs_report(
    matched: Matched, *, known: int, sequenced: int, imaged: int, doubts: Sequence[Doubt] = ()
) -> dict[str, Any]:
    """Return report lines, numbers and notices on how cells and barcodes were paired.

    Parameters
    ----------
    matched
        Result of the matching.
    known, sequenced
        Number of barcodes in the table, and of those that were sequenced.
    imaged
        Number of cells in the study, dead and alive.
    doubts
        Maps that fit better when they are read otherwise.
    """
    pairs = matched.pairs
    cells = pairs[pairs["track_id"].notna()]
    by_status = {s: int((pairs["status"] == s).sum()) for s in PAIR_STATUSES}
    corrected = int((pairs["barcode_edits"].fillna(0) > 0).sum())
    reasons = ", ".join(
        f"{count(n)} {s}" for s, n in cells["status"].value_counts().sort_index().items() if s != "singlet"
    )
    singlets = f"{count(by_status['singlet'])} of {count(len(cells), 'live cell')}"
    lines = [
        f"{singlets} are alone in a compartment with one sequenced barcode"
        + (f" (the others: {reasons})." if reasons else "."),
        f"{count(sequenced)} of {count(known, 'barcode')} of the barcode table were sequenced, {count(corrected)} of "
        "them with one wrong letter.",
    ]
    if len(matched.nowhere):
        first = matched.nowhere.iloc[0]
        lines.append(
            f"{count(len(matched.nowhere), 'barcode is', 'barcodes are')} in compartments that are not on the map (the "
            f"first: '{first['barcode']}' in '{first['compartment_id']}' of sample '{first['sample']}') and not "
            "paired; check that both tables spell compartments alike."
        )
    if matched.hidden:
        lines.append(
            f"In {count(matched.hidden, 'compartment')} a track was lost after the compartment was closed; the cells "
            "there are ambiguous."
        )
    notices = [{"level": "serious", "text": doubt.text} for doubt in doubts]
    if matched.checked:
        both = f"{count(matched.checked, 'barcode')} with a compartment and a position"
        lines.append(f"{count(matched.agreeing)} of {both} lie in it.")
        if matched.agreeing < FEW_STRAY * matched.checked:
            lines[-1] += " The two maps may be shifted or mixed up."
            notices.append({"level": "serious", "text": lines[-1]})
    lines += _alignment_lines(matched.alignments)
    notices += _alignment_notices(matched.alignments)
    numbers: dict[str, Any] = {f"pairs_{status}": n for status, n in by_status.items()}
    numbers |= {"live_cells": len(cells), "cells": imaged, "compartments_with_a_lost_cell": matched.hidden}
    numbers |= {"barcodes_not_on_the_map": len(matched.nowhere)}
    numbers |= {"barcodes_with_a_position": matched.checked, "barcodes_in_their_compartment": matched.agreeing}
    numbers |= {"barcodes_in_table": known, "barcodes_sequenced": sequenced, "barcodes_corrected": corrected}
    for row in matched.alignments.itertuples():
        field = f"{row.sample}_{row.fov}"
        fit = {f"aligned_{field}": row.aligned, f"alignment_residual_px_{field}": row.residual_px}
        fit |= {f"shift_y_{field}": row.step_y, f"shift_x_{field}": row.step_x}
        fit |= {f"shift_probability_{field}": row.probability, f"stray_barcodes_{field}": row.stray}
        numbers |= {name: None if np.isnan(value) else float(value) for name, value in fit.items()}
    lines += [notice["text"] for notice in notices if notice["text"] not in lines]
    return {"lines": lines, "numbers": numbers, "notices": notices}


def _alignment_lines(alignments: pd.DataFrame) -> list[str]:
    why = [why_untrusted(row) for row in alignments[~alignments["trusted"].astype(bool)].itertuples()]
    aligned = alignments.dropna(subset="probability")
    if aligned.empty:
        return why
    first = (
        f"Barcodes were located by position in {count(len(aligned), 'field')}: "
        f"{percent(aligned['aligned'].median(), 0)} (median) "
        f"lie in a compartment once the maps are shifted by {number(aligned['shift'].median())} pitches."
    )
    return [first, *why]


def shift_is_open(row: Any) -> bool:
    """Return whether the barcodes of a field fit its compartments, but in several ways; of a row of alignments."""
    return not (np.isnan(row.probability) or row.aligned < FITTING or np.isnan(row.next_y) or row.gain <= 0)


def why_untrusted(row: Any) -> str:
    """Return a sentence on why the barcodes of a field were not paired by position; of a row of alignments."""
    barcodes = f"its {count(row.barcodes, 'barcode')}"
    if np.isnan(row.probability):
        return (
            f"Field {row.sample}/{row.fov}: there is no distance between neighbours that tells how far a barcode may "
            f"lie from its own compartment or cell, so {barcodes} cannot be paired by position. Where there is one "
            "live cell, name it in the column compartment_id of its barcode; where all are at one place, check their "
            "positions."
        )
    if not shift_is_open(row):
        return (
            f"Field {row.sample}/{row.fov}: barcodes do not fit the compartments ({percent(row.aligned, 0)} in one, "
            f"shift {number(row.shift)} pitches), so {barcodes} are left out."
        )
    return (
        f"Field {row.sample}/{row.fov}: which shift of the map of barcodes is right cannot be told: "
        f"{_steps(row.step_y, row.step_x)} has a probability of {number(row.probability)}, and "
        f"{_steps(row.next_y, row.next_x)} fits, too; so {barcodes} are ambiguous. Edges of the array, compartments "
        "without a cell and counts tell; if the maps are known to be in register, set pairing.max_shift to 0.5."
    )


def _steps(y: float, x: float) -> str:
    return f"({number(y, 1)}, {number(x, 1)}) pitches along y and x"


def _alignment_notices(alignments: pd.DataFrame) -> list[dict[str, str]]:
    """Return notices on fields that were not paired by position, and on maps that are off by a pitch or more."""
    trusted = alignments["trusted"].astype(bool)
    left_out, moved = alignments[~trusted], alignments[trusted & (alignments["shift"] > OFF)]
    notices = []
    if len(left_out):
        text = (
            f"Barcodes of {count(len(left_out), 'field')} of {len(alignments)} were not paired by position, because "
            "they do not fit the compartments, fit them in several ways or have no neighbours; the step on barcodes "
            "says why."
        )
        notices.append({"level": "serious" if len(left_out) > len(alignments) / 2 else "warning", "text": text})
    if len(moved):
        steps = ", ".join(
            f"{r.sample}/{r.fov} by {_steps(r.step_y, r.step_x)}" for r in moved.head(EXAMPLES).itertuples()
        )
        text = (
            f"The map of barcodes of {count(len(moved), 'field')} was off by half the distance between compartments or "
            f"more and was moved back ({steps}{', ...' if len(moved) > EXAMPLES else ''})."
        )
        notices.append({"level": "warning", "text": text})
    return notices


def counts_by_occupancy(pairs: pd.DataFrame, totals: pd.Series) -> pd.DataFrame:
    """Return the counts and the occupancy of every compartment with exactly one barcode.

    Parameters
    ----------
    pairs
        The table of pairs.
    totals
        Total counts, indexed by sample and barcode.

    Returns
    -------
    pandas.DataFrame
        Columns ``sample``, ``barcode``, ``occupancy`` and ``counts``, one row per barcode that is not ambiguous.
    """
    one = pairs[(pairs["barcodes"] == 1).fillna(value=False).to_numpy(bool) & (pairs["status"] != "ambiguous")]
    one = one.drop_duplicates(["sample", "barcode"])[["sample", "barcode", "occupancy"]]
    one = one.assign(counts=totals.reindex(pd.MultiIndex.from_frame(one[["sample", "barcode"]])).to_numpy())
    return one.dropna().astype({"occupancy": "int64"})


def occupancy_report(table: pd.DataFrame) -> dict[str, Any]:
    """Return report lines and numbers on whether counts rise with the number of cells in a compartment.

    They do if images and barcodes belong together; with a map that is off by one row the slope vanishes.
    """
    numbers: dict[str, Any] = {}
    for occupancy, group in table.groupby("occupancy"):
        numbers |= {f"compartments_with_{occupancy}_cells": len(group)}
        numbers |= {f"median_counts_with_{occupancy}_cells": float(group["counts"].median())}
    if len(table) < MIN_FOR_SLOPE or table["occupancy"].nunique() < 2:
        lines = ["Whether counts rise with the cells in a compartment is not estimable: occupancy hardly varies."]
        numbers |= {"counts_per_cell_slope": None, "counts_occupancy_rho": None}
        return {"lines": lines, "numbers": numbers, "notices": []}
    fit = linregress(table["occupancy"], table["counts"])
    rho = spearmanr(table["occupancy"], table["counts"])
    numbers |= {"counts_per_cell_slope": float(fit.slope), "counts_occupancy_rho": float(rho.statistic)}
    numbers |= {"counts_occupancy_p": float(rho.pvalue)}
    line = (
        f"Counts per compartment {'rise' if fit.slope > 0 else 'do not rise'} with the cells seen in it: "
        f"{number(fit.slope, 0)} more per cell over {count(len(table), 'compartment')} "
        f"(Spearman {number(rho.statistic)}, {p_value(rho.pvalue)})."
    )
    if fit.slope > 0 and rho.pvalue <= ALPHA:
        return {"lines": [line], "numbers": numbers, "notices": []}
    line += " A wrong map of barcodes has this effect."
    return {"lines": [line], "numbers": numbers, "notices": [{"level": "warning", "text": line}]}


def paired_report(data: PairedData, pairs: pd.DataFrame, counts: StudyCounts) -> dict[str, Any]:
    """Return report lines and numbers on the paired data: cells, counts, blanks, and counts by occupancy."""
    singlets = int((pairs["status"] == "singlet").sum())
    matrix = counts.matrix[:0] if data.counts is None else data.counts
    totals = np.asarray(matrix.sum(axis=1)).ravel()
    detected = np.asarray((matrix > 0).sum(axis=1)).ravel()
    blank = blank_totals(pairs, counts)
    lines = [
        f"{count(len(data.obs))} of {count(singlets, 'singlet')} have counts: {number(np.median(totals), 0)} counts "
        f"and {number(np.median(detected), 0)} genes per cell (medians).",
        f"{count(len(blank), 'compartment')} without a live cell have {number(blank.mean(), 0)} counts on average "
        f"({percent(blank.mean() / totals.mean(), 1)} of the mean of a cell): ambient RNA, or cells that died there."
        if len(blank)
        else "There is no barcode without a cell, so ambient RNA is not estimable.",
    ]
    numbers: dict[str, Any] = {"paired_cells": len(data.obs), "genes": len(data.genes), "singlets": singlets}
    numbers |= {"median_counts": float(np.median(totals)), "median_genes": float(np.median(detected))}
    numbers |= {"blank_compartments": len(blank), "mean_blank_counts": float(blank.mean()) if len(blank) else None}
    numbers |= {f"paired_{sample}": int(n) for sample, n in data.obs["sample"].value_counts().sort_index().items()}
    sister = data.obs["sister_fate"].value_counts()
    numbers |= {f"sister_fate_{fate}": int(sister.get(fate, 0)) for fate in FATES}
    check, wrong = occupancy_report(counts_by_occupancy(pairs, counts.totals)), _wrong_report(wrong_pairs_of(data))
    lost = lost_report(counts.lost)
    return {
        "lines": lines + lost["lines"] + check["lines"] + wrong["lines"],
        "numbers": numbers | lost["numbers"] | check["numbers"] | wrong["numbers"],
        "notices": lost["notices"] + check["notices"] + wrong["notices"],
    }


def _wrong_report(wrong: WrongPairs) -> dict[str, Any]:
    """Return report lines, numbers and notices on the estimated fraction of wrong pairs."""
    numbers: dict[str, Any] = {
        "wrong_pairs": None if wrong.reason else wrong.fraction,
        "wrong_pairs_standard_error": None if np.isnan(wrong.standard_error) else wrong.standard_error,
    }
    for dose, estimate in zip(wrong.doses, wrong.estimates, strict=True):
        numbers[f"wrong_pairs_after_mispairing_{round(100 * dose)}_percent"] = float(estimate)
    if wrong.reason:
        line = f"The fraction of wrong pairs is not estimable from deliberate mis-pairing: {wrong.reason}."
        return {"lines": [line], "numbers": numbers, "notices": []}
    line = (
        f"A curve of deliberate mis-pairing estimates that {percent(wrong.fraction, 0)} of the pairs are wrong "
        f"(standard error {percent(wrong.standard_error, 1)}); cells that do not follow the association of expression "
        "with images for another reason count as wrong."
    )
    said = {"level": "serious" if wrong.fraction > MANY_WRONG else "warning", "text": line}
    return {"lines": [line], "numbers": numbers, "notices": [said] if wrong.fraction > SOME_WRONG else []}
