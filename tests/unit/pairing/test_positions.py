"""Which compartment a point lies in, and aligning two maps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cineseq.pairing.positions import Circles, align, locate, posterior


def circles(*rows: tuple[float, float, float]) -> Circles:
    table = np.array(rows, dtype=float)
    return Circles(table[:, :2], table[:, 2])


def grid(side: int = 6, pitch: float = 50.0, radius: float = 20.0) -> Circles:
    axis = np.arange(side) * pitch
    centres = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    return Circles(centres, np.full(len(centres), radius))


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


def test_alignment_undoes_a_shift_and_a_small_scaling() -> None:
    target = grid()
    rng = np.random.default_rng(1)
    keep = rng.permutation(len(target.centres))[:25]
    points = (target.centres[keep] - 100) * 1.03 + 100 + [6, -9] + rng.normal(0, 0.7, (25, 2))
    points[:2] = [[-200, -200], [500, 500]]  # two that are no barcodes of this field
    found = align(points, target, 0.8)
    assert found.aligned == pytest.approx(23 / 25)
    assert found.residual < 1.5
    nearest = target.nearest(found.points[2:])[0][:, 0]
    assert nearest.tolist() == keep[2:].tolist()


def test_alignment_of_unrelated_points_is_poor() -> None:
    points = np.random.default_rng(0).uniform(0, 250, (40, 2))
    assert align(points, grid(radius=12.0), 0.8).aligned < 0.5


def test_alignment_reports_shifts_in_pitches() -> None:
    target = grid()
    assert align(target.centres + np.array([10, 0]), target, 0.8).shift == pytest.approx(0.2, abs=0.01)


def test_posterior_is_sure_at_a_centre_and_even_between_two() -> None:
    two = circles((0, 0, 10), (0, 20, 10))
    np.testing.assert_allclose(posterior(np.array([[0, 0], [0, 10]], float), two, 2.0), [1.0, 0.5], atol=1e-6)
