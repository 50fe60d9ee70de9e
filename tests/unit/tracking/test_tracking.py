"""Movies that no tracker likes are tracked to a possible lineage, always the same, or refused in one sentence."""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import cineseq as cs
from cineseq.api.tracking import TrackingResult
from cineseq.errors import UserError

MAX_GAP = 2
SIZE = 80
Movie = np.ndarray | pd.DataFrame


def check_possible(found: TrackingResult, objects: int) -> None:
    """Every object is in one track, tracks have no long gaps, and a cell has two daughters or none."""
    detections, tracks = found.detections, found.tracks.set_index("track_id")
    assert len(detections) == objects
    assert not detections.duplicated(["frame", "label"]).any()
    assert not detections.duplicated(["frame", "track_id"]).any()
    assert set(detections["track_id"]) == set(tracks.index)
    steps = detections.sort_values(["track_id", "frame"]).groupby("track_id")["frame"].diff().dropna()
    assert steps.between(1, MAX_GAP + 1).all()
    seen = detections.groupby("track_id")["frame"].agg(["min", "max", "size"]).loc[tracks.index]
    assert (seen["min"] == tracks["start_frame"]).all()
    assert (seen["max"] == tracks["end_frame"]).all()
    born = tracks[tracks["parent_id"].notna()]
    assert (born["parent_id"].value_counts() == 2).all()
    ends = tracks["end_frame"].loc[born["parent_id"]].to_numpy()
    assert (born["start_frame"].to_numpy() > ends).all()
    assert set(tracks.index[tracks["end_kind"] == "division"]) == set(born["parent_id"])
    confidence = found.events["confidence"].dropna()
    assert confidence.between(0, 1).all()


def objects_of(movie: Movie) -> int:
    """Return the number of objects: labels of each frame, or rows."""
    return len(movie) if isinstance(movie, pd.DataFrame) else sum(len(np.unique(plane[plane > 0])) for plane in movie)


def tracked_or_refused(movie: Movie, **options: object) -> TrackingResult | None:
    """Track a movie twice; return None where it is refused, which must be in one sentence."""
    try:
        found, refusal = cs.track(movie, max_gap=MAX_GAP, **options), ""
    except UserError as error:
        found, refusal = None, str(error)
    if found is None:
        assert re.fullmatch(r"\w+: [^\n]+\.", refusal)
        return None
    check_possible(found, objects_of(movie))
    again = cs.track(movie.copy(), max_gap=MAX_GAP, **options)
    for name in ("tracks", "detections", "events"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(again, name))
    return found


