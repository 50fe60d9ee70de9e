"""Which modality predicts function, and which genes do."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from cineseq.prediction.by_sample import in_samples
from cineseq.prediction.covariate_sentences import adds, beyond_sentence
from cineseq.prediction.crossval.out_of_fold import NONLINEAR
from cineseq.prediction.estimands import PRIMARY, gain_text, is_claimed, lower_bound, primary_rows, share_text
from cineseq.prediction.group_claims import explained_by_group, unresolved_by_group
from cineseq.prediction.group_sentences import lost_within_groups
from cineseq.prediction.report import mostly_class
from cineseq.report.claims import r2_claim
from cineseq.report.evidence import Evidence
from cineseq.report.found import Claim, Found, not_estimable, not_run, tested, with_interval
from cineseq.report.limits import by_groups, detectable, scope_of
from cineseq.statistics import ALPHA
from cineseq.statistics.verdicts import Verdict, judge, overall
from cineseq.tables.prediction import MODALITIES
from cineseq.text import (
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

WEAK_R2 = 0.1
ROUNDING = 1e-9
GENES_NAMED = 5
PREDICTED = ("function", "model")
PREDICTION_NEEDS = "prediction, which needs a function and counts or shape of the same cells"
FUNCTIONS_NAMED = 5
SINGLE = ("expression", "morphology", "embedding", "features")
IGNORE_GENES = "Do not interpret the genes listed below."
SIGN = "+ and −: sign of the association"
IN_PART = "A covariate that is measured with error is taken out only in part"
ABSENCE = "With this many cells, a negative result does not show that there is no association."


def main_function(performance: pd.DataFrame, models: tuple[str, ...] = SINGLE) -> str | None:
    """Return the main function, which the answers are about: the one best predicted by a single modality.

    A function that is shown to be predicted comes before one that is not. Functions are compared within fields; where
    none is estimable there, pooled over fields.
    """
    single = performance[performance["model"].isin(models)]
    single = _primary(single.dropna(subset=["r2"]))
    single = single.assign(claimed=[is_claimed(row) for row in single.to_dict("records")])
    single = single.sort_values(["claimed", "r2", "function"], ascending=[False, False, True])
    return None if single.empty else str(single["function"].iloc[0])


def _primary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows within fields; those pooled over fields where there is none."""
    within = primary_rows(rows)
    return rows[rows["estimand"] == "pooled"] if within.empty else within


def _of(performance: pd.DataFrame, function: str, model: str, estimand: str | None = None) -> pd.Series | None:
    """Return the row of a model; without an estimand the one within fields or, without its R², the pooled one."""
    rows = performance[(performance["function"] == function) & (performance["model"] == model)]
    wanted = _primary(rows.dropna(subset=["r2"])) if estimand is None else rows[rows["estimand"] == estimand]
    return None if wanted.empty else wanted.iloc[0]


def _over_functions(performance: pd.DataFrame, row: pd.Series) -> str:
    """Return the q-value over functions, where there are several."""
    functions = performance["function"].nunique()
    return f", {p_value(row['q_value'], 'q')} over {functions} functions" if functions > 1 else ""


def _smallest(row: pd.Series) -> str:
    """Say that a p-value is the smallest that so many permutations can give, where it is."""
    permutations = row["permutations"]
    if not (known(row["p_value"]) and known(permutations) and row["p_value"] * (permutations + 1) <= 1 + ROUNDING):
        return ""
    return f", the smallest that {count(permutations, 'permutation')} can give"


def _counted(performance: pd.DataFrame, model: str) -> str:
    """Return which of several functions a model is shown to predict."""
    rows = _primary(performance[performance["model"] == model].dropna(subset=["r2"]))
    if len(rows) < 2:
        return ""
    shown = [readable(row["function"]) for row in rows.to_dict("records") if is_claimed(row)]
    named = f": {listed(shown[:FUNCTIONS_NAMED])}" if shown else ""
    more = f" and {len(shown) - FUNCTIONS_NAMED} more" if len(shown) > FUNCTIONS_NAMED else ""
    return f"Of {len(rows)} functions, {model} is shown to predict {len(shown)}{named}{more}."


def _where(row: pd.Series) -> str:
    return " within fields" if row["estimand"] == PRIMARY else ", pooled over fields,"


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


