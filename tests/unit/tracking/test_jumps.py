"""Jumps of the stage: found whatever their direction, corrected, and never seen where cells move by themselves."""

import json
from itertools import pairwise

import import_tracks
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.tracking.imports.external_examples import alone
from tests.unit.tracking.tracking_examples import Disc, outputs, picture, run_track, stack_of

import cineseq as cs
from cineseq.config.base import FieldOfView
from cineseq.io.stacks import Labels, MovieInfo
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import TRACKS
from cineseq.tracking.end_features import end_features
from cineseq.tracking.jumps import VOTERS, find_jumps, offsets_of
from cineseq.tracking.lineage import TrackLineage, track_table
from cineseq.tracking.objects import measure

EXTENT = (400, 500)


def spread(cells: int, rng: np.random.Generator, apart: float = 30) -> np.ndarray:
    """Return places at least so far apart."""
    places: list[np.ndarray] = []
    while len(places) < cells:
        place = rng.uniform((20, 20), np.array(EXTENT) - 20)
        if all(np.hypot(*(place - other)) >= apart for other in places):
            places.append(place)
    return np.array(places)


def walk(cells: int, frames: int, step: float, rng: np.random.Generator) -> list[np.ndarray]:
    home = spread(cells, rng)
    return [home + moved for moved in np.cumsum(rng.normal(0, step, (frames, cells, 2)), axis=0)]


def jumps_of(film: list[np.ndarray], size: float = 10) -> dict[int, np.ndarray]:
    """Return the jumps of a film of which only cells in the field are seen."""
    seen = [places[((places >= 0) & (places <= EXTENT)).all(axis=1)] for places in film]
    edges = np.cumsum([0, *map(len, seen)])
    rows = [slice(a, b) for a, b in pairwise(edges)]
    return {j.frame: np.array([j.y_px, j.x_px]) for j in find_jumps(np.concatenate(seen), rows, size, EXTENT)}


@settings(max_examples=40, deadline=None)
@given(
    way=st.tuples(st.floats(0, 6.28), st.floats(15, 120)),
    cells=st.integers(8, 40),
    step=st.floats(0, 2.5),
    at=st.integers(1, 9),
    lost_and_seed=st.tuples(st.floats(0, 0.2), st.integers(0, 999)),
)
def test_a_jump_is_found_and_no_other(
    way: tuple[float, float], cells: int, step: float, at: int, lost_and_seed: tuple[float, int]
) -> None:
    (angle, length), (lost, seed) = way, lost_and_seed
    rng = np.random.default_rng(seed)
    jump = length * np.array([np.sin(angle), np.cos(angle)])
    film = [places + jump * (t >= at) for t, places in enumerate(walk(cells, 10, step, rng))]
    film = [places[rng.random(len(places)) >= lost] for places in film]
    common = [((places >= 0) & (places <= EXTENT)).all(axis=1).sum() for places in film[at - 1 : at + 1]]
    if min(common) < 8:
        return
    found = jumps_of(film)
    assert list(found) == [at]
    np.testing.assert_allclose(found[at], jump, atol=3 * step + 1)


@settings(max_examples=40, deadline=None)
@given(
    cells=st.integers(1, 40),
    step=st.floats(0, 15),
    drift=st.tuples(st.floats(-20, 20), st.floats(-20, 20)),
    seed=st.integers(0, 999),
)
def test_walks_and_steady_drifts_are_no_jumps(cells: int, step: float, drift: tuple[float, float], seed: int) -> None:
    film = walk(cells, 8, step, np.random.default_rng(seed))
    assert jumps_of([places + np.array(drift) * t for t, places in enumerate(film)]) == {}


def test_a_jump_of_more_cells_than_vote() -> None:
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(30, 1230, 30.0)] * 2), axis=-1).reshape(-1, 2)
    home = grid + rng.uniform(-9, 9, grid.shape)
    assert len(home) > 4 * VOTERS
    moved = home + np.array([47, -22])
    film = [home, home + rng.normal(0, 1, home.shape), moved, moved]
    rows = [slice(i * len(home), (i + 1) * len(home)) for i in range(4)]
    (jump,) = find_jumps(np.concatenate(film), rows, 10, (1260, 1260))
    assert (jump.frame, round(jump.y_px), round(jump.x_px)) == (2, 47, -22)
    assert jump.agree == jump.cells > 1400