def discs(frames: int, places: Callable[[int], list[tuple[float, float, float]]], size: int = SIZE) -> np.ndarray:
    """Draw discs; ``places`` returns row, column and radius of those of a frame."""
    rows, columns = np.mgrid[:size, :size]
    planes = np.zeros((frames, size, size), np.uint16)
    for frame, plane in enumerate(planes):
        for label, (y, x, radius) in enumerate(places(frame), start=1):
            plane[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = label
    return planes


def points_of(planes: np.ndarray) -> pd.DataFrame:
    """Return the centres of the masks."""
    return cs.track(planes).detections[["frame", "label", "y_px", "x_px"]]


FOUR = [(20.0, 20.0, 7.0), (20.0, 60.0, 7.0), (60.0, 20.0, 7.0), (60.0, 60.0, 7.0)]


def both_ways(planes: np.ndarray) -> list[Movie]:
    return [planes, points_of(planes)]


@pytest.mark.parametrize("way", [0, 1])
def test_frames_that_are_all_the_same(way: int) -> None:
    found = tracked_or_refused(both_ways(discs(6, lambda _: FOUR))[way], frames=6 if way else None)
    assert found is not None
    assert found.tracks["frames"].tolist() == [6] * 4
    assert found.tracks["end_kind"].eq("end_of_movie").all()


def test_two_cells_of_the_same_shape_that_touch() -> None:
    found = tracked_or_refused(discs(6, lambda _: [(40, 34, 6), (40, 47, 6)]))
    assert found is not None
    assert found.tracks["frames"].tolist() == [6, 6]


@pytest.mark.parametrize("way", [0, 1])
@pytest.mark.parametrize("cells", [1, 2, 4])
def test_movies_of_one_frame(way: int, cells: int) -> None:
    found = tracked_or_refused(both_ways(discs(1, lambda _: FOUR[:cells]))[way])
    assert found is not None
    assert found.tracks["frames"].tolist() == [1] * cells
    assert found.tracks["start_kind"].eq("first_frame").all()
    assert found.tracks["end_kind"].eq("end_of_movie").all()


@pytest.mark.parametrize("way", [0, 1])
def test_all_cells_end_at_once(way: int) -> None:
    planes = discs(9, lambda frame: FOUR if frame < 5 else [])
    found = tracked_or_refused(both_ways(planes)[way], frames=9 if way else None)
    assert found is not None
    assert found.tracks["frames"].tolist() == [5] * 4
    assert not found.tracks["end_kind"].isin(["division", "end_of_movie"]).any()


@pytest.mark.parametrize("way", [0, 1])
@pytest.mark.parametrize("empty", [1, 2, 3, 6])
def test_frames_without_cells_in_the_middle(way: int, empty: int) -> None:
    planes = discs(8 + empty, lambda frame: [] if 4 <= frame < 4 + empty else FOUR)
    found = tracked_or_refused(both_ways(planes)[way], frames=8 + empty if way else None)
    assert found is not None
    assert len(found.tracks) == (4 if empty <= MAX_GAP else 8)
    if way:
        assert tracked_or_refused(points_of(planes)) is None, (
            "without the length of the movie these may be other frames"
        )


@pytest.mark.parametrize("way", [0, 1])
def test_a_movie_that_begins_or_ends_without_cells(way: int) -> None:
    planes = discs(9, lambda frame: FOUR if 3 <= frame < 6 else [])
    found = tracked_or_refused(both_ways(planes)[way], frames=9 if way else None)
    assert found is not None
    assert found.tracks["frames"].tolist() == [3] * 4


def test_points_on_top_of_each_other() -> None:
    points = pd.DataFrame({"frame": [0, 0, 1, 1], "y_px": 5.0, "x_px": 5.0})
    assert tracked_or_refused(points) is None
    close = points.assign(x_px=[5.0, 5.0 + 1e-9, 5.0, 5.0 + 1e-9])
    found = tracked_or_refused(close)
    assert found is not None
    assert tracked_or_refused(points.assign(label=[1, 2, 1, 2])) is None


def test_points_that_fall_together_for_a_while() -> None:
    frame = np.repeat(np.arange(9), 2)
    apart = np.abs(frame - 4) * np.tile([-1.0, 1.0], 9) + np.tile([0, 1e-6], 9)
    found = tracked_or_refused(pd.DataFrame({"frame": frame, "y_px": 20.0, "x_px": 40 + apart}))
    assert found is not None


@pytest.mark.parametrize("way", [0, 1])
def test_a_colony_that_leaves_the_field(way: int) -> None:
    """The whole colony moves 9 px a frame, past its own cells."""
    middle = [(y, x) for y in range(20, 61, 16) for x in range(14, 47, 16)]
    planes = discs(9, lambda frame: [(y, x + 9 * frame, 6) for y, x in middle if x + 9 * frame < SIZE])
    assert not planes[-1, :, :70].any()
    found = tracked_or_refused(both_ways(planes)[way], frames=9 if way else None)
    assert found is not None
    assert not found.tracks["end_kind"].eq("division").any()


@pytest.mark.parametrize("frames", [2, 4])
def test_very_dense_points(frames: int) -> None:
    """In 200 x 200 px, 2,000 cells are 2 px apart and move as far."""
    draw = np.random.default_rng(frames)
    places = draw.uniform(0, 200, (2000, 2)) + np.cumsum(draw.normal(0, 2, (frames, 2000, 2)), axis=0)
    y, x = places.reshape(-1, 2).T
    found = tracked_or_refused(pd.DataFrame({"frame": np.repeat(np.arange(frames), 2000), "y_px": y, "x_px": x}))
    assert found is not None


def test_points_on_a_grid_that_have_no_nearest_neighbour() -> None:
    y, x = (a.ravel() for a in np.mgrid[:30:3, :30:3])
    table = pd.concat([pd.DataFrame({"frame": t, "y_px": y + t, "x_px": x + t}) for t in range(5)])
    assert tracked_or_refused(table) is not None


def test_a_crowd_of_masks_of_one_pixel() -> None:
    draw = np.random.default_rng(1)
    planes = np.stack([draw.permutation(400).reshape(20, 20) for _ in range(3)])
    assert tracked_or_refused(planes) is not None


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), frames=st.integers(1, 6), cells=st.integers(0, 60), grid=st.booleans())
@example(seed=0, frames=6, cells=1, grid=True)
@example(seed=0, frames=3, cells=60, grid=False)
def test_points_at_any_density(seed: int, frames: int, cells: int, grid: bool) -> None:
    draw = np.random.default_rng(seed)
    size, step, seen = draw.choice([1.0, 20.0, 300.0]), draw.choice([0.0, 2.0, 40.0]), draw.choice([0.4, 0.9, 1.0])
    places = draw.uniform(0, size, (cells, 2)) + np.cumsum(draw.normal(0, step, (frames, cells, 2)), axis=0)
    y, x = (np.round(places) if grid else places).reshape(-1, 2).T
    points = pd.DataFrame({"frame": np.repeat(np.arange(frames), cells), "y_px": y, "x_px": x})
    points = points[draw.random(len(points)) < seen]
    tracked_or_refused(points, frames=frames)
    alone = points.drop_duplicates(["frame", "y_px", "x_px"])
    assert (tracked_or_refused(alone, frames=frames) is None) == alone.empty


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), frames=st.integers(1, 4), cells=st.integers(0, 25), radius=st.floats(0.5, 25))
def test_masks_at_any_density(seed: int, frames: int, cells: int, radius: float) -> None:
    draw = np.random.default_rng(seed)
    planes = discs(frames, lambda _: [(*draw.uniform(-5, 45, 2), radius) for _ in range(cells)], size=40)
    found = tracked_or_refused(planes)
    assert found is not None or len(np.unique(planes[planes > 0])) < 2, "nothing, or one label in pieces"
