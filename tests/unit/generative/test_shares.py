"""Shares of both directions: planted ones are found, gene sets without genes are said, nothing is called negative."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from tests.unit.prediction.prediction_examples import Planted, simulate

from cineseq.config.prediction import Crossmodal, Folds
from cineseq.expression.cell_cycle import S_GENES
from cineseq.expression.normalise import expression_of
from cineseq.generative.held_out import Covariates
from cineseq.generative.measured_covariates import for_genes
from cineseq.generative.share_tables import TOTAL, sentences, verdict
from cineseq.generative.shares import Shares, SharesOptions, decompose_shares
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval.feature_blocks import Block

QUICK = SharesOptions(
    Crossmodal(genes=30, components=8, penalties=4, thinnings=2),
    folds=Folds(inner=2),
    permutations=399,
    null_draws=3,
    learning=None,
)


def cells(shared: float, seed: int = 0) -> PairedData:
    return simulate(Planted(shared=shared, genes=40, cells_per_field=24, features=6), seed)


def total(found: Shares, direction: str, estimand: str = "within") -> pd.DataFrame:
    rows = found.summary[(found.summary["direction"] == direction) & (found.summary["estimand"] == estimand)]
    return rows[rows["target"] == TOTAL].set_index("part")


@pytest.fixture(scope="module")
def shared() -> Shares:
    return decompose_shares(cells(0.9), QUICK)


def test_both_directions_have_a_share_above_their_null(shared):
    for direction in ("morphology_to_expression", "expression_to_morphology"):
        linear = total(shared, direction).loc["linear"]
        assert linear["low"] > max(0, linear["null_high"])
        assert linear["found"] == "found"
        assert linear["p_value"] == 1 / 400
    assert set(shared.summary["estimand"]) == {"within", "within_class", "between"}


def test_planted_genes_are_the_ones_that_are_found(shared):
    genes = shared.targets[shared.targets["direction"] == "morphology_to_expression"].set_index("target")
    assert genes["linear"].idxmax() in {"g0", "g1", "g2", "g3"}
    found = set(genes.index[genes["found"] == "found"])
    assert found
    assert found <= {"g0", "g1", "g2", "g3"}
    known = genes["ceiling"] > 0.2
    assert (genes["share_of_ceiling"].notna() == known).all()


def test_a_feature_that_is_a_covariate_is_not_explained_beyond_itself(shared):
    features = shared.targets[shared.targets["direction"] == "expression_to_morphology"].set_index("target")
    area = features.loc["morphology_area_um2"]
    assert np.isnan(area["unique"])
    assert np.isfinite(area["linear"])
    assert area["note"].startswith("is a covariate itself")
    assert total(shared, "expression_to_morphology").loc["linear", "targets"] == 5


def test_no_share_is_none_found_and_never_negative():
    found = decompose_shares(cells(0.0, seed=3), QUICK)
    linear = total(found, "morphology_to_expression").loc["linear"]
    assert linear["found"] == "none found"
    lines = " ".join(sentences(found.summary, found.targets, found.calibration)["lines"])
    assert "none found (interval up to" in lines
    assert "negative" not in lines


@pytest.mark.parametrize(
    ("share", "low", "q", "word"),
    [
        (0.2, 0.1, 0.01, "found"),
        (0.2, 0.1, 0.2, "none found"),
        (-0.1, -0.2, 0.9, "none found"),
        (0.2, np.nan, 0.01, "not estimable"),
    ],
)
def test_the_word_beside_a_share(share, low, q, word):
    assert verdict(share, low, q) == word


def test_a_share_that_shuffled_pairing_has_too_is_none_found():
    assert verdict(0.2, 0.1, least=0.05) == "found"
    assert verdict(0.2, 0.1, least=0.15) == "none found"


def test_gene_sets_have_a_row_and_those_without_genes_are_said(tmp_path):
    path = tmp_path / "sets.gmt"
    path.write_text("carriers\t\tg0\tg1\tg2\tg3\nelsewhere\t\tZZZ\n")
    found = decompose_shares(cells(0.9), replace(QUICK, gene_sets=path))
    rows = found.summary[(found.summary["estimand"] == "within") & (found.summary["part"] == "linear")]
    carriers = rows[rows["target"] == "carriers"].iloc[0]
    assert carriers["level"] == "gene_set"
    assert carriers["share"] > rows[rows["target"] == TOTAL].iloc[0]["share"]
    assert any("elsewhere" in note for note in found.notes)


def test_classes_within_fields_are_taken_out():
    """Class alone goes with both sides; within class nothing is left."""
    rng = np.random.default_rng(7)
    data = cells(0.0)
    second = rng.random(len(data.obs)) < 0.5
    counts = data.counts.toarray()
    counts[:, :10] = counts[:, :10] * (1 + 2 * second[:, None])
    morphology = data.morphology + 2.0 * second[:, None]
    data = replace(
        data,
        obs=data.obs.assign(type=np.where(second, "b", "a")),
        counts=sparse.csr_matrix(counts),
        morphology=morphology,
    )
    options = replace(QUICK, crossmodal=QUICK.crossmodal.model_copy(update={"class_column": "type"}))
    found = decompose_shares(data, options)
    assert total(found, "morphology_to_expression").loc["linear", "share"] > 0.05
    assert total(found, "morphology_to_expression", "within_class").loc["linear", "share"] < 0.01
    # Pairs are shuffled within classes, which explains as much: nothing is found in total, in parts or for genes.
    parts = total(found, "morphology_to_expression")
    assert parts.loc["linear", "low"] > 0
    assert parts.loc["linear", "share_null"] > 0.05
    assert set(parts.loc[["linear", "unique", "common"], "found"]) == {"none found"}
    genes = found.targets[found.targets["direction"] == "morphology_to_expression"]
    assert (genes["found"] == "found").mean() < 0.1
    lines = " ".join(sentences(found.summary, found.targets, found.calibration)["lines"])
    assert "none found beyond chance (R²" in lines
    assert "with shuffled pairing; the same within classes none found" in lines


def test_too_few_cells_are_not_estimable():
    data = cells(0.9)
    found = decompose_shares(data.subset(np.arange(10)), QUICK)
    assert found.summary.empty
    assert found.notes[0].startswith("Not estimable: only 10 cells with a value")


def test_a_gene_is_not_explained_by_a_score_that_it_is_part_of():
    data = cells(0.0)
    data = replace(data, genes=pd.Index([*S_GENES[:20], *data.genes[20:]]))
    expression = expression_of(data)
    upper = expression.log[:, :20].mean(axis=1)
    scores = Block(np.column_stack([np.asarray(upper).ravel(), np.zeros(len(data.obs))]), ("s_score", "g2m_score"))
    only_s = Block(scores.values[:, :1], ("s_score",))
    known = for_genes(Covariates({"cycle": only_s}), expression, tuple(expression.genes))
    (first, other), (second, another) = known.apart["cycle"]
    assert first.tolist() == list(range(0, 20, 2))
    assert second.tolist() == list(range(1, 20, 2))
    log = expression.log.toarray()
    np.testing.assert_allclose(other.values[:, 0], log[:, 1:20:2].mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(another.values[:, 0], log[:, 0:20:2].mean(axis=1), atol=1e-5)
