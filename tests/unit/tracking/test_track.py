"""The tracking step on drawn movies: divisions, deaths, losses, borders, gaps and walls."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from tests.unit.tracking.tracking_examples import (
    dividing,
    movie_of,
    objects_at,
    outputs,
    picture,
    run_track,
    shrinking,
    stack_of,
    still,
    together,
    track_of,
)
from track import Settings
from track import main as track

from cineseq.config.base import FieldOfView
from cineseq.config.imaging import Channels
from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.io.stacks import open_labels, open_movie
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.imaging import COMPARTMENTS, TRACKS
from cineseq.tracking import compartments
from cineseq.tracking.objects import measure, measure_with_movie


def test_two_cells_that_pass_each_other_keep_their_tracks(tmp_path):
    right = [[(1, 50, 30 + 4 * t, 6)] for t in range(12)]
    left = [[(2, 68, 80 - 4 * t, 6)] for t in range(12)]
    detections, tracks = run_track(together(right, left), tmp_path)
    assert len(tracks) == 2
    assert detections.groupby("track_id")["label"].nunique().tolist() == [1, 1]
    assert set(tracks["end_kind"]) == {"end_of_movie"}
    assert tracks["alive_at_end"].all()
    assert tracks["end_hours"].tolist() == [5.5, 5.5]


def test_a_division_makes_two_sisters(tmp_path):
    detections, tracks = run_track(together(dividing(), still(9, 20, 20)), tmp_path)
    parent = tracks.set_index("track_id").loc[track_of(detections, 0, 1)]
    daughters = tracks[tracks["parent_id"] == parent.name]
    assert len(tracks) == 4
    assert (parent["end_kind"], parent["end_frame"], parent["fate"]) == ("division", 4, "division")
    assert daughters["start_frame"].tolist() == [5, 5]
    assert daughters["sister_id"].tolist() == daughters["track_id"].tolist()[::-1]
    assert daughters["generation"].tolist() == [1, 1]
    assert set(daughters["founder_id"]) == {parent.name}
    assert set(daughters["start_kind"]) == {"division"}
    assert parent["end_confidence"] > 0.9
    assert pd.isna(parent["alive_at_end"])


def test_the_former_limit_on_the_cost_of_divisions_still_works():
    assert Track(division_cost=1.48).division_probability == 0.5
    assert Track(division_cost=1.6).division_probability == pytest.approx(0.398, abs=1e-3)
    with pytest.raises(ValidationError, match=r"differ; keep 'track\.division_probability' only"):
        Track(division_cost=1.6, division_probability=0.9)


def field_with_death(folder: Path, glow: dict[tuple[int, int], float]) -> pd.DataFrame:
    planes = together(shrinking(1, 60, 60), *(still(n, 20, 15 * n, 16, 7) for n in range(2, 8)))
    movie = movie_of(planes, folder / "movie.ome.tif", glow)
    files = outputs(folder)
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
    files = outputs(tmp_path)
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


def test_no_objects_at_all_are_refused_or_write_empty_tables(tmp_path):
    nothing = [np.zeros((40, 40), np.uint16)] * 3
    with pytest.raises(UserError, match=r"m\.ome\.tif: there is no cell in any frame; .*track\.allow_empty"):
        run_track(nothing, tmp_path)
    detections, tracks = run_track(nothing, tmp_path, track=Track(allow_empty=True))
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
    refused = pytest.raises(UserError, match=r"m\.ome\.tif.*have shape .*movie\.ome\.tif")
    with open_labels(path) as labels, open_movie(movie) as images, refused:
        measure_with_movie(labels, path, images, Channels())


def test_function_channels_do_not_reach_tracking(tmp_path):
    planes = together(still(1, 60, 60, 2))
    movie = movie_of(planes, tmp_path / "movie.ome.tif", {})
    path = stack_of(planes, tmp_path / "m.ome.tif")
    with open_labels(path) as labels, open_movie(movie) as images:
        objects = measure_with_movie(labels, path, images, Channels(function=["nuclear", "lipid"]))
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
    files = outputs(tmp_path)
    settings = Settings(track=Track(search_range_px=20))
    path = stack_of(planes, tmp_path / "m.ome.tif")
    track(labels=path, **files, settings=settings)
    assert len(read_table(files["tracks"], TRACKS)) == 2
    track(labels=path, compartments=tmp_path / "cages.tsv", **files, settings=settings)
    assert len(read_table(files["tracks"], TRACKS)) == 3


def test_open_compartments_hold_nobody(tmp_path):
    cages = {"sample": "sample", "fov": "1", "compartment_id": "A", "y_px": 1.0, "x_px": 1.0, "radius_px": 9.0}
    pd.DataFrame([cages]).to_csv(tmp_path / "cages.csv", index=False)
    table = objects_at([(0, 1.0, 1.0)]).table
    assert compartments.closed_compartments(table, tmp_path / "cages.csv", FieldOfView(sample="sample")).tolist() == [
        -1
    ]
    pd.DataFrame([cages | {"closed_frame": 0}]).to_csv(tmp_path / "closed.csv", index=False)
    assert compartments.closed_compartments(table, tmp_path / "closed.csv", FieldOfView(sample="sample")).tolist() == [
        0
    ]
