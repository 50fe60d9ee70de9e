"""The five answers of a run as sentences, each with its number, interval and null."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from cineseq.expression.function_variance import stratum_word
from cineseq.lineage.detectable import Detectable
from cineseq.lineage.interpretation import interval_to_read, readings
from cineseq.lineage.report import state_sentence, tested_states
from cineseq.lineage.selection_bias import NOT_EXCLUDED
from cineseq.prediction.by_sample import in_samples
from cineseq.prediction.covariate_sentences import adds, beyond_sentence
from cineseq.prediction.estimands import HEADLINE, gain_text, headline_rows, is_claimed, share_text
from cineseq.prediction.report import mostly_class
from cineseq.report.evidence import Evidence
from cineseq.report.fates import ALIKE, shared_fates
from cineseq.report.limits import by_groups, detectable, few_groups, held_out_alone
from cineseq.report.variance import is_explained, variance_sentence
from cineseq.statistics import ALPHA
from cineseq.tables.crossmodal import DIRECTIONS
from cineseq.tables.lineage import SISTER_DIED
from cineseq.tables.prediction import CLUSTER_LABELS
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
OF_CLUSTERS = (
    *("epsilon2", "epsilon2_low", "epsilon2_high", "epsilon2_upper", "margin", "eta2", "eta2_null"),
    *("p_value", "q_value", "clusters", "strata", "n"),
)
"""Columns of function by cluster that are numbers of the answer."""
MODALITIES = ("expression", "morphology", "embedding", "features", "both")
ABSENCE = "With this many cells, a negative result does not show that there is no association."
Verdict = Literal["shown", "weak", "shown_absent", "unresolved", "not_shown", "not_estimable"]


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
    """Return the main function, which the answers are about: the one best predicted by any single modality.

    Functions are compared within fields; where none is estimable there, pooled over fields.
    """
    single = performance[performance["model"].isin(["expression", "morphology", "embedding", "features"])]
    single = _primary(single.dropna(subset=["r2"])).sort_values(["r2", "function"], ascending=[False, True])
    return None if single.empty else str(single["function"].iloc[0])


def _primary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows within fields; those pooled over fields where there is none."""
    within = headline_rows(rows)
    return rows[rows["estimand"] == "pooled"] if within.empty else within


def _of(performance: pd.DataFrame, function: str, model: str, estimand: str | None = None) -> pd.Series | None:
    """Return the row of a model; without an estimand the one within fields or, without its R², the pooled one."""
    rows = performance[(performance["function"] == function) & (performance["model"] == model)]
    wanted = _primary(rows.dropna(subset=["r2"])) if estimand is None else rows[rows["estimand"] == estimand]
    return None if wanted.empty else wanted.iloc[0]


def _best_of(performance: pd.DataFrame, row: pd.Series) -> str:
    functions = performance["function"].nunique()
    of = f" of {functions} functions" if functions > 1 else ""
    return f", {p_value(row['q_value'], 'q')} over the models{of}"


def _where(row: pd.Series) -> str:
    return " within fields" if row["estimand"] == HEADLINE else ", pooled over fields,"


def contrast(contrasts: pd.DataFrame | None, function: str, a: str, b: str) -> tuple[float, float, float] | None:
    """Return the difference of R² (``a`` minus ``b``) and its interval, for either order of the two in the table.

    It is within fields; pooled over fields where nothing is estimable within them.
    """
    if contrasts is None:
        return None
    of = _primary(contrasts[contrasts["function"] == function].dropna(subset=["delta_r2"]))
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
    if function is None or row is None:
        notes = list(table.loc[table["model"] == "expression", "note"].dropna()) if "note" in table else []
        return _not_estimable(notes[0] if notes else "there is no paired expression of cells with a function")
    keys = ("estimand", "r2", "r2_low", "r2_high", "r2_null", "share", "p_value", "q_value", "n", "groups")
    numbers = {"function": function, **{k: row[k] for k in keys}}
    measured = (
        f"R² = {number(row['r2'])} ({interval(row['r2_low'], row['r2_high'], named=True)}; "
        f"{gain_text(row, 'r2_low', 'r2_high')}, permutation {p_value(row['p_value'])}{_best_of(table, row)}; "
        f"{share_text(row)}; {count(row['n'], 'cell')} in {count(row['groups'], 'held-out group')}{by_groups(row)}"
        f"{_pooled_text(_of(table, function, 'expression', 'pooled'), row)}"
        f"{in_samples(evidence.by_sample, row)})"
    )
    scope = f"{few_groups(row)} {held_out_alone(row)}".strip()
    if not is_claimed(row):
        text = f"Expression was not shown to predict {readable(function)}{_where(row)} better than chance: {measured}."
        parts = [text, ABSENCE, detectable(row["n"]), scope, "Do not interpret the genes listed below."]
        return " ".join(part for part in parts if part), "not_shown", numbers
    weak = row["r2_above_null"] < WEAK_R2
    parts = [f"Expression {'weakly ' if weak else ''}predicts {readable(function)}{_where(row)}: {measured}"]
    genes, named = _stable_genes(evidence.genes, function, evidence.selected_frequency)
    numbers["genes"] = named
    beyond, more = _beyond_class(*(_of(table, function, model, "pooled") for model in ("expression", "class")))
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


