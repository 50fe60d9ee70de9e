"""Rank correlation given covariates and within groups: literal values and invariants."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cineseq.statistics.correlation import partial_spearman, spearman_within
from cineseq.statistics.position import Place


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


def test_partial_spearman_of_two_bowls_is_nothing_where_their_positions_are_known():
    """Both follow one bowl of all fields and planes of each; cells of a field are not independent."""
    field, called = np.repeat(np.arange(8), 25), {True: [], False: []}
    design = np.eye(8)[field]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        position = rng.uniform(-1, 1, (200, 2))
        bowl, slopes = np.square(position).sum(axis=1), rng.normal(size=(2, 8, 2))
        x, y = (2 * bowl + (position * slope[field]).sum(axis=1) + rng.normal(size=200) for slope in slopes)
        x = np.column_stack([x, y + 2 * rng.normal(size=200)])
        for known in (True, False):
            place = Place(position, field) if known else None
            called[known].append(partial_spearman(x, y, design, np.arange(200), place)[1] <= 0.05)
    of_bowl, of_value = np.mean(called[True], axis=0)
    assert of_bowl <= 0.2
    assert of_value >= 0.8
    assert np.mean(called[False], axis=0)[0] >= 0.8


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
