"""Answers say what the tables hold, no more: null, weak, strong and absent results."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cineseq.lineage.interpretation import LESS, MORE, NO_INTERVAL, OTHERS, SPANS, TO_SEPARATE
from cineseq.lineage.report import ASSOCIATIONS, state_lines
from cineseq.report.answers import answer_all
from cineseq.report.evidence import Evidence
from cineseq.report.false_divisions import doubt_of_lineages, warning_of
from cineseq.report.prediction_answers import contrast
from cineseq.tables.contract import Table, empty
from cineseq.tables.crossmodal import DIRECTIONS, VARIANCE_SUMMARY
from cineseq.tables.expression import FUNCTION_BY_CLUSTER, MARKERS
from cineseq.tables.generative import SHARES_SUMMARY
from cineseq.tables.lineage import CONCORDANCE, LINEAGE_WARNINGS, STATE_BY_SISTER
from cineseq.tables.prediction import (
    BEYOND_COVARIATES,
    GENES,
    MARKER_OVERLAP,
    MODEL_CONTRASTS,
    PERFORMANCE,
    UNUSED_GROUPS,
)

QUESTIONS = ["function_genes", "clusters", "modalities", "sisters", "crossmodal", "generative"]


def table(contract: Table, **columns: object) -> pd.DataFrame:
    """Return a checked table with the external columns; the others are missing."""
    frame = pd.DataFrame(columns)
    for column in empty(contract).columns:
        if column not in frame:
            frame[column] = None
    return contract.check(frame)


def performance(
    r2: list[float], p: list[float], models: tuple[str, ...] = ("expression", "morphology", "both"), **more
):
    r2 = np.array(r2, float)
    values = {"function": "function_lipid", "model": list(models), "n": 300, "groups": 12, "r2": r2}
    values |= {"r2_low": r2 - 0.07, "r2_high": r2 + 0.08, "p_value": p, "q_value": p}
    values |= {"r2_null": -0.01, "r2_above_null": r2 + 0.01, "share": np.clip(r2 + 0.1, 0, 1), "share_low": 0.02}
    whole = {"r2": r2 + 0.5, "r2_null": 0.48, "r2_above_null": r2 + 0.02}
    return pd.concat(
        [
            table(PERFORMANCE, **(values | {"share_high": 0.6, "estimand": "within"} | more)),
            table(PERFORMANCE, **(values | whole | {"share_high": 0.6, "estimand": "pooled"} | more)),
        ],
        ignore_index=True,
    )


def contrasts(delta: float, low: float, high: float, a: str = "morphology", b: str = "expression") -> pd.DataFrame:
    values = {"function": ["function_lipid"], "model_a": [a], "model_b": [b], "estimand": "within"}
    return table(MODEL_CONTRASTS, **values, delta_r2=[delta], low=[low], high=[high])


def states(odds: list[float], p: list[float], **more) -> pd.DataFrame:
    values = {"state": [f"cluster={i}" for i in range(len(odds))], "contrast": "sister_died_vs_survived"}
    values |= {"informative": 60, "families": 90, "odds_ratio": odds, "low": np.array(odds) / 2, "p_value": p}
    values |= {"high": np.array(odds) * 2, "estimand": "odds ratio within field and birth time"}
    return table(STATE_BY_SISTER, **(values | more))


def shares(share: float, low: float, q: float, unique: str = "found", direction: str = DIRECTIONS[0]) -> pd.DataFrame:
    """Return shares of one direction within fields, by a linear model and beyond covariates, and between samples."""
    found = "found" if low > 0.02 and q <= 0.05 else "none found"
    rows = {"direction": direction, "estimand": ["within", "within", "between"], "level": "total", "target": "all"}
    rows |= {"part": ["linear", "unique", "linear"], "share": [share, share / 2, 0.9], "low": [low, low / 2, 0.5]}
    rows |= {"high": [share + 0.1, share, 0.99], "share_null": [0.02, np.nan, np.nan], "n": 300, "targets": 40}
    rows |= {"p_value": [q, np.nan, np.nan], "q_value": [q, np.nan, np.nan], "found": [found, unique, None]}
    return table(SHARES_SUMMARY, **rows)


def summary(r2: list[float], p: list[float]) -> pd.DataFrame:
    r2 = np.array(r2, float)
    values = {"direction": list(DIRECTIONS[:2]), "estimand": "within", "n": 300, "targets": 40, "r2": r2}
    values |= {"low": r2 - 0.01, "high": r2 + 0.2, "r2_null": 0.001, "r2_above_null": r2 - 0.001}
    shares = {"share": 0.12, "share_low": 0.05, "share_high": 0.2}
    whole = {"estimand": "pooled", "r2": 0.74, "r2_null": 0.72}
    return pd.concat(
        [
            table(VARIANCE_SUMMARY, **values, **shares, p_value=p, q_value=p),
            table(VARIANCE_SUMMARY, **(values | whole)),
        ],
        ignore_index=True,
    )


def by_id(evidence: Evidence) -> dict:
    return {answer.id: answer for answer in answer_all(evidence)}


def by_cluster(**columns) -> pd.DataFrame:
    """Return a table of function by cluster; the other columns are those of a typical study."""
    values = {"function": ["function_lipid"], "n": 300, "clusters": 5, "strata": 12, "within": "sample, fov"}
    values |= {"epsilon2_low": 0.001, "epsilon2_high": 0.3, "epsilon2_upper": 0.25, "margin": 0.05}
    values["position_share"] = 0.0
    return table(FUNCTION_BY_CLUSTER, **(values | columns))


STRONG = Evidence(
    performance=performance([0.15, 0.25, 0.33], [0.01, 0.01, 0.01]),
    contrasts=contrasts(0.1, 0.02, 0.18),
    genes=table(
        GENES, function="function_lipid", gene=["A", "B", "C"], frequency=[0.9, 0.7, 0.1], sign=[1.0, -0.8, 1.0]
    ),
    function_by_cluster=by_cluster(epsilon2=[0.2], eta2=0.22, p_value=0.001, q_value=0.001, verdict="shown"),
    overlap=table(
        MARKER_OVERLAP,
        function=["function_lipid"],
        selected=[20],
        markers=[50],
        shared=[2],
        expected=[4.0],
        p_value=[0.9],
        expected_matched=[3.0],
        p_matched=[0.8],
        p_fewer_matched=[0.4],
    ),
    states=states([4.2, 1.0], [0.001, 0.8]),
    concordance=table(
        CONCORDANCE,
        condition=["drug"],
        relation=["sisters"],
        pairs=[50],
        concordance=[0.8],
        expected_independent=[0.6],
        p_value=[0.01],
    ),
    crossmodal_summary=summary([0.03, 0.1], [0.005, 0.005]),
    tables={"shares": shares(0.2, 0.1, 0.01)},
)
NULL = Evidence(
    performance=performance([-0.02, 0.01, 0.0], [0.7, 0.4, 0.5]),
    contrasts=contrasts(0.03, -0.05, 0.1),
    function_by_cluster=by_cluster(epsilon2=[0.015], eta2=0.3, p_value=0.4, q_value=0.4, verdict="unresolved"),
    states=states([1.1, 0.9], [0.5, 0.8]),
    crossmodal_summary=summary([-0.001, 0.001], [0.6, 0.4]),
    tables={"shares": shares(-0.03, -0.1, 0.6)},
)


def test_what_is_only_the_class_of_a_cell_is_said_to_be():
    models = ("class", "expression")
    within = {"r2_within_class": [0.0, 0.04], "p_within_class": [np.nan, 0.3]}
    found = by_id(Evidence(performance=performance([0.24, 0.3], [0.01, 0.01], models, **within)))["function_genes"]
    said = "Pooled over fields, most of R² is explained by the class of a cell: class means alone reach R² = 0.74, "
    assert said + "and within classes expression has R² = 0.04 (permutation p = 0.3)" in found.answer
    assert found.numbers["r2_within_class"] == 0.04
    within["r2_within_class"] = [0.0, 0.6]
    found = by_id(Evidence(performance=performance([0.24, 0.3], [0.01, 0.01], models, **within)))["function_genes"]
    assert "class means alone reach R² = 0.74, and within classes expression has R² = 0.60" in found.answer
    without = by_id(Evidence(performance=performance([-0.6, 0.3], [0.9, 0.01], models, **within)))["function_genes"]
    assert "class" not in without.answer


def test_every_question_is_answered_in_order_even_when_nothing_was_run():
    answers = answer_all(Evidence())
    assert [a.id for a in answers] == QUESTIONS
    assert all(a.verdict == "not_run" and a.answer.startswith("Not run: this run has no ") for a in answers)


@pytest.mark.parametrize("evidence", [Evidence(), STRONG, NULL], ids=["nothing", "strong", "null"])
def test_no_answer_speaks_of_drivers_or_causes(evidence: Evidence):
    text = " ".join(a.answer for a in answer_all(evidence))
    assert not re.search(r"\b(driv\w+|caus\w+|nan|None)\b", text, re.IGNORECASE)


def test_a_strong_run_gives_numbers_intervals_and_p_values():
    found = by_id(STRONG)
    assert {a.verdict for a in found.values()} == {"shown"}
    genes = found["function_genes"]
    assert (
        "Expression predicts lipid within fields: R² = 0.15 (95 % interval [0.08, 0.23]; 0.16 [0.09, 0.24] above the "
        "−0.01 of shuffled cells, permutation p = 0.01). "
    ) in genes.answer
    assert (
        "This is of 300 cells in 12 held-out groups; a linear model has a share of 0.25 [0.02, 0.60]; linear models "
        "give a lower bound of what any model could explain; pooled over fields R² = 0.65, 0.48 with shuffled cells"
    ) in genes.answer
    assert "A (+) and B (−)" in genes.answer
    assert genes.numbers["genes"] == ["A", "B"]
    assert genes.numbers["r2"] == pytest.approx(0.15)
    said = (
        "In part: 20 % of the variance of lipid within fields lies between 5 clusters (95 % interval [0.1 %, 30 %]; "
        "permutation p = 0.001; 300 cells in 12 fields)."
    )
    assert said in found["clusters"].answer
    said = (
        "Of 20 predictive genes, 2 are also cluster markers (3.0 expected among equally expressed genes, p = 0.8 for "
        "at least that many and p = 0.4 for at most that many; among all genes 4.0 expected, p = 0.9 for at least "
        "that many)."
    )
    assert said in found["clusters"].answer
    assert "morphology predicts it better (difference in R² 0.10" in found["modalities"].answer
    assert "cluster=0 is more frequent in survivors whose sister died" in found["sisters"].answer
    assert "odds ratio 4.20" in found["sisters"].answer
    assert "q = 0.002 over 2 states" in found["sisters"].answer
    assert "80 % of 50 pairs (60 % expected if fates were independent" in found["sisters"].answer
    assert found["crossmodal"].answer.startswith("Expression explains 10 % of the variance of morphology within fields")
    assert (
        "Morphology explains 3.0 % of the variance of expression within fields, in held-out groups (95 % interval "
        "[2.0 %, 23 %]; 2.9 % [1.9 %, 23 %] above the 0.1 % of shuffled cells, p = 0.005, q = 0.005). This is of 300 "
        "cells; a linear model has a share of 12 % [5.0 %, 20 %]; pooled over fields R² = 74 %, 72 % with shuffled "
        "cells."
    ) in found["crossmodal"].answer


def test_a_null_run_says_that_nothing_was_shown_and_that_this_proves_nothing():
    found = by_id(NULL)
    assert {name: a.verdict for name, a in found.items()} == dict.fromkeys(found, "unresolved")
    assert "was not shown to predict lipid within fields better than chance" in found["function_genes"].answer
    assert "Do not interpret the genes" in found["function_genes"].answer
    assert "genes" not in found["function_genes"].numbers
    assert found["clusters"].answer.startswith("Unresolved: 1.5 % of the variance of lipid within fields")
    assert "Neither a difference nor its absence (less than 5.0 %) is shown." in found["clusters"].answer
    assert found["modalities"].answer.startswith("No modality was shown to predict lipid within fields")
    assert "does not show that there is no association" in found["modalities"].answer
    assert found["sisters"].answer.startswith("No state of survivors was shown")
    assert "was not shown to explain any of the variance of expression" in found["crossmodal"].answer
    assert found["generative"].answer.startswith("That expression goes with morphology within fields, in held-out")
    assert "What was not found is not shown to be absent." in found["generative"].answer


def test_a_small_p_without_an_interval_above_the_null_explains_nothing():
    """The interval of one holds the mean of its null; the q of the other is too large."""
    table = summary([0.005, 0.1], [0.01, 0.4])
    answer = by_id(Evidence(crossmodal_summary=table))["crossmodal"]
    assert answer.verdict == "unresolved"
    second, first = answer.answer.split(" Morphology ")
    assert f"Morphology {first}" == (
        "Morphology was not shown to explain any of the variance of expression within fields, in held-out groups: "
        "R² = 0.5 % (95 % interval [−0.5 %, 20 %]; 0.4 % [−0.6 %, 20 %] above the 0.1 % of shuffled cells, p = 0.01, "
        "q = 0.01); it is more than with shuffled cells, but its interval does not exclude chance. This is of 300 "
        "cells; a linear model has a share of 12 % [5.0 %, 20 %]; pooled over fields R² = 74 %, 72 % with shuffled "
        "cells. Linear models give a lower bound of what any model could explain."
    )
    assert second.startswith("Expression was not shown to explain any of the variance of morphology within fields")
    assert "does not exclude chance" not in second


def test_a_large_pooled_r2_is_no_prediction():
    """What differs between fields is in R² and in the mean of its null."""
    found = by_id(Evidence(performance=performance([0.0, 0.01, 0.0], [0.6] * 3)))
    assert found["function_genes"].verdict == found["modalities"].verdict == "unresolved"
    assert "pooled over fields R² = 0.50, 0.48 with shuffled cells" in found["function_genes"].answer


def test_without_permutations_nothing_is_called_a_prediction():
    blank = {"r2_null": np.nan, "r2_above_null": np.nan, "q_value": np.nan}
    found = by_id(Evidence(performance=performance([0.3] * 3, [np.nan] * 3, **blank)))
    assert found["function_genes"].verdict == "unresolved"
    assert "without permutations to compare it with" in found["function_genes"].answer


def test_genes_and_clusters_of_an_angle_are_those_of_its_cosine_and_sine():
    """Gene A is selected for both parts, more often for the sine; the larger share between clusters is the cosine's."""
    names = ["function_lipid_cos", "function_lipid_sin", "function_lipid_cos", "function_other"]
    genes = table(GENES, function=names, gene=[*"AABC"], frequency=[0.7, 0.9, 0.8, 1.0], sign=[1.0, -1, 1, 1])
    q = [0.9, 0.01, np.nan, 0.01]
    genes = pd.concat([genes, genes.iloc[:2].assign(gene=["D", "E"], sign=[np.nan, 0.0])], ignore_index=True)
    genes["q_given_covariates"] = [*q, 0.2, 0.3]
    parts = by_cluster(function=names[:2], epsilon2=[0.2, 0.1], q_value=[0.02, 0.9], verdict=["shown", "unresolved"])
    overlap = table(MARKER_OVERLAP, function=names[:2], selected=[3, 4], expected=1.0, shared=1)
    evidence = Evidence(
        performance=performance([0.3], [0.01], ("expression",)),
        genes=genes,
        function_by_cluster=parts,
        overlap=overlap,
    )
    found = by_id(evidence)
    assert (
        "Selected most stably: A (− for lipid sin), E (for lipid sin), B (+ for lipid cos) and D (for lipid cos) "
        "(+ and −: sign of the association; 1 of 3 also given size, cell cycle and technical covariates as measured, "
        "q ≤ 0.05, 1 not estimable)."
    ) in found["function_genes"].answer
    assert found["function_genes"].numbers["genes"] == [*"AEBD"]
    assert "20 % of the variance of lipid cos within fields" in found["clusters"].answer
    assert found["clusters"].numbers["selected"] == 3


