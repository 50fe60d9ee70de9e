from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cineseq.config.base import FieldOfView
from cineseq.config.inputs import Channels
from cineseq.config.track import Track
from cineseq.contracts import COMPARTMENTS, DETECTIONS, TRACKS
from cineseq.errors import UserError
from cineseq.stacks import MovieInfo, open_labels, write_labels, write_movie
from cineseq.tables import empty, read_table, write_table
from cineseq.tracking import assignment, compartments, divisions, ends, linking, motion
from cineseq.tracking.objects import COLUMNS, Objects, measure, measure_with_movie
from cineseq.tracking.scene import Scene
from cineseq.tracking.tracker import link_objects, tables
from cineseq.tracking.validate import validate
from track import Settings
from track import main as track

SIZE = 120
Disc = tuple[int, float, float, float]
"""Label, row, column and radius."""


def picture(discs: list[Disc], size: int = SIZE) -> np.ndarray:
    plane = np.zeros((size, size), np.uint16)
    yy, xx = np.mgrid[:size, :size]
    for label, y, x, radius in discs:
        plane[(yy - y) ** 2 + (xx - x) ** 2 <= radius**2] = label
    return plane


def stack_of(planes: list[np.ndarray], path: Path, minutes: float | None = 30.0) -> Path:
    info = MovieInfo(len(planes), *planes[0].shape, (), None, minutes)
    write_labels(planes, path, info)
    return path


