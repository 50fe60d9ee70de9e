"""Tracks that a table of points states are kept, and the other points are tracked around them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cineseq as cs
from cineseq.errors import UserError

FAR = 80.0


def line(frames: range, y: float, x: float, track: object = None, step: float = 1.0) -> pd.DataFrame:
    """Return a cell that moves down its column."""
    number = np.array(frames)
    return pd.DataFrame({"frame": number, "y_px": y + step * number, "x_px": x, "track_id": track})


def tracked(*cells: pd.DataFrame, **options: object) -> pd.DataFrame:
    """Track cells and return the found track beside the stated one of every point."""
    points = pd.concat(cells, ignore_index=True)
    found = cs.track(points, **options).detections
    return found.merge(points.rename(columns={"track_id": "stated"}), on=["frame", "y_px", "x_px"])


def test_points_without_a_track_continue_a_known_one():
    found = tracked(line(range(4), 10, 10, "a"), line(range(4, 9), 10, 10), line(range(9), 10, FAR))
    assert found.groupby("x_px")["track_id"].nunique().tolist() == [1, 1]
    assert found["track_id"].nunique() == 2


def test_points_of_two_tracks_are_two_cells_though_one_seems_to_continue_the_other():
    found = tracked(line(range(4), 10, 10, "a"), line(range(4, 6), 10, 10), line(range(6, 9), 10, 10, "b"))
    assert found.groupby("frame")["track_id"].first().nunique() == 2
    cut = found.sort_values("frame")["track_id"].tolist()
    assert cut == [cut[0]] * 6 + [cut[-1]] * 3, "it is cut before the later known track"


def test_a_known_track_may_go_where_tracking_would_not():
    swapped = [line(range(5), 10, 10, "a"), line(range(5, 9), 10, FAR, "a")]
    other = [line(range(5), 10, FAR, 7), line(range(5, 9), 10, 10, 7)]
    found = tracked(*swapped, *other, line(range(9), 10, 2 * FAR))
    assert found.groupby(found["stated"].astype(str))["track_id"].nunique().tolist() == [1, 1, 1]
    assert found["track_id"].nunique() == 3


def test_a_gap_of_a_known_track_is_filled_as_tracking_has_it():
    found = tracked(line(range(3), 10, 10, 1), line(range(3, 5), 10, 10), line(range(5, 8), 10, 10, 1))
    assert set(found["track_id"]) == {"sample/1/1"}
    away = tracked(line(range(3), 10, 10, 1), line(range(20, 23), 10, 10, 1), line(range(23), 10, FAR))
    assert away["track_id"].nunique() == 2, "longer than any gap that tracking closes"


@pytest.mark.parametrize(("ids", "numbers"), [((3, 7), {3, 7}), ((0, 7), {1, 8}), (("a/1", "a/2"), {1, 2})])
def test_if_all_points_are_in_tracks_these_are_the_tracks(ids, numbers):
    mother, daughters = line(range(4), 10, 40, ids[0]), [line(range(4, 8), 10, 40 + x) for x in (-3, 3)]
    kept = cs.track(pd.concat([mother.assign(track_id=ids[0]), daughters[0].assign(track_id=ids[1])]))
    assert set(kept.tracks["number"]) == numbers
    assert kept.tracks["parent_id"].isna().all()
    assert set(kept.tracks["end_kind"]) == {"lost", "end_of_movie"}


@pytest.mark.parametrize("none", ["", "NA", -1, None, np.nan])
def test_words_for_no_track(none):
    found = tracked(line(range(5), 10, 10, none), line(range(5), 10, FAR, none))
    assert found.groupby("x_px")["track_id"].nunique().tolist() == [1, 1]


def test_a_cell_in_two_places_is_refused():
    both = pd.concat([line(range(3), 10, 10, 5), line(range(2, 4), 10, 30, 5)])
    with pytest.raises(UserError, match=r"points: track_id 5 has two points in frame 2; .* leave it empty where"):
        cs.track(both)


@pytest.mark.parametrize("alone", [True, False])
def test_a_known_track_through_a_wall_is_refused(alone):
    well = pd.DataFrame(
        {"compartment_id": "w", "y_px": [12.0], "x_px": 10.0, "radius_px": 8.0, "closed_frame": pd.array([0], "Int64")}
    )
    cells = [line(range(3), 10, 10, 1), line(range(3, 6), 10, FAR, 1), *([] if alone else [line(range(6), 50, FAR)])]
    with pytest.raises(
        UserError, match=r"points: track_id links y 12\.0, x 10\.0 in frame 2 with .* x 80\.0 in frame 3"
    ):
        cs.track(pd.concat(cells), compartments=well)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0.5, 6))
def test_known_tracks_hold_in_any_crowd(seed: int, stated: float, step: float):
    draw = np.random.default_rng(seed)
    places = draw.uniform(0, 60, (12, 2)) + np.cumsum(draw.normal(0, step, (6, 12, 2)), axis=0)
    frame, cell = (a.ravel() for a in np.mgrid[:6, :12])
    known = np.where(draw.random(72) < stated, draw.permutation(12)[cell], -1)
    points = pd.DataFrame({"frame": frame, "y_px": places[..., 0].ravel(), "x_px": places[..., 1].ravel()})
    points = points.assign(track_id=known, label=cell + 1)[draw.random(72) < 0.9]
    result = cs.track(points, frames=6)
    found = result.detections.merge(points.rename(columns={"track_id": "known"}), on=["frame", "label"])
    assert len(found) == len(points)
    held = found[found["known"] >= 0]
    pairs = held[["known", "track_id"]].drop_duplicates()
    assert pairs["known"].is_unique
    assert pairs["track_id"].is_unique
    assert not found.duplicated(["frame", "track_id"]).any()
    assert result.tracks["parent_id"].value_counts().isin([2]).all()