@pytest.mark.parametrize(
    ("models", "pair", "said"),
    [
        (
            ("expression", "embedding", "both"),
            ("embedding", "expression"),
            "Expression and embedding predict lipid within fields",
        ),
        (
            ("expression", "features", "both"),
            ("features", "expression"),
            "Expression and features predict lipid within fields",
        ),
        (
            ("morphology", "embedding"),
            ("embedding", "morphology"),
            "Morphology and embedding predict lipid within fields",
        ),
    ],
)
def test_any_two_modalities_are_compared(models, pair, said):
    r2 = [0.1, 0.3, 0.35][: len(models)]
    evidence = Evidence(
        performance=performance(r2, [0.01] * len(r2), models), contrasts=contrasts(0.2, 0.1, 0.3, *pair)
    )
    answer = by_id(evidence)["modalities"]
    assert answer.verdict == "shown"
    assert answer.answer.startswith(f"{said}; {pair[0]} predicts it better (difference in R² 0.20")


def test_a_single_modality_has_no_other_to_compare():
    answer = by_id(Evidence(performance=performance([0.2], [0.01], ("embedding",))))["modalities"]
    assert "Embedding predicts lipid within fields; there is no other modality to compare." in answer.answer


@pytest.mark.parametrize(("held_out", "said"), [("family", "Families"), ("cell", "Single cells")])
def test_answers_say_what_held_out_families_cannot_show(held_out, said):
    evidence = Evidence(
        performance=performance([0.15, 0.25, 0.33], [0.01] * 3, grouped_by=held_out),
        crossmodal_summary=summary([0.03, 0.1], [0.005, 0.005]).assign(grouped_by=held_out),
    )
    found = by_id(evidence)
    assert f"in 12 held-out groups by {held_out}; " in found["function_genes"].answer
    for name in ("function_genes", "modalities", "crossmodal"):
        assert (
            f"{said} were held out, not fields or samples: that the result holds in another field or sample cannot be "
            "claimed"
        ) in found[name].answer
    whole = evidence.performance[evidence.performance["estimand"] == "pooled"]
    pooled = by_id(Evidence(performance=whole))["function_genes"].answer
    assert "were held out, not fields or samples: R² includes what the cells of a field share" in pooled
    assert "held out, not" not in by_id(STRONG)["function_genes"].answer