def _pooled_text(pooled: pd.Series | None, row: pd.Series) -> str:
    """Return R² pooled over fields with what is left of it when cells are shuffled; nothing where it is the row."""
    if pooled is None or row["estimand"] == "pooled" or not known(pooled["r2"]):
        return ""
    null = f", {number(pooled['r2_null'])} with shuffled cells" if known(pooled["r2_null"]) else ""
    return f"; pooled over fields R² = {number(pooled['r2'])}{null}"


def _beyond_class(row: pd.Series | None, of_class: pd.Series | None) -> tuple[str, dict[str, Any]]:
    """Compare the pooled prediction with class means, and give its R² within classes."""
    if row is None or of_class is None or not known(of_class["r2"]) or of_class["r2"] <= 0:
        return "", {}
    keys = ("r2_within_class", "p_within_class")
    text = (
        f"Pooled over fields, "
        f"{'most of R² is explained by the class of a cell: ' if mostly_class(row, of_class) else ''}class means "
        f"alone reach R² = {number(of_class['r2'])}, and within classes expression has "
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
    row = (rows if len(rows) else table).sort_values("epsilon2", ascending=False, na_position="last").iloc[0]
    function = row["function"]
    if not known(row["epsilon2"]):
        return _not_estimable(_note(row, f"{readable(function)} could not be compared between clusters"))
    numbers = {"function": function, **{key: row[key] for key in OF_CLUSTERS}}
    verdict: Verdict = "weak" if row["verdict"] == "shown" and row["epsilon2"] < WEAK_SHARE else row["verdict"]
    beyond, delta = _beyond_clusters(evidence.contrasts, function if wanted is None else wanted)
    overlap, more = _overlap(evidence.overlap, function)
    texts = [_between_clusters(row, verdict, len(table)), _verdict_counts(table), beyond, overlap]
    return " ".join(text for text in texts if text), verdict, numbers | delta | more


def _between_clusters(row: pd.Series, verdict: Verdict, functions: int) -> str:
    """Return the share of a function between clusters, with the interval and the p-value of this share."""
    unit = stratum_word(row["within"] if isinstance(row["within"], str) else "")
    share, margin, groups = percent(row["epsilon2"]), percent(row["margin"]), count(row["clusters"], "cluster")
    between = f"of the variance of {readable(row['function'])} within {unit}s lies between {groups}"
    tested = f"permutation {p_value(row['p_value'])}"
    tested += f", {p_value(row['q_value'], 'q')} over {functions} functions" if functions > 1 else ""
    cells = f"{count(row['n'], 'cell')} in {count(row['strata'], unit)}"
    if verdict == "shown_absent":
        upper = f"its one-sided 95 % interval ends at {percent(row['epsilon2_upper'])}"
        return f"No: less than {margin} {between} ({share}, {upper}; {tested}; {cells})."
    ends = interval(row["epsilon2_low"], row["epsilon2_high"], percent, named=True)
    measured = f"{share} {between} ({ends}; {tested}; {cells})"
    if verdict == "unresolved":
        note = _note(row, "")
        why = f"; there is {note}" if note.startswith("no interval") else ""
        return f"Unresolved: {measured}. Neither a difference nor its absence (less than {margin}) is shown{why}."
    return f"{'Only weakly' if verdict == 'weak' else 'In part'}: {measured}."


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


def modalities(evidence: Evidence) -> tuple[str, Verdict, dict[str, Any]]:
    """Answer which of expression, morphology and both predicts the function."""
    table = evidence.performance
    if table is None or table.empty:
        return _not_estimable("the prediction step was not run")
    function = main_function(table)
    if function is None:
        notes = table["note"].dropna()
        return _not_estimable(notes.iloc[0] if len(notes) else "no model could be fitted")
    found = {n: row for n in MODALITIES if (row := _of(table, function, n)) is not None}
    first = next(iter(found.values()))
    numbers: dict[str, Any] = {"function": function, "estimand": first["estimand"]}
    for name, row in found.items():
        numbers |= {f"r2_{name}": row["r2"], f"p_{name}": row["p_value"]}
    values = [
        f"{name} R² = {number(r['r2'])} ({interval(r['r2_low'], r['r2_high'], named=True)}; "
        f"{gain_text(r, 'r2_low', 'r2_high')}, {p_value(r['p_value'])}{_best_of(table, r)}"
        f"{in_samples(evidence.by_sample, r)})"
        for name, r in found.items()
    ]
    where, scope = _where(first), f"{few_groups(first)} {held_out_alone(first)}".strip()
    if not any(is_claimed(row) for row in found.values()):
        text = f"No modality was shown to predict {readable(function)}{where} better than chance: {'; '.join(values)}."
        return f"{text} {ABSENCE} {scope}".strip(), "not_shown", numbers
    comparison, verdict = _compared(evidence.contrasts, function, found)
    return f"{comparison} Held-out{where}: {'; '.join(values)}. {scope}".strip(), verdict, numbers


def _compared(contrasts: pd.DataFrame | None, function: str, found: dict[str, pd.Series]) -> tuple[str, Verdict]:
    """State which modalities predict the function, which one better, and whether expression adds to the others.

    Expression is compared with morphology or, where there is none, with the embedding or the user's features; without
    expression, two of these are compared with each other.
    """
    single = [name for name in MODALITIES if name in found and name != "both"]
    if len(single) == 1:
        if not is_claimed(found[single[0]]):
            return f"{single[0].capitalize()} alone was not shown to predict {readable(function)}.", "weak"
        return f"{single[0].capitalize()} predicts {readable(function)}; there is no other modality to compare.", "weak"
    able = [name for name in single[:2] if is_claimed(found[name])]
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
    text = f"{state_sentence(row, _detectable(power, row), for_all=True)} {readings(tested)[0]}"
    if row["q"] > ALPHA:
        return text, "not_shown", numbers
    return text, "shown" if high < 1 or low > 1 else "weak", numbers


def _detectable(power: pd.DataFrame | None, row: pd.Series) -> Detectable | None:
    if power is None:
        return None
    of_answer = (power["state"] == row["state"]) & (power["contrast"] == SISTER_DIED)
    rows = power[of_answer].dropna(subset="detectable_odds_ratio")
    if rows.empty:
        return None
    first = rows.iloc[0]
    return Detectable.of(first["detectable_odds_ratio"], first["state_rate"], row["states"])


def _caution(warnings: pd.DataFrame | None) -> str:
    if warnings is None:
        return ""
    serious = warnings[(warnings["severity"] == "serious") | (warnings["warning"] == NOT_EXCLUDED)]
    if serious.empty:
        return ""
    where = listed(sorted(set(serious["sample"])))
    return f"Caution ({where}): {' '.join(dict.fromkeys(serious['message']))}"


def crossmodal(evidence: Evidence) -> tuple[str, Verdict, dict[str, Any]]:
    """Answer which fraction of the variance of each modality the other explains in held-out groups."""
    table = evidence.crossmodal_summary
    if table is None or table.empty:
        return _not_estimable("the cross-modal step was not run")
    rows = {(row["direction"], row["estimand"]): row for row in table.to_dict("records") if known(row["r2"])}
    if not rows:
        return _not_estimable(_note(table.iloc[0], "too few cells have both modalities"))
    texts, shown = [], []
    numbers: dict[str, Any] = {}
    for direction in DIRECTIONS:
        row = rows.get((direction, HEADLINE))
        if row is None:
            continue
        source, target = direction.split("_to_")
        shown.append(is_explained(row))
        texts.append(variance_sentence(row, rows.get((direction, "pooled")), source.capitalize(), target))
        numbers |= {f"r2_{direction}": row["r2"], f"null_{direction}": row["r2_null"], f"p_{direction}": row["p_value"]}
        numbers |= {f"share_{direction}": row["share"], f"q_{direction}": row["q_value"]}
    if not texts:
        within = table[table["estimand"] == HEADLINE]
        return _not_estimable(_note(within.iloc[0], "nothing differs within fields"))
    verdict: Verdict = "not_shown" if not any(shown) else "shown" if all(shown) else "weak"
    texts.append(held_out_alone(next(iter(rows.values()))))
    return " ".join(texts).strip(), verdict, numbers
