"""Stable genes: bounds and halves, silence on null data, modules, and overlap with markers."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from tests.unit.prediction.prediction_examples import FAST, Planted, ask, simulate

from cineseq.config.prediction import Folds
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.genes import (
    DRAWS,
    cluster_eta2,
    complementary_halves,
    genes_per_half,
    matched_overlap,
    modules,
    overlap_row,
    with_clusters,
)
from cineseq.prediction.predict import predict_functions
from cineseq.prediction.task import PredictionTask


def test_stability_bound_sets_genes_per_half():
    assert genes_per_half(1000, 0.6, 1.0) == 14
    assert genes_per_half(3, 0.6, 0.1) == 1


def test_halves_are_complementary_and_keep_groups_whole():
    units = np.repeat(np.arange(7), 5)
    halves = complementary_halves(units, 3, np.random.default_rng(0))
    for first, second in zip(halves[::2], halves[1::2], strict=True):
        assert sorted([*first, *second]) == list(range(35))
        assert not set(units[first]) & set(units[second])


def test_null_genes_are_rarely_selected():
    selected = 0
    for seed in range(4):
        genes = ask(simulate(Planted(genes=60), seed), FAST.model_copy(update={"permutations": 0})).tables["genes"]
        selected += int((genes["frequency"] >= 0.6).sum())
    assert selected / 4 <= 1.0


def test_what_a_gene_shares_with_function_by_the_cell_cycle_is_no_partial_correlation():
    """The cycle moves function and gene 20; a state beyond it moves function and genes 0 to 2."""
    data = simulate(Planted(expression=0.4, genes=30), seed=4)
    cycle = np.random.default_rng(40).normal(size=len(data.obs))
    counts = data.counts.toarray()
    counts[:, 20] = np.random.default_rng(41).poisson(20 * np.exp(0.5 * cycle))
    data = replace(data, counts=sparse.csr_matrix(counts), function=data.function.add(cycle, axis=0))
    scores = pd.DataFrame({"cluster": "0", "s_score": cycle, "g2m_score": -cycle}, index=data.obs.index)
    settings = FAST.model_copy(update={"permutations": 0, "half_samples": 2, "sensitivity": []})
    blind, given = (
        predict_functions(PredictionTask(data, known, None, Folds(inner=2), settings, seed=1), threads=1).tables[
            "genes"
        ]
        for known in (None, scores)
    )
    blind, given = blind.set_index("gene"), given.set_index("gene")
    assert blind.loc["g20", "univariate_rho"] > 0.4
    assert abs(given.loc["g20", "univariate_rho"]) < 0.15
    assert given.loc["g20", "q_value"] > 0.05
    assert (given.loc[["g0", "g1", "g2"], "univariate_rho"] > 0.2).all()


def test_correlated_genes_share_a_module():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(100, 2))
    values = np.column_stack([hidden[:, [0, 0, 1, 1]] + 0.2 * rng.normal(size=(100, 4)), rng.normal(size=100)])
    found = modules(values, 0.5)
    assert found[0] == found[1] != found[2] == found[3]
    assert len(set(found)) == 3


def test_a_gene_gets_its_share_between_clusters_and_whether_it_marks_one():
    """Gene a: cluster means 1 and 3 about 2, squares between 4 of 8 in all; the cell without cluster counts nowhere."""
    block = Block(np.array([[0.0, 1], [2, 1], [2, 1], [4, 3], [99, 0]]), ("a", "b"), "genes")
    eta2 = cluster_eta2(block, pd.Series(["x", "x", "y", "y", None]))
    assert eta2["a"] == pytest.approx(0.5)
    assert eta2["b"] == pytest.approx(1 / 3)
    assert cluster_eta2(block, pd.Series(["x"] * 5)) is None
    comparison, is_marker = ["cluster", "cluster", "condition"], [True, False, True]
    markers = pd.DataFrame({"comparison": comparison, "gene": ["a", "a", "b"], "is_marker": is_marker})
    rows = with_clusters(pd.DataFrame({"gene": ["b", "a"]}), markers, eta2)
    assert rows["is_marker"].isna().tolist() == [True, False]
    assert rows["is_marker"][1]
    assert rows["cluster_eta2"].tolist() == pytest.approx([1 / 3, 0.5])


# overlap with cluster markers, against any genes and against equally expressed ones


def gene_table(frequency: list[float], is_marker: list[bool], mean: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"frequency": frequency, "is_marker": pd.array(is_marker, "boolean"), "mean": mean})


def test_overlap_has_the_hypergeometric_tails():
    rows = gene_table([1.0, 1.0, 0, 0, 0, 0], [True, True, True, False, False, False], [1.0] * 6)
    row = overlap_row("f", rows, 0.6, seed=1)
    assert (row["selected"], row["markers"], row["shared"]) == (2, 3, 2)
    assert row["jaccard"] == pytest.approx(2 / 3)
    assert row["expected"] == pytest.approx(1.0)
    assert row["p_value"] == pytest.approx(3 / 15)
    assert row["p_fewer"] == pytest.approx(1.0)


def test_overlap_without_selected_genes_is_not_estimable():
    rows = gene_table([0.1], [True], [1.0])
    assert overlap_row("f", rows, 0.6, seed=1)["note"] == "not estimable: no gene was selected"


def test_overlap_that_expression_explains_is_no_news():
    """Markers and predictors are drawn at random from the best expressed fifth: only the plain null is surprised."""
    rng = np.random.default_rng(0)
    high = np.arange(1000) >= 800
    marker, chosen = (high & (rng.random(1000) < 0.5) for _ in range(2))
    rows = gene_table(list(chosen.astype(float)), list(marker), list(np.arange(1000.0)))
    row = overlap_row("f", rows, 0.6, seed=1)
    assert row["p_value"] < 1e-6
    assert row["p_matched"] > 0.05
    assert row["p_fewer_matched"] > 0.05
    assert row["expected_matched"] == pytest.approx(row["shared"], abs=8)


def test_overlap_beyond_expression_is_found():
    rng = np.random.default_rng(0)
    marker = rng.random(500) < 0.2
    chosen = marker & (rng.random(500) < 0.5)
    rows = gene_table(list(chosen.astype(float)), list(marker), list(rng.random(500)))
    assert overlap_row("f", rows, 0.6, seed=1)["p_matched"] == pytest.approx(1 / (DRAWS + 1))


def test_matched_draws_have_the_expected_mean():
    mean = np.repeat([0.0, 1.0], 50)
    marker, chosen = np.zeros(100, bool), np.zeros(100, bool)
    marker[50:75], chosen[40:70] = True, True
    drawn = matched_overlap(mean, marker, chosen, np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(20.0, abs=0.01)  # whole tenths: every draw shares 20
