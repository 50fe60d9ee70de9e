"""Pseudobulk: samples are the replicates, so what differs between samples alone is found by no test."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from cineseq.config.expression import DifferentialExpression
from cineseq.expression.markers import (  # fmt: skip
    AS_IF_INDEPENDENT,
    CELLS_TESTED,
    DESCRIPTIVE,
    HELD_OUT,
    NOT_WHOLE,
    PSEUDOBULK,
    WITHIN,
    Comparison,
    compare_genes,
    condition_comparisons,
    function_comparisons,
    replicates_of,
)
from cineseq.expression.normalise import Expression, expression_from
from cineseq.expression.pseudobulk import pseudobulk_test

GENES, UP = 150, 10
SETTINGS = DifferentialExpression()
FEWEST = SETTINGS.min_profile_cells


def experiment(samples: int, kind: str = "counts") -> tuple[Expression, pd.DataFrame]:
    """Simulate samples that differ by a third from each other in every gene; ten genes are fourfold in condition b."""
    rng = np.random.default_rng(0)
    sample = np.repeat(np.arange(2 * samples), 40)
    condition = np.where(sample < samples, "a", "b")
    rate = rng.lognormal(0.5, 0.8, GENES) * np.exp(0.35 * rng.normal(size=(2 * samples, GENES)))[sample]
    rate[np.ix_(condition == "b", range(UP))] *= 4
    counts = sparse.csr_matrix(rng.poisson(rate).astype(float))
    genes = pd.Index([f"g{k}" for k in range(GENES)])
    obs = pd.DataFrame({"sample": [f"s{k}" for k in sample], "condition": condition, "replicate": ""})
    return expression_from(counts, genes, kind), obs


@pytest.fixture(scope="module")
def tested() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the genes of four replicates an arm, and those of the same cells taken for replicates."""
    expression, obs = experiment(4)
    settings = DifferentialExpression(min_auc=0.5)
    found = condition_comparisons(expression, obs, FEWEST)[0]
    assert found.note == PSEUDOBULK
    cells = condition_comparisons(expression, obs.assign(sample="s"), FEWEST)[0]
    assert cells.note == DESCRIPTIVE
    return compare_genes(found, settings), compare_genes(cells, settings)


def test_planted_genes_are_found_and_differences_between_samples_are_not(tested):
    by_sample, by_cell = (table.set_index(["group", "gene"]).loc["b"] for table in tested)
    planted = [f"g{k}" for k in range(UP)]
    assert by_sample.loc[planted, "is_marker"].sum() >= UP - 1
    assert by_sample.loc[planted, "log2_fold_change"].mean() == pytest.approx(2, abs=0.5)
    others = by_sample.drop(index=planted)
    assert (others["p_value"] <= 0.05).mean() <= 0.1
    assert (others["q_value"] <= 0.05).mean() <= 0.02
    assert (by_cell.drop(index=planted)["p_value"] <= 0.05).mean() > 0.4


def test_both_arms_are_mirrored(tested):
    table = tested[0].set_index(["group", "gene"])["log2_fold_change"]
    assert table["a"].to_numpy() == pytest.approx(-table["b"].to_numpy(), abs=1e-3)


def test_a_replicate_of_a_handful_of_cells_is_none():
    expression, obs = experiment(4)
    kept = (obs["sample"] != "s7") | (obs.groupby("sample").cumcount() < FEWEST - 1)
    fewer, obs = expression.cells(kept.to_numpy()), obs[kept].reset_index(drop=True)
    found = condition_comparisons(fewer, obs, FEWEST)[0]
    assert found.note == f"{PSEUDOBULK}; without {FEWEST - 1} cells of replicates that have fewer than {FEWEST}"
    assert set(found.replicates[found.groups.notna()]) == {f"s{k}" for k in range(7)}
    assert condition_comparisons(fewer, obs, FEWEST - 1)[0].groups.notna().all()
    without = obs["sample"] != "s4"
    cells = condition_comparisons(fewer.cells(without.to_numpy()), obs[without].reset_index(drop=True), FEWEST)[0]
    assert (cells.note, cells.groups.notna().all()) == (DESCRIPTIVE, True)


def test_a_condition_without_replicates_does_not_spoil_the_others():
    expression, obs = experiment(4)
    rare = obs["sample"].isin(["s3", "s7"])
    found = condition_comparisons(expression, obs.assign(condition=obs["condition"].mask(rare, "rare")), FEWEST)[0]
    assert found.note == f"{PSEUDOBULK}; without rare, of fewer than 3 replicates"
    assert set(found.groups.dropna()) == {"a", "b"}


def test_values_that_are_not_whole_counts_are_not_summed():
    expression, obs = experiment(3)
    logged = expression_from(expression.log.astype(float), expression.genes, "logged")
    found = condition_comparisons(logged, obs, FEWEST)[0]
    assert (found.note, found.replicates) == (NOT_WHOLE, None)


def test_a_gene_without_counts_has_no_p_value():
    counts = sparse.csr_matrix(np.array([[5.0, 0], [9, 0], [7, 0], [50, 0], [61, 0], [40, 0]]) * [[1, 1]])
    arms = np.array(list("aaabbb"))
    table = pseudobulk_test(counts, pd.Index(["x", "empty"]), arms, np.arange(6), ["b"])
    assert table["group"].to_list() == ["b", "b"]
    assert np.isnan(table.set_index("gene").loc["empty", "p_value"])


