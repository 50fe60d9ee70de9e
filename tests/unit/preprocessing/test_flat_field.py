"""The flat field recovers the illumination that was planted, and is flat where light is even."""

import numpy as np
import pytest
from scipy import ndimage

from cineseq.preprocessing.flat_field import estimate_profile, flatten

SIZE = 240


def field_with_cells(rng: np.random.Generator, cells: int = 60) -> np.ndarray:
    """Light of bright discs of 16 px on an even background of 1, shape (SIZE, SIZE)."""
    y, x = np.mgrid[:SIZE, :SIZE]
    light = np.ones((SIZE, SIZE))
    for cy, cx in rng.uniform(0, SIZE, (cells, 2)):
        light += 3 * (np.hypot(y - cy, x - cx) < 8)
    return ndimage.gaussian_filter(light, 1)


def vignette() -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    profile = 1 - 0.2 * (x - 0.2) ** 2 - 0.15 * y**2
    return profile / profile.mean()


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_flat_field_recovers_the_illumination(offset):
    rng = np.random.default_rng(1)
    planes = [offset + rng.poisson(200 * vignette() * field_with_cells(rng)) for _ in range(12)]
    profile = estimate_profile(planes, offset)
    assert np.abs(profile - vignette()).max() < 0.03
    light = field_with_cells(rng)
    flat = flatten(offset + 200 * vignette() * light, profile, offset)
    np.testing.assert_allclose((flat - offset) / 200, light, rtol=0.04)


def test_flat_field_of_even_light_is_flat():
    rng = np.random.default_rng(2)
    planes = [rng.poisson(200 * field_with_cells(rng)) for _ in range(12)]
    assert np.abs(estimate_profile(planes) - 1).max() < 0.02


def test_flat_field_without_light_changes_nothing():
    assert (estimate_profile([np.zeros((40, 50))]) == 1).all()


def test_flatten_rounds_and_clips_integers():
    plane = np.array([[10, 65000]], np.uint16)
    np.testing.assert_array_equal(flatten(plane, np.array([[0.8, 0.9]])), np.array([[12, 65535]], np.uint16))
    np.testing.assert_array_equal(flatten(plane, np.array([[0.5, 1.0]]), 10), plane)
