"""The five answers of a run as sentences, each with its number, interval and null."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from cineseq.lineage.interpretation import interval_to_read, readings
from cineseq.lineage.report import state_sentence, tested_states
from cineseq.prediction.covariate_sentences import adds, beyond_sentence
from cineseq.prediction.report import mostly_class
from cineseq.report.evidence import Evidence
from cineseq.report.fates import ALIKE, shared_fates
from cineseq.report.limits import by_groups, detectable, held_out_alone
from cineseq.report.variance import is_explained, variance_sentence
from cineseq.statistics import ALPHA
from cineseq.tables.lineage import SISTER_DIED
from cineseq.text import (
    clean,
    count,
    interval,
    known,
    listed,
    number,
    p_value,
    parts_of,
    percent,
    readable,
)

OF_PREDICTION = ("function_genes", "modalities")
"""Questions that are answered from predictions of function."""
WEAK_R2 = 0.1
WEAK_SHARE = 0.05
GENES_NAMED = 5
MODALITIES = ("expression", "morphology", "embedding", "features", "both")
ABSENCE = "With this many cells, a negative result does not show that there is no association."
Verdict = Literal["shown", "weak", "not_shown", "not_estimable"]


@dataclass(frozen=True)
class Answer:
    """One question with its answer, the numbers behind it, a verdict, and the limits of the data."""

    id: str
    question: str
    answer: str
    verdict: Verdict
    numbers: dict[str, Any] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()


def answer_all(evidence: Evidence, caveats: Sequence[str] = ()) -> list[Answer]:
    """Answer the five questions in the order of the page; ``caveats`` are added to the answers about prediction."""
    wanted: tuple[tuple[str, str, Callable[[Evidence], tuple[str, Verdict, dict[str, Any]]]], ...] = (
        ("function_genes", "What is associated with function?", function_genes),
        ("clusters", "Do the clusters differ in function?", clusters),
        ("modalities", "Which modality predicts function?", modalities),
        ("sisters", "What happened to the sisters?", sisters),
        ("crossmodal", "How much of one modality does the other explain?", crossmodal),
    )
    answers = []
    for name, question, answer in wanted:
        sentence, verdict, numbers = answer(evidence)
        numbers = {key: clean(value) if not isinstance(value, list) else value for key, value in numbers.items()}
        limits = tuple(caveats) if name in OF_PREDICTION else ()
        answers.append(Answer(name, question, sentence, verdict, numbers, limits))
    return answers


def _not_estimable(reason: str) -> tuple[str, Verdict, dict[str, Any]]:
    reason = reason.removeprefix("not estimable: ").rstrip(".")
    return f"Not estimable because {reason}.", "not_estimable", {}


def _note(row: pd.Series, otherwise: str) -> str:
    note = row.get("note")
    return note if isinstance(note, str) and note else otherwise


def main_function(performance: pd.DataFrame) -> str | None:
    """Return the main function, which the answers are about: the one best predicted by any single modality."""
    single = performance[performance["model"].isin(["expression", "morphology", "embedding", "features"])]
    single = single.dropna(subset=["r2"]).sort_values(["r2", "function"], ascending=[False, True])
    return None if single.empty else str(single["function"].iloc[0])


def _of(performance: pd.DataFrame, function: str, model: str) -> pd.Series | None:
    rows = performance[(performance["function"] == function) & (performance["model"] == model)]
    return None if rows.empty else rows.iloc[0]


def _best_of(performance: pd.DataFrame, row: pd.Series) -> str:
    functions = performance["function"].nunique()
    return "" if functions < 2 else f", {p_value(row['q_value'], 'q')} over {functions} functions"


def _is_shown(row: pd.Series, functions: int) -> bool:
    value = row["q_value"] if functions > 1 and known(row["q_value"]) else row["p_value"]
    return bool(known(value) and value <= ALPHA and row["r2"] > 0)


def contrast(contrasts: pd.DataFrame | None, function: str, a: str, b: str) -> tuple[float, float, float] | None:
    """Return the difference of R² (``a`` minus ``b``) and its interval, for either order of the two in the table."""
    if contrasts is None:
        return None
    of = contrasts[contrasts["function"] == function]
    for first, second, sign in ((a, b, 1.0), (b, a, -1.0)):
        rows = of[(of["model_a"] == first) & (of["model_b"] == second)].dropna(subset=["delta_r2"])
        if len(rows):
            delta, low, high = sign * rows[["delta_r2", "low", "high"]].iloc[0].to_numpy(float, na_value=np.nan)
            return (delta, low, high) if sign > 0 else (delta, high, low)
    return None


def function_genes(evidence: Evidence) -> tuple[str, Verdict, dict[str, Any]]:
    """Answer whether expression predicts function in held-out groups, and which genes do so most stably."""
    table = evidence.performance
    if table is None or table.empty:
        return _not_estimable("the prediction step was not run")
    function = main_function(table)
    row = None if function is None else _of(table, function, "expression")
    if function is None or row is None or not known(row["r2"]):
        notes = list(table.loc[table["model"] == "expression", "note"].dropna()) if "note" in table else []
        return _not_estimable(notes[0] if notes else "there is no paired expression of cells with a function")
    numbers = {"function": function, **{k: row[k] for k in ("r2", "r2_low", "r2_high", "p_value", "n", "groups")}}
    measured = (
        f"R² = {number(row['r2'])} ({interval(row['r2_low'], row['r2_high'], named=True)}; permutation "
        f"{p_value(row['p_value'])}{_best_of(table, row)}; {count(row['n'], 'cell')} in "
        f"{count(row['groups'], 'held-out group')}{by_groups(row)})"
    )
    scope = held_out_alone(row)
    if not _is_shown(row, table["function"].nunique()):
        text = f"Expression did not predict {readable(function)} better than chance: {measured}. {ABSENCE}"
        parts = [text, detectable(row["n"]), scope, "Do not interpret the genes listed below."]
        return " ".join(part for part in parts if part), "not_shown", numbers
    weak = row["r2"] < WEAK_R2 or (known(row["r2_low"]) and row["r2_low"] <= 0)
    parts = [f"Expression {'weakly ' if weak else ''}predicts {readable(function)}: {measured}"]
    genes, named = _stable_genes(evidence.genes, function, evidence.selected_frequency)
    numbers["genes"] = named
    beyond, more = _beyond_class(row, _of(table, function, "class"))
    numbers |= more
    parts += [genes, beyond]
    added, is_added, more = _beyond_covariates(evidence, function)
    numbers |= more
    parts = [*parts, added] if is_added else [added, *parts]
    parts.append("These are associations")
    text = ". ".join(p for p in parts if p) + "."
    return f"{text} {scope}".strip(), "weak" if weak else "shown", numbers


def _stable_genes(genes: pd.DataFrame | None, function: str, frequency: float) -> tuple[str, list[str]]:
    if genes is None:
        return "", []
    parts = parts_of(function, set(genes["function"]))
    ranked = genes[genes["function"].isin(parts) & (genes["frequency"] >= frequency)]
    if ranked.empty:
        return f"No single gene was selected in {percent(frequency, 0)} of the half-samples", []
    ranked = ranked.sort_values(["frequency", "gene"], ascending=[False, True]).drop_duplicates("gene")
    top = ranked.head(GENES_NAMED)
    signs = np.where(top["sign"].fillna(0) >= 0, "+", "−")
    where = [f" for {readable(part)}" if len(parts) > 1 else "" for part in top["function"]]
    texts = [f"{g} ({s}{w})" for g, s, w in zip(top["gene"], signs, where, strict=True)]
    more = (
        f", of {count(len(ranked), 'gene')} in at least {percent(frequency, 0)} of the half-samples"
        if len(ranked) > len(top)
        else ""
    )
    return f"Selected most stably: {listed(texts)}{more}{_given_covariates(ranked)}", top["gene"].tolist()


def _given_covariates(ranked: pd.DataFrame) -> str:
    """Report how many of the selected genes also go with the function given the covariates."""
    if "q_given_covariates" not in ranked or ranked["q_given_covariates"].isna().all():
        return ""
    also = int((ranked["q_given_covariates"] <= ALPHA).sum())
    return f" ({also} of {len(ranked)} also given size, cell cycle and technical covariates as measured, q ≤ {ALPHA})"


def _beyond_class(row: pd.Series, of_class: pd.Series | None) -> tuple[str, dict[str, Any]]:
    """Compare the prediction with class means, and give its R² within classes."""
    if of_class is None or not known(of_class["r2"]) or of_class["r2"] <= 0:
        return "", {}
    keys = ("r2_within_class", "p_within_class")
    text = (
        f"{'Most of this is explained by the class of a cell: c' if mostly_class(row, of_class) else 'C'}lass means "
        f"alone reach "
        f"R² = {number(of_class['r2'])}, and within classes expression has "
        f"R² = {number(row['r2_within_class'])} (permutation {p_value(row['p_within_class'])})"
    )
    return text, {"r2_class": of_class["r2"], **{key: row[key] for key in keys}}


def _beyond_covariates(evidence: Evidence, function: str) -> tuple[str, bool, dict[str, Any]]:
    """Report what expression adds to the covariates as measured, whether it is shown to, and the numbers."""
    table = evidence.beyond_covariates
    if table is None:
        return "", True, {}
    rows = table[(table["function"] == function) & (table["added"] == "expression")].dropna(subset=["delta_r2"])
    if rows.empty:
        return "", True, {}
    row, text = rows.iloc[0], beyond_sentence(rows, evidence.covariates)
    keys = ("r2_covariates", "delta_r2", "low", "high", "p_value", "q_value")
    return text[0].upper() + text[1:], adds(row), {f"beyond_{key}": row[key] for key in keys}


def clusters(evidence: Evidence) -> tuple[str, Verdict, dict[str, Any]]:
    """Answer how much of the function lies between clusters, and whether predictive genes are cluster markers."""
    table = evidence.function_by_cluster
    if table is None or table.empty:
        return _not_estimable("the clusters were not compared with any function")
    wanted = main_function(evidence.performance) if evidence.performance is not None else None
    rows = table[table["function"].isin([] if wanted is None else parts_of(wanted, set(table["function"])))]
    row = (rows if len(rows) else table).sort_values("eta2", ascending=False, na_position="last").iloc[0]
    function = row["function"]
    if not known(row["eta2"]):
        return _not_estimable(_note(row, f"{readable(function)} could not be compared between clusters"))
    numbers = {"function": function, **{k: row[k] for k in ("eta2", "eta2_null", "p_value", "clusters", "n")}}
    excess = row["eta2"] - (row["eta2_null"] if known(row["eta2_null"]) else 0.0)
    is_shown = known(row["p_value"]) and row["p_value"] <= ALPHA
    verdict: Verdict = "not_shown" if not is_shown else "weak" if excess < WEAK_SHARE else "shown"
    lead = {"not_shown": "No, not beyond chance", "weak": "Only weakly", "shown": "In part"}[verdict]
    text = (
        f"{lead}: {percent(row['eta2'])} of the variance of {readable(function)} lies between "
        f"{count(row['clusters'], 'cluster')} ({percent(row['eta2_null'])} expected by chance, permutation "
        f"{p_value(row['p_value'])}, "
        f"{count(row['n'], 'cell')})."
    )
    overlap, more = _overlap(evidence.overlap, function)
    return f"{text} {overlap}".strip(), verdict, numbers | more


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


def modalities(evidence: Evidence) -> tuple[str, Verdict, dict[str, Any]]:
    """Answer which of expression, morphology and both predicts the function."""
    table = evidence.performance
    if table is None or table.empty:
        return _not_estimable("the prediction step was not run")
    function = main_function(table)
    if function is None:
        notes = table["note"].dropna()
        return _not_estimable(notes.iloc[0] if len(notes) else "no model could be fitted")
    found = {n: row for n in MODALITIES if (row := _of(table, function, n)) is not None and known(row["r2"])}
    numbers: dict[str, Any] = {"function": function}
    for name, row in found.items():
        numbers |= {f"r2_{name}": row["r2"], f"p_{name}": row["p_value"]}
    values = [
        f"{name} R² = {number(r['r2'])} ({interval(r['r2_low'], r['r2_high'], named=True)}; {p_value(r['p_value'])})"
        for name, r in found.items()
    ]
    functions, scope = table["function"].nunique(), held_out_alone(next(iter(found.values())))
    if not any(_is_shown(row, functions) for row in found.values()):
        text = f"No modality predicted {readable(function)} better than chance: {'; '.join(values)}. {ABSENCE}"
        return f"{text} {scope}".strip(), "not_shown", numbers
    comparison, verdict = _compared(evidence.contrasts, function, found, functions)
    return f"{comparison} Held-out {'; '.join(values)}. {scope}".strip(), verdict, numbers


def _compared(
    contrasts: pd.DataFrame | None, function: str, found: dict[str, pd.Series], functions: int
) -> tuple[str, Verdict]:
    """State which modalities predict the function, which one better, and whether expression adds to the others.

    Expression is compared with morphology or, where there is none, with the embedding or the user's features; without
    expression, two of these are compared with each other.
    """
    single = [name for name in MODALITIES if name in found and name != "both"]
    if len(single) == 1:
        if not _is_shown(found[single[0]], functions):
            return f"{single[0].capitalize()} alone was not shown to predict {readable(function)}.", "weak"
        return f"{single[0].capitalize()} predicts {readable(function)}; there is no other modality to compare.", "weak"
    able = [name for name in single[:2] if _is_shown(found[name], functions)]
    verb = "predict" if len(able) == 2 else "predicts"
    lead = f"{' and '.join(able).capitalize()} {verb} {readable(function)}"
    if not able:
        lead = f"Neither {single[0]} nor {single[1]} alone was shown to predict {readable(function)}"
    delta = contrast(contrasts, function, single[1], single[0])
    if delta is None:
        return f"{lead}; the difference was not estimated.", "weak"
    size = f"difference in R² {number(abs(delta[0]))}, {interval(*_sorted_ends(delta), named=True)}"
    is_resolved = delta[1] > 0 or delta[2] < 0
    better = f"{single[1] if delta[0] > 0 else single[0]} predicts it better" if is_resolved else ""
    sentences = [f"{lead}; {better or 'which one predicts it better is not resolved'} ({size})."]
    # Compared with morphology and embedding together: these two may beat morphology without any help of expression.
    shapes = [name for name in ("morphology", "embedding", "features") if name in found]
    gain = contrast(contrasts, function, "both", "all_morphology")
    if gain is not None:
        shape = f"{listed(shapes)} together" if len(shapes) > 1 else shapes[0]
        adds = "adds to" if gain[1] > 0 else "was not shown to add to"
        sentences.append(f"Expression {adds} {shape} (ΔR² = {number(gain[0])}, {interval(*gain[1:], named=True)}).")
    return " ".join(sentences), "shown" if is_resolved else "weak"


def _sorted_ends(delta: tuple[float, float, float]) -> tuple[float, float]:
    """Return the interval of the absolute difference, which is reversed for a negative difference."""
    return (delta[1], delta[2]) if delta[0] > 0 else (-delta[2], -delta[1])


def sisters(evidence: Evidence) -> tuple[str, Verdict, dict[str, Any]]:
    """Answer whether a state of survivors is associated with the death of the sister, and how alike fates are.

    Without a tested state, the fates of the sisters themselves, condition by condition, are the answer.
    """
    fates = shared_fates(evidence.concordance, evidence.incidence)
    alike = (fates.lead, *fates.sentences, ALIKE if fates.is_shown else "")
    caution = _caution(evidence.warnings)
    table = evidence.states
    if table is None or table.empty:
        state = _not_estimable("no survivor with a measured state has a sister of known fate")
        if evidence.concordance is None:
            state = _not_estimable("the sister analysis was not run")
    else:
        state = _state_by_sister(table, evidence.power)
    text, verdict, numbers = state
    if verdict != "not_estimable" or not fates.lead:
        return " ".join(t for t in (text, *alike, caution) if t), verdict, numbers | fates.numbers
    of_states = f"Whether a state of survivors is associated with the death of the sister is {_lower_first(text)}"
    verdict = "shown" if fates.is_shown else "not_shown" if known(fates.numbers["p_concordance"]) else "weak"
    return " ".join(t for t in (*alike, of_states, caution) if t), verdict, numbers | fates.numbers


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _state_by_sister(table: pd.DataFrame, power: pd.DataFrame | None) -> tuple[str, Verdict, dict[str, Any]]:
    main = table[table["contrast"] == SISTER_DIED]
    states = tested_states(table)
    tested = states[states["odds_ratio"].notna()]
    if tested.empty:
        first = main.iloc[0] if len(main) else table.iloc[0]
        return _not_estimable(
            _note(
                first,
                "too few families are in strata with survivors whose sister died and survivors whose sister lived",
            )
        )
    row = tested.iloc[0]
    numbers = {k: row[k] for k in ("state", "odds_ratio", "low", "high", "informative")}
    numbers |= {"p_value": row["p_value"], "q_value": row["q"], "states_tested": len(states)}
    ends = row[["low", "high"]].to_numpy(float, na_value=np.nan)
    low, high = interval_to_read(ends[0], ends[1], row["q"])
    text = f"{state_sentence(row, _detectable(power, row['state']), for_all=True)} {readings(tested)[0]}"
    if row["q"] > ALPHA:
        return text, "not_shown", numbers
    return text, "shown" if high < 1 or low > 1 else "weak", numbers


def _detectable(power: pd.DataFrame | None, state: str) -> float | None:
    if power is None:
        return None
    of_answer = (power["state"] == state) & (power["contrast"] == SISTER_DIED)
    rows = power.loc[of_answer, "detectable_odds_ratio"].dropna()
    return float(rows.iloc[0]) if len(rows) else None


def _caution(warnings: pd.DataFrame | None) -> str:
    if warnings is None:
        return ""
    serious = warnings[warnings["severity"] == "serious"]
    if serious.empty:
        return ""
    where = listed(sorted(set(serious["sample"])))
    return f"Caution ({where}): {' '.join(dict.fromkeys(serious['message']))}"


def crossmodal(evidence: Evidence) -> tuple[str, Verdict, dict[str, Any]]:
    """Answer which fraction of the variance of each modality the other explains in held-out groups."""
    table = evidence.crossmodal_summary
    if table is None or table.empty:
        return _not_estimable("the cross-modal step was not run")
    rows = {row["direction"]: row for row in table.to_dict("records") if known(row["r2"])}
    if not rows:
        return _not_estimable(_note(table.iloc[0], "too few cells have both modalities"))
    texts, shown = [], []
    numbers: dict[str, Any] = {}
    for direction, source, target in (
        ("morphology_to_expression", "Morphology", "expression"),
        ("expression_to_morphology", "Expression", "morphology"),
    ):
        if direction not in rows:
            continue
        row = rows[direction]
        shown.append(is_explained(row, ALPHA))
        texts.append(variance_sentence(row, source, target, ALPHA))
        numbers |= {f"r2_{direction}": row["r2"], f"null_{direction}": row["r2_null"], f"p_{direction}": row["p_value"]}
    verdict: Verdict = "not_shown" if not any(shown) else "shown" if all(shown) else "weak"
    texts.append(held_out_alone(next(iter(rows.values()))))
    return " ".join(texts).strip(), verdict, numbers
