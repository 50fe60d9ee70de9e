"""The mean effect over samples and the effect of one more sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cineseq.statistics.heterogeneity import random_effects


def test_equal_errors_give_the_formulas_of_a_mean_and_of_one_more_draw():
    effects = np.array([0.1, 0.2, 0.4, 0.5])
    found = random_effects(effects, np.full(4, 0.05))
    spread = np.sqrt(effects.var(ddof=1) - 0.05**2)
    error = effects.std(ddof=1) / 2
    assert found.mean == pytest.approx(0.3)
    assert found.spread == pytest.approx(spread, rel=1e-6)
    assert found.high - 0.3 == pytest.approx(stats.t.ppf(0.975, 3) * error)
    # With four samples the usual prediction interval is the wider one.
    assert found.new_high - 0.3 == pytest.approx(stats.t.ppf(0.975, 2) * np.sqrt(spread**2 + error**2))
    assert found.samples == 4


def test_effects_more_alike_than_their_errors_do_not_differ():
    found = random_effects(np.full(5, 0.2), np.full(5, 0.1))
    assert found.spread == 0
    assert found.high - found.mean == pytest.approx(stats.t.ppf(0.975, 4) * 0.1 / np.sqrt(5))


def test_a_variance_estimated_as_zero_is_not_taken_as_zero():
    effects, errors = np.linspace(0.06, 0.34, 8), np.full(8, 0.1)
    found = random_effects(effects, errors)
    usual = stats.t.ppf(0.975, 6) * 0.1 / np.sqrt(8)
    assert found.spread == 0
    assert found.new_high - found.mean > 1.2 * usual


def test_two_samples_say_nothing_of_a_third():
    assert random_effects(np.array([0.1, 0.2]), np.array([0.1, 0.1])) is None
    assert random_effects(np.array([0.1, 0.2, np.nan]), np.full(3, 0.1)) is None
    assert random_effects(np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.1, 0.0])) is None


@given(st.integers(0, 10_000), st.integers(3, 12), st.floats(-2, 2))
def test_a_shift_of_all_effects_shifts_the_interval_which_holds_that_of_the_mean(seed, samples, shift):
    rng = np.random.default_rng(seed)
    effects, errors = rng.normal(size=samples), rng.uniform(0.05, 1, samples)
    found, moved = random_effects(effects, errors), random_effects(effects + shift, errors)
    assert moved.new_low == pytest.approx(found.new_low + shift, abs=1e-6)
    assert found.new_low <= found.low <= found.mean <= found.high <= found.new_high


@pytest.mark.parametrize(("samples", "spread"), [(4, 0.3), (8, 0.3), (8, 0.1), (8, 0.0)])
def test_the_prediction_interval_holds_one_more_sample_at_its_rate(samples: int, spread: float):
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(600):
        errors = rng.uniform(0.05, 0.2, samples)
        truth = 0.2 + spread * rng.normal(size=samples + 1)
        found = random_effects(truth[:-1] + errors * rng.normal(size=samples), errors)
        held += found.new_low <= truth[-1] <= found.new_high
    assert held / 600 >= 0.92
    assert spread < 0.3 or held / 600 <= 0.98


def test_a_sample_whose_error_is_rounding_does_not_fix_the_mean():
    effects, errors = np.array([0.2, 0.3, 0.4, -2e28]), np.array([0.05, 0.05, 0.05, 1e-16])
    found = random_effects(effects, errors)
    assert found is not None
    assert found.samples == 3
    assert found.mean == pytest.approx(0.3)
    huge = random_effects(np.array([0.2, 0.3, -2e28]), np.array([0.05, 0.05, 8e27]))
    assert huge is None
