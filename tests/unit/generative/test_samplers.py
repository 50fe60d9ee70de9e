"""Samples have the distribution of held-out residuals, and the flow keeps its name only where it is better."""

from __future__ import annotations

import numpy as np
import pytest

from cineseq.generative.judge import (
    c2st,
    coverage,
    energy_score,
    macro_f1,
    memorisation,
    pair_match_ranks,
)
from cineseq.generative.samplers import BASELINES, FLOW, Residuals, choose, fit_sampler


@pytest.fixture(scope="module")
def residuals() -> Residuals:
    """Two-peaked residuals whose spread grows with the first predictor."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 3))
    peaks = np.sign(rng.normal(size=(1500, 4))) + 0.3 * rng.normal(size=(1500, 4))
    return Residuals(x, np.column_stack([x, x[:, 0]]), np.exp(0.6 * x[:, :1]) * peaks, np.arange(1500) % 10)


def test_scaled_rows_follow_the_spread_and_cover_what_they_should(residuals: Residuals) -> None:
    sampler = fit_sampler("scaled_rows", residuals, 1)
    spread = sampler.spread_of(residuals.x)
    assert np.corrcoef(np.log(spread), residuals.x[:, 0])[0, 1] > 0.9
    drawn = sampler.draw(residuals.mean, residuals.x, 39, np.random.default_rng(1))
    real = residuals.mean + residuals.values
    assert coverage(real, drawn, 0.8) == pytest.approx(0.8, abs=0.03)
    assert coverage(real, drawn, 0.95) == pytest.approx(0.95, abs=0.03)
    assert drawn.var() == pytest.approx(real.var(), rel=0.15)


def test_scores_prefer_rows_to_a_gaussian_and_scaled_rows_to_rows(residuals: Residuals) -> None:
    real = residuals.mean + residuals.values
    scores = {}
    for name in BASELINES:
        drawn = fit_sampler(name, residuals, 1).draw(residuals.mean, residuals.x, 10, np.random.default_rng(1))
        scores[name] = c2st(residuals.x, real, drawn[0], residuals.units, 1), energy_score(real, drawn)
    assert scores["gaussian"][0] > scores["rows"][0] > scores["scaled_rows"][0]
    assert scores["scaled_rows"][1] < scores["rows"][1]
    assert scores["scaled_rows"][0] < 0.6
    assert choose(scores) == "scaled_rows"


def test_the_flow_is_deterministic_and_has_the_variance_of_the_residuals(residuals: Residuals, monkeypatch) -> None:
    monkeypatch.setattr("cineseq.generative.flow.STEPS", 300)
    first, second = (
        fit_sampler(FLOW, residuals, 3).draw(residuals.mean, residuals.x, 2, np.random.default_rng(1)) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert (first - residuals.mean).var() == pytest.approx(residuals.values.var(), rel=0.3)


@pytest.mark.parametrize(
    ("flow", "wanted"),
    [((0.54, 1.9), FLOW), ((0.54, 2.1), "rows"), ((0.56, 1.9), "rows"), ((0.55, 2.0), "rows")],
)
def test_the_flow_carries_the_samples_only_where_it_is_better_in_both(flow: tuple[float, float], wanted: str) -> None:
    assert choose({"gaussian": (0.8, 2.2), "rows": (0.55, 2.0), FLOW: flow}) == wanted


def test_the_energy_score_is_that_of_its_definition() -> None:
    samples = np.array([[[0.0]], [[4.0]]])
    # Mean distance to 1 is (1 + 3) / 2, half of the distance between the samples is 2.
    assert energy_score(np.array([[1.0]]), samples) == pytest.approx(0.0)
    assert energy_score(np.array([[5.0]]), samples) == pytest.approx(1.0)


def test_coverage_of_39_exchangeable_samples_is_exact() -> None:
    rng = np.random.default_rng(2)
    real, samples = rng.normal(size=(20000, 1)), rng.normal(size=(39, 20000, 1))
    assert coverage(real, samples, 0.8) == pytest.approx(0.8, abs=0.01)
    assert coverage(real, samples, 0.95) == pytest.approx(0.95, abs=0.006)


def test_cells_of_their_own_pair_rank_first_and_of_no_pair_in_the_middle() -> None:
    rng = np.random.default_rng(3)
    real = rng.normal(size=(300, 5))
    assert pair_match_ranks(real, real).max() == 0
    assert pair_match_ranks(real, np.zeros((300, 5)) + real.mean(axis=0)).mean() == pytest.approx(0.5)
    assert pair_match_ranks(real, real[rng.permutation(300)]).mean() == pytest.approx(0.5, abs=0.06)


def test_copies_of_training_cells_are_seen() -> None:
    rng = np.random.default_rng(4)
    train, real = rng.normal(size=(300, 5)), rng.normal(size=(200, 5))
    assert memorisation(train[:200], real, train) == 0
    assert memorisation(rng.normal(size=(200, 5)), real, train) == pytest.approx(1, abs=0.15)


def test_equal_cells_cannot_be_told_apart() -> None:
    rng = np.random.default_rng(5)
    condition, real = rng.normal(size=(400, 3)), rng.normal(size=(400, 4))
    assert c2st(condition, real, rng.normal(size=(400, 4)), np.arange(400) % 8, 1) == pytest.approx(0.5, abs=0.07)


def test_macro_f1_counts_every_class_the_same() -> None:
    true, predicted = np.array(list("aaab")), np.array(list("aaaa"))
    assert macro_f1(true, predicted) == pytest.approx((6 / 7 + 0) / 2)
