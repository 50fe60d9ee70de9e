"""Stable genes: bounds and halves, silence on null data, modules, and overlap with markers."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from tests.unit.prediction.prediction_examples import FAST, Planted, ask, simulate

from cineseq.config.prediction import Folds
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.genes import cluster_eta2, complementary_halves, genes_per_half, modules, with_clusters
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
