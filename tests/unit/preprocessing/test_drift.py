"""Drift that was planted is recovered and taken back; none is found where there is none."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from tests.unit.preprocessing.test_flat_field import SIZE, vignette

from cineseq.preprocessing.drift import estimate_drift, padded_margins, shift_back


def drifting(rng: np.random.Generator, offsets: np.ndarray, noise: float) -> list[np.ndarray]:
    margin = 40
    y, x = np.mgrid[: SIZE + 2 * margin, : SIZE + 2 * margin]
    scene = np.zeros(y.shape)
    for cy, cx in rng.uniform(0, len(scene), (80, 2)):
        scene += np.hypot(y - cy, x - cx) < 8
    planes = []
    for dy, dx in offsets:
        window = scene[margin - dy :, margin - dx :][:SIZE, :SIZE]
        planes.append((500 * window + 100) * vignette() + rng.normal(0, noise, (SIZE, SIZE)))
    return planes


def test_drift_is_recovered_and_taken_back():
    offsets = np.array([[0, 0], [2, -1], [5, -3], [7, -3], [3, 4], [-9, 12]])
    planes = drifting(np.random.default_rng(3), offsets, 20)
    drift = estimate_drift(planes)
    np.testing.assert_array_equal(drift.offsets, offsets)
    assert drift.doubted == ()
    back = shift_back(planes[-1], drift.offsets[-1])
    inner = np.s_[20:-20, 20:-20]
    assert np.corrcoef(back[inner].ravel(), planes[0][inner].ravel())[0, 1] > 0.95


def test_small_steps_add_up_without_rounding_error():
    rng = np.random.default_rng(4)
    scene = ndimage.gaussian_filter(rng.normal(size=(SIZE, SIZE)), 4)
    planes = [ndimage.shift(scene, (0.3 * t, 0), mode="grid-wrap") for t in range(21)]
    assert tuple(estimate_drift(planes).offsets[-1]) == (6, 0)


def test_no_drift_is_found_where_there_is_none():
    planes = drifting(np.random.default_rng(5), np.zeros((5, 2), int), 50)
    assert not estimate_drift(planes).offsets.any()


def test_black_frames_do_not_move():
    planes = [np.zeros((30, 30))] * 3
    assert not estimate_drift(planes).offsets.any()


def test_unbelievable_steps_are_doubted():
    rng = np.random.default_rng(6)
    scene = ndimage.gaussian_filter(rng.normal(size=(64, 64)), 2)
    drift = estimate_drift([scene, np.roll(scene, 30, axis=0), np.roll(scene, 31, axis=0)])
    assert drift.doubted == (1,)
    assert drift.offsets.tolist() == [[0, 0], [0, 0], [1, 0]]


@given(st.integers(-12, 12), st.integers(-12, 12))
def test_shift_back_is_the_inverse_inside(dy, dx):
    plane = np.arange(200, dtype=np.uint16).reshape(10, 20)
    moved = shift_back(shift_back(plane, np.array([dy, dx])), np.array([-dy, -dx]))
    inside = np.s_[abs(dy) : 10 - abs(dy), abs(dx) : 20 - abs(dx)]
    np.testing.assert_array_equal(moved[inside], plane[inside])
    assert moved.dtype == plane.dtype


def test_shift_back_pads_with_the_median():
    plane = np.full((4, 4), 7, np.uint8)
    plane[1, 1] = 200
    moved = shift_back(plane, np.array([1, 1]))
    assert moved[0, 0] == 200
    assert (moved[3] == 7).all()


def test_margins():
    offsets = np.array([[0, 0], [2, -1], [-3, 4]])
    assert padded_margins(offsets) == {"top": 3, "bottom": 2, "left": 1, "right": 4}
