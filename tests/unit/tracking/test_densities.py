"""Densities learn what the movie shows, and keep their prior where it shows nothing."""

import numpy as np
import pytest
from scipy import stats

from cineseq.tracking.densities import BINS, TAILS_OF_STEPS, Change, Overlap, Rate, Step, log_student


def test_a_change_is_learnt_and_an_empty_movie_leaves_the_prior():
    values = 0.3 + 0.1 * stats.t(4).rvs(5000, random_state=0)
    prior = found = Change.expected(0.0, 0.2)
    for _ in range(20):
        found = found.fitted(values, np.ones(5000))
    assert (found.centre, found.scale) == (pytest.approx(0.3, abs=0.01), pytest.approx(0.1, rel=0.05))
    assert prior.fitted(np.zeros(0), np.zeros(0)) == prior
    assert found.fitted(np.full(5000, 0.3), np.ones(5000)).scale == 0.05


def test_densities_are_those_of_scipy():
    x = np.linspace(-2, 2, 9)
    assert log_student(x, 0.7) == pytest.approx(stats.t(4, scale=0.7).logpdf(x))
    step = Step(2.0, 3.0, (2.0, 10.0))
    joint = stats.multivariate_t(np.zeros(2), 2.0 * np.eye(2), df=3)
    assert step.log_density(np.array([0.0, 4.0])) == pytest.approx(joint.logpdf([[0, 0], [0, 2]]))


@pytest.mark.parametrize("tails", [2.0, 10.0])
def test_the_tails_of_steps_are_learnt(tails):
    steps = stats.multivariate_t(np.zeros(2), 9 * np.eye(2), df=tails).rvs(8000, random_state=1)
    squared = (steps**2).sum(axis=1)
    found = Step(1.0, 4.0, (1.0, 10.0))
    for _ in range(15):
        found = found.fitted(squared, np.ones(8000), TAILS_OF_STEPS)
    assert found.tails == tails
    assert found.variance == pytest.approx(9, rel=0.1)
    assert (np.sqrt(squared) < found.quantile(0.9)).mean() == pytest.approx(0.9, abs=0.01)


def test_overlap_speaks_for_events_that_overlap_more_than_others():
    overlap = np.r_[np.full(200, 0.75), np.full(200, 0.0)]
    learnt = Overlap.unknown().fitted(overlap, np.r_[np.ones(200), np.zeros(200)])
    assert learnt.log_ratio(np.array([0.75]))[0] > 2
    assert learnt.log_ratio(np.array([0.0]))[0] < -2
    # without any event the table says what it said before
    kept = Overlap.unknown().fitted(np.zeros(0), np.zeros(0), learnt)
    assert np.argsort(kept.ratio).tolist() == np.argsort(learnt.ratio).tolist()
    assert len(kept.ratio) == len(BINS)


def test_rates_and_their_intervals():
    rate = Rate.expected(0.02, 0.01, 50).fitted(20.0, 950)
    assert rate.value == pytest.approx((20 + 0.5) / 1000)
    low, high = stats.gamma(20.5, scale=1 / 1000).ppf([0.025, 0.975])
    assert rate.interval == pytest.approx((low, high))
    assert low < rate.value < high
    fixed = Rate.expected(0.02, 0.01, 50, 0.3).fitted(20.0, 950)
    assert (fixed.value, fixed.fixed) == (0.3, True)