def test_conditions_without_replicates_are_ranked_and_call_no_marker(tested):
    by_cell = tested[1]
    assert (by_cell["q_value"] <= 0.05).any()
    assert not by_cell["is_marker"].any()


def test_lanes_of_one_replicate_are_one_replicate():
    expression, obs = experiment(4)
    lanes = obs.assign(replicate=obs["sample"].map({f"s{k}": str(k % 4 // 2) for k in range(8)}))
    assert replicates_of(lanes).nunique() == 4
    assert condition_comparisons(expression, lanes, FEWEST)[0].note == DESCRIPTIVE
    three = obs.assign(replicate=obs["sample"].map({f"s{k}": str(min(k % 4, 2)) for k in range(8)}))
    found = condition_comparisons(expression, three, FEWEST)[0]
    assert found.note == PSEUDOBULK
    assert found.replicates.nunique() == 6


@pytest.fixture(scope="module")
def halves() -> dict[int, pd.DataFrame]:
    """Return the genes of high and low function in three samples and in two; five genes go with function."""
    rng = np.random.default_rng(1)
    function = rng.normal(size=180)
    sample = np.repeat(np.arange(3), 60)
    rate = rng.lognormal(0.5, 0.8, 60) * np.exp(0.5 * rng.normal(size=(3, 60)))[sample]
    rate[np.ix_(function > 0, range(5))] *= 4
    counts = sparse.csr_matrix(rng.poisson(rate).astype(float))
    expression = expression_from(counts, pd.Index([f"g{k}" for k in range(60)]), "counts")
    obs = pd.DataFrame({"sample": sample.astype(str), "condition": "c", "replicate": ""})
    found = {}
    for samples in (3, 2):
        rows = sample < samples
        frame = pd.DataFrame({"function_x": function[rows]})
        cells = obs[rows].reset_index(drop=True)
        found[samples] = compare_genes(function_comparisons(expression.cells(rows), frame, cells)[0], SETTINGS)
    return found


def test_high_and_low_function_are_compared_within_replicates(halves):
    high = halves[3].set_index(["group", "gene"]).loc["high"]
    assert high["note"].str.endswith(WITHIN).all()
    planted = [f"g{k}" for k in range(5)]
    assert set(high.index[high["is_marker"]]) == set(planted)
    assert high.loc[planted, "log2_fold_change"].mean() == pytest.approx(2, abs=0.5)


def test_high_and_low_function_of_two_samples_are_ranked_and_call_no_marker(halves):
    assert halves[2]["note"].str.endswith(AS_IF_INDEPENDENT).all()
    assert (halves[2]["q_value"] <= 0.05).any()
    assert not halves[2]["is_marker"].any()


def test_logarithms_of_three_samples_are_ranked_and_call_no_marker():
    expression, obs = experiment(2)
    logged = expression_from(expression.log.astype(float), expression.genes, "logged")
    function = pd.DataFrame({"function_x": np.random.default_rng(0).normal(size=len(obs))})
    table = compare_genes(function_comparisons(logged, function, obs)[0], DifferentialExpression(fdr=0.99, min_auc=0.5))
    assert table["note"].str.endswith(AS_IF_INDEPENDENT).all()
    assert not table["is_marker"].any()


def test_samples_with_too_few_cells_on_a_side_are_no_replicates():
    expression, obs = experiment(2)
    groups = pd.Series(np.where(np.arange(len(obs)) % 40 < 20, "in", "out"))
    groups[(obs["sample"] == "s3") & (np.arange(len(obs)) % 40 >= 5)] = "out"
    groups[(obs["sample"] == "s2") & (np.arange(len(obs)) % 40 >= 5)] = "out"
    comparison = Comparison("cluster", groups, expression, HELD_OUT, carriers=replicates_of(obs))
    assert set(compare_genes(comparison, SETTINGS)["note"]) == {f"{HELD_OUT}; {CELLS_TESTED}"}
    enough = DifferentialExpression(min_profile_cells=5)
    assert set(compare_genes(comparison, enough)["note"]) == {f"{HELD_OUT}; {WITHIN}"}


def test_a_gene_that_is_lower_within_every_replicate_is_no_marker_although_all_cells_pooled_say_so():
    rng = np.random.default_rng(3)
    sample = np.repeat(["a", "b", "c"], 200)
    inside = rng.random(600) < np.where(sample == "a", 0.9, 0.1)
    rate = np.full((600, 30), 5.0)
    rate[:, 0] = np.where(sample == "a", 40.0, 2.0) * np.where(inside, 0.6, 1.0)
    counts = sparse.csr_matrix(rng.poisson(rate).astype(float))
    expression = expression_from(counts, pd.Index([f"g{k}" for k in range(30)]), "counts")
    obs = pd.DataFrame({"sample": sample, "condition": "c", "replicate": ""})
    groups = pd.Series(np.where(inside, "in", "out"))
    comparison = Comparison("cluster", groups, expression, HELD_OUT, carriers=replicates_of(obs))
    gene = compare_genes(comparison, SETTINGS).set_index(["group", "gene"]).loc[("in", "g0")]
    assert gene["auc"] > SETTINGS.min_auc
    assert gene["q_value"] < SETTINGS.fdr
    assert not gene["is_marker"]
