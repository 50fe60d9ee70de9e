"""The calibration of links: fitted constants give back the share of right links."""

import numpy as np
import pytest
from bench_calibration import Links, curve, fit

from cineseq.tracking.decision import calibrated


def movie(slope: float, up: float, seed: int) -> Links:
    """Return links whose probability is too sure: right as often as a flatter curve says."""
    rng = np.random.default_rng(seed)
    probability = 1 / (1 + np.exp(-rng.normal(9, 5, 4_000)))
    true = calibrated(probability, 0.0, slope=slope, up=up, fall=0.0)
    return Links(probability, rng.random(4_000) < true)


def test_the_curve_that_made_the_links_is_found() -> None:
    found = fit([[movie(0.3, 0.5, seed) for seed in range(3)]])
    assert found[0] == pytest.approx(0.3, abs=0.04)
    new = movie(0.3, 0.5, 9)
    assert new.error(curve(found, new)) < 0.02 < new.error(new.probability)


def test_the_error_of_a_confidence_is_its_mean_distance_from_the_share_that_is_right() -> None:
    links = Links(np.full(10, 0.9), np.arange(10) < 6)
    assert links.error(np.full(10, 0.9)) == pytest.approx(0.3)
    assert links.error(np.full(10, 0.6)) == pytest.approx(0.0)
