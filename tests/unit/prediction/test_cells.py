"""Which cells models are compared on when a modality was not measured in all of them."""

from dataclasses import replace

import numpy as np
from tests.unit.prediction.prediction_examples import Planted, by_model, simulate

from cineseq.config.prediction import Folds, Prediction
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.predict import compared_rows, predict_functions
from cineseq.prediction.task import PredictionTask

SMALL = Prediction(permutations=0, half_samples=10, alphas=8, l1_ratios=[0.5])


def blocks(missing: list[int]) -> dict[str, Block | None]:
    shape = np.arange(20.0).reshape(10, 2)
    shape[missing] = np.nan
    return {"expression": Block(np.ones((10, 1)), ("g",)), "morphology": Block(shape, ("a", "b")), "embedding": None}


def test_a_cell_without_any_shape_is_left_out():
    rows, notes = compared_rows(blocks([2, 7]), np.array([0, 1, 2, 5, 9]), 3)
    assert rows.tolist() == [0, 1, 5, 9]
    assert notes == (
        "1 of 5 cells have no morphology: models are compared on the 4 cells with all of them; genes use all cells.",
    )


def test_a_cell_with_some_shape_stays():
    given = blocks([])
    given["morphology"].values[3, 1] = np.nan
    rows, notes = compared_rows(given, np.arange(10), 3)
    assert rows.tolist() == list(range(10))
    assert notes == ()


def test_too_few_complete_cells_leave_out_none():
    rows, notes = compared_rows(blocks([0, 1, 2, 3, 4, 5, 6]), np.arange(10), 4)
    assert len(rows) == 10
    assert notes[0].startswith("7 of 10 cells have no morphology; too few cells have all of them")


def test_models_are_compared_on_complete_cells_and_genes_use_all():
    data = simulate(Planted(expression=0.4, morphology=0.3, genes=20), seed=0)
    shape = data.morphology.copy()
    shape.iloc[::2] = np.nan
    found = predict_functions(
        PredictionTask(replace(data, morphology=shape), None, None, Folds(inner=3), SMALL, seed=1), threads=1
    )
    rows = by_model(found)
    assert set(rows["n"]) == {120}
    assert rows.loc["morphology", "r2"] > 0.1
    assert len(found.tables["predictions"]["track_id"].unique()) == 120
    whole = predict_functions(PredictionTask(data, None, None, Folds(inner=3), SMALL, seed=1), threads=1)
    given = ["rho_given_covariates", "p_given_covariates", "q_given_covariates"]
    assert found.tables["genes"].drop(columns=given).equals(whole.tables["genes"].drop(columns=given))
