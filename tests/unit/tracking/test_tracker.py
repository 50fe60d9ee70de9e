"""Tracking of points and masks into families: invariants, motion, walls and density."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.tracking.tracking_examples import follow, objects_at

from cineseq.config.tracking import Track
from cineseq.tracking.points import take_points
from cineseq.tracking.tracker import link_objects
from cineseq.tracking.validate import validate

POINTS = st.lists(
    st.tuples(st.integers(0, 5), st.floats(0, 199, width=32), st.floats(0, 199, width=32)), min_size=1, max_size=60
)


@given(POINTS)
@settings(max_examples=25, deadline=None)
def test_any_points_make_a_possible_lineage(points):
    detections, tracks = follow(objects_at(points))
    validate(detections, tracks)
    assert len(detections) == len(points)
    assert "death" not in set(tracks["end_kind"])


def families(tracks: pd.DataFrame, detections: pd.DataFrame) -> set[frozenset[tuple]]:
    place = detections[["frame", "y_px", "x_px"]].round(3).apply(tuple, axis=1)
    return {frozenset(group) for _, group in place.groupby(detections["track_id"])}


@given(st.integers(0, 2**31))
@settings(max_examples=6, deadline=None)
def test_tracks_do_not_depend_on_label_names_or_on_which_way_up_the_image_is(seed):
    rng = np.random.default_rng(seed)
    start = rng.uniform(20, 180, (12, 2))
    path = start[None] + np.cumsum(rng.normal(0, 2, (8, 12, 2)), axis=0)
    seen = rng.random((8, 12)) < 0.9
    rows = [(t, *path[t, i]) for t in range(8) for i in range(12) if seen[t, i]]
    detections, tracks = follow(objects_at(rows))
    shuffled = [rows[i] for i in rng.permutation(len(rows))]
    _, tracks_2 = follow(objects_at(shuffled))
    columns = ["track_id", "start_frame", "end_frame", "start_y_px", "end_kind", "parent_id"]
    pd.testing.assert_frame_equal(tracks[columns], tracks_2[columns])
    flipped = [(t, 199 - y, x) for t, y, x in rows]
    detections_3, tracks_3 = follow(objects_at(flipped))
    detections_3["y_px"] = 199 - detections_3["y_px"]
    assert families(tracks, detections) == families(tracks_3, detections_3)
    assert sorted(tracks["end_kind"]) == sorted(tracks_3["end_kind"])
    assert tracks["parent_id"].notna().sum() == tracks_3["parent_id"].notna().sum()


def moving_lattice(step: np.ndarray, frames: int = 6) -> list[tuple[int, float, float]]:
    yy, xx = np.mgrid[30:170:20, 30:170:20]
    grid = np.c_[yy.ravel(), xx.ravel()] + np.random.default_rng(1).normal(0, 2, (yy.size, 2))
    return [(t, *(p + t * step)) for t in range(frames) for p in grid]


def test_drift_larger_than_half_the_spacing_is_followed():
    rows = moving_lattice(np.array([11.0, 7.0]))
    assert len(follow(objects_at(rows, 400))[1]) == 49
    assert len(follow(objects_at(rows, 400), motion="none", max_gap=0)[1]) > 49


def test_dense_points_never_raise_and_are_linked():
    rng = np.random.default_rng(2)
    start = rng.uniform(0, 8 * np.sqrt(600), (600, 2))
    rows = [(t, *p) for t in range(4) for p in start + rng.normal(0, 0.5, start.shape)]
    detections, tracks = follow(objects_at(rows, 200, area=20.0), search_range_px=20)
    assert len(detections) == 2400
    assert (tracks["frames"] == 4).mean() > 0.95


def test_no_division_crosses_a_wall():
    rows = [(t, 50.0, 50.0) for t in range(3)] + [(t, 50.0, 50.0 + s) for t in range(3, 6) for s in (-6.0, 6.0)]
    objects = objects_at(rows)
    free = link_objects(objects, np.full(9, -1), Track())
    assert len(free.families.parent) == 2
    compartment = np.where(objects.table["x_px"] > 52, 1, 0)
    assert link_objects(objects, compartment, Track()).families.parent == {}


@settings(max_examples=8, deadline=None)
@given(scale=st.sampled_from([1e-4, 0.01, 0.3, 7.0, 100.0]), seed=st.integers(0, 1000))
def test_tracks_of_points_do_not_depend_on_their_unit(scale, seed):
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 200, (12, 2))
    places = start + rng.normal(0, 2, (8, 12, 2)).cumsum(axis=0)
    table = pd.DataFrame(places.reshape(-1, 2), columns=["y_px", "x_px"]).assign(frame=np.repeat(np.arange(8), 12))
    one, other = (
        take_points(table.assign(y_px=k * table["y_px"], x_px=k * table["x_px"])).objects for k in (1.0, scale)
    )
    found = [link_objects(points, np.full(len(points.table), -1), Track()).families for points in (one, other)]
    order = [points.table.sort_values(["frame", "label"]).index for points in (one, other)]
    assert (found[0].number[order[0]] == found[1].number[order[1]]).all()
    assert found[0].parent == found[1].parent