def function_genes(evidence: Evidence) -> Found:
    """Answer whether expression predicts function in held-out groups, and which genes do so most stably."""
    table = evidence.performance
    if table is None or table.empty:
        return not_run(PREDICTION_NEEDS)
    # The function that expression predicts best, which another modality may predict less well than another function.
    function = main_function(table, ("expression",))
    row = None if function is None else _of(table, function, "expression")
    if function is None or row is None:
        notes = list(table.loc[table["model"] == "expression", "note"].dropna()) if "note" in table else []
        return not_estimable(notes[0] if notes else "there is no paired expression of cells with a function")
    keys = ("estimand", "r2", "r2_low", "r2_high", "r2_null", "share", "p_value", "q_value", "n", "groups")
    numbers = {"function": function, **{k: row[k] for k in keys}}
    measured = (
        f"R² = {number(row['r2'])} ({interval(row['r2_low'], row['r2_high'], named=True)}; "
        f"{gain_text(row, 'r2_low', 'r2_high')}, permutation {p_value(row['p_value'])}{_smallest(row)}"
        f"{_over_functions(table, row)})"
    )
    details = (
        f"This is of {count(row['n'], 'cell')} in {count(row['groups'], 'held-out group')}{by_groups(row)}; "
        f"{share_text(row)}; {lower_bound(_of(table, function, NONLINEAR, row['estimand']))}"
        f"{_pooled_text(_of(table, function, 'expression', 'pooled'), row)}"
        f"{in_samples(evidence.by_sample, row, PREDICTED, number)}"
    )
    scope = scope_of(row)
    name, verdict = f"expression predicts {readable(function)}", _verdict_of(evidence, row)
    claims = [r2_claim(name, verdict, row, evidence.by_sample, PREDICTED)]
    if not is_claimed(row):
        text = f"Expression was not shown to predict {readable(function)}{_where(row)} better than chance: {measured}."
        more = [f"{details}.", _counted(table, "expression"), detectable(row["n"]), scope, IGNORE_GENES]
        return Found(f"{text} {ABSENCE}", verdict, numbers, " ".join(part for part in more if part), tuple(claims))
    weak = row["r2_above_null"] < WEAK_R2
    lead = [f"Expression {'weakly ' if weak else ''}predicts {readable(function)}{_where(row)}: {measured}"]
    genes, named = _stable_genes(evidence.genes, function, evidence.selected_frequency)
    numbers["genes"] = named
    beyond, more_numbers = _beyond_class(*(_of(table, function, model, "pooled") for model in ("expression", "class")))
    numbers |= more_numbers
    added, adds_to, more_numbers = _beyond_covariates(evidence, function)
    numbers |= more_numbers
    if adds_to is not None:
        claims.append(_increment_claim(evidence, function))
    more = [details, beyond]
    # What is not shown to add to the covariates, or within a group, is said before any prediction.
    if adds_to is False:
        lead = [added, *lead]
    else:
        more.append(added)
    lead = [lost_within_groups(evidence.unused_groups, function, "expression"), *lead, genes]
    ends = (_counted(table, "expression"), scope)
    texts = (
        _sentences(lead),
        " ".join(text for text in (_sentences([*more, "These are associations"]), *ends) if text),
    )
    return Found(texts[0], verdict, numbers, texts[1], tuple(claims))


def _sentences(parts: list[str]) -> str:
    return ". ".join(part for part in parts if part) + "."


def _increment_claim(evidence: Evidence, function: str) -> Claim:
    """Return the claim that expression adds to the covariates."""
    row = _added(evidence, function, "expression").iloc[0]
    signed = partial(number, signed=True)
    effect = f"ΔR² = {with_interval(row['delta_r2'], row['low'], row['high'], signed)}"
    verdict = judge(is_estimated=True, is_shown=adds(row))
    test = tested(row["p_value"], row["q_value"])
    return Claim("it adds to size, cell cycle and technical covariates as measured", verdict, effect, number(0), test)


