"""Differential expression: the fast test against its oracles, double dipping, and every legal way of having nothing."""

import json
import sys

import differential_expression
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.stats import mannwhitneyu, rankdata, tiecorrect

from cineseq.config.expression import Clusters, DifferentialExpression
from cineseq.expression.cluster import cluster_study
from cineseq.expression.leiden import cluster_labels
from cineseq.expression.markers import (  # fmt: skip
    DESCRIPTIVE,
    DOUBLE_DIPPED,
    HELD_OUT,
    NOT_FOUND_AGAIN,
    PSEUDOBULK,
    Comparison,
    cluster_comparisons,
    compare_genes,
    comparison_line,
    condition_comparisons,
    function_comparisons,
)
from cineseq.expression.normalise import expression_from
from cineseq.expression.wilcoxon import log2_fold_changes, rank_sum, tie_correction
from cineseq.io.adata import write_paired
from cineseq.io.paired import PairedData
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.expression import CLUSTERS, MARKERS

SETTINGS = DifferentialExpression()
FEWEST = SETTINGS.min_profile_cells


def names(count):
    return pd.Index([f"g{k}" for k in range(count)])


def groups_of_cells(cells=150, genes=60, seed=0, effect=1.5):
    rng = np.random.default_rng(seed)
    group = np.array(["a", "b", "c"])[rng.integers(0, 3, cells)]
    mean = np.tile(rng.lognormal(0, 0.7, genes), (cells, 1))
    mean[np.ix_(group == "a", range(10))] *= np.exp(effect)
    return expression_from(sparse.csr_matrix(rng.poisson(mean).astype(float)), names(genes), "counts"), group


def test_rank_sum_equals_mann_whitney():
    expression, group = groups_of_cells()
    found = rank_sum(expression.log, expression.genes, group, ["a", "c"]).set_index(["group", "gene"])
    values = expression.log.toarray()
    for name in ("a", "c"):
        inside = group == name
        oracle = mannwhitneyu(values[inside], values[~inside], method="asymptotic", axis=0)
        np.testing.assert_allclose(found.loc[name, "p_value"], oracle.pvalue, rtol=1e-5)
        np.testing.assert_allclose(
            found.loc[name, "auc"], oracle.statistic / (inside.sum() * (~inside).sum()), rtol=1e-9
        )


def test_scanpy_ranks_the_genes_alike_where_illico_cannot_be_imported(monkeypatch, caplog):
    expression, group = groups_of_cells(cells=300)
    tested = (expression.log, expression.genes, group, ["a", "c"])
    fast = rank_sum(*tested)
    assert not caplog.records
    monkeypatch.setitem(sys.modules, "illico", None)
    slow = rank_sum(*tested)
    assert "illico cannot be imported" in caplog.text
    both = fast.merge(slow, on=["group", "gene"], validate="one_to_one")
    assert len(both) == len(fast) == 120
    np.testing.assert_allclose(both["auc_x"], both["auc_y"], atol=1e-6)
    np.testing.assert_allclose(np.log10(both["p_value_x"]), np.log10(both["p_value_y"]), atol=1e-4)


def test_scanpy_ranks_the_genes_of_one_group_and_genes_that_do_not_vary(monkeypatch):
    monkeypatch.setitem(sys.modules, "illico", None)
    log = sparse.csr_matrix(np.column_stack([np.ones(20), np.arange(20.0)]))
    found = rank_sum(log, names(2), np.repeat(["a", "b"], 10), ["a"]).set_index("gene")
    assert found.loc["g0", ["auc", "p_value"]].to_list() == [0.5, 1]
    oracle = mannwhitneyu(np.arange(10.0), np.arange(10.0, 20), method="asymptotic")
    assert found.loc["g1", "p_value"] == pytest.approx(oracle.pvalue, rel=1e-5)


def test_tie_correction_equals_that_of_scipy():
    values = np.random.default_rng(0).poisson(0.7, (40, 6)).astype(float)
    values[:, 0], values[:, 1] = 0, np.arange(40) - 5
    expected = [tiecorrect(rankdata(column)) for column in values.T]
    np.testing.assert_allclose(tie_correction(sparse.csr_matrix(values)), expected)


