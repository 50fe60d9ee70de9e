"""Labels of any size are measured as small ones are, in memory that goes with the pixels."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage.measure import label as pieces_of

from cineseq.features.regions import typical_radius
from cineseq.features.shape import shape_table as shape_of
from cineseq.io.arrays import as_labels
from cineseq.io.labels import painted, renumbered
from cineseq.tracking.objects import measure

PLANES = arrays.arrays(np.int64, (6, 7), elements=st.sampled_from([0, 0, 1, 2, 5, 41, 10**6, 31_000_002, 2**32 - 1]))


@given(PLANES)
def test_renumbering_keeps_which_pixels_are_one_object_and_their_order(plane):
    small, names = renumbered(plane)
    assert small.max() <= plane.size
    assert names[0] == 0
    np.testing.assert_array_equal(names[small], plane)


@given(PLANES)
def test_small_labels_stay_as_they_are(plane):
    tame = np.minimum(plane, plane.size)
    assert renumbered(tame)[0] is tame


@given(PLANES, st.dictionaries(st.sampled_from([0, 1, 5, 9, 31_000_002, 2**32 - 1]), st.integers(-9, 9)))
def test_an_image_shows_the_value_of_each_known_label(plane, values):
    shown = painted(plane, list(values), np.array(list(values.values()), int), otherwise=-77)
    expected = [[values.get(int(v), -77) if v else -77 for v in row] for row in plane]
    assert shown.tolist() == expected


def stack(first: int, step: int) -> np.ndarray:
    rows, columns = np.mgrid[:40, :50]
    found = np.zeros((3, 40, 50), np.int64)
    for t in range(3):
        for k, (y, x) in enumerate(((10, 10), (10, 35), (30, 20))):
            found[t][(rows - y) ** 2 + (columns - x - t) ** 2 < 20 + 9 * k] = first + step * t + k
    return found


def test_objects_with_huge_labels_are_measured_like_those_with_small_ones():
    small, huge = (measure(as_labels(stack(*numbers))) for numbers in ((1, 0), (31_000_000, 1_000_000)))
    assert huge.table["label"].tolist() == [31_000_000 + 1_000_000 * t + k for t in range(3) for k in range(3)]
    pd.testing.assert_frame_equal(huge.table.drop(columns="label"), small.table.drop(columns="label"))
    pd.testing.assert_frame_equal(huge.overlaps, small.overlaps)
    assert huge.split_labels == small.split_labels == 0


def test_shapes_and_radius_do_not_depend_on_the_numbers():
    small, huge = stack(1, 0)[0], stack(31_000_000, 0)[0]
    assert shape_of(huge, None)["label"].tolist() == [31_000_000, 31_000_001, 31_000_002]
    pd.testing.assert_frame_equal(
        shape_of(huge, None).drop(columns="label"), shape_of(small, None).drop(columns="label")
    )
    assert typical_radius(huge) == typical_radius(small)


@pytest.mark.parametrize(
    "function", [lambda p: measure(as_labels(p[None])), lambda p: shape_of(p, None), typical_radius]
)
def test_memory_goes_with_the_pixels(function):
    plane = stack(2**31, 0)[0]
    function(stack(1, 0)[0])
    tracemalloc.start()
    try:
        function(plane)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    assert pieces_of(plane > 0).max() == 3