def _stable_genes(genes: pd.DataFrame | None, function: str, frequency: float) -> tuple[str, list[str]]:
    if genes is None:
        return "", []
    parts = parts_of(function, set(genes["function"]))
    ranked = genes[genes["function"].isin(parts) & (genes["frequency"] >= frequency)]
    if ranked.empty:
        return f"No single gene was selected in {percent(frequency, 0)} of the half-samples", []
    ranked = ranked.sort_values(["frequency", "gene"], ascending=[False, True]).drop_duplicates("gene")
    top = ranked.head(GENES_NAMED)
    signs = np.select([top["sign"] > 0, top["sign"] < 0], ["+", "−"], "")
    where = [f"for {readable(part)}" if len(parts) > 1 else "" for part in top["function"]]
    inside = [" ".join(filter(None, pair)) for pair in zip(signs, where, strict=True)]
    texts = [f"{gene} ({text})" if text else gene for gene, text in zip(top["gene"], inside, strict=True)]
    more = (
        f", of {count(len(ranked), 'gene')} in at least {percent(frequency, 0)} of the half-samples"
        if len(ranked) > len(top)
        else ""
    )
    notes = "; ".join(note for note in (SIGN, _given_covariates(ranked)) if note)
    return f"Selected most stably: {listed(texts)}{more} ({notes})", top["gene"].tolist()


def _given_covariates(ranked: pd.DataFrame) -> str:
    """Report how many of the selected genes also go with the function given the covariates."""
    if "q_given_covariates" not in ranked or ranked["q_given_covariates"].isna().all():
        return ""
    estimated = ranked["q_given_covariates"].dropna()
    also = f"{int((estimated <= ALPHA).sum())} of {len(estimated)}"
    left_out = f", {len(ranked) - len(estimated)} not estimable" if len(estimated) < len(ranked) else ""
    return f"{also} also given size, cell cycle and technical covariates as measured, q ≤ {ALPHA}{left_out}"


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


def _beyond_covariates(evidence: Evidence, function: str) -> tuple[str, bool | None, dict[str, Any]]:
    """Report what expression adds to the covariates as measured, whether it is shown to, and the numbers."""
    rows = _added(evidence, function, "expression")
    if rows.empty:
        return "", None, {}
    row, text = rows.iloc[0], beyond_sentence(rows, evidence.covariates)
    keys = ("r2_covariates", "delta_r2", "low", "high", "p_value", "q_value")
    text += f". {IN_PART}" if adds(row) else ""
    return text[0].upper() + text[1:], adds(row), {f"beyond_{key}": row[key] for key in keys}


def _added(evidence: Evidence, function: str, model: str) -> pd.DataFrame:
    """Return the row on what a model adds to the covariates; none where it is not estimable."""
    table = evidence.beyond_covariates
    if table is None:
        return pd.DataFrame()
    return table[(table["function"] == function) & (table["added"] == model)].dropna(subset=["delta_r2"])


def _verdict_of(evidence: Evidence, row: pd.Series) -> Verdict:
    """Return the verdict on whether a model predicts a function."""
    added = _added(evidence, row["function"], row["model"])
    adds_to = None if added.empty else adds(added.iloc[0])
    claim = (evidence.unused_groups, row["function"], row["model"])
    is_shown = is_claimed(row)
    if explained_by_group(*claim):
        adds_to = False
    elif adds_to is not False and unresolved_by_group(*claim):
        is_shown = False
    return judge(is_estimated=True, is_shown=is_shown, adds=adds_to)


