"""Jackknife-t intervals: the mean by hand, ratios, groups that do not count, and coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from cineseq.statistics.jackknife import FEWEST_GROUPS, group_sums, jackknife_ratio, jackknife_t

NUMBERS = st.lists(st.floats(-100, 100), min_size=FEWEST_GROUPS, max_size=20)


@given(NUMBERS)
def test_of_a_mean_it_is_the_interval_of_student(values):
    values = np.array(values)
    if np.ptp(values) < 1e-3:
        return
    found = jackknife_ratio(values, np.ones(len(values)))
    expected = ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert np.allclose(found.interval(0.95), [expected.low, expected.high])
    assert found.upper_end(0.975) == pytest.approx(expected.high)
    assert found.upper_end(0.95) < found.interval(0.95)[1]


def test_two_ratios_at_once_and_a_group_that_holds_nothing():
    above = np.array([[1.0, 0.0], [2, 1], [3, 5], [1, 2], [0, 1], [2, 2], [1, 3]])
    below = np.array([[2.0, 0.0], [4, 2], [4, 6], [3, 4], [2, 2], [5, 4], [2, 4]])
    found = jackknife_ratio(above, below)
    assert found.estimate == pytest.approx([10 / 22, 14 / 22])
    assert found.groups.tolist() == [7, 6]
    without = np.array([(14 - a) / (22 - b) for a, b in zip(above[1:, 1], below[1:, 1], strict=True)])
    error = np.sqrt(5 / 6 * ((without - without.mean()) ** 2).sum())
    assert found.error[1] == pytest.approx(error)
    assert found.interval(0.9)[0][1] == pytest.approx(14 / 22 - student.ppf(0.95, 5) * error)


def test_there_is_no_interval_from_five_groups():
    found = jackknife_ratio(np.arange(5.0), np.ones(5))
    assert found.estimate == 2
    assert np.isnan([*found.interval(), found.upper_end()]).all()
    assert np.isfinite(jackknife_ratio(np.arange(6.0), np.ones(6)).error)


def test_there_is_no_interval_where_an_estimate_hangs_on_one_group():
    only_one_varies = jackknife_ratio(np.array([1.0, 0, 0, 0, 0, 0]), np.array([2.0, 0, 0, 0, 0, 0]))
    assert only_one_varies.estimate == 0.5
    assert np.isnan(only_one_varies.error)
    assert np.isnan(jackknife_t(1.0, np.array([1.0, 1, 1, 1, 1, np.nan])).error)


def test_sums_within_groups():
    assert group_sums(np.array([[1.0, 2], [3, 4], [5, 6]]), np.array([1, 0, 1])).tolist() == [[3, 4], [6, 8]]


def test_it_covers_a_ratio_of_groups_of_unequal_size():
    rng = np.random.default_rng(0)
    sizes = np.repeat([10.0, 20, 30, 40], 5)
    below = sizes * rng.gamma(20, 1 / 20, size=(2000, 20))
    above = (0.3 * below + np.sqrt(sizes) * rng.normal(size=below.shape)).T
    low, high = jackknife_ratio(above, below.T).interval()
    assert 0.92 <= np.mean((low <= 0.3) & (high >= 0.3)) <= 0.97
