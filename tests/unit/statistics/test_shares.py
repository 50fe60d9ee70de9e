"""The share of a linear model: what was planted, whatever the number of predictors and the groups' means."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cineseq.statistics.between import between_samples, means_of
from cineseq.statistics.metrics import centred
from cineseq.statistics.shares import variance_share


def drawn(seed: int, share: float, predictors: int, shift: float = 0.0, cells: int = 400):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 10, cells)
    x = rng.normal(size=(cells, predictors))
    beta = rng.normal(size=(predictors, 1))
    y = np.sqrt(share) * x @ beta / np.linalg.norm(beta) + np.sqrt(1 - share) * rng.normal(size=(cells, 1))
    batch = shift * rng.normal(size=(10, 1))[groups]
    return x + batch, y + batch, groups


@pytest.mark.parametrize(("share", "predictors"), [(0.0, 30), (0.3, 30), (0.3, 300), (0.3, 2), (0.7, 800)])
def test_the_planted_share_is_found_with_few_and_with_many_predictors(share, predictors):
    found = [variance_share(*drawn(seed, share, predictors, shift=2.0)) for seed in range(20)]
    assert np.mean([f.share for f in found]) == pytest.approx(share, abs=0.06)
    assert np.mean([f.low <= share <= f.high for f in found]) >= 0.85
    assert all(f.low <= f.share <= f.high for f in found)


def test_the_shares_of_two_blocks_of_hidden_factors_add_up():
    """Leading components explain most, so the power is high; the parameter of the model is then about .86."""
    found = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        states, forms = rng.normal(size=(390, 5)), rng.normal(size=(390, 3))
        genes = 0.5 * states @ (rng.normal(size=(5, 600)) * (rng.random((5, 600)) < 0.15)) + rng.normal(size=(390, 600))
        shape = forms @ rng.normal(size=(3, 20)) + 0.7 * rng.normal(size=(390, 20))
        target = np.sqrt(0.3) * (states[:, :1] + forms[:, :1]) + np.sqrt(0.4) * rng.normal(size=(390, 1))
        groups = rng.integers(0, 12, 390)
        found.append([variance_share(x, target, groups) for x in (genes, shape, np.hstack([genes, shape]))])
    assert np.mean([[f.share for f in row] for row in found], axis=0) == pytest.approx([0.3, 0.3, 0.6], abs=0.04)
    planted = (0.3, 0.3, 0.6)
    assert np.mean([[f.low <= p <= f.high for f, p in zip(row, planted, strict=True)] for row in found]) >= 0.85


def test_fixed_means_of_groups_take_out_what_groups_share():
    x, y, groups = drawn(1, 0.2, 20, shift=3.0)
    assert variance_share(x, y, np.zeros(len(x))).share > 0.6
    within = variance_share(x, y, groups)
    moved = variance_share(x + 5 * groups[:, None], y - 7 * groups[:, None], groups)
    assert (moved.share, moved.low, moved.high) == pytest.approx((within.share, within.low, within.high), abs=1e-6)


def test_targets_count_by_their_variance_and_only_different_ones_add_certainty():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(500, 20))
    signal, noise = x[:, :1], rng.normal(size=(500, 1))
    groups = np.zeros(500)
    mixed = variance_share(x, np.hstack([signal, noise]), groups)
    assert mixed.share == pytest.approx(0.5, abs=0.05)
    assert variance_share(x, np.hstack([signal, 10 * noise]), groups).share < 0.06
    one = variance_share(x, signal + noise, groups)
    twice = variance_share(x, np.repeat(signal + noise, 2, axis=1), groups)
    assert (twice.share, twice.low, twice.high) == pytest.approx((one.share, one.low, one.high))


@pytest.mark.parametrize("case", ["few cells", "no predictor", "constant target"])
def test_what_does_not_vary_has_no_share(case):
    x, y, groups = drawn(3, 0.5, 4, cells=40)
    x, y, groups = {
        "few cells": (x[:12], y[:12], np.arange(12)),
        "no predictor": (np.ones((40, 2)), y, groups),
        "constant target": (x, np.ones((40, 1)), groups),
    }[case]
    assert np.isnan(variance_share(x, y, groups).share)


@given(st.integers(0, 100), st.floats(0.1, 10), st.floats(-5, 5))
@settings(max_examples=20, deadline=None)
def test_units_and_origins_do_not_matter(seed, scale, origin):
    x, y, groups = drawn(seed, 0.3, 6, cells=60)
    first, second = variance_share(x, y, groups), variance_share(scale * x + origin, scale * y - origin, groups)
    assert second.share == pytest.approx(first.share, abs=1e-4)


def test_missing_values_are_left_out_of_the_means_of_groups():
    values = np.array([[1.0, np.nan], [3.0, 4.0], [np.nan, 6.0], [7.0, 8.0]])
    found = centred(values, np.array([0, 0, 1, 1]))
    np.testing.assert_array_equal(found, [[-1, np.nan], [1, 0], [np.nan, -1], [0, 1]])
    np.testing.assert_array_equal(means_of(values, np.array([0, 0, 1, 1])), [[2, 4], [7, 7]])


def test_means_of_samples_are_predicted_from_those_of_the_others():
    rng = np.random.default_rng(4)
    x, noise = rng.normal(size=(20, 3)), rng.normal(size=(20, 1))
    y = 3 * x[:, :1] + noise
    found = between_samples(x, y, 0, rng)
    assert found.gain.sum() / found.total.sum() > 0.8
    assert found.total[0] == pytest.approx(float((y[0, 0] - y[1:].mean()) ** 2))
    # With hardly any noise the share is near 1 and the penalty near 0: least squares with the sample left out.
    exact = between_samples(x, y - 0.999 * noise, 0, rng)
    assert (exact.total - exact.gain).sum() < 0.001 * exact.total.sum()
    silent = between_samples(x, noise, 99, np.random.default_rng(0))
    assert silent.null.shape == (99,)
    assert np.median(silent.null) < 0.1
    assert (silent.null >= silent.gain.sum() / silent.total.sum()).mean() > 0.05
