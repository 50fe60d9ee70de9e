"""Rank correlation given covariates and within groups: literal values and invariants."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cineseq.statistics.correlation import partial_spearman, spearman_within


def test_partial_spearman_without_covariates_is_spearman():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    rho, p = partial_spearman(x, y, np.empty((60, 0)), np.arange(60))
    expected = [stats.spearmanr(column, y) for column in x.T]
    assert rho == pytest.approx([e.statistic for e in expected])
    assert p == pytest.approx([e.pvalue for e in expected], abs=0.05)


def test_partial_spearman_takes_a_common_cause_out():
    rng = np.random.default_rng(1)
    cause = rng.normal(size=500)
    x, y = cause + rng.normal(size=500), cause + rng.normal(size=500)
    plain = partial_spearman(x[:, None], y, np.empty((500, 0)), np.arange(500))
    given_cause = partial_spearman(x[:, None], y, stats.rankdata(cause)[:, None], np.arange(500))
    assert plain[0][0] > 0.4
    assert abs(given_cause[0][0]) < 0.12


def test_partial_spearman_of_a_constant_is_unknown():
    rho, p = partial_spearman(np.ones((20, 1)), np.arange(20.0), np.empty((20, 0)), np.arange(20))
    assert np.isnan(rho[0])
    assert np.isnan(p[0])


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_spearman_within_ignores_shifts_between_groups(seed):
    rng = np.random.default_rng(seed)
    groups = np.repeat([0, 1, 2], 20)
    x, y = rng.normal(size=60), rng.normal(size=60)
    shifted = spearman_within(x + 100 * groups, y - 50 * groups, groups)
    assert shifted == pytest.approx(spearman_within(x, y, groups))


def test_spearman_within_of_constant_predictions_is_unknown():
    assert np.isnan(spearman_within(np.zeros(20), np.arange(20.0), np.zeros(20)))
