"""Which compartment a point lies in, and aligning two maps."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cineseq.pairing.positions import Circles, locate


def circles(*rows: tuple[float, float, float]) -> Circles:
    table = np.array(rows, dtype=float)
    return Circles(table[:, :2], table[:, 2])


def test_inside_outside_and_on_the_wall() -> None:
    places = locate(np.array([[0, 3], [0, 10.5], [0, 12], [0, 95]], float), circles((0, 0, 10), (0, 100, 10)), 0.1)
    assert places.compartment.tolist() == [0, -1, -1, 1]
    assert places.ambiguous.tolist() == [False, True, False, False]
    assert places.touched.tolist() == [[-1, -1], [0, -1], [-1, -1], [-1, -1]]
    np.testing.assert_allclose(places.distance, [3, np.nan, np.nan, 5])


def test_between_two_touching_compartments_is_ambiguous() -> None:
    places = locate(np.array([[0, 9.8], [0, 5]], float), circles((0, 0, 10), (0, 20, 10)), 0.1)
    assert places.compartment.tolist() == [-1, 0]
    assert sorted(places.touched[0]) == [0, 1]


def test_the_nearer_wall_counts_not_the_nearer_centre() -> None:
    places = locate(np.array([[0, 40.0]]), circles((0, 0, 50), (0, 60, 10)), 0.1)
    assert places.compartment.tolist() == [0]


def test_no_compartments_and_no_points() -> None:
    assert locate(np.zeros((2, 2)), Circles(np.empty((0, 2)), np.empty(0)), 0.1).compartment.tolist() == [-1, -1]
    assert locate(np.empty((0, 2)), circles((0, 0, 1)), 0.1).compartment.tolist() == []


@given(st.integers(1, 25), st.integers(0, 2**32 - 1), st.floats(0, 0.5))
@settings(max_examples=60, deadline=None)
def test_a_located_point_is_inside_and_never_also_ambiguous(count: int, seed: int, tolerance: float) -> None:
    rng = np.random.default_rng(seed)
    some = Circles(rng.uniform(0, 100, (count, 2)), rng.uniform(3, 20, count))
    points = rng.uniform(-20, 120, (40, 2))
    places = locate(points, some, tolerance)
    distance = np.linalg.norm(points[:, None] - some.centres, axis=-1)
    placed = places.compartment >= 0
    assert not (placed & places.ambiguous).any()
    assert (distance[placed, places.compartment[placed]] <= some.radii[places.compartment[placed]]).all()
    nowhere = ~placed & ~places.ambiguous
    assert (distance[nowhere] > some.radii).all()


@given(st.integers(33, 80), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_nearest_walls_are_found_among_many_compartments_of_any_size(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    some = Circles(rng.uniform(0, 100, (count, 2)), rng.uniform(0.5, 30, count))
    points = rng.uniform(-20, 120, (20, 2))
    distance = np.linalg.norm(points[:, None] - some.centres, axis=-1)
    outside = np.sort((distance - some.radii) / some.radii, axis=1)[:, :4]
    which, found, walls = some.nearest(points)
    np.testing.assert_allclose(walls, outside, atol=1e-9)
    np.testing.assert_allclose(found, np.take_along_axis(distance, which, axis=1), atol=1e-9)