def test_a_gene_that_does_not_vary_has_p_one_and_auc_half():
    log = sparse.csr_matrix(np.column_stack([np.ones(20), np.arange(20.0)]))
    found = rank_sum(log, names(2), np.repeat(["a", "b"], 10), ["a"]).set_index("gene")
    assert found.loc["g0", "p_value"] == 1
    assert found.loc["g0", "auc"] == 0.5
    assert found.loc["g1", "auc"] == 0


def test_unsorted_indices_are_accepted():
    log = sparse.csr_matrix((np.array([1.0, 2.0]), np.array([1, 0]), np.array([0, 2, 2, 2, 2])), (4, 2))
    assert len(rank_sum(log, names(2), np.array(["a", "a", "b", "b"]), ["a"])) == 2


def test_fold_change_of_fourfold_expression_is_two():
    normalised = sparse.csr_matrix(np.repeat([[400.0], [100.0]], 5, axis=0))
    found = log2_fold_changes(normalised, names(1), np.repeat(["a", "b"], 5), ["a", "b"])
    np.testing.assert_allclose(found["log2_fold_change"], [2, -2], atol=1e-3)


def test_planted_markers_are_found_and_no_others():
    expression, group = groups_of_cells()
    comparison = Comparison("cluster", pd.Series(group), expression, HELD_OUT)
    table = compare_genes(comparison, SETTINGS)
    MARKERS.check(table)
    of_a = table[(table["group"] == "a") & table["is_marker"]]
    assert set(of_a["gene"]) == set(names(10))
    assert table.loc[table["gene"].isin(names(10)) & (table["group"] != "a"), "is_marker"].sum() == 0
    assert (table["q_value"] >= table["p_value"]).all()


def test_small_groups_and_missing_groups_are_not_tested():
    expression, group = groups_of_cells()
    few = pd.Series(group, dtype=object)
    few[:] = "rest"
    few[:5] = "tiny"
    few[5:10] = None
    assert compare_genes(Comparison("cluster", few, expression, ""), SETTINGS).empty


def test_p_values_asked_of_three_cells_are_not_estimable():
    expression, _ = groups_of_cells(genes=20)
    three = pd.Series(["few"] * 3 + ["many"] * 147)
    comparison = Comparison("condition", three, expression, DESCRIPTIVE)
    table = compare_genes(comparison, SETTINGS)
    assert table.empty
    assert comparison_line(comparison, table) == ("Conditions: not estimable, no group has enough cells on both sides.")
    assert len(compare_genes(comparison, DifferentialExpression(min_cells=3))) == 40


def test_thinning_removes_double_dipping_in_one_homogeneous_population():
    rng = np.random.default_rng(0)
    counts = sparse.csr_matrix(rng.poisson(rng.lognormal(-1, 1.2, 1000), (600, 1000)).astype(float))
    expression = expression_from(counts, names(1000), "counts")
    settings = Clusters(resolution=0.6)
    clusters = pd.Series(cluster_labels(expression, settings, 1))
    assert len(clusters.unique()) > 1
    significant = {}
    for method in ("warn", "thin"):
        found, _ = cluster_comparisons(expression, clusters, method, settings, 1)
        table = compare_genes(found[0], SETTINGS)
        significant[method] = (table["p_value"] <= 0.05).mean(), table.loc[table["q_value"] <= 0.05, "gene"].nunique()
        assert found[0].note == (HELD_OUT if method == "thin" else DOUBLE_DIPPED)
    assert significant["warn"][0] > 0.09
    assert significant["warn"][1] >= 5
    assert significant["thin"][0] < 0.065
    assert significant["thin"][1] <= 1


def test_clusters_not_found_on_half_of_the_counts_call_no_markers():
    rng = np.random.default_rng(0)
    counts = sparse.csr_matrix(rng.poisson(rng.lognormal(-0.5, 1, 300), (200, 300)).astype(float))
    expression, clusters = expression_from(counts, names(300), "counts"), pd.Series(["0"] * 120 + ["1"] * 80)
    found, numbers = cluster_comparisons(expression, clusters, "thin", Clusters(resolution=0.01), 1)
    assert [(c.note, c.only) for c in found] == [(NOT_FOUND_AGAIN, ("0", "1"))]
    assert numbers["half_counts_ari"] == 0
    lenient = DifferentialExpression(fdr=0.99, min_auc=0.5)
    table = compare_genes(found[0], lenient)
    assert len(table)
    assert not table["is_marker"].any()


