"""Aligning a map of barcodes to compartments: which shift is right, and how sure that is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cineseq.pairing.alignment import align, pitch_of
from cineseq.pairing.positions import Circles
from cineseq.pairing.shifts import Contents, Extent, probabilities

PITCH = 50.0
HALF = np.array([PITCH / 2, 0])


def grid(side: int = 6, pitch: float = PITCH, radius: float = 20.0) -> Circles:
    axis = np.arange(side) * pitch
    centres = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    return Circles(centres, np.full(len(centres), radius))


def image(side: int = 6, rim: float = 1.5, pitch: float = PITCH) -> Extent:
    """Return an image that shows so many pitches beyond the array."""
    return Extent(np.full(2, -rim * pitch), np.full(2, (side - 1 + rim) * pitch))


def occupied(circles: Circles, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return 0 to 2 cells per compartment, and counts that follow them."""
    rng = np.random.default_rng(seed)
    cells = rng.choice(3, len(circles.centres), p=[0.2, 0.6, 0.2])
    return cells, np.round(100 + cells * np.exp(rng.normal(8, 0.4, len(cells))))


def test_alignment_undoes_a_shift_and_a_small_scaling() -> None:
    target = grid()
    rng = np.random.default_rng(1)
    keep = rng.permutation(len(target.centres))[:25]
    points = (target.centres[keep] - 100) * 1.03 + 100 + [6, -9] + rng.normal(0, 0.7, (25, 2))
    points[:2] = [[-200, -200], [500, 500]]  # two that are no barcodes of this field
    found = align(points, target, 0.8)
    assert found.aligned == pytest.approx(23 / 25)
    assert found.residual < 1.5
    assert found.nearest[2:].tolist() == keep[2:].tolist()
    # Stray ones belong to no compartment, the others to theirs.
    assert found.certainty[0][:2].max() < 1e-6
    assert found.certainty[0][2:].min() > 0.95


def test_points_that_are_anywhere_fit_no_shift() -> None:
    points = np.random.default_rng(0).uniform(0, 250, (40, 2))
    found = align(points, grid(radius=12.0), 0.8)
    assert found.aligned < 0.5
    assert found.probability < 0.9


def test_shifts_are_in_pitches_along_y_and_x() -> None:
    target = grid()
    found = align(target.centres + np.array([10, -5]), target, 0.8)
    np.testing.assert_allclose(found.step, [-0.2, 0.1], atol=0.01)
    assert found.shift == pytest.approx(np.hypot(0.2, 0.1), abs=0.01)


@pytest.mark.parametrize("steps", [(1, 0), (0, -1), (1, 1), (-2, 0)])
def test_a_shift_by_whole_pitches_is_undone_where_the_image_shows_the_edges(steps: tuple[int, int]) -> None:
    target = grid()
    shift = np.multiply(steps, PITCH)
    rng = np.random.default_rng(2)
    found = align(target.centres + shift + rng.normal(0, 3, (36, 2)), target, 0.8, window=image(rim=3.5))
    np.testing.assert_allclose(found.step, np.negative(steps), atol=0.05)
    assert found.probability > 0.99
    assert found.nearest.tolist() == list(range(36))


def test_a_full_array_without_edges_fits_several_shifts_alike() -> None:
    target = grid()
    found = align(target.centres, target, 0.8, window=image(rim=0.5))
    assert found.probability < 0.8
    assert np.hypot(*found.next_step) == pytest.approx(1, abs=0.01)
    # That the maps are in register can be known, and is then a setting.
    assert align(target.centres, target, 0.8, window=image(rim=0.5), furthest=0.5).probability > 0.99


def test_cells_and_counts_tell_the_shift_of_an_array_without_edges() -> None:
    target, rng = grid(10), np.random.default_rng(3)
    cells, counts = occupied(target, 4)
    points = target.centres + rng.normal(0, 3, (100, 2))
    # Each barcode is one row further than its compartment; those in the first row are of compartments not on the map.
    further = np.concatenate([rng.permutation(counts)[:10], counts[:90]])
    found = align(points, target, 0.8, window=image(10, rim=0.5), contents=Contents(cells, further))
    np.testing.assert_allclose(found.step, [-1, 0], atol=0.05)
    assert found.probability > 0.95
    # Counts that have nothing to do with the cells leave it open.
    mixed = Contents(cells, rng.permutation(counts))
    assert align(points, target, 0.8, window=image(10, rim=0.5), contents=mixed).probability < 0.95