def test_a_negative_answer_says_what_so_few_cells_could_show():
    found = by_id(Evidence(performance=performance([-0.02, 0.01, 0.0], [0.7, 0.4, 0.5], n=80)))["function_genes"]
    said = "Among 80 independent cells, one predictor named beforehand is found with 80 % power if it explains 9.5 % of"
    assert said in found.answer
    assert "a product of two genes would be missed" in found.answer


def clusters_of(contrast_rows=None, **columns):
    return by_id(Evidence(function_by_cluster=by_cluster(**columns), contrasts=contrast_rows))["clusters"]


def test_absence_from_the_clusters_is_said_only_where_the_interval_excludes_the_margin():
    absent = clusters_of(epsilon2=[-0.002], epsilon2_upper=0.031, p_value=0.6, q_value=0.6, verdict="shown_absent")
    assert absent.verdict == "shown_absent"
    assert absent.answer == (
        "No: less than 5.0 % of the variance of lipid within fields lies between 5 clusters (−0.2 %, its one-sided "
        "95 % interval ends at 3.1 %; permutation p = 0.6; 300 cells in 12 fields)."
    )
    assert absent.numbers["epsilon2_upper"] == 0.031


def test_too_few_fields_for_an_interval_are_the_reason_why_absence_cannot_be_shown():
    note = "no interval: 3 fields with two cells or more, 6 are required"
    ends = {"epsilon2_low": np.nan, "epsilon2_high": np.nan, "epsilon2_upper": np.nan}
    answer = clusters_of(epsilon2=[0.01], **ends, p_value=0.3, strata=3, note=note, verdict="unresolved").answer
    assert f"lies between 5 clusters ({note}; permutation p = 0.3; 300 cells in 3 fields). Neither" in answer