def modalities(evidence: Evidence) -> Found:
    """Answer which of expression, morphology and both predicts the function."""
    table = evidence.performance
    if table is None or table.empty:
        return not_run(PREDICTION_NEEDS)
    function = main_function(table)
    if function is None:
        notes = table["note"].dropna()
        return not_estimable(notes.iloc[0] if len(notes) else "no model could be fitted")
    found = {n: row for n in MODALITIES if (row := _of(table, function, n)) is not None}
    first = next(iter(found.values()))
    numbers: dict[str, Any] = {"function": function, "estimand": first["estimand"]}
    for name, row in found.items():
        numbers |= {f"r2_{name}": row["r2"], f"p_{name}": row["p_value"]}
    verdicts = {name: _verdict_of(evidence, row) for name, row in found.items()}
    numbers["verdicts"] = verdicts
    claims = tuple(r2_claim(n, verdicts[n], row, evidence.by_sample, PREDICTED) for n, row in found.items())
    values = [
        f"{name} R² = {number(r['r2'])} ({interval(r['r2_low'], r['r2_high'], named=True)}; "
        f"{gain_text(r, 'r2_low', 'r2_high')}, {p_value(r['p_value'])}{_over_functions(table, r)}"
        f"{in_samples(evidence.by_sample, r, PREDICTED, number)})"
        for name, r in found.items()
    ]
    bound = lower_bound(_of(table, function, NONLINEAR, first["estimand"]))
    bound = bound[0].upper() + bound[1:]
    where, scope = _where(first), f"{bound}. {scope_of(first)}".strip()
    if not any(is_claimed(row) for row in found.values()):
        text = f"No modality was shown to predict {readable(function)}{where} better than chance"
        text = f"{text}: {'; '.join(values)}. {ABSENCE}"
        return Found(text, overall(verdicts.values()), numbers, scope, claims)
    comparison = _compared(evidence.contrasts, function, found, where)
    covariates = _covariates_alone(evidence, found)
    lost = [
        lost_within_groups(evidence.unused_groups, function, name) for name, row in found.items() if is_claimed(row)
    ]
    groups = "".join(f"{sentence}. " for sentence in lost if sentence)
    # What is not shown to add to the covariates, or within a group, is said before any prediction.
    lead = re.sub(" +", " ", f"{groups}{covariates} {comparison}").strip()
    more = f"Held-out{where}: {'; '.join(values)}. {scope}".strip()
    return Found(lead, overall(verdicts.values()), numbers, more, claims)


def _covariates_alone(evidence: Evidence, found: dict[str, pd.Series]) -> str:
    """Name the models that are shown to predict but not to add to the covariates."""
    added = {name: _added(evidence, row["function"], name) for name, row in found.items() if is_claimed(row)}
    names = [name for name, rows in added.items() if len(rows) and not adds(rows.iloc[0])]
    what = "size, cell cycle and technical covariates as measured"
    verb = "is" if len(names) == 1 else "are"
    return f"{listed(names).capitalize()} {verb} not shown to add to {what}." if names else ""


def _compared(contrasts: pd.DataFrame | None, function: str, found: dict[str, pd.Series], where: str) -> str:
    """State which modalities predict the function, which one better, and whether expression adds to the others.

    Expression is compared with morphology or, where there is none, with the embedding or the user's features; without
    expression, two of these are compared with each other.
    """
    single, ending = [name for name in MODALITIES if name in found and name != "both"], where.rstrip(",")
    if len(single) == 1:
        if not is_claimed(found[single[0]]):
            return f"{single[0].capitalize()} alone was not shown to predict {readable(function)}{ending}."
        alone = f"{single[0].capitalize()} predicts {readable(function)}{ending}"
        return f"{alone}; there is no other modality to compare."
    able = [name for name in single[:2] if is_claimed(found[name])]
    verb = "predict" if len(able) == 2 else "predicts"
    lead = f"{' and '.join(able).capitalize()} {verb} {readable(function)}{ending}"
    if not able:
        lead = f"Neither {single[0]} nor {single[1]} alone was shown to predict {readable(function)}{ending}"
    delta = contrast(contrasts, function, single[1], single[0])
    if delta is None:
        return f"{lead}; the difference was not estimated."
    size = f"difference in R² {number(abs(delta[0]))}, {interval(*_sorted_ends(delta), named=True)}"
    is_resolved = delta[1] > 0 or delta[2] < 0
    best = single[1] if delta[0] > 0 else single[0]
    better = f"{best} predicts it better" if is_resolved and best in able else ""
    sentences = [f"{lead}; {better or 'which one predicts it better is not resolved'} ({size})."]
    # Compared with morphology and embedding together: these two may beat morphology without any help of expression.
    shapes = [name for name in ("morphology", "embedding", "features") if name in found]
    gain = contrast(contrasts, function, "both", "all_morphology")
    if gain is not None:
        shape = f"{listed(shapes)} together" if len(shapes) > 1 else shapes[0]
        is_added = gain[1] > 0 and "both" in found and is_claimed(found["both"])
        adds = "adds to" if is_added else "was not shown to add to"
        sentences.append(f"Expression {adds} {shape} (ΔR² = {number(gain[0])}, {interval(*gain[1:], named=True)}).")
    return " ".join(sentences)


def _sorted_ends(delta: tuple[float, float, float]) -> tuple[float, float]:
    """Return the interval of the absolute difference, which is reversed for a negative difference."""
    return (delta[1], delta[2]) if delta[0] > 0 else (-delta[2], -delta[1])
