"""Report on pairs and their counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import linregress, spearmanr

from cineseq.io.paired import PairedData
from cineseq.pairing.join import StudyCounts, blank_totals
from cineseq.pairing.match import Matched
from cineseq.statistics import ALPHA
from cineseq.tables.imaging import FATES, PAIR_STATUSES
from cineseq.text import count, number, p_value, percent

MIN_FOR_SLOPE = 10
FEW_STRAY = 0.9
"""If a smaller fraction of barcodes lies in its own compartment, the report doubts the barcode map."""


def pairs_report(matched: Matched, *, known: int, sequenced: int, imaged: int) -> dict[str, Any]:
    """Return report lines and numbers on how cells and barcodes were paired.

    Parameters
    ----------
    matched
        Result of the matching.
    known, sequenced
        Number of barcodes in the table, and of those that were sequenced.
    imaged
        Number of cells in the study, dead and alive.
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
    if matched.checked:
        lines.append(
            f"{count(matched.agreeing)} of {count(matched.checked, 'barcode')} with a compartment and a position lie "
            "in it."
            + ("" if matched.agreeing >= FEW_STRAY * matched.checked else " The two maps may be shifted or mixed up.")
        )
    lines += _alignment_lines(matched.alignments)
    numbers: dict[str, Any] = {f"pairs_{status}": n for status, n in by_status.items()}
    numbers |= {"live_cells": len(cells), "cells": imaged, "compartments_with_a_lost_cell": matched.hidden}
    numbers |= {"barcodes_not_on_the_map": len(matched.nowhere)}
    numbers |= {"barcodes_with_a_position": matched.checked, "barcodes_in_their_compartment": matched.agreeing}
    numbers |= {"barcodes_in_table": known, "barcodes_sequenced": sequenced, "barcodes_corrected": corrected}
    for row in matched.alignments.itertuples():
        field = f"{row.sample}_{row.fov}"
        numbers[f"aligned_{field}"] = float(row.aligned)
        numbers[f"alignment_residual_px_{field}"] = None if np.isnan(row.residual_px) else float(row.residual_px)
    return {"lines": lines, "numbers": numbers}


def _alignment_lines(alignments: pd.DataFrame) -> list[str]:
    if alignments.empty:
        return []
    first = (
        f"Barcodes were located by position in {count(len(alignments), 'field')}: "
        f"{percent(alignments['aligned'].median(), 0)} (median) "
        f"lie in a compartment once the maps are shifted by {number(alignments['shift'].median())} pitches."
    )
    return [first] + [
        f"Field {row.sample}/{row.fov}: barcodes do not fit the compartments ({percent(row.aligned, 0)} in one, shift "
        f"{number(row.shift)} pitches), so its {count(row.barcodes, 'barcode')} are left out."
        for row in alignments[~alignments["trusted"].astype(bool)].itertuples()
    ]


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
        return {"lines": lines, "numbers": numbers | {"counts_per_cell_slope": None, "counts_occupancy_rho": None}}
    fit = linregress(table["occupancy"], table["counts"])
    rho = spearmanr(table["occupancy"], table["counts"])
    numbers |= {"counts_per_cell_slope": float(fit.slope), "counts_occupancy_rho": float(rho.statistic)}
    numbers |= {"counts_occupancy_p": float(rho.pvalue)}
    line = (
        f"Counts per compartment {'rise' if fit.slope > 0 else 'do not rise'} with the cells seen in it: "
        f"{number(fit.slope, 0)} more per cell over {count(len(table), 'compartment')} "
        f"(Spearman {number(rho.statistic)}, {p_value(rho.pvalue)})."
    )
    warning = "" if fit.slope > 0 and rho.pvalue <= ALPHA else " A wrong map of barcodes has this effect."
    return {"lines": [line + warning], "numbers": numbers}


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
    check = occupancy_report(counts_by_occupancy(pairs, counts.totals))
    return {"lines": lines + check["lines"], "numbers": numbers | check["numbers"]}