def test_a_shown_share_below_one_twentieth_is_weak_and_where_samples_are_the_strata_it_says_so():
    answer = clusters_of(epsilon2=[0.03], p_value=0.001, q_value=0.001, within="sample", verdict="shown")
    assert answer.verdict == "shown"
    assert answer.answer.startswith("Only weakly: 3.0 % of the variance of lipid within samples lies between")
    assert "300 cells in 12 samples" in answer.answer


def test_a_share_between_clusters_without_a_verdict_is_unresolved():
    assert clusters_of(epsilon2=[0.75], p_value=None, q_value=None, verdict=pd.NA, margin=None).verdict == "unresolved"


def test_a_small_p_of_one_of_many_functions_is_not_shown_and_the_others_are_counted():
    """The function with the largest share has p = .01 and q = .2."""
    answer = clusters_of(
        function=[f"function_{k}" for k in range(20)],
        epsilon2=[0.04, *[0.0] * 19],
        p_value=[0.01, *[0.5] * 19],
        q_value=[0.2, *[0.5] * 19],
        verdict=["unresolved", *["shown_absent"] * 17, "shown", "not_estimable"],
    )
    assert answer.verdict == "unresolved"
    assert "permutation p = 0.01, q = 0.2 over 20 functions" in answer.answer
    assert answer.answer.endswith(
        "Of 20 functions: 1 shown to differ between clusters, 17 shown not to (less than 5.0 %), 1 unresolved, 1 not "
        "estimable."
    )


