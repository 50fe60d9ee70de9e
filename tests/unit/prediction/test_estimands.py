"""Prediction within fields: field effects do not move it, and no held-out cell is told by another of its field."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.unit.prediction.prediction_examples import SMALL, Planted, ask, by_model, by_pair, simulate

from cineseq.config.prediction import Folds
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import CrossvalCells, FoldPlan, NotEstimableError, cells_of
from cineseq.prediction.crossval.transform import standardised
from cineseq.prediction.estimands import between_row, is_claimed, lower_bound, share_columns
from cineseq.prediction.predict import PredictionResult
from cineseq.prediction.report import report
from cineseq.statistics.shares import Share

CLAIMED = {"r2_low": 0.02, "r2_null": 0.01, "q_value": 0.05}


def batch(shift: float) -> PredictionResult:
    """Predict from shapes that tell a third of the function within fields; fields shift all of it."""
    data = simulate(Planted(morphology=0.35, genes=10, cells_per_field=40), seed=5)
    field = np.repeat(np.random.default_rng(7).normal(size=(8, 1)), 40, axis=0)
    shapes, function = data.morphology + shift * field, data.function + shift * field
    return ask(replace(data, counts=None, morphology=shapes, function=function), SMALL)


@pytest.fixture(scope="module")
def found() -> tuple[PredictionResult, PredictionResult]:
    return batch(0.0), batch(3.0)


def test_field_effects_move_what_is_pooled_and_not_what_is_within_fields(found):
    before, after = (by_model(f, estimand="within").loc["morphology"] for f in found)
    pooled = by_model(found[1]).loc["morphology"]
    assert before["r2"] > 0.2
    assert after["r2"] == pytest.approx(before["r2"], abs=1e-6)
    assert after["share"] == pytest.approx(before["share"], abs=1e-6)
    assert after["p_value"] == before["p_value"] == 0.05
    assert abs(after["r2_null"]) < 0.03
    assert pooled["r2_null"] > 0.5
    assert pooled["r2"] - pooled["r2_null"] == pooled["r2_above_null"]
    assert by_pair(found[1], "within").loc[("morphology", "size"), "delta_r2"] == pytest.approx(
        before["r2"] - by_model(found[0], estimand="within").loc["size", "r2"], abs=1e-6
    )


def test_the_share_holds_what_was_planted(found):
    for estimand in ("within", "pooled"):
        row = by_model(found[0], estimand=estimand).loc["morphology"]
        assert row["share"] == pytest.approx(0.3, abs=0.1)
        assert row["share_low"] < row["r2"] <= row["share"] <= row["share_high"]


def test_a_share_is_at_least_what_is_predicted_of_held_out_cells():
    share, row = Share(0.1, 0.05, 0.15), {"r2": 0.2, "r2_high": 0.3}
    assert share_columns(share, row) == {"share": 0.2, "share_low": 0.05, "share_high": 0.3}
    assert share_columns(share, row | {"r2": 0.08}) == {"share": 0.1, "share_low": 0.05, "share_high": 0.15}
    assert np.isnan(share_columns(Share(), row)["share"])


def test_the_report_gives_each_estimand_its_name(found):
    text = "\n".join(report(found[1].tables, {}, ())["lines"])
    row, pooled = (by_model(found[1], estimand=e).loc["morphology"] for e in ("within", "pooled"))
    assert "uptake: held-out R² within fields in 320 cells of 8 groups: " in text
    assert f"morphology {row['r2']:.2f} [" in text
    assert f"a linear model has a share of {row['share']:.2f} [" in text
    assert f"morphology {pooled['r2']:.2f} ({pooled['r2_null']:.2f} with shuffled cells)" in text
    assert "held-out R² between the means of 4 samples (descriptive): " in text


def test_every_model_has_a_row_per_estimand_and_a_reason_where_it_has_no_number(found):
    rows = found[1].tables["performance"]
    assert not rows.duplicated(["function", "model", "estimand"]).any()
    assert (rows["r2"].notna() | rows["note"].str.startswith("not estimable")).all()
    own = rows[(rows["model"] == "class") & (rows["estimand"] == "within")]
    assert own["note"].tolist() == ["not estimable: its predictors do not differ within fields"]


def test_the_aliases_are_those_of_the_row_within_class(found):
    rows = found[0].tables["performance"]
    of_class = by_model(found[0], estimand="within_class")
    for model, own in rows.groupby("model"):
        for alias, column in (("r2_within_class", "r2"), ("p_within_class", "p_value"), ("q_within_class", "q_value")):
            expected = np.full(len(own), of_class.loc[model, column], dtype=float)
            np.testing.assert_array_equal(own[alias].to_numpy(float), expected)


def test_a_function_of_the_field_alone_does_not_differ_within_fields():
    data = simulate(Planted(genes=10, cells_per_field=12), seed=1)
    function = data.function.assign(function_uptake=pd.factorize(data.obs["sample"] + data.obs["fov"])[0].astype(float))
    rows = by_model(ask(replace(data, counts=None, function=function), SMALL), estimand="within")
    assert set(rows["note"]) == {"not estimable: the function does not differ within fields"}


def test_parts_of_a_field_in_different_folds_are_centred_apart():
    values = np.array([1.0, 3, 10, 30, 5, 5])[:, None]
    plan = FoldPlan(np.arange(6), np.array([0, 0, 1, 1, 2, 2]), ("family",), ())
    labels = np.zeros(6, dtype=int)
    cells = CrossvalCells(values, plan, labels, np.arange(6), labels, fields=labels)
    within = cells.within_fields()
    assert within.values.ravel().tolist() == [-1, 1, -10, 10, 0, 0]
    block = standardised(Block(values, ("x",), centre=within.centre), np.arange(4), 0.0, None)
    assert block.values.ravel() == pytest.approx(within.values.ravel() / np.sqrt(50.5))
    alone = replace(cells, fields=np.arange(6))
    with pytest.raises(NotEstimableError, match="no field has two cells"):
        alone.within_fields()


def test_genes_are_chosen_before_they_are_centred():
    rare = np.array([0.0, 0, 0, 0, 0, 0, 0, 1])
    block = Block(np.column_stack([rare, np.arange(8.0)]), ("rare", "common"), "genes", np.repeat([0, 1], 4))
    assert standardised(block, np.arange(8), 0.2, None).names == ("common",)


def test_fields_and_samples_of_cells_are_read_from_their_columns():
    obs = pd.DataFrame({"sample": list("aaaabbbb"), "fov": list("11221122"), "condition": "c"})
    folds = Folds(min_cells=10).model_copy(update={"min_cells": 8, "outer_min_samples": 3})
    cells = cells_of(obs, np.arange(8.0)[:, None], folds, "condition")
    assert cells.field_labels().tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert cells.sample_labels().tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("changed", "claimed"),
    [
        ({}, True),
        ({"r2_low": 0.005}, False),
        ({"q_value": 0.051}, False),
        ({"q_value": np.nan}, False),
        ({"r2_null": np.nan}, False),
    ],
)
def test_a_claim_needs_an_interval_above_the_null_and_a_small_q(changed, claimed):
    assert is_claimed(CLAIMED | changed) is claimed


def test_means_of_many_samples_are_tested():
    rng = np.random.default_rng(0)
    means = rng.normal(size=(24, 3))
    samples = np.repeat(np.arange(24), 10)
    x = means[samples] + rng.normal(size=(240, 3))
    y = means[samples, :1] + rng.normal(size=(240, 1))
    row = between_row(x, y, samples, 99, seed=1)
    assert row["r2"] > 0.4
    assert row["p_value"] == 0.01
    assert row["r2_low"] < row["r2"] < row["r2_high"]
    shuffled = between_row(x, y[rng.permutation(240)], samples, 99, seed=1)
    assert shuffled["p_value"] > 0.05
    assert between_row(x, y, samples % 2, 9, seed=1)["note"].startswith("not estimable: 2 samples are too few")


def test_r2_of_a_non_linear_model_stands_beside_the_lower_bound_of_linear_ones():
    text = "linear models give a lower bound of what any model could explain"
    assert lower_bound() == text
    row = {"r2": 0.31, "r2_low": 0.2, "r2_high": 0.42}
    assert lower_bound(row) == f"{text}; a non-linear model of all predictors has R² = 0.31 [0.20, 0.42]"
    assert lower_bound(row | {"r2_low": np.nan}) == f"{text}; a non-linear model of all predictors has R² = 0.31"
    assert lower_bound(row | {"r2": np.nan}) == text
