"""Explained and unexplained variance add up for calibrated models; others are said to be miscalibrated."""

import numpy as np
import pytest

from cineseq.generative.total_variance import of_means, of_samples

GROUPS = np.repeat(np.arange(20), 100)


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Return conditional means and values with a conditional variance of .75, of total variance 1."""
    rng = np.random.default_rng(seed)
    means = 0.5 * rng.normal(size=(2000, 3))
    return means, means + np.sqrt(0.75) * rng.normal(size=means.shape), rng


def test_calibrated_samples_add_up_however_few_they_are():
    means, values, rng = drawn(1)
    for samples in (2, 20):
        generated = means[:, None] + np.sqrt(0.75) * rng.normal(size=(2000, samples, 3))
        found = of_samples(values, generated, GROUPS, GROUPS)
        assert found.explained == pytest.approx(0.25, abs=0.03)
        assert found.unexplained == pytest.approx(0.75, abs=0.03)
        assert found.low < 0 < found.high
        assert found.sentence().startswith("explained and unexplained variance add up to ")
        assert "miscalibration" not in found.sentence()


def test_samples_that_vary_too_little_are_miscalibrated():
    means, values, rng = drawn(2)
    generated = means[:, None] + 0.5 * rng.normal(size=(2000, 10, 3))
    found = of_samples(values, generated, GROUPS, GROUPS)
    assert found.gap == pytest.approx(-0.5, abs=0.05)
    assert found.high < 0
    assert found.sentence().endswith("the model is not variable enough")


def test_means_that_are_too_variable_are_miscalibrated():
    means, values, rng = drawn(3)
    right = of_means(values, means, GROUPS, np.ones(3))
    assert right.low < 0 < right.high
    wrong = of_means(values, means + rng.normal(size=means.shape), GROUPS, np.ones(3))
    assert wrong.gap == pytest.approx(2.0, abs=0.15)
    assert wrong.sentence().endswith("the model is too variable")


def test_nothing_measured_is_not_estimable():
    nothing = of_means(np.zeros((20, 1)), np.zeros((20, 1)), np.arange(20) // 2, np.ones(1))
    assert nothing.sentence() == "whether the variances add up is not estimable"