@pytest.mark.parametrize(
    ("delta", "low", "high", "said"),
    [
        (0.12, 0.02, 0.2, "Expression predicts it better than its clusters do"),
        (0.02, -0.05, 0.1, "Whether expression predicts it better than its clusters do is not resolved"),
        (-0.1, -0.2, -0.01, "The clusters predict it better than a linear model of expression does"),
    ],
)
def test_what_expression_has_beyond_its_clusters_is_a_number(delta, low, high, said):
    rows = contrasts(delta, low, high, "expression", "cluster_labels")
    answer = clusters_of(rows, epsilon2=[0.01], p_value=0.4, verdict="unresolved")
    assert f"{said} (clusters of training cells, ΔR² = " in answer.answer
    assert answer.numbers["delta_r2_over_clusters"] == delta


def test_a_small_effect_is_called_weak():
    found = by_id(Evidence(performance=performance([0.05, 0.2, 0.2], [0.03, 0.01, 0.01], r2_low=0.01)))
    assert found["function_genes"].verdict == "shown"
    assert found["function_genes"].answer.startswith("Expression weakly predicts lipid")


def test_an_unresolved_difference_of_modalities_is_said_to_be_unresolved():
    evidence = Evidence(performance=performance([0.15, 0.2, 0.25], [0.01] * 3), contrasts=contrasts(0.05, -0.02, 0.12))
    answer = by_id(evidence)["modalities"]
    assert answer.verdict == "shown"
    assert "which one predicts it better is not resolved" in answer.answer


def test_notes_become_the_reason_why_nothing_can_be_estimated():
    nothing = performance([np.nan] * 3, [np.nan] * 3, note="fewer cells than folds")
    found = by_id(Evidence(performance=nothing, states=states([np.nan], [np.nan], note="not estimable: too few")))
    assert found["function_genes"].answer == "Not estimable because fewer cells than folds."
    assert found["modalities"].answer == "Not estimable because fewer cells than folds."
    assert found["sisters"].answer == "Not estimable because too few."


def test_many_functions_are_judged_by_their_q_value():
    one = performance([0.15, 0.1, 0.2], [0.04] * 3, q_value=[0.2] * 3)
    two = performance([0.0, 0.0, 0.0], [0.9] * 3, function="function_other")
    answer = by_id(Evidence(performance=pd.concat([one, two])))["function_genes"]
    assert answer.verdict == "unresolved"
    assert "q = 0.2 over 2 functions" in answer.answer


def test_functions_that_are_shown_are_counted_and_come_first():
    shown = performance([0.15, 0.0, 0.1], [0.01, 0.9, 0.9])
    larger = performance([0.3, 0.0, 0.1], [0.2, 0.9, 0.9], function="function_other")
    answer = by_id(Evidence(performance=pd.concat([larger, shown])))["function_genes"]
    assert answer.numbers["function"] == "function_lipid"
    assert "Of 2 functions, expression is shown to predict 1: lipid." in answer.answer


def test_genes_are_of_the_function_that_expression_predicts():
    by_shape = performance([0.0, 0.5, 0.5], [0.9, 0.01, 0.01])
    by_genes = performance([0.3, 0.0, 0.3], [0.01, 0.9, 0.01], function="function_other")
    found = by_id(Evidence(performance=pd.concat([by_shape, by_genes])))
    assert found["function_genes"].numbers["function"] == "function_other"
    assert found["function_genes"].verdict == "shown"
    assert found["modalities"].numbers["function"] == "function_lipid"


def test_expression_adds_to_shape_only_where_both_together_are_shown_to_predict():
    rows = pd.concat([contrasts(0.2, 0.1, 0.3), contrasts(0.25, 0.17, 0.32, "both", "all_morphology")])
    for p, said in ((0.4, "Expression was not shown to add to morphology"), (0.01, "Expression adds to morphology")):
        evidence = Evidence(performance=performance([0.1, 0.3, 0.4], [0.4, 0.01, p]), contrasts=rows)
        assert said in by_id(evidence)["modalities"].answer


def beyond(delta: list[float], added: tuple[str, ...] = ("expression", "morphology")) -> pd.DataFrame:
    values = {"function": "function_lipid", "added": list(added), "n": 300, "groups": 12, "r2_covariates": 0.7}
    delta = np.array(delta)
    q = np.where(delta > 0.05, 0.01, 0.6)
    return table(BEYOND_COVARIATES, **values, delta_r2=delta, low=delta - 0.05, high=delta + 0.05, p_value=q, q_value=q)


def test_what_the_covariates_have_as_well_is_no_more_than_they_have():
    """R² of .45 from library size alone, where the technical covariates have .7."""
    evidence = Evidence(performance=performance([0.45, 0.3, 0.5], [0.01] * 3), beyond_covariates=beyond([0.0, 0.2]))
    found = by_id(evidence)
    assert found["function_genes"].verdict == "no_more_than_covariates"
    assert found["function_genes"].answer.startswith("Expression is not shown to add to size, cell cycle and technical")
    assert found["modalities"].numbers["verdicts"] == {
        "expression": "no_more_than_covariates",
        "morphology": "shown",
        "both": "shown",
    }
    assert found["modalities"].verdict == "shown"
    assert "Expression is not shown to add to size, cell cycle and technical" in found["modalities"].answer


def test_every_direction_of_explanation_has_its_verdict():
    answer = by_id(Evidence(crossmodal_summary=summary([0.03, -0.1], [0.005, 0.9])))["crossmodal"]
    assert list(answer.numbers["verdicts"].values()) == ["shown", "unresolved"]
    assert answer.verdict == "shown"


