"""From counts to clusters: literal cases, planted clusters, silence on null data, every legal way of having nothing."""

import json
from dataclasses import replace

import cluster
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse
from scipy.stats import f_oneway
from sklearn.metrics import adjusted_rand_score

from cineseq.config.expression import Clusters
from cineseq.errors import UserError
from cineseq.expression import leiden
from cineseq.expression.cell_cycle import G2M_GENES, S_GENES, cycle_scores
from cineseq.expression.cluster import cluster_study
from cineseq.expression.exchange import Exchange
from cineseq.expression.function_variance import eta_squared, variance_between_clusters
from cineseq.expression.normalise import (  # fmt: skip
    Expression,
    expression_from,
    expression_of,
    kind_of,
    merge_repeated_genes,
    thin,
)
from cineseq.expression.quality_control import multiplets, quality_of_cells
from cineseq.io.adata import write_paired
from cineseq.io.counts import log_normalised
from cineseq.io.paired import PairedData
from cineseq.statistics.permutation import exchangeable_blocks, permuted_within
from cineseq.tables.contract import read_table
from cineseq.tables.expression import CLUSTERS, FUNCTION_BY_CLUSTER, FUNCTION_BY_COMPONENT

FAST = Clusters(resamples=2, permutations=99)


def planted(cells=150, genes=200, groups=3, seed=0, effect=1.6):
    """Counts of groups that differ in 20 genes each, and the groups."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, groups, cells)
    mean = np.tile(rng.lognormal(0.5, 0.8, genes), (cells, 1))
    for number in range(groups):
        mean[np.ix_(group == number, range(20 * number, 20 * number + 20))] *= np.exp(effect)
    names = pd.Index([f"g{k}" for k in range(genes)])
    return sparse.csr_matrix(rng.poisson(mean).astype(float)), names, group


def paired_of(counts, genes, function=None):
    cells = 40 if counts is None else counts.shape[0]
    index = pd.Index([f"s/1/{k:04d}" for k in range(cells)], name="track_id")
    obs = pd.DataFrame({"sample": "s", "fov": "1", "family": index, "condition": "c", "replicate": "1"}, index=index)
    nothing = pd.DataFrame(index=index)
    function = nothing if function is None else function.set_index(index)
    return PairedData(obs, counts, genes, nothing, nothing, function)


# --- counts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [([[0, 3], [2, 0]], "counts"), ([[0, 0.7], [2.1, 0]], "logged"), ([[0, 7.5], [200.2, 0]], "fractional"),
     ([[-0.3, 1.0], [0.2, 0]], "scaled"), ([[0, 0], [0, 0]], "counts")],
)  # fmt: skip
def test_what_a_matrix_holds_is_told(values, expected):
    assert kind_of(sparse.csr_matrix(np.array(values, dtype=float))) == expected


def test_logarithms_are_used_as_given_and_said():
    counts, genes, _ = planted()
    logged = log_normalised(counts).astype(np.float64)
    expression = expression_of(paired_of(logged, genes))
    assert expression.kind == "logged"
    assert np.allclose(expression.log.toarray(), logged.toarray(), atol=1e-6)
    study = cluster_study(pd.RangeIndex(150), expression, FAST, 1)
    assert any("already logarithms" in line for line in study.lines)
    assert study.numbers["clusters"] == 3


def test_a_count_that_is_not_finite_is_refused():
    with pytest.raises(UserError, match="cell 2 hold a value that is not finite"):
        kind_of(sparse.csr_matrix(np.array([[0, 1.0], [np.nan, 0]])))


def test_repeated_genes_are_summed_but_logarithms_are_refused():
    counts = sparse.csr_matrix(np.array([[1.0, 2, 3], [4, 5, 6]]))
    merged, genes = merge_repeated_genes(counts, pd.Index(["a", "b", "a"]), "counts")
    assert merged.toarray().tolist() == [[4, 2], [10, 5]]
    assert list(genes) == ["a", "b"]
    with pytest.raises(UserError, match="Gene 'a' appears twice"):
        merge_repeated_genes(counts, pd.Index(["a", "b", "a"]), "logged")


def test_genes_named_twice_are_summed_before_anything_is_asked_of_them():
    counts = sparse.csr_matrix(np.array([[1.0, 2, 3], [4, 5, 6]]))
    expression = expression_of(paired_of(counts, pd.Index(["a", "b", "a"])))
    assert list(expression.genes) == ["a", "b"]
    assert expression.counts.toarray().tolist() == [[4, 2], [10, 5]]
    with pytest.raises(UserError, match="Gene 'a' appears twice and the values are already logarithms"):
        expression_of(paired_of(counts / 10, pd.Index(["a", "b", "a"])))


def test_normalisation_is_to_the_median_total_and_leaves_empty_cells():
    counts = sparse.csr_matrix(np.array([[1.0, 1], [4, 4], [0, 0], [2, 6]]))
    expected = np.log1p([[4, 4], [4, 4], [0, 0], [2, 6]])
    assert np.allclose(log_normalised(counts).toarray(), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("normalisation", "expected", "words"),
    [("median", np.log1p([[4.0, 4], [2, 6], [0, 0]]), "median total and log1p"),
     ("cp10k", np.log1p([[5000.0, 5000], [2500, 7500], [0, 0]]), "10,000 per cell and log1p"),
     ("sqrt", np.sqrt([[5000.0, 5000], [2500, 7500], [0, 0]]), "10,000 per cell and square-rooted")],
)  # fmt: skip
def test_normalisation_is_the_one_asked_for_and_is_said(normalisation, expected, words):
    data = paired_of(sparse.csr_matrix(np.array([[4.0, 4], [2, 6], [0, 0]])), pd.Index(["a", "b"]))
    expression = expression_of(replace(data, normalisation=normalisation).subset(np.arange(3)))
    assert np.allclose(expression.log.toarray(), expected, rtol=1e-6)
    scale = 8 if normalisation == "median" else 10_000
    assert np.allclose(expression.linear.toarray(), np.array([[4, 4], [2, 6], [0, 0]]) * scale / 8, rtol=1e-4)
    assert words in expression.meaning


def test_normalisation_sums_entries_of_one_place_and_changes_nothing_it_was_given():
    counts = sparse.csr_matrix((np.array([1.0, 2, 3]), np.array([1, 0, 1]), np.array([0, 3, 3])), (2, 2))
    log = log_normalised(counts)
    assert np.allclose(log.toarray(), np.log1p([[2, 4], [0, 0]]))
    assert counts.data.tolist() == [1, 2, 3]
    whole = expression_from(sparse.csr_matrix(np.eye(3)), pd.Index(list("abc")), "counts")
    whole.log.eliminate_zeros()
    assert not np.shares_memory(whole.log.indices, whole.counts.indices)


def test_all_cells_of_an_expression_are_no_copy_of_it():
    expression = expression_from(sparse.csr_matrix(np.eye(3)), pd.Index(list("abc")), "counts")
    assert expression.cells(np.array([True] * 3)) is expression
    assert expression.cells(np.array([True, False, True])).counts.toarray().tolist() == [[1, 0, 0], [0, 0, 1]]


@given(arrays.arrays(np.int64, (4, 5), elements=st.integers(0, 40)), st.integers(0, 2**31))
def test_thinned_halves_add_up(values, seed):
    counts = sparse.csr_matrix(values.astype(float))
    first, second = thin(counts, np.random.default_rng(seed))
    assert np.array_equal((first + second).toarray(), values)
    assert second.min() >= 0


# --- quality and cycle ----------------------------------------------------------------------------------------------


def test_each_cell_that_fails_says_why():
    counts = sparse.csr_matrix(np.array([[300.0, 0, 0], [100, 50, 0], [200, 100, 700], [0, 0, 0], [200, 100, 10]]))
    table = quality_of_cells(counts, pd.Index(["a", "b", "mt-Co1"]), "counts", Clusters(min_counts=200))
    assert list(table["passes_qc"]) == [True, False, False, False, True]
    assert list(table["qc_reason"].fillna("")) == [
        "", "fewer than 200 counts", "more than 30 % mitochondrial", "fewer than 200 counts; fewer than 0 genes", ""
    ]  # fmt: skip
    assert table["mitochondrial_fraction"][2] == 0.7


@pytest.mark.parametrize(
    ("obs", "expected"),
    [({"sample": ["s", "s"]}, [None, None]),
     ({"status": ["singlet", "multi_barcode", "multi_cell", "ambiguous"]}, [False, True, True, None]),
     ({"occupancy": [1, 2, None, 1], "barcodes": [1, 1, 1, 2]}, [False, True, None, True]),
     ({"barcodes": ["1", "3"]}, [None, True])],
)  # fmt: skip
def test_pairing_says_which_cells_are_multiplets(obs, expected):
    assert [None if flag is pd.NA else flag for flag in multiplets(pd.DataFrame(obs))] == expected


def test_multiplets_fail_quality_control_with_the_reason_and_are_counted():
    counts, genes, _ = planted(cells=90)
    expression = expression_from(counts, genes, "counts")
    flags = pd.array([True] * 2 + [None] * 3 + [False] * 85, dtype="boolean")
    study = cluster_study(pd.RangeIndex(90), expression, Clusters(min_cells=1000, min_genes=0, min_counts=0), 1, flags)
    CLUSTERS.check(study.table)
    assert study.table["qc_reason"].dropna().to_list() == ["more than one cell or barcode in its compartment"] * 2
    assert study.table["multiplet"].isna().sum() == 3
    assert "88 of 90" in study.lines[1]
    assert "2 of 87 cells are multiplets" in study.lines[1]
    unknown = cluster_study(pd.RangeIndex(90), expression, Clusters(min_cells=1000, min_genes=0, min_counts=0), 1)
    assert "Which of them are multiplets is unknown" in unknown.lines[1]


def test_totals_of_logarithms_are_not_judged():
    table = quality_of_cells(sparse.csr_matrix(np.full((2, 3), 0.5)), pd.Index(list("abc")), "logged", Clusters())
    assert table["passes_qc"].all()
    assert table["mitochondrial_fraction"].isna().all()


def test_cycle_scores_find_planted_phases_and_mouse_names():
    rng = np.random.default_rng(0)
    names = [*S_GENES[:20], *(g.title() for g in G2M_GENES[:20]), *(f"g{k}" for k in range(200))]
    mean = np.ones((120, len(names)))
    mean[:40, :20] = 6
    mean[40:80, 20:40] = 6
    expression = expression_from(sparse.csr_matrix(rng.poisson(mean).astype(float)), pd.Index(names), "counts")
    scores, note = cycle_scores(expression, 0)
    assert (scores["phase"][:40] == "S").mean() > 0.9
    assert (scores["phase"][40:80] == "G2M").mean() > 0.9
    assert "20 S and 20 G2/M" in note


def test_cycle_scores_without_the_genes_are_missing_and_said():
    counts, genes, _ = planted()
    scores, note = cycle_scores(expression_from(counts, genes, "counts"), 0)
    assert scores.isna().all(axis=None)
    assert "not estimable" in note


# --- clusters -------------------------------------------------------------------------------------------------------


def test_planted_clusters_are_found_stable_and_the_same_twice():
    counts, genes, group = planted()
    studies = [cluster_study(pd.RangeIndex(150), expression_from(counts, genes, "counts"), FAST, 1) for _ in range(2)]
    assert adjusted_rand_score(group, studies[0].table["cluster"]) > 0.95
    assert studies[0].numbers["stability_ari_mean"] > 0.9
    pd.testing.assert_frame_equal(studies[0].table, studies[1].table)
    CLUSTERS.check(studies[0].table)


def test_resampling_chooses_genes_and_components_anew(monkeypatch):
    counts, genes, _ = planted(genes=300)
    expression = expression_from(counts, genes, "counts")
    settings = Clusters(resamples=3, variable_genes=80)
    chosen, seen = leiden.variable_genes, []
    monkeypatch.setattr(leiden, "variable_genes", lambda *asked: seen.append(chosen(*asked)) or seen[-1])
    labels = leiden.cluster_labels(expression, settings, 1)
    agreement = leiden.resampled_agreement(expression, labels, settings, 1)
    assert (agreement > 0.8).all()
    assert [mask.sum() for mask in seen] == [80] * 4
    assert any((mask != seen[0]).any() for mask in seen[1:])


def test_clusters_of_depth_are_flagged():
    rng = np.random.default_rng(0)
    depth = np.repeat([1.0, 20.0], 60)[:, None]
    counts = sparse.csr_matrix(rng.poisson(depth * rng.lognormal(-1.5, 1, 800)).astype(float))
    expression = expression_from(counts, pd.Index([f"g{k}" for k in range(800)]), "counts")
    settings = Clusters(resamples=0, min_counts=0, min_genes=0, resolution=1.0)
    study = cluster_study(pd.RangeIndex(120), expression, settings, 1)
    assert study.numbers["depth_share_between_clusters"] > 0.3
    assert any("clusters of depth" in line for line in study.lines)


@pytest.mark.parametrize("case", ["no counts", "few cells", "no cell passes"])
def test_having_too_little_is_legal_and_said(case):
    counts, genes, _ = planted(cells=20 if case == "few cells" else 150)
    expression: Expression | None = expression_from(counts, genes, "counts")
    settings = Clusters(min_counts=10**6) if case == "no cell passes" else FAST
    if case == "no counts":
        expression = None
    cells = 20 if case == "few cells" else 150
    study = cluster_study(pd.RangeIndex(cells), expression, settings, 1)
    CLUSTERS.check(study.table)
    assert study.table["cluster"].isna().all()
    assert any("not estimable" in line for line in study.lines)


# --- function against clusters --------------------------------------------------------------------------------------


def test_eta_squared_equals_that_of_an_analysis_of_variance():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 60)
    values = codes + rng.normal(size=60)
    f = f_oneway(*(values[codes == k] for k in range(3))).statistic
    assert eta_squared(values, codes) == pytest.approx(f * 2 / (f * 2 + 57))
    assert np.isnan(eta_squared(np.full(60, 0.1), codes))


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-5, 5)), min_size=2, max_size=30), st.integers(0, 99))
def test_permutation_keeps_every_stratum(rows, seed):
    strata, values = (np.array(column) for column in zip(*rows, strict=True))
    blocks = exchangeable_blocks(strata, np.arange(len(values)))
    for permuted in permuted_within(values, blocks, 3, np.random.default_rng(seed)):
        for stratum in np.unique(strata):
            assert sorted(permuted[strata == stratum]) == sorted(values[strata == stratum])


def shares(function, clusters, strata, permutations=99, seed=0, *, families=None):
    families = np.arange(len(strata)) if families is None else families
    exchange = Exchange(np.asarray(strata), families, permutations, seed)
    table = variance_between_clusters(pd.DataFrame({"function_x": function}), pd.Series(clusters), exchange)
    return FUNCTION_BY_CLUSTER.check(table).iloc[0]


def test_kin_that_are_alike_are_permuted_together():
    """Kin share cluster and function, unrelated: cell by cell the share looks real, family by family it does not."""
    rng = np.random.default_rng(2)
    whole, alone = [], []
    for seed in range(100):
        families = np.repeat(np.arange(20), 8)
        clusters = rng.integers(0, 2, 20)[families].astype(str)
        function = rng.normal(size=20)[families] + 0.3 * rng.normal(size=160)
        whole.append(shares(function, clusters, ["s"] * 160, seed=seed, families=families)["p_value"])
        alone.append(shares(function, clusters, ["s"] * 160, seed=seed)["p_value"])
    assert np.mean(np.array(whole) <= 0.05) <= 0.1
    assert np.mean(np.array(alone) <= 0.05) > 0.4


def test_a_planted_share_is_found():
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 4, 2000).astype(str)
    centre = clusters.astype(int) - clusters.astype(int).mean()
    function = np.sqrt(0.3) * centre / centre.std() + np.sqrt(0.7) * rng.normal(size=2000)
    row = shares(function, clusters, np.repeat(["a", "b"], 1000))
    assert row["eta2"] == pytest.approx(0.3, abs=0.03)
    assert row["p_value"] == pytest.approx(0.01)


def test_null_is_calibrated_when_samples_differ_in_clusters_and_function():
    """Samples shift both: across all cells the share looks real, within samples it is nothing."""
    rng = np.random.default_rng(1)
    p, naive = [], []
    for seed in range(200):
        samples = np.repeat(np.arange(4), 25)
        clusters = (rng.random(100) < 0.15 + 0.2 * samples).astype(int).astype(str)
        function = samples + rng.normal(size=100)
        p.append(shares(function, clusters, samples, seed=seed)["p_value"])
        naive.append(shares(function, clusters, np.zeros(100), seed=seed)["p_value"])
    assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.10
    assert np.mean(np.array(p) <= 0.2) <= 0.29
    assert np.mean(np.array(naive) <= 0.05) > 0.5


@pytest.mark.parametrize(
    ("function", "clusters", "reason"),
    [
        (np.full(30, 0.3), ["0", "1"] * 15, "same in every cell"),
        (np.full(30, np.nan), ["0", "1"] * 15, "measured in 0 clustered cells"),
        (np.r_[1.0, 2, 3, np.full(27, np.nan)], ["0", "1"] * 15, "measured in 3 clustered cells, 10 are required"),
        (np.arange(30.0), ["0"] * 30, "one cluster"),
        (np.arange(30.0), [None] * 30, "measured in 0 clustered cells"),
    ],
)
def test_what_cannot_be_estimated_is_missing_with_its_reason(function, clusters, reason):
    row = shares(function, clusters, ["s"] * 30)
    assert np.isnan([row["eta2"], row["p_value"], row["q_value"]]).all()
    assert row["note"].startswith("not estimable")
    assert reason in row["note"]


# --- the step -------------------------------------------------------------------------------------------------------


def run_step(folder, data):
    write_paired(data, folder / "paired.h5ad")
    names = {"clusters": "parquet", "umap": "svg", "quality": "svg", "report": "json"}
    names |= {"function_by_cluster": "tsv", "function_by_sample": "tsv", "function_by_component": "tsv"}
    files = {name: folder / f"{name}.{suffix}" for name, suffix in names.items()}
    cluster.main(paired=folder / "paired.h5ad", **files, settings=cluster.Settings(clusters=FAST))
    return files


def test_the_step_writes_the_same_files_twice(tmp_path):
    counts, genes, group = planted(cells=90)
    function = pd.DataFrame({"function_x": group + np.random.default_rng(0).normal(size=90), "function_y": np.nan})
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first, second = (run_step(tmp_path / name, paired_of(counts, genes, function)) for name in ("one", "two"))
    for name, path in first.items():
        assert path.read_bytes() == second[name].read_bytes(), name
    table = read_table(first["function_by_cluster"], FUNCTION_BY_CLUSTER).set_index("function")
    assert table.loc["function_x", "p_value"] == pytest.approx(0.01)
    assert "not estimable" in table.loc["function_y", "note"]
    along = read_table(first["function_by_component"], FUNCTION_BY_COMPONENT).set_index(["function", "component"])
    assert along.loc[("function_x", "pc_1"), "p_value"] <= 0.02
    assert table.loc["function_x", ["within", "strata"]].to_list() == ["sample, fov, condition", 1]
    assert "no interval: 1 field with two cells or more, 6 are required" in table.loc["function_x", "note"]
    assert along.loc["function_y", "note"].str.contains("measured in 0 clustered cells").all()
    report = json.loads(first["report"].read_text())
    assert report["numbers"]["clusters"] == 3
    assert any("principal components of expression" in line for line in report["lines"])


def test_the_step_without_counts(tmp_path):
    files = run_step(tmp_path, paired_of(None, pd.Index([]), pd.DataFrame({"function_x": np.arange(40.0)})))
    table = read_table(files["clusters"], CLUSTERS)
    assert list(table["qc_reason"].unique()) == ["no counts"]
    assert "not estimable" in read_table(files["function_by_cluster"], FUNCTION_BY_CLUSTER)["note"][0]