def test_a_jump_on_a_drift_is_what_exceeds_it() -> None:
    film = walk(30, 10, 0.5, np.random.default_rng(0))
    moved = [places + np.array([9.0, 0]) * t + np.array([0, 60.0]) * (t >= 5) for t, places in enumerate(film)]
    found = jumps_of(moved)
    assert list(found) == [5]
    np.testing.assert_allclose(found[5], [0, 60], atol=1)


def test_a_jump_over_frames_without_cells() -> None:
    film = walk(20, 10, 0.5, np.random.default_rng(0))
    film = [places + np.array([40.0, 0]) * (t >= 6) for t, places in enumerate(film)]
    film[4:6] = [np.empty((0, 2))] * 2
    assert list(jumps_of(film)) == [6]


@given(cells=st.integers(1, 7), seed=st.integers(0, 999))
@settings(max_examples=30, deadline=None)
def test_few_cells_tell_a_jump_if_all_agree(cells: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    home = spread(cells, rng).clip(80, np.array(EXTENT) - 80)
    film = [home + rng.normal(0, 0.5, home.shape) + np.array([40.0, -50]) * (t >= 3) for t in range(6)]
    if cells > 1 and min(np.hypot(*(a - b)) for i, a in enumerate(home) for b in home[:i]) < 20:
        return
    found = jumps_of(film)
    assert list(found) == ([3] if cells >= 3 else [])
    if cells >= 3:
        np.testing.assert_allclose(found[3], [40, -50], atol=2.5)
        film[3:] = [
            np.vstack([places[:-1], places[-1:] + np.array([-20.0, 25])]) for places in film[3:]
        ]  # one cell went another way
        assert cells > 4 or jumps_of(film) == {}


def test_offsets_add_up() -> None:
    film = walk(20, 8, 0.1, np.random.default_rng(3))
    film = [places + 30.0 * (t >= 2) - np.array([50.0, 0]) * (t >= 5) for t, places in enumerate(film)]
    seen = np.concatenate(film)
    rows = [slice(20 * t, 20 * t + 20) for t in range(8)]
    offsets = offsets_of(find_jumps(seen, rows, 10, EXTENT), 8)
    np.testing.assert_allclose(offsets[[0, 1, 2, 4, 5, 7]], [[0, 0]] * 2 + [[30, 30]] * 2 + [[-20, 30]] * 2, atol=1)


@pytest.mark.parametrize("jump", [(0, 26), (-24, 10), (0, 0)])
def test_links_over_a_jump_join_the_same_cells_and_the_report_says_so(jump: tuple[int, int], tmp_path) -> None:
    rng = np.random.default_rng(4)
    home = np.array([[y, x] for y in (40, 70, 100) for x in (40, 70, 100)]) + rng.uniform(-8, 8, (9, 2))

    def discs(t: int) -> list[Disc]:
        shift = np.array(jump) * (t >= 5)
        return [(i + 1, *(place + shift + 0.3 * t).tolist(), 5) for i, place in enumerate(home)]

    detections, tracks = run_track([picture(discs(t), 150) for t in range(10)], tmp_path)
    both = detections.groupby("label")["track_id"]
    assert both.nunique().max() == 1, "each label is one cell"
    assert len(tracks) == 9
    said = (tmp_path / "r.json").read_text()
    assert ("The stage jumped by 26 px before frame 5" in said) == (jump != (0, 0))
    first = detections[detections["frame"] == 5].set_index("label")[["y_px", "x_px"]].to_numpy()
    np.testing.assert_allclose(first, home + np.array(jump) + 1.5, atol=0.6)  # positions are those of the images


def test_cells_that_a_jump_takes_out_of_view_have_left(tmp_path) -> None:
    rng = np.random.default_rng(1)
    home = [(y + rng.uniform(-8, 8), x + rng.uniform(-4, 4)) for y in (30, 60, 90) for x in (20, 50, 80, 108)]
    planes = [picture([(i + 1, y, x + 26 * (t >= 5), 5) for i, (y, x) in enumerate(home)], 120) for t in range(10)]
    _, tracks = run_track(planes, tmp_path)
    ended = tracks[tracks["end_frame"] == 4]
    assert len(ended) == 3
    assert set(ended["end_kind"]) == {"left_fov"}


def rows_of_cells(jump: tuple[float, float]) -> pd.DataFrame:
    """Nine cells whose links a table states, with a jump before frame 5; y and x in px."""
    rng = np.random.default_rng(4)
    home = np.array([[y, x] for y in (40, 70, 100) for x in (40, 70, 100)]) + rng.uniform(-8, 8, (9, 2))
    places = [home + np.array(jump) * (t >= 5) + 0.3 * t for t in range(10)]
    return pd.DataFrame(
        [(t, i + 1, y, x) for t, frame in enumerate(places) for i, (y, x) in enumerate(frame)],
        columns=["frame", "track", "y", "x"],
    )


@pytest.mark.parametrize("masks", [True, False])
@pytest.mark.parametrize("jump", [(0.0, 0.0), (0.0, 26.0)])
def test_a_jump_in_external_tracks_is_said(masks: bool, jump: tuple[float, float], tmp_path) -> None:
    table = rows_of_cells(jump)
    table.to_csv(tmp_path / "tracks.csv", index=False)
    if masks:
        discs = [table.loc[table.frame == t, ["track", "y", "x"]].assign(radius=5) for t in range(10)]
        planes = [picture([(int(n), y, x, r) for n, y, x, r in frame.to_numpy()], 150) for frame in discs]
        files = outputs(tmp_path / "out")
        labels = stack_of(planes, tmp_path / "m.ome.tif")
        import_tracks.main(external=tmp_path / "tracks.csv", labels=labels, **files, settings=import_tracks.Settings())
        report = json.loads(files["report"].read_text())
        assert len(read_table(files["tracks"], TRACKS)) == 9
    else:
        *_, report = alone(tmp_path / "tracks.csv", tmp_path)
    said = [n["text"] for n in report["notices"]]
    assert len(said) == (jump != (0.0, 0.0))
    assert all(one.startswith("The stage jumped by 26 px before frame 5") for one in said)
    assert all("Links are those of the file" in one for one in said)


def test_links_of_points_join_the_same_cells_over_a_jump() -> None:
    table = rows_of_cells((0.0, 26.0)).rename(columns={"y": "y_px", "x": "x_px"})
    tracked = cs.track(table[["frame", "y_px", "x_px"]])
    places = table.sort_values(["frame", "y_px", "x_px"], ignore_index=True)
    found = tracked.detections.sort_values(["frame", "y_px", "x_px"], ignore_index=True)
    assert found.groupby(places["track"])["track_id"].nunique().max() == 1


def test_a_jump_is_no_step_of_a_cell_that_ends() -> None:
    """What tracks show before their end, and the new cells near it, are the same with and without a jump."""
    tables = []
    for jump in (0, 26):
        table = rows_of_cells((0, jump))
        table = table[(table.track != 5) | (table.frame < 6)]
        planes = [
            picture([(n, y, x, 5) for n, y, x in table.loc[table.frame == t, ["track", "y", "x"]].to_numpy()], 150)
            for t in range(10)
        ]
        info = MovieInfo(10, 150, 150, (), None, None)
        objects = measure(Labels(info, planes.__getitem__)).with_jumps()
        assert len(objects.jumps) == (jump > 0)
        number = objects.table["label"].to_numpy() - 1
        families = TrackLineage(number, {}, set())
        tracks = track_table(objects.table, families, FieldOfView(), info)
        tables.append(end_features(objects, number, tracks)[0][["still", "still_frames", "starts", "starts_now"]])
    pd.testing.assert_frame_equal(*tables, atol=0.2)


def test_a_jump_in_a_movie_of_three_frames_has_its_whole_length() -> None:
    home = walk(12, 1, 0.0, np.random.default_rng(5))[0]
    found = jumps_of([home, home + np.array([47.0, -22.0]), home + np.array([47.0, -22.0])])
    np.testing.assert_allclose(found.pop(1), [47, -22], atol=1)
    assert not found