def test_the_best_of_many_states_is_judged_by_its_q_value():
    answer = by_id(Evidence(states=states([3.0] + [1.0] * 9, [0.02] + [0.5] * 9)))["sisters"]
    assert answer.verdict == "unresolved"
    assert "q = 0.2 over 10 states" in answer.answer


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("not estimable: the pairs do not differ from each other", "p not estimable: the pairs do not differ"),
        ("no discordant pair; no p-value: nothing to permute", "p not estimable: nothing to permute)"),
    ],
)
def test_the_reason_why_likeness_has_no_p_value_is_said_once(note, said):
    shared = table(
        CONCORDANCE, condition=["drug"], relation=["sisters"], pairs=[20], concordance=[1.0],
        expected_independent=[0.8], p_value=[np.nan], note=[note],
    )  # fmt: skip
    answer = by_id(Evidence(concordance=shared))["sisters"].answer
    assert said in answer
    assert answer.count(said) == 1


def test_a_state_without_an_odds_ratio_counts_among_those_tested():
    table = states([np.nan, 3.0], [0.001, 0.02])
    assert "q = 0.02 over 2 states" in by_id(Evidence(states=table))["sisters"].answer


def test_serious_warnings_stand_in_the_answer_about_sisters():
    warnings = table(
        LINEAGE_WARNINGS,
        warning=["selection", "other"],
        sample=["s4", "all"],
        severity=["serious", "info"],
        message=["One live cell implies a dead sister.", "Nothing much."],
    )
    answer = by_id(Evidence(states=states([4.0], [0.001]), warnings=warnings))["sisters"].answer
    assert "Caution (s4): One live cell implies a dead sister." in answer
    assert "Nothing much" not in answer


@pytest.mark.parametrize(
    ("odds", "half_width", "verdict", "said", "remains"),
    [
        (0.1, 2.0, "shown", "is less frequent", LESS),
        (4.2, 2.0, "shown", "is more frequent", MORE),
        (0.97, 1.2, "unresolved", "the direction is not resolved", SPANS),
        (1.0, 1.2, "unresolved", "the direction is not resolved", SPANS),
        (4.2, np.nan, "unresolved", "the direction is not resolved", NO_INTERVAL),
    ],
)
def test_an_odds_ratio_is_read_by_its_interval(odds, half_width, verdict, said, remains):
    table = states([odds], [0.001], low=[odds / half_width], high=[odds * half_width])
    answer = by_id(Evidence(states=table))["sisters"]
    assert answer.verdict == verdict
    assert said in answer.answer
    assert answer.answer.endswith(f"{remains} {OTHERS} {TO_SEPARATE}")
    assert state_lines(compared(table))[-2:] == [f"How to interpret 'cluster=0': {remains}", FOR_EVERY_STATE]


FOR_EVERY_STATE = f"For every state: {OTHERS} {TO_SEPARATE} {ASSOCIATIONS}"


def compared(states: pd.DataFrame) -> pd.DataFrame:
    """Add what the step knows beside the table of states."""
    return states.assign(died=30, survived=60, effective=20.0, detectable_odds_ratio=2.0)


@pytest.mark.parametrize("weaker_first", [True, False])
def test_clusters_on_both_sides_of_one_are_not_read_as_one_of_them(weaker_first):
    odds = [0.3, 8.0] if weaker_first else [8.0, 0.3]
    low, high = ("cluster=0", "cluster=1") if weaker_first else ("cluster=1", "cluster=0")
    table = states([*odds, 1.1], [0.001, 0.001, 0.002])
    both = (
        f"A cell has one value of 'cluster', so '{high}' above 1 and '{low}' below 1 may be a single "
        f"association; these odds ratios do not show which value it concerns. If '{high}': {MORE} If '{low}': {LESS}"
    )
    assert state_lines(compared(table))[-3:] == [
        f"How to interpret 'cluster=0', 'cluster=1': {both}",
        f"How to interpret 'cluster=2': {SPANS}",
        FOR_EVERY_STATE,
    ]
    answer = by_id(Evidence(states=table))["sisters"].answer
    assert answer.endswith(f"{both} {OTHERS} {TO_SEPARATE}")
    sentences = re.split(r"(?<=\.) (?=[A-Z])", answer)
    assert len(set(sentences)) == len(sentences)


def test_states_of_other_columns_and_without_an_odds_ratio_are_read_by_themselves():
    alone = states([8.0, 0.3], [0.001, 0.01], state=["cluster=0", "wound=open"])
    assert f"How to interpret 'wound=open': {LESS}" in state_lines(compared(alone))
    absent = states([np.nan, 0.3], [0.0005, 0.001])
    assert f"How to interpret 'cluster=1': {LESS}" in state_lines(compared(absent))
    assert LESS in by_id(Evidence(states=absent))["sisters"].answer


def test_a_state_that_is_not_shown_is_read_as_if_its_interval_held_one():
    table = states([3.0] + [1.0] * 9, [0.02] + [0.5] * 9)
    assert table["low"].iloc[0] > 1
    assert by_id(Evidence(states=table))["sisters"].answer.endswith(f"{SPANS} {OTHERS} {TO_SEPARATE}")
    assert MORE not in " ".join(state_lines(compared(table)))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (LESS, ["both sisters inherit", "less risk", "proxy is then equal", "doubly surviving pairs are alike"]),
        (MORE, ["reaches by chance", "stress", "rarer in the dead sister", "rises after the drug"]),
        (SPANS, ["nothing to do with death", "by chance", "inherited", "stress", "does not refute protection"]),
        (TO_SEPARATE, ["against time since drug", "doubly surviving", "proxy"]),
    ],
)
def test_each_reading_names_what_remains_and_what_would_then_be_measured(text: str, named: list[str]):
    assert all(word in text for word in named)


