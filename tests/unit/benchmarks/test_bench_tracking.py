"""The simulated movies of the benchmark of tracking hold what they say, and its scores count what they should."""

from pathlib import Path

import bench_tracking
import numpy as np
import pandas as pd
import pytest
import tifffile
from tracking import colonies, movies, tissues
from tracking.movies import MOVIES, Truth, Wanted
from tracking.scoring import Result, score

ROOT = Path(__file__).resolve().parents[3]


def test_a_colony_doubles_as_fast_as_it_should_and_rods_keep_their_width():
    colony = colonies.grow(colonies.Design(2, cells=60, seed=3))
    counts = [len(np.unique(plane)) - 1 for plane in colony.planes]
    assert counts == sorted(counts)
    assert counts[-1] - counts[0] == len(colony.mother) / 2
    assert np.log2(counts[-1] / counts[-21]) == pytest.approx(2, abs=0.3)
    # No rod lies on another: a rod is drawn 9 px wide, and the shortest is about half as long as one that divides.
    areas = np.bincount(colony.planes[-1].ravel())[1:]
    assert areas[areas > 0].min() > 0.8 * 9 * 15


def test_a_chamber_holds_its_colony():
    colony = colonies.grow(colonies.Design(2, cells=60, chamber=60.0, seed=3))
    rows = np.flatnonzero(colony.planes[-1].any(axis=1))
    assert np.ptp(rows) <= 60


def test_daughters_fill_the_outline_of_their_mother_and_those_that_leave_are_gone():
    design = tissues.Design(0.2, field_px=240, margin_px=30, frames=8, flow=0, wobble=0, seed=1)
    tissue = tissues.live(design)
    assert all(plane.all() for plane in tissue.planes)
    mothers = set(tissue.mother.values())
    shared = []
    for before, after in zip(tissue.planes, tissue.planes[1:], strict=False):
        for mother in mothers & set(np.unique(before)) - set(np.unique(after)):
            outline = before == mother
            if outline[[0, -1]].any() or outline[:, [0, -1]].any():
                continue
            daughters = np.isin(after, [cell for cell, parent in tissue.mother.items() if parent == mother])
            shared.append((outline & daughters).sum() / (outline | daughters).sum())
    assert len(shared) > 2
    assert np.median(shared) > 0.8
    gone = set(np.unique(tissue.planes[0])) - set(np.unique(tissue.planes[-1])) - mothers
    assert len(gone) > 3


def test_simulations_are_the_same_every_time():
    design = tissues.Design(0.2, field_px=60, margin_px=30, frames=4)
    assert np.array_equal(tissues.live(design).planes, tissues.live(design).planes)
    small = colonies.Design(3, cells=16)
    assert np.array_equal(colonies.grow(small).planes[-1], colonies.grow(small).planes[-1])


def test_thinned_tracks_keep_their_ancestors(tmp_path):
    """Track 1 divides into 2 and 3; 2 lives in frame 1 only, which is not kept, and divides into 4 and 5."""
    folder = tmp_path / "some/TRA"
    folder.mkdir(parents=True)
    for frame, cells in enumerate([[1], [2, 3], [4, 5, 3], [4, 5, 3]]):
        tifffile.imwrite(folder / f"man_track{frame:03d}.tif", np.array([cells + [0] * (4 - len(cells))], np.uint16))
    np.savetxt(folder / "man_track.txt", [[1, 0, 0, 0], [2, 1, 1, 1], [3, 1, 3, 1], [4, 2, 3, 2], [5, 2, 3, 2]], "%d")
    truth = movies.thinned(Path("some/TRA"), 2, tmp_path)
    assert truth.tracks.to_numpy().tolist() == [[1, 0, 0, 0], [3, 1, 1, 1], [4, 1, 1, 1], [5, 1, 1, 1]]
    assert truth.cells == 4
    assert truth.divisions == 1


def test_ends_in_the_layer_are_counted_away_from_the_border():
    """Cell 1 ends in frame 1, cell 2 is at the border when it ends, cell 3 stays; the result ends 3 early, loses 1."""
    planes = [np.zeros((5, 5), np.int32) for _ in range(4)]
    for frame, plane in enumerate(planes):
        plane[2, 2] = 1 if frame < 2 else 0
        plane[0, 0] = 2 if frame < 2 else 0
        plane[3, 3] = 3
    truth = Truth(planes, pd.DataFrame({"track": [1, 2, 3], "first": 0, "last": [1, 1, 3], "parent": 0}))
    rows = [(0, 1, 1), (1, 1, 9), (0, 2, 2), (1, 2, 2), (0, 3, 3), (1, 3, 3), (2, 3, 4), (3, 3, 4)]
    objects = pd.DataFrame(rows, columns=["frame", "label", "track"])
    none = pd.DataFrame({"track": [], "parent": []}, dtype=int)
    found = score(Result(objects, none, 0), truth)
    # Called: 1 in frames 0 and 1, and 3 in frame 1; true: 1 in frame 1. Links: 3 of 5 are found, and none beside them.
    assert found["true ends"] == 1
    assert found["ends precision"] == pytest.approx(1 / 3)
    assert found["ends recall"] == 1
    assert found["ends F1"] == pytest.approx(0.5)
    assert found["edge Jaccard"] == pytest.approx(3 / 5)


def test_requirements_hold_for_numbers_as_they_are_printed():
    assert Wanted("LNK", 0.97).holds(0.9695)
    assert not Wanted("LNK", 0.97).holds(0.9694)
    assert Wanted("false divisions", at_most=0.03).holds(0.0304)
    assert not Wanted("false divisions", at_most=0.03).holds(float("nan"))


def test_every_movie_has_a_name_of_its_own_and_numbers_before():
    names = [movie.name for movie in MOVIES]
    assert len(set(names)) == len(names)
    before = bench_tracking.read_before()
    assert set(names) == set(before)
    for movie in MOVIES:
        assert {wanted.score for row in movie.rows for wanted in row} <= set(before[movie.name])


@pytest.mark.data
def test_the_smallest_real_movie_is_tracked_without_error():
    data = ROOT / "../shared/data"
    if not (data / "ctc_sim01").exists():
        pytest.skip(f"{data} is absent")
    found = bench_tracking.run_case("ctc_sim01", data=data)
    assert (found["LNK"], found["division F1"]) == (1, 1)