def run_track(planes: list[np.ndarray], folder: Path, **more: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    files = {"detections": folder / "d.parquet", "tracks": folder / "t.parquet", "report": folder / "r.json"}
    track(labels=stack_of(planes, folder / "m.ome.tif"), **files, settings=Settings(**more))
    return read_table(files["detections"], DETECTIONS), read_table(files["tracks"], TRACKS)


def track_of(detections: pd.DataFrame, frame: int, label: int) -> str:
    row = detections[(detections["frame"] == frame) & (detections["label"] == label)]
    return row["track_id"].iloc[0]


def still(label: int, y: float, x: float, frames: int = 10, radius: float = 6) -> list[list[Disc]]:
    return [[(label, y, x, radius)] for _ in range(frames)]


def together(*cells: list[list[Disc]]) -> list[np.ndarray]:
    frames = max(len(c) for c in cells)
    return [picture([d for c in cells if t < len(c) for d in c[t]]) for t in range(frames)]


def test_two_cells_that_pass_each_other_keep_their_tracks(tmp_path):
    right = [[(1, 50, 30 + 4 * t, 6)] for t in range(12)]
    left = [[(2, 68, 80 - 4 * t, 6)] for t in range(12)]
    detections, tracks = run_track(together(right, left), tmp_path)
    assert len(tracks) == 2
    assert detections.groupby("track_id")["label"].nunique().tolist() == [1, 1]
    assert set(tracks["end_kind"]) == {"end_of_movie"}
    assert tracks["alive_at_end"].all()
    assert tracks["end_hours"].tolist() == [5.5, 5.5]


def dividing(frames: int = 10, at: int = 5) -> list[list[Disc]]:
    mother = [[(1, 60, 60, 8)] for _ in range(at)]
    daughters = [[(2, 60, 52 - t, 6), (3, 60, 68 + t, 6)] for t in range(frames - at)]
    return mother + daughters


def test_a_division_makes_two_sisters(tmp_path):
    detections, tracks = run_track(together(dividing(), still(9, 20, 20)), tmp_path)
    mother = tracks.set_index("track_id").loc[track_of(detections, 0, 1)]
    daughters = tracks[tracks["parent_id"] == mother.name]
    assert len(tracks) == 4
    assert (mother["end_kind"], mother["end_frame"], mother["fate"]) == ("division", 4, "division")
    assert daughters["start_frame"].tolist() == [5, 5]
    assert daughters["sister_id"].tolist() == daughters["track_id"].tolist()[::-1]
    assert daughters["generation"].tolist() == [1, 1]
    assert set(daughters["founder_id"]) == {mother.name}
    assert set(daughters["start_kind"]) == {"division"}
    assert mother["end_confidence"] > 0.9
    assert pd.isna(mother["alive_at_end"])


def test_strict_threshold_refuses_the_same_division(tmp_path):
    _, tracks = run_track(together(dividing()), tmp_path, track=Track(division_cost=0.01))
    assert "division" not in set(tracks["end_kind"])


def shrinking(label: int, y: float, x: float, alive: int = 9) -> list[list[Disc]]:
    return [*still(label, y, x, alive, 7), [(label, y, x, 4.5)], [(label, y, x, 3.2)]]


def movie_of(planes: list[np.ndarray], path: Path, glow: dict[tuple[int, int], float]) -> Path:
    info = MovieInfo(len(planes), *planes[0].shape, ("nuclear", "lipid"), None, 30.0)

    def images():
        for frame, plane in enumerate(planes):
            image = np.full(plane.shape, 100.0) + 50.0 * (plane > 0)
            for (t, label), gain in glow.items():
                if t == frame:
                    image[plane == label] = 100 + 50 * gain
            yield image.astype(np.uint16)
            yield np.full(plane.shape, 7, np.uint16)

    write_movie(images(), path, info)
    return path


def field_with_death(folder: Path, glow: dict[tuple[int, int], float]) -> pd.DataFrame:
    planes = together(shrinking(1, 60, 60), *(still(n, 20, 15 * n, 16, 7) for n in range(2, 8)))
    movie = movie_of(planes, folder / "movie.ome.tif", glow)
    files = {"detections": folder / "d.parquet", "tracks": folder / "t.parquet", "report": folder / "r.json"}
    settings = Settings(channels=Channels(function=["lipid"]))
    track(labels=stack_of(planes, folder / "m.ome.tif"), movie=movie, **files, settings=settings)
    return read_table(files["tracks"], TRACKS)


def test_death_with_shrinkage_and_condensation(tmp_path):
    tracks = field_with_death(tmp_path, {(9, 1): 2.0, (10, 1): 2.5})
    dead = tracks[tracks["end_frame"] == 10].iloc[0]
    assert (dead["end_kind"], dead["fate"], dead["fate_known"], dead["alive_at_end"]) == ("death", "death", True, False)
    assert dead["end_confidence"] > 0.8


def test_a_cell_that_vanishes_without_a_sign_is_lost(tmp_path):
    _, tracks = run_track(together(still(1, 60, 60, 8), still(2, 20, 20, 12), still(3, 90, 30, 12)), tmp_path)
    gone = tracks[tracks["end_frame"] == 7].iloc[0]
    assert (gone["end_kind"], gone["fate"]) == ("lost", "unknown")
    assert pd.isna(gone["alive_at_end"])


def test_no_death_where_a_daughter_sized_cell_appears_beside(tmp_path):
    planes = together(shrinking(1, 60, 60), [[]] * 11 + still(5, 60, 66, 5, 5), still(2, 20, 20, 16))
    glow = {(9, 1): 2.0, (10, 1): 2.5}
    movie = movie_of(planes, tmp_path / "movie.ome.tif", glow)
    files = {"detections": tmp_path / "d.parquet", "tracks": tmp_path / "t.parquet", "report": tmp_path / "r.json"}
    settings = Settings(channels=Channels(function=["lipid"]), track=Track(max_gap=0, search_range_px=3))
    track(labels=stack_of(planes, tmp_path / "m.ome.tif"), movie=movie, **files, settings=settings)
    tracks = read_table(files["tracks"], TRACKS)
    assert tracks.loc[tracks["end_frame"] == 10, "end_kind"].tolist() == ["lost"]


def test_exit_and_entry_at_the_border(tmp_path):
    leaving = [[(1, 60, 80 + 6 * t, 6)] for t in range(7)] + [[]] * 5
    entering = [[]] * 4 + [[(2, 4 + 5 * t, 30, 6)] for t in range(8)]
    detections, tracks = run_track(together(leaving, entering, still(3, 100, 20, 12)), tmp_path)
    by_id = tracks.set_index("track_id")
    assert by_id.loc[track_of(detections, 0, 1), "end_kind"] == "left_fov"
    assert by_id.loc[track_of(detections, 5, 2), "start_kind"] == "entered"
    assert by_id.loc[track_of(detections, 0, 3), "start_kind"] == "first_frame"


def test_a_cell_that_reappears_keeps_its_track(tmp_path):
    gone = [[(1, 60, 40 + 2 * t, 6)] if t not in {5, 6} else [] for t in range(12)]
    detections, tracks = run_track(together(gone, still(2, 20, 20, 12)), tmp_path)
    assert track_of(detections, 4, 1) == track_of(detections, 7, 1)
    assert tracks["frames"].tolist() == [12, 10]
    _, apart = run_track(together(gone, still(2, 20, 20, 12)), tmp_path, track=Track(max_gap=1))
    assert len(apart) == 3


def test_no_objects_at_all_writes_empty_tables(tmp_path):
    detections, tracks = run_track([np.zeros((40, 40), np.uint16)] * 3, tmp_path)
    assert detections.empty
    assert tracks.empty


def test_movie_of_one_frame(tmp_path):
    detections, tracks = run_track([picture([(1, 30, 30, 5), (7, 60, 60, 5)])], tmp_path)
    assert len(detections) == 2
    assert tracks["start_kind"].tolist() == ["first_frame"] * 2
    assert tracks["end_kind"].tolist() == ["end_of_movie"] * 2


def test_empty_frames_and_large_labels(tmp_path):
    planes = [picture([(60000, 30, 30, 5)])] * 2 + [picture([])] * 4 + [picture([(60000, 30, 30, 5)])] * 2
    detections, tracks = run_track([picture([])] * 2 + planes, tmp_path)
    assert len(tracks) == 2
    assert set(detections["label"]) == {60000}


def test_label_in_two_pieces_is_one_object_and_counted(tmp_path):
    planes = [picture([(1, 30, 30, 5), (1, 50, 30, 5)])] * 3
    with open_labels(stack_of(planes, tmp_path / "m.ome.tif")) as labels:
        objects = measure(labels)
    assert len(objects.table) == 3
    assert objects.split_labels == 3


def test_a_fragment_is_kept_as_its_own_track(tmp_path):
    debris = [[(5, 63, 45 + t, 1)] for t in range(6)]
    detections, tracks = run_track(together(still(1, 60, 60, 6), still(2, 20, 20, 6), debris), tmp_path)
    assert len(detections) == 18
    assert tracks["frames"].tolist().count(1) == 6


def test_masks_of_another_movie_are_refused(tmp_path):
    planes = together(still(1, 60, 60, 3))
    movie = movie_of(planes[:2], tmp_path / "movie.ome.tif", {})
    path = stack_of(planes, tmp_path / "m.ome.tif")
    with open_labels(path) as labels, pytest.raises(UserError, match=r"m\.ome\.tif.*do not fit .*movie\.ome\.tif"):
        measure_with_movie(labels, path, movie, Channels())


def test_function_channels_do_not_reach_tracking(tmp_path):
    planes = together(still(1, 60, 60, 2))
    movie = movie_of(planes, tmp_path / "movie.ome.tif", {})
    path = stack_of(planes, tmp_path / "m.ome.tif")
    with open_labels(path) as labels:
        objects = measure_with_movie(labels, path, movie, Channels(function=["nuclear", "lipid"]))
    assert objects.table["brightness"].isna().all()


def test_cells_do_not_pass_walls_of_closed_compartments(tmp_path):
    cages = pd.DataFrame(
        {
            "sample": "sample",
            "fov": "1",
            "compartment_id": ["a", "b"],
            "y_px": 60.0,
            "x_px": [40.0, 62.0],
            "radius_px": 10.0,
            "closed_frame": [0, 0],
        }
    )
    write_table(cages, tmp_path / "cages.tsv", COMPARTMENTS)
    hop = [[(1, 60, 44, 5)] if t < 4 else [(1, 60, 57, 5)] for t in range(8)]
    planes = together(hop, still(2, 20, 20, 8))
    files = {"detections": tmp_path / "d.parquet", "tracks": tmp_path / "t.parquet", "report": tmp_path / "r.json"}
    settings = Settings(track=Track(search_range_px=20))
    path = stack_of(planes, tmp_path / "m.ome.tif")
    track(labels=path, **files, settings=settings)
    assert len(read_table(files["tracks"], TRACKS)) == 2
    track(labels=path, compartments=tmp_path / "cages.tsv", **files, settings=settings)
    assert len(read_table(files["tracks"], TRACKS)) == 3


def test_open_compartments_hold_nobody(tmp_path):
    cages = empty(COMPARTMENTS)
    write_table(cages, tmp_path / "cages.tsv", COMPARTMENTS)
    table = objects_at([(0, 1.0, 1.0)]).table
    assert compartments.rooms(table, tmp_path / "cages.tsv", FieldOfView()).tolist() == [-1]


def objects_at(rows: list[tuple[int, float, float]], size: int = 200, area: float = 100.0) -> Objects:
    table = pd.DataFrame(rows, columns=["frame", "y_px", "x_px"]).sort_values("frame", kind="stable")
    table["label"] = table.groupby("frame").cumcount() + 1
    table = table.assign(area_px=area, eccentricity=0.5, touches_border=False, brightness=np.nan)
    overlaps = pd.DataFrame({"source": [], "target": [], "shared": []}).astype({"source": int, "target": int})
    frames = int(table["frame"].max()) + 1
    return Objects(table[list(COLUMNS)].astype(COLUMNS).reset_index(drop=True), overlaps, (frames, size, size), 0)


def follow(objects: Objects, **more: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    chosen = Track(**more)
    linked = link_objects(objects, np.full(len(objects.table), -1), chosen)
    info = MovieInfo(*objects.shape, (), None, 10.0)
    detections, tracks = tables(objects, linked.families, FieldOfView(), info, chosen)
    return DETECTIONS.check(detections), TRACKS.check(tracks)


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


@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_sparse_and_dense_matching_agree(seed, n, m):
    rng = np.random.default_rng(seed)
    rows, cols = np.nonzero(rng.random((n, m)) < 0.7)
    costs = rng.uniform(0, 1.5, len(rows))
    table = {(r, c): v for r, c, v in zip(rows, cols, costs, strict=True)}

    def total(pairs: tuple[np.ndarray, np.ndarray]) -> float:
        return sum(table[p] - 1.0 for p in zip(*pairs, strict=True))

    dense = assignment.match(rows, cols, costs, (n, m), 1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "DENSE_ENTRIES", 0)
        sparse = assignment.match(rows, cols, costs, (n, m), 1.0)
    assert total(dense) == pytest.approx(total(sparse))
    for pairs in (dense, sparse):
        assert len(set(pairs[0].tolist())) == len(set(pairs[1].tolist())) == len(pairs[0])


def moving_lattice(step: np.ndarray, frames: int = 6) -> list[tuple[int, float, float]]:
    yy, xx = np.mgrid[30:170:20, 30:170:20]
    grid = np.c_[yy.ravel(), xx.ravel()] + np.random.default_rng(1).normal(0, 2, (yy.size, 2))
    return [(t, *(p + t * step)) for t in range(frames) for p in grid]


def test_drift_larger_than_half_the_spacing_is_followed():
    rows = moving_lattice(np.array([11.0, 7.0]))
    assert len(follow(objects_at(rows, 400))[1]) == 49
    assert len(follow(objects_at(rows, 400), motion="none", max_gap=0)[1]) > 49


def test_motion_model_is_none_for_cells_that_wander():
    rng = np.random.default_rng(3)
    start = rng.uniform(0, 1000, (80, 2))
    path = start[None] + np.cumsum(rng.normal(0, 3, (10, 80, 2)), axis=0)
    points = path.reshape(-1, 2)
    rows = motion.by_frame(np.repeat(np.arange(10), 80), 10)
    assert motion.estimate(points, rows, "auto").kind == "none"


def test_search_range_grows_with_the_steps_and_stops_at_the_neighbours():
    rng = np.random.default_rng(5)
    start = np.c_[np.repeat(np.arange(10), 10), np.tile(np.arange(10), 10)] * 50.0
    rows = motion.by_frame(np.repeat(np.arange(2), 100), 2)
    found = []
    for step in (1.0, 3.0, 60.0):
        points = np.r_[start, start + rng.normal(0, step, start.shape)]
        calm = motion.Motion("none", np.zeros_like(points), step, 50.0)
        found.append(linking.search_range(points, rows, calm, 10.0))
    assert found[0] == pytest.approx(7.5)
    assert 15 < found[1] < 35
    assert found[2] == pytest.approx(50)


def test_dense_points_never_raise_and_are_linked():
    rng = np.random.default_rng(2)
    start = rng.uniform(0, 8 * np.sqrt(600), (600, 2))
    rows = [(t, *p) for t in range(4) for p in start + rng.normal(0, 0.5, start.shape)]
    detections, tracks = follow(objects_at(rows, 200, area=20.0), search_range_px=20)
    assert len(detections) == 2400
    assert (tracks["frames"] == 4).mean() > 0.95


def test_the_best_set_of_divisions_is_not_the_greedy_one():
    # the cheapest hypothesis shares a daughter with each of two others that together are worth more
    found = pd.DataFrame(
        {"mother": [0, 1, 2], "first": [3, 3, 4], "second": [4, 5, 6], "continues": False, "cost": [0.5, 0.6, 0.6]}
    )
    assert divisions.choose(found, 1.6)["mother"].tolist() == [1, 2]
    assert divisions.choose(found.iloc[:1], 1.6)["mother"].tolist() == [0]
    assert divisions.choose(found, 0.4).empty


def test_no_division_crosses_a_wall():
    rows = [(t, 50.0, 50.0) for t in range(3)] + [(t, 50.0, 50.0 + s) for t in range(3, 6) for s in (-6.0, 6.0)]
    objects = objects_at(rows)
    free = link_objects(objects, np.full(9, -1), Track())
    assert len(free.families.parent) == 2
    room = np.where(objects.table["x_px"] > 52, 1, 0)
    assert link_objects(objects, room, Track()).families.parent == {}


def test_overlap_decides_between_equally_near_cells():
    table = objects_at([(0, 50.0, 50.0), (0, 50.0, 60.0), (1, 50.0, 55.0)]).table
    calm = motion.Motion("none", np.zeros((3, 2)), 0.0, 10.0)
    for source in (0, 1):
        discounts = pd.DataFrame({"source": [source], "target": [2], "discount": [0.9]})
        tracklet = linking.link(Scene(table, 2, calm, 8.0, np.full(3, -1), discounts))
        assert tracklet[2] == tracklet[source]


def test_short_tracks_show_no_evidence_of_death():
    table = objects_at([(t, 50.0, 50.0) for t in range(4)]).table
    table["area_px"] = [100.0, 100.0, 20.0, 10.0]
    assert ends.last_changes(table, np.ones(4, int)).isna().all(axis=None)
    assert ends.death_probability(table, np.ones(4, int))[0] < 0.5


def test_bright_round_cells_do_not_all_die():
    table = objects_at([(t, 50.0, 50.0) for t in range(10)]).table.assign(brightness=5.0, eccentricity=0.0)
    assert ends.death_probability(table, np.ones(10, int))[0] < 0.3


def test_a_daughter_that_lies_on_another_cell_costs_more():
    table = objects_at([(0, 50.0, 50.0), (0, 50.0, 70.0), (1, 50.0, 44.0), (1, 50.0, 56.0)]).table
    calm = motion.Motion("none", np.zeros((4, 2)), 0.0, 20.0)
    costs = []
    for source in (0, 1):
        shared = pd.DataFrame({"source": [source], "target": [3], "discount": [0.8]})
        scene = Scene(table, 2, calm, 3.0, np.full(4, -1), shared)
        found = divisions.hypotheses(scene, np.arange(4))
        costs.append(divisions.costs(found[found["mother"] == 0])[0])
    assert costs[1] - costs[0] == pytest.approx(0.8)