@pytest.mark.parametrize(("a", "b"), [("both", "morphology"), ("morphology", "both")])
def test_contrasts_are_found_whichever_way_round(a: str, b: str):
    sign = 1 if a == "both" else -1
    low, high = sorted((sign * 0.01, sign * 0.09))
    found = contrast(contrasts(sign * 0.05, low, high, a, b), "function_lipid", "both", "morphology")
    assert found == pytest.approx((0.05, 0.01, 0.09))


def test_answers_say_in_how_many_samples_a_result_holds():
    rows = pd.DataFrame(
        {
            "function": "function_lipid",
            "model": "expression",
            "part": ["sample"] * 4 + ["new_sample"],
            "sample": ["a", "b", "c", "d", "all"],
            "r2": [0.3, 0.2, 0.1, -0.1, 0.12],
            "r2_low": [0.2, 0.1, -0.05, -0.2, -0.3],
            "r2_high": [0.4, 0.3, 0.25, 0.0, 0.54],
        }
    )
    found = by_id(Evidence(performance=performance([0.15, 0.25, 0.33], [0.01] * 3), by_sample=rows))
    for name in ("function_genes", "modalities"):
        assert (
            "; above the mean of shuffled cells in 3 of 4 samples, with the whole interval in 2; 95 % prediction "
            "interval for one more sample [−0.30, 0.54]"
        ) in found[name].answer


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (5, "No interval: 5 groups, and at least 6 are needed."),
        (12, "Interval from 12 groups, fewer than 20: its ends are rough."),
    ],
)
def test_answers_say_that_an_interval_is_from_few_groups(groups, said):
    rows = performance([0.15, 0.25, 0.33], [0.01] * 3).assign(groups=groups)
    for name in ("function_genes", "modalities"):
        assert said in by_id(Evidence(performance=rows))[name].answer
        assert "nterval from" not in by_id(Evidence(performance=rows.assign(groups=20)))[name].answer


def test_a_claim_that_cannot_be_tested_within_a_plate_is_unresolved():
    values = {"function": "function_lipid", "group": "plate", "within": "sample, fov, condition", "levels": 90}
    values |= {"model": ["expression", "morphology"], "epsilon2": 0.28, "p_value": 0.001, "q_value": 0.06}
    values |= {"r2": [0.15, 0.25], "note": "not estimable: cells exceed fields and levels by 3, 20 are required"}
    found = by_id(replace(STRONG, unused_groups=table(UNUSED_GROUPS, **values)))
    genes = found["function_genes"]
    assert genes.verdict == "unresolved"
    said = "Whether expression predicts lipid within the levels of plate is not estimable."
    assert genes.answer.startswith(said)
    assert found["modalities"].numbers["verdicts"]["morphology"] == "unresolved"


def test_a_claim_that_vanishes_within_a_plate_is_not_shown():
    values = {"function": "function_lipid", "group": "plate", "within": "sample, fov, condition", "levels": 2}
    values |= {"model": ["expression", "morphology"], "epsilon2": 0.28, "p_value": 0.001, "q_value": 0.001}
    values |= {"r2": [0.15, 0.25], "r2_within_group": [0.01, 0.2], "r2_within_group_low": [-0.05, 0.12]}
    values |= {"r2_within_group_null": -0.01, "p_within_group": [0.4, 0.025]}
    found = by_id(replace(STRONG, unused_groups=table(UNUSED_GROUPS, **values)))
    genes, modalities = found["function_genes"], found["modalities"]
    assert by_id(STRONG)["function_genes"].verdict == "shown"
    assert genes.verdict == "no_more_than_covariates"
    assert genes.answer.startswith("Expression is not shown to predict lipid within the levels of plate (R² = 0.01).")
    assert modalities.numbers["verdicts"]["expression"] == "no_more_than_covariates"
    assert modalities.numbers["verdicts"]["morphology"] == "shown"
    (warning,) = genes.caveats
    assert "set folds.null_strata: [sample, fov, condition, plate]" in warning
    assert modalities.caveats == (warning,)
    assert found["clusters"].caveats == ()


def test_the_sentence_on_sisters_has_the_raw_frequencies_the_genes_and_what_was_left_out():
    counts = {"died_cells": 40, "died_with_state": 12, "survived_cells": 80, "survived_with_state": 9}
    each = pd.DataFrame(
        {"state": "cluster=0", "part": ["sample"] * 2 + ["new_sample"], "sample": ["s1", "s2", "all"],
         "groups": [30, 20, 2], "odds_ratio": [4.0, 5.0, 4.2],
         "odds_ratio_low": [2.0, 0.9, 0.5], "odds_ratio_high": [8.0, 9.0, 40.0]}
    )  # fmt: skip
    markers = table(
        MARKERS, comparison="cluster", group=["0", "0", "0", "1"], gene=[*"ABCD"],
        auc=[0.8, 0.9, 0.7, 0.9], q_value=0.01, is_marker=[True, True, False, True],
    )  # fmt: skip
    warnings = table(
        LINEAGE_WARNINGS, warning=["one_cell_compartments"], sample=["s4"], severity="serious", message="M."
    )
    evidence = Evidence(
        states=states([4.2, 1.0], [0.001, 0.8], **counts),
        states_by_sample=each,
        markers=markers,
        warnings=warnings,
        cells=pd.DataFrame({"sample": ["s1", "s2", "s3", "s4"]}),
    )
    answer = by_id(evidence)["sisters"]
    assert answer.lead == (
        "The state cluster=0 is more frequent in survivors whose sister died (12 of 40 cells) than in those whose "
        "sister lived (9 of 80 cells): odds ratio 4.20 within field and birth time (95 % interval [2.10, 8.40]; p = "
        "0.001, q = 0.002 over 2 states; 60 informative families). Cluster 0 is marked by B and A. The comparison is "
        "of s1 and s2; s3 is left out, because no field and birth time there has survivors of both kinds; s4 is left "
        "out, because sisters share compartments there, and a survivor that is sequenced in a shared one has lost its "
        "sister."
    )
    assert "Caution" not in answer.answer  # said with the sample that is left out
    also = pd.concat([warnings, warnings.assign(sample="s1")], ignore_index=True)
    assert by_id(replace(evidence, warnings=also))["sisters"].answer.endswith("Caution (s1): M.")
    (claim,) = answer.claims
    assert (claim.effect, claim.by_chance, claim.test, claim.samples, claim.one_more) == (
        "odds ratio 4.20 [2.10, 8.40]",
        "1.00",
        "p = 0.001, q = 0.002",
        "2 of 2",
        "[0.50, 40]",
    )
    null = by_id(replace(evidence, states=states([1.1, 0.9], [0.5, 0.8], **counts)))["sisters"]
    assert (
        "the smallest p-value is that of cluster=0 (12 of 40 cells whose sister died have it, and 9 of 80 cells whose "
        "sister lived): odds ratio 1.10"
    ) in null.lead