def test_one_empty_row_of_compartments_tells_the_shift_along_it_only() -> None:
    target = grid()
    kept = np.flatnonzero(target.centres[:, 0] != 2 * PITCH)
    found = align(target.centres[kept] + [PITCH, 0], Circles(target.centres[kept], target.radii[kept]), 0.8)
    np.testing.assert_allclose(found.step, [-1, 0], atol=0.02)
    assert found.next_step[0] == pytest.approx(-1, abs=0.02)
    assert found.probability < 0.95


def test_a_shift_by_half_a_pitch_is_one_of_two() -> None:
    target = grid()
    found = align(target.centres + HALF, target, 0.8, window=image(rim=2.0))
    np.testing.assert_allclose(found.step, [-0.5, 0], atol=0.02)
    assert found.probability > 0.95
    assert align(target.centres + HALF, target, 0.8, window=image(rim=0.5)).probability < 0.95


def test_barcodes_at_one_place_and_single_ones_are_no_error() -> None:
    target = grid()
    assert align(np.zeros((30, 2)), target, 0.8).points.shape == (30, 2)
    assert 0 <= align(np.array([[51.0, 99.0]]), target, 0.8).probability <= 1
    alone = Circles(np.array([[5.0, 5.0]]), np.array([3.0]))
    assert align(np.array([[6.0, 5.0]]), alone, 0.8).aligned == 1.0


@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.floats(-1000, 1000), st.floats(-1000, 1000))
@settings(max_examples=25, deadline=None)
def test_order_and_origin_do_not_matter(seed: int, count: int, down: float, right: float) -> None:
    rng = np.random.default_rng(seed)
    target = grid(7)
    points = target.centres[rng.permutation(49)[: min(count, 49)]] + rng.normal(0, 4, (min(count, 49), 2))
    counts = rng.uniform(1, 100, len(points))
    contents = Contents(rng.integers(0, 3, 49), counts)
    found = align(points, target, 0.8, window=image(7), contents=contents)
    # Barcodes and compartments in another order, and both maps from another origin.
    order, mixed, origin = rng.permutation(len(points)), rng.permutation(49), np.array([down, right])
    other = align(
        points[order] + origin,
        Circles(target.centres[mixed] + origin, target.radii),
        0.8,
        window=Extent(image(7).low + origin, image(7).high + origin),
        contents=Contents(contents.occupancy[mixed], counts[order]),
    )
    assert 0 <= found.probability <= 1
    for alone_or_not in found.certainty:
        assert ((alone_or_not >= 0) & (alone_or_not <= 1)).all()
    if len(points) < 12:  # without an affine map, which is fitted to samples drawn in order
        np.testing.assert_allclose(other.probability, found.probability, atol=0.02)
        if found.probability > 0.9:
            np.testing.assert_allclose(other.points, found.points[order] + origin, atol=0.05)


@given(st.lists(st.tuples(st.floats(-200, 200), st.floats(-200, 200)), min_size=1, max_size=30), st.randoms())
@settings(max_examples=50, deadline=None)
def test_probabilities_of_shifts_sum_to_less_than_one(steps: list[tuple[float, float]], random: object) -> None:
    rng = np.random.default_rng(random.getrandbits(32))  # type: ignore[attr-defined]
    chance, _ = probabilities(
        np.array(steps), rng.normal(0, 20, len(steps)), rng.normal(0, 5, len(steps)), float(rng.normal(0, 20)), PITCH
    )
    assert (chance >= 0).all()
    assert chance.sum() <= 1 + 1e-9


@pytest.mark.parametrize(
    "circles",
    [
        Circles(np.array([[5.0, 5.0]]), np.array([np.inf])),  # the only cell of an open culture
        Circles(np.full((3, 2), 5.0), np.zeros(3)),  # cells at one place
    ],
)
def test_compartments_without_a_pitch_are_not_aligned(circles: Circles) -> None:
    points = np.array([[6.0, 5.0], [400.0, 5.0]])
    found = align(points, circles, 0.8, window=image())
    np.testing.assert_array_equal(found.points, points)
    assert np.isnan([found.probability, found.aligned, found.shift, *found.next_step]).all()
    assert np.isnan(found.certainty).all()


def test_a_single_compartment_of_known_size_takes_the_barcode_that_lies_in_it() -> None:
    alone = Circles(np.array([[5.0, 5.0]]), np.array([3.0]))
    found = align(np.array([[6.0, 5.0], [90.0, 90.0]]), alone, 0.8, furthest=0.5)
    assert found.aligned == 0.5
    assert found.certainty[0][1] < 0.01 < found.certainty[0][0]


def test_compartments_that_are_listed_twice_do_not_change_the_pitch() -> None:
    assert pitch_of(Circles(np.tile(grid().centres, (2, 1)), np.full(72, 20.0))) == PITCH
