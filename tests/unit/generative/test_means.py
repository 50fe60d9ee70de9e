"""Conditional means find planted functions in held-out groups, and nothing where nothing is planted."""

from __future__ import annotations

import numpy as np
import pytest

from cineseq.generative.learners import KernelMean, kernel_ridge, partial_least_squares, ridge
from cineseq.generative.means import LEARNERS, MEAN, CrossFitted, Learning, chosen_learners, cross_fitted, fit_mean
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import FoldPlan, inner_splits
from cineseq.statistics.metrics import r2

QUICK = Learning(("ridge", "pls", "kernel_ridge"))


def plan_of(units: np.ndarray, folds: int = 5) -> FoldPlan:
    return FoldPlan(units, units % folds, ("field",), ())


@pytest.fixture(scope="module")
def found(cells) -> CrossFitted:
    return cross_fitted(cells.x, cells.y, plan_of(cells.units), 1)


def test_planted_shares_are_found_in_held_out_groups(cells, found) -> None:
    shares = r2(cells.y - found.mean, cells.y - found.baseline)
    assert shares == pytest.approx([0.8, 0.75, 0.0], abs=0.05)


def test_ridge_does_not_see_a_parabola_but_kernel_ridge_and_the_network_do(cells, found) -> None:
    of_parabola = {
        name: r2(cells.y[:, 1] - guess[:, 1], cells.y[:, 1] - found.baseline[:, 1])
        for name, guess in found.by_learner.items()
    }
    assert of_parabola["ridge"] < 0.05
    assert of_parabola["pls"] < 0.05
    assert min(of_parabola[name] for name in ("kernel_ridge", "network", "average")) > 0.6


def test_held_out_cells_change_nothing_of_their_own_predictions(cells) -> None:
    plan = plan_of(cells.units)
    changed = cells.y.copy()
    changed[plan.fold == 2] += 100
    before, after = (cross_fitted(cells.x, y, plan, 1, QUICK).mean[plan.fold == 2] for y in (cells.y, changed))
    np.testing.assert_array_equal(before, after)


def test_the_same_seed_gives_the_same_numbers_whatever_the_threads(cells) -> None:
    first, second = (cross_fitted(cells.x[:100], cells.y[:100], plan_of(cells.units[:100], 3), 7) for _ in range(2))
    np.testing.assert_array_equal(first.mean, second.mean)


def test_every_target_has_one_learner_in_every_fold(cells) -> None:
    found = cross_fitted(cells.x, cells.y, plan_of(cells.units), 1, QUICK)
    assert found.choices.groupby("fold")["targets"].sum().tolist() == [3] * 5
    assert found.learner.shape == (5, 3)
    assert set(found.learner.ravel()) <= {*LEARNERS, MEAN}


def test_blocks_are_standardised_in_the_training_cells_and_missing_values_are_filled(cells) -> None:
    x, y = cells.x.copy(), cells.y.copy()
    x[::50, 0], y[::60, 0] = np.nan, np.nan
    found = cross_fitted([Block(1e6 * x, tuple("abcdef"))], y, plan_of(cells.units), 1, QUICK)
    known = np.isfinite(y[:, 0])
    assert r2(y[known, 0] - found.mean[known, 0], y[known, 0] - found.baseline[known, 0]) == pytest.approx(
        0.8, abs=0.05
    )


def test_ridge_with_more_predictors_than_cells_is_the_ridge_of_the_text_books() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(40, 90)), rng.normal(size=(40, 2))
    y[:, 0] += 2 * x[:, 0]
    found = ridge(x, y, inner_splits(np.arange(40) % 8, 4))
    # Whatever penalty was chosen: the weights solve (X'X + p) w = X'y of centred values for one p.
    own, wanted = x - x.mean(axis=0), y[:, 0] - y[:, 0].mean()
    left = own.T @ (wanted - own @ found.model.weights[:, 0])
    ratio = left / found.model.weights[:, 0]
    assert np.ptp(ratio) < 1e-6 * abs(ratio.mean())


def test_partial_least_squares_with_all_components_is_least_squares() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(200, 3))
    y = x @ rng.normal(size=(3, 4)) + 0.01 * rng.normal(size=(200, 4))
    found = partial_least_squares(x, y, inner_splits(np.arange(200) % 8, 4))
    wanted = np.linalg.lstsq(np.column_stack([x, np.ones(200)]), y, rcond=None)[0]
    np.testing.assert_allclose(found.model.weights, wanted[:3], atol=1e-8)


def test_kernel_ridge_of_few_cells_is_exact(cells) -> None:
    found = kernel_ridge(cells.x, cells.y, inner_splits(cells.units, 3), np.random.default_rng(0))
    assert isinstance(found.model, KernelMean)
    assert len(found.model.landmarks) == len(cells.x)


def test_the_mean_is_chosen_where_no_learner_is_better() -> None:
    scores = {"ridge": np.array([0.2, -0.1, np.nan]), "pls": np.array([0.2, -0.2, np.nan])}
    assert chosen_learners(scores).tolist() == ["ridge", MEAN, MEAN]


def test_many_predictors_are_reduced_for_learners_other_than_ridge(cells) -> None:
    rng = np.random.default_rng(5)
    wide = np.column_stack([3 * cells.x, 0.1 * rng.normal(size=(600, 150))])
    model = fit_mean(wide, cells.y, cells.units, 1, QUICK)
    assert model.axes.shape == (156, 50)
    assert model.predict(wide).shape == (600, 3)
