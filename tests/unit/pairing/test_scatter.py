"""The mixture of barcodes of compartments and stray ones."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from cineseq.pairing.scatter import Scatter, fit_scatter, nearest, own_probability

CENTRES = np.stack(np.meshgrid(np.arange(20) * 50.0, np.arange(20) * 50.0), -1).reshape(-1, 2)


def drawn(seed: int, spread: float, missing: float, stray: int) -> tuple[np.ndarray, np.ndarray]:
    """Return barcodes and their compartments, -1 for stray ones."""
    rng = np.random.default_rng(seed)
    own = np.flatnonzero(rng.random(400) >= missing)
    points = CENTRES[own] + rng.normal(0, spread, (len(own), 2))
    return np.concatenate([points, rng.uniform(-50, 1000, (stray, 2))]), np.concatenate([own, np.full(stray, -1)])


@pytest.mark.parametrize(("spread", "missing", "stray"), [(3.0, 0.05, 80), (8.0, 0.2, 80), (8.0, 0.1, 0)])
def test_planted_mixture_is_recovered(spread: float, missing: float, stray: int) -> None:
    points, _ = drawn(0, spread, missing, stray)
    fit = fit_scatter(nearest(points, cKDTree(CENTRES))[0], 400, 1050.0**2, 50.0)
    assert fit.spread == pytest.approx(spread, rel=0.08)
    assert fit.own == pytest.approx(1 - missing, abs=0.05)
    assert fit.stray * 1050**2 == pytest.approx(stray, abs=16)


def test_probability_of_a_barcode_that_is_alone_is_the_fraction_that_is_right() -> None:
    """A fifth of the barcodes is missing and a fifth is stray, over 20 fields."""
    said, right = [], []
    for seed in range(20):
        points, origin = drawn(seed, 8.0, 0.2, 80)
        distance, which = nearest(points, cKDTree(CENTRES))
        fit = fit_scatter(distance, 400, 1050.0**2, 50.0)
        whatever, alone = own_probability(distance, np.full(len(points), 16.0), fit)
        accepted = (distance[:, 0] <= 16) & (whatever >= 0.5)
        single = accepted & (np.bincount(which[accepted, 0], minlength=400)[which[:, 0]] == 1)
        said.append(alone[single])
        right.append((origin == which[:, 0])[single])
    assert np.concatenate(said).mean() == pytest.approx(np.concatenate(right).mean(), abs=0.008)
    assert np.concatenate(right).mean() < 0.98


def test_a_point_far_away_is_a_stranger_and_one_between_two_is_either() -> None:
    scatter = Scatter(spread=4.0, own=0.9, stray=1e-12)
    whatever, _ = own_probability(np.array([[0.0, 50.0], [25.0, 25.0], [200.0, 250.0]]), np.full(3, 16.0), scatter)
    np.testing.assert_allclose(whatever, [1, 0.5, 0], atol=0.05)
