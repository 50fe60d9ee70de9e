"""Saturation is told from the pile of pixels at the highest level, wherever that level lies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cineseq.io.grey_levels import Levels, saturated_level


def photograph(seed: int, limit: float = np.inf) -> np.ndarray:
    """Return bright cells on a dim noisy background, cut off at a level."""
    rng = np.random.default_rng(seed)
    light = np.full((200, 250), 150.0)
    yy, xx = np.mgrid[:200, :250]
    for _ in range(12):
        y, x, bright = rng.uniform(0, 200), rng.uniform(0, 250), rng.uniform(500, 6000)
        light += bright * np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / 150)
    return np.minimum(rng.normal(light, 5 + 0.02 * light).round().clip(0), limit)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99),
    bits=st.integers(0, 4),
    offset=st.integers(0, 120),
    planes=st.integers(1, 3),
    kind=st.sampled_from([np.uint16, np.float32]),
)
def test_the_share_is_the_same_however_the_data_are_stored(
    seed: int, bits: int, offset: int, planes: int, kind: type
) -> None:
    film = [photograph(seed + i, 4095) for i in range(planes)]
    true = float(np.mean([plane == 4095 for plane in film]))
    levels = Levels()
    for plane in film:
        levels.add(((plane * 2**bits - offset).clip(0)).astype(kind))
    found = levels.saturated()
    assert true > 0.001
    assert found == (4095 * 2**bits - offset, pytest.approx(true))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), scale=st.floats(0.05, 8))
def test_a_picture_that_is_not_cut_off_is_not_saturated(seed: int, scale: float) -> None:
    plane = (photograph(seed) * scale).round()
    if plane.max() in (255, 1023, 4095, 16383, 65535):
        return
    assert saturated_level(plane.astype(np.float32)) is None
    assert saturated_level(plane.clip(0, 65534).astype(np.uint16)) is None or plane.max() > 65534


@pytest.mark.parametrize("plane", [np.full((9, 9), 7), np.arange(81).reshape(9, 9), np.eye(50) * 90, np.zeros((0, 3))])
def test_drawings_of_few_levels_are_not_saturated(plane: np.ndarray) -> None:
    assert saturated_level(plane) is None


def test_cells_that_are_all_cut_off_are_saturated() -> None:
    plane = np.random.default_rng(0).normal(100, 5, (80, 80)).round()
    plane[20:30, 20:40] = 3995
    assert saturated_level(plane) == 3995


def test_fractions_pile_up_too() -> None:
    plane = photograph(3, 4000) / 7
    assert saturated_level(plane) == pytest.approx(4000 / 7)
    assert saturated_level(photograph(3) / 7) is None
    assert saturated_level(plane - 100) == pytest.approx(4000 / 7 - 100)