def test_values_that_are_not_counts_are_not_thinned():
    expression, group = groups_of_cells()
    logged = expression_from(expression.log.astype(float), expression.genes, "logged")
    found, _ = cluster_comparisons(logged, pd.Series(group), "thin", Clusters(), 1)
    assert [c.note for c in found] == [DOUBLE_DIPPED]
    assert compare_genes(found[0], SETTINGS)["log2_fold_change"].isna().all()


def test_one_cluster_is_not_compared():
    expression, _ = groups_of_cells()
    assert cluster_comparisons(expression, pd.Series(["0"] * 150), "thin", Clusters(), 1) == ([], {})


@pytest.mark.parametrize(("replicates", "note"), [(1, DESCRIPTIVE), (3, PSEUDOBULK)])
def test_conditions_are_descriptive_without_three_replicates(replicates, note):
    expression, _ = groups_of_cells()
    sample = np.arange(150) % (2 * replicates)
    obs = pd.DataFrame({"condition": np.where(sample % 2, "drug", "control"), "sample": sample.astype(str)})
    obs["replicate"] = ""
    assert condition_comparisons(expression, obs, FEWEST)[0].note == note
    assert condition_comparisons(expression, obs.assign(condition="drug"), FEWEST) == []


def test_function_is_halved_within_samples():
    expression, _ = groups_of_cells()
    obs = pd.DataFrame({"sample": np.repeat(["s", "t"], 75), "condition": "c", "replicate": ""})
    values = np.arange(150.0)
    values[:3] = np.nan
    function = pd.DataFrame({"function_x": values, "function_nan": np.nan, "function_same": 1.0})
    found = function_comparisons(expression, function, obs)
    assert [c.name for c in found] == ["function_x"]
    high = found[0].groups == "high"
    assert (high[:75].sum(), high[75:].sum(), found[0].groups.isna().sum()) == (36, 37, 3)


def run_step(folder, data, settings):
    write_paired(data, folder / "paired.h5ad")
    expression = None if data.counts is None else expression_from(data.counts, data.genes, "counts")
    study = cluster_study(data.obs.index, expression, settings, 1)
    write_table(study.table, folder / "clusters.parquet", CLUSTERS)
    files = {
        "markers": folder / "markers.tsv",
        "markers_figure": folder / "markers.svg",
        "report": folder / "report.json",
    }
    differential_expression.main(
        paired=folder / "paired.h5ad",
        clusters=folder / "clusters.parquet",
        **files,
        settings=differential_expression.Settings(clusters=settings),
    )
    return read_table(files["markers"], MARKERS), json.loads(files["report"].read_text()), files


def paired_of(counts, genes, group):
    cells = len(group)
    index = pd.Index([f"s/1/{k:04d}" for k in range(cells)], name="track_id")
    obs = pd.DataFrame({"sample": "s", "fov": "1", "family": index, "condition": "c", "replicate": "1"}, index=index)
    function = pd.DataFrame({"function_x": (group == "a").astype(float)}, index=index)
    return PairedData(obs, counts, genes, pd.DataFrame(index=index), pd.DataFrame(index=index), function)


def test_the_step_from_paired_data_to_markers(tmp_path):
    expression, group = groups_of_cells(cells=200, genes=100, effect=2.0)
    settings = Clusters(resamples=0, min_counts=10, min_genes=5)
    table, report, files = run_step(tmp_path, paired_of(expression.counts, expression.genes, group), settings)
    assert set(table["comparison"]) == {"cluster", "function_x"}
    high = table[(table["comparison"] == "function_x") & (table["group"] == "high")]
    assert set(names(10)) <= set(high.loc[(high["q_value"] <= 0.05) & (high["auc"] >= 0.6), "gene"])
    assert not high["is_marker"].any(), "one sample is no replicate"
    assert high["note"].str.contains("cells tested as if independent").all()
    assert report["numbers"]["half_counts_ari"] > 0.8
    assert b"<svg" in files["markers_figure"].read_bytes()


def test_the_step_without_counts(tmp_path):
    table, report, _ = run_step(tmp_path, paired_of(None, pd.Index([]), np.array(["a"] * 20)), Clusters())
    assert table.empty
    assert "not estimable" in report["lines"][0]
