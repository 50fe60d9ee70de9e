"""Pseudobulk: samples are the replicates, so what differs between samples alone is found by no test."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from cineseq.clustering.counts import Expression, expression_from
from cineseq.config.clustering import DifferentialExpression
from cineseq.expression.comparisons import DESCRIPTIVE, NOT_WHOLE, PSEUDOBULK, compare_genes, condition_comparisons
from cineseq.expression.pseudobulk import pseudobulk_test

GENES, UP = 150, 10


def experiment(samples: int, kind: str = "counts") -> tuple[Expression, pd.DataFrame]:
    """Simulate samples that differ by a third from each other in every gene; ten genes are fourfold in condition b."""
    rng = np.random.default_rng(0)
    sample = np.repeat(np.arange(2 * samples), 40)
    condition = np.where(sample < samples, "a", "b")
    rate = rng.lognormal(0.5, 0.8, GENES) * np.exp(0.35 * rng.normal(size=(2 * samples, GENES)))[sample]
    rate[np.ix_(condition == "b", range(UP))] *= 4
    counts = sparse.csr_matrix(rng.poisson(rate).astype(float))
    genes = pd.Index([f"g{k}" for k in range(GENES)])
    obs = pd.DataFrame({"sample": [f"s{k}" for k in sample], "condition": condition})
    return expression_from(counts, genes, kind), obs


@pytest.fixture(scope="module")
def tested() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the genes of four replicates an arm, and those of the same cells taken for replicates."""
    expression, obs = experiment(4)
    settings = DifferentialExpression(min_auc=0.5)
    found = condition_comparisons(expression, obs)[0]
    assert found.note == PSEUDOBULK
    cells = condition_comparisons(expression, obs.assign(sample="s"))[0]
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


def test_values_that_are_not_whole_counts_are_not_summed():
    expression, obs = experiment(3)
    logged = expression_from(expression.log.astype(float), expression.genes, "logged")
    found = condition_comparisons(logged, obs)[0]
    assert (found.note, found.replicates) == (NOT_WHOLE, None)


def test_a_gene_without_counts_has_no_p_value():
    counts = sparse.csr_matrix(np.array([[5.0, 0], [9, 0], [7, 0], [50, 0], [61, 0], [40, 0]]) * [[1, 1]])
    arms = np.array(list("aaabbb"))
    table = pseudobulk_test(counts, pd.Index(["x", "empty"]), arms, np.arange(6), ["b"])
    assert table["group"].to_list() == ["b", "b"]
    assert np.isnan(table.set_index("gene").loc["empty", "p_value"])