def test_claims_in_numbers_have_verdict_effect_chance_and_test_in_the_order_of_the_answer():
    found = by_id(STRONG)
    assert [(c.name, c.verdict, c.effect, c.by_chance, c.test) for c in found["modalities"].claims] == [
        ("expression", "shown", "R² = 0.15 [0.08, 0.23]", "−0.01", "p = 0.01, q = 0.01"),
        ("morphology", "shown", "R² = 0.25 [0.18, 0.33]", "−0.01", "p = 0.01, q = 0.01"),
        ("both", "shown", "R² = 0.33 [0.26, 0.41]", "−0.01", "p = 0.01, q = 0.01"),
    ]
    assert [c.name for c in found["crossmodal"].claims] == ["expression to morphology", "morphology to expression"]
    assert [c.name for c in found["sisters"].claims] == [
        "cluster=0 with the death of the sister",
        "sisters share their fate",
    ]
    assert found["clusters"].claims[0].effect == "20 % of the variance [0.1 %, 30 %]"
    assert all(answer.claims for answer in found.values())
    assert all(answer.answer.startswith(answer.lead) for answer in found.values())


def test_what_covariates_have_as_well_is_a_claim_of_its_own():
    evidence = Evidence(performance=performance([0.45, 0.3, 0.5], [0.01] * 3), beyond_covariates=beyond([0.0, 0.2]))
    predicts, adds = by_id(evidence)["function_genes"].claims
    assert (predicts.verdict, adds.verdict) == ("no_more_than_covariates", "unresolved")
    assert (adds.effect, adds.by_chance) == ("ΔR² = 0.00 [−0.05, +0.05]", "0.00")


def test_cells_of_one_field_support_no_claim_of_another():
    answer = clusters_of(epsilon2=[0.7], p_value=0.001, q_value=0.001, strata=1, verdict="shown")
    assert answer.lead.endswith(
        "All cells are of one field and count as independent, so that the same holds in another field or sample cannot "
        "be claimed."
    )


def test_nothing_is_claimed_of_sisters_where_the_divisions_may_be_false():
    doubt = doubt_of_lineages(18, 14)
    assert doubt == (
        "Make no claim on lineages, sisters or their fates from this run: of 14 divisions found, all of them may be "
        "false. This follows from their probabilities, which are low where much looks like a division in the reversed "
        "movie: cells that come to touch, or that leave beside others."
    )
    answer = answer_all(STRONG, doubt_of_lineages=doubt)[3]
    assert answer.lead.startswith(doubt)
    assert answer.verdict == "unresolved"
    assert {claim.verdict for claim in answer.claims} == set(answer.numbers["verdicts"].values()) == {"unresolved"}
    assert answer_all(Evidence(), doubt_of_lineages=doubt)[3].verdict == "not_run"
    assert doubt_of_lineages(5, 301) == warning_of(5, 301) == ""
    assert warning_of(60, 301).startswith("Of 301 divisions found, about 60 may be false")


def test_held_out_fields_say_nothing_of_another_sample():
    rows = performance([0.15, 0.25, 0.33], [0.01] * 3, grouped_by="sample and fov")
    said = "Fields were held out, not whole samples: that models hold in a sample on which they were not trained cannot"
    for name in ("function_genes", "modalities"):
        assert said in by_id(Evidence(performance=rows))[name].answer
        whole = by_id(Evidence(performance=rows.assign(grouped_by="sample")))[name].answer
        assert "held out, not" not in whole


def test_a_null_that_does_not_keep_positions_does_not_exclude_a_gradient():
    said = "a gradient within fields is not excluded"
    rows = performance([0.15, 0.25, 0.33], [0.01] * 3, grouped_by="sample")
    for name in ("function_genes", "modalities"):
        unknown, kept = (by_id(Evidence(performance=rows.assign(position_share=x)))[name] for x in (np.nan, 0.1))
        assert said in unknown.answer
        assert said not in kept.answer
    clusters = {"epsilon2": [0.7], "p_value": 0.001, "q_value": 0.001, "verdict": "shown"}
    assert said in clusters_of(**clusters, position_share=np.nan).answer
    assert said not in clusters_of(**clusters, position_share=0.0).answer
