"""The cells that stand for what was generated are never the cell itself, and its rank tells a match from chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cineseq.generative.direction import JudgedFold
from cineseq.generative.pictures import NO_FIELD, Places, match_rows, match_table, neighbour_rows, pair_ranks

BACK = "expression_to_morphology"


def fold(real: np.ndarray, mean: np.ndarray, test: np.ndarray | None = None) -> JudgedFold:
    """Return a fold of which only latents, means and one sample (the mean) are looked at."""
    rows = np.arange(len(real)) if test is None else test
    nothing: dict = {}
    return JudgedFold(
        test=rows,
        classes=np.full(len(real), "a"),
        real=real,
        baseline=np.zeros(real.shape[1]),
        by_learner={"chosen": mean},
        learner=np.array([]),
        genes=None,
        sampler="rows",
        inner={},
        scores=nothing,
        judged=nothing,
        predicted=nothing,
        samples={"rows": mean},
        ranks=np.zeros(len(real)),
    )


def places(fields: np.ndarray, classes: np.ndarray | None = None) -> Places:
    names = np.array([f"c{k}" for k in range(len(fields))])
    of = np.full(len(fields), "a") if classes is None else classes
    return Places(names, fields, of, np.arange(len(fields)))


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(0, 99))
def test_ranks_of_distinct_distances_are_a_whole_set_for_every_generated_cell(cells: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ranks = pair_ranks(rng.normal(size=(cells, 3)), rng.normal(size=(cells, 3)))
    expected = np.arange(cells) / (cells - 1)
    np.testing.assert_allclose(np.sort(ranks, axis=1), np.tile(expected, (cells, 1)))


def test_a_perfect_prediction_has_rank_0_and_is_not_its_own_picture() -> None:
    real = np.random.default_rng(0).normal(size=(60, 4))
    fields = np.repeat([0, 1, 2], 20)
    rows = neighbour_rows([fold(real, real)], "rows", places(fields), 1)
    assert (rows["pair_match_rank"] == 0).all()
    for column in ("neighbour", "neighbour_of_mean", "random_in_field"):
        assert (rows[column] != rows["track_id"]).all()
    assert (rows["distance"] > 0).all()
    beside = rows["random_in_field"].str.removeprefix("c").astype(int).to_numpy()
    assert (fields[beside] == fields).all()
    found = match_rows(BACK, [fold(real, real)], "rows", places(fields), 1)[0]
    assert (found["median_rank"], found["n"], found["fields"]) == (0, 60, 3)
    assert found["null_median"] == pytest.approx(0.5, abs=0.1)
    assert found["p_value"] == 0.001


def test_a_shift_of_the_field_or_the_class_alone_is_no_match() -> None:
    rng = np.random.default_rng(0)
    fields, classes = np.repeat(np.arange(6), 30), np.tile(["a", "b"], 90)
    shift = 5 * rng.normal(size=(6, 3))[fields] + 5 * (classes == "b")[:, None]
    real, mean = shift + rng.normal(size=(180, 3)), shift + 0.1 * rng.normal(size=(180, 3))
    found = match_table(match_rows(BACK, [fold(real, mean)], "rows", places(fields, classes), 1))
    assert (found["median_rank"] < 0.35).all(), "the class is right"
    assert (found["p_value"] > 0.05).all(), "but of its class it is no cell in particular"
    assert (found["q_value"] >= found["p_value"]).all()


def test_p_values_of_unrelated_cells_are_uniform_enough() -> None:
    fields, small = np.repeat(np.arange(4), 10), 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        part = fold(rng.normal(size=(40, 3)), rng.normal(size=(40, 3)))
        small += match_rows(BACK, [part], "rows", places(fields), seed)[0]["p_value"] <= 0.1
    assert small <= 7


def test_cells_alone_in_their_field_are_not_ranked_and_it_is_said() -> None:
    real = np.random.default_rng(0).normal(size=(8, 2))
    lonely = places(np.arange(8))
    assert match_rows(BACK, [fold(real, real)], "rows", lonely, 1)[0]["note"] == NO_FIELD
    rows = neighbour_rows([fold(real, real)], "rows", lonely, 1)
    assert rows[["pair_match_rank", "random_in_field"]].isna().all(axis=None)
    assert match_rows(BACK, [fold(real, real)], None, lonely, 1) == []
