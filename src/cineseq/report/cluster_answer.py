"""Whether clusters differ in function."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cineseq.expression.function_variance import stratum_word
from cineseq.report.claims import samples_of
from cineseq.report.evidence import Evidence
from cineseq.report.found import Claim, Found, not_estimable, not_run, note_of, tested, with_interval
from cineseq.report.limits import without_position
from cineseq.report.prediction_answers import contrast, main_function
from cineseq.statistics.by_sample import in_samples, over_samples
from cineseq.statistics.verdicts import Verdict
from cineseq.tables.prediction import CLUSTER_LABELS
from cineseq.text import (
    count,
    interval,
    known,
    number,
    p_value,
    parts_of,
    percent,
    readable,
)

WEAK_SHARE = 0.05
OF_CLUSTERS = (
    *("epsilon2", "epsilon2_low", "epsilon2_high", "epsilon2_upper", "margin", "eta2", "eta2_null"),
    *("p_value", "q_value", "clusters", "strata", "n"),
)
"""Columns of function by cluster that are numbers of the answer."""


def clusters(evidence: Evidence) -> Found:
    """Answer how much of the function lies between clusters, and whether predictive genes are cluster markers."""
    table = evidence.function_by_cluster
    if table is None:
        return not_run("clusters, which need counts")
    if table.empty:
        return not_estimable("the clusters were not compared with any function")
    wanted = main_function(evidence.performance) if evidence.performance is not None else None
    rows = table[table["function"].isin([] if wanted is None else parts_of(wanted, set(table["function"])))]
    row = (rows if len(rows) else table).sort_values("epsilon2", ascending=False, na_position="last").iloc[0]
    function = row["function"]
    if not known(row["epsilon2"]):
        return not_estimable(note_of(row, f"{readable(function)} could not be compared between clusters"))
    numbers = {"function": function, **{key: row[key] for key in OF_CLUSTERS}}
    verdict: Verdict = "unresolved" if pd.isna(row["verdict"]) else row["verdict"]
    beyond, delta = _beyond_clusters(evidence.contrasts, function if wanted is None else wanted)
    overlap, more = _overlap(evidence.overlap, function)
    each = evidence.function_by_sample
    where = "" if each is None else in_samples(each[each["function"] == function], "epsilon2", 0.0, "zero", percent)
    lead = " ".join(t for t in (_between_clusters(row, verdict, len(table), where), _one_field(row)) if t)
    over = None if each is None else over_samples(each[each["function"] == function], "epsilon2", 0.0)
    claim = Claim(
        f"clusters differ in {readable(function)}",
        verdict,
        with_interval(row["epsilon2"], row["epsilon2_low"], row["epsilon2_high"], percent, " of the variance"),
        percent(0),
        tested(row["p_value"], row["q_value"]),
        *samples_of(over, percent),
    )
    texts = (_verdict_counts(table), beyond, overlap, without_position(row))
    return Found(lead, verdict, numbers | delta | more, " ".join(text for text in texts if text), (claim,))


def _one_field(row: pd.Series) -> str:
    """Report what cells of a single field, or of a single sample, cannot show; empty with more of them."""
    if not known(row["strata"]) or row["strata"] > 1:
        return ""
    unit = stratum_word(row["within"] if isinstance(row["within"], str) else "")
    return (
        f"All cells are of one {unit} and count as independent, so that the same holds in another {unit} or sample "
        "cannot be claimed."
    )


def _between_clusters(row: pd.Series, verdict: Verdict, functions: int, samples: str) -> str:
    """Return the share of a function between clusters, with the interval and the p-value of this share."""
    unit = stratum_word(row["within"] if isinstance(row["within"], str) else "")
    share, margin, groups = percent(row["epsilon2"]), percent(row["margin"]), count(row["clusters"], "cluster")
    between = f"of the variance of {readable(row['function'])} within {unit}s lies between {groups}"
    permuted = f"permutation {p_value(row['p_value'])}"
    permuted += f", {p_value(row['q_value'], 'q')} over {functions} functions" if functions > 1 else ""
    cells = f"{count(row['n'], 'cell')} in {count(row['strata'], unit)}{samples}"
    if verdict == "shown_absent":
        upper = f"its one-sided 95 % interval ends at {percent(row['epsilon2_upper'])}"
        return f"No: less than {margin} {between} ({share}, {upper}; {permuted}; {cells})."
    note = note_of(row, "")
    ends = interval(row["epsilon2_low"], row["epsilon2_high"], percent, named=True)
    ends = note if not known(row["epsilon2_low"]) and note.startswith("no interval") else ends
    measured = f"{share} {between} ({ends}; {permuted}; {cells})"
    if verdict == "unresolved":
        return f"Unresolved: {measured}. Neither a difference nor its absence (less than {margin}) is shown."
    return f"{'Only weakly' if row['epsilon2'] < WEAK_SHARE else 'In part'}: {measured}."


def _verdict_counts(table: pd.DataFrame) -> str:
    """Return how many of several functions differ between clusters."""
    if len(table) < 2:
        return ""
    words = {
        "shown": "shown to differ between clusters",
        "shown_absent": f"shown not to (less than {percent(table['margin'].iloc[0])})",
        "unresolved": "unresolved",
        "not_estimable": "not estimable",
    }
    found = table["verdict"].value_counts()
    parts = [f"{found[key]} {word}" for key, word in words.items() if key in found]
    return f"Of {len(table)} functions: {', '.join(parts)}."


def _beyond_clusters(contrasts: pd.DataFrame | None, function: str) -> tuple[str, dict[str, Any]]:
    """Compare expression with the labels of its clusters as predictors of a function."""
    found = contrast(contrasts, function, "expression", CLUSTER_LABELS)
    if found is None:
        return "", {}
    delta, low, high = found
    words = "Whether expression predicts it better than its clusters do is not resolved"
    if low > 0:
        words = "Expression predicts it better than its clusters do"
    elif high < 0:
        words = "The clusters predict it better than a linear model of expression does"
    text = f"{words} (clusters of training cells, ΔR² = {number(delta)}, {interval(low, high, named=True)})."
    return text, {"delta_r2_over_clusters": delta, "delta_low": low, "delta_high": high}


def _overlap(table: pd.DataFrame | None, function: str) -> tuple[str, dict[str, Any]]:
    rows = None if table is None else table[table["function"] == function]
    if rows is None or rows.empty:
        return "", {}
    row = rows.iloc[0]
    matched = ("expected_matched", "p_matched", "p_fewer_matched")
    numbers = {k: row[k] for k in ("selected", "markers", "shared", *matched, "expected")}
    numbers["p_overlap"] = row["p_value"]
    if not known(row["selected"]) or not row["selected"] or not known(row["expected"]):
        text = "The overlap of predictive genes with cluster markers is not estimable: no gene is a stable predictor."
        return text, numbers
    text = (
        f"Of {count(row['selected'], 'predictive gene')}, {count(row['shared'])} are also cluster markers "
        f"({number(row['expected_matched'], 1)} expected among equally expressed genes, {p_value(row['p_matched'])} "
        f"for at least that many and {p_value(row['p_fewer_matched'])} for at most that many; among all genes "
        f"{number(row['expected'], 1)} expected, {p_value(row['p_value'])} for at least that many)."
    )
    return text, numbers
