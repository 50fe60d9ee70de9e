"""What the benchmarks leave out, what they do when a part of them fails, and that their experiments run."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import bench_contracts
import bench_imaging
import bench_memory
import bench_prediction_simulated
import crowds
import numpy as np
import pandas as pd
import pytest
import tifffile
from bench_deaths import called_wrongly
from bench_memory import LONG, SHORT, arguments

from cineseq.tables.imaging import OBJECTS

ROOT = Path(__file__).resolve().parents[3]


def test_memory_is_measured_for_every_step_of_a_field():
    rules = "".join((ROOT / f"rules/{name}.smk").read_text() for name in ("inputs", "imaging", "features"))
    of_the_study = {"compare_fields"}
    assert set(re.findall(r"^rule (\w+):", rules, re.MULTILINE)) - of_the_study == {*LONG, *SHORT}


@pytest.mark.parametrize("step", dict.fromkeys((*LONG, *SHORT)))
def test_the_steps_are_given_what_they_need(step, tmp_path):
    known = inspect.signature(importlib.import_module(step).main).parameters
    needed = {name for name, given in known.items() if given.default is given.empty}
    told = {text.removeprefix("--") for text in arguments(step, tmp_path, tmp_path) if text.startswith("--")}
    assert needed <= told <= known.keys()


def test_what_short_movies_bound_is_said_to_be_bounded_by_growth(tmp_path, monkeypatch):
    monkeypatch.setattr(
        bench_memory, "peaks", lambda film, steps, _: ((s, {"peak_gb": film.frames / 10}) for s in steps)
    )
    lines = [str(score) for score in bench_memory.short_movies(2, tmp_path)]
    assert len(lines) == 4
    assert sum("bounded by growth" in line and line.endswith("MISSED") for line in lines) == 2


def test_a_part_that_fails_ends_nothing_and_is_named(monkeypatch, capsys):
    def lines(part, _):
        yield f"{part} ok"
        if part == "points":
            raise subprocess.CalledProcessError(3, "bench_points.py")

    monkeypatch.setattr(bench_imaging, "lines", lines)
    monkeypatch.setattr(sys, "argv", ["bench_imaging.py", "--parts", "points", "deaths"])
    with pytest.raises(SystemExit, match="1 of 2 parts failed: points"):
        bench_imaging.main()
    said = capsys.readouterr().out.splitlines()
    assert said[1:] == [
        "points ok",
        "points FAILED with status 3; scores that it did not print are missing.",
        "deaths ok",
        "2 of 2 targets are met.",
    ]


def test_the_status_of_a_part_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "bench_points.py").write_text("print('so far'); raise SystemExit(3)")
    monkeypatch.setattr(bench_imaging, "HERE", tmp_path)
    said = bench_imaging.lines("points", [])
    assert next(said) == "so far"
    with pytest.raises(subprocess.CalledProcessError):
        next(said)


def test_a_death_near_another_cells_death_is_called_wrongly():
    found = pd.DataFrame({"track_id": ["a", "b", "c", "d"], "end_kind": ["death", "death", "lost", "death"]})
    true = pd.DataFrame({"track_id": ["A", "B", "C"], "end_kind": ["death", "left_fov", "death"]})
    assert called_wrongly(found, pd.Series({"a": "A", "b": "B", "c": "C"}), true) == 2


def test_the_truth_of_a_crowd_has_whole_tracks_and_pairs_of_daughters(tmp_path):
    """Cell 1 leaves and comes back, then divides into 5 and 6; 2 divides too, but one daughter, 4, is never seen."""
    seen = [[1, 2], [2], [1, 2], [5, 6, 3]]
    planes = [np.array([[0, *cells, *[0] * (4 - len(cells))]], np.uint16) for cells in seen]
    crowd = crowds.Crowd(planes, {3: 2, 4: 2, 5: 1, 6: 1})
    crowds.write_ctc_truth(crowd, tmp_path / "every")
    rows = np.loadtxt(tmp_path / "every/man_track.txt", int).tolist()
    assert rows == [[1, 0, 0, 0], [2, 2, 2, 0], [3, 0, 2, 0], [4, 3, 3, 0], [5, 3, 3, 2], [6, 3, 3, 2]]
    assert tifffile.imread(tmp_path / "every/man_track003.tif").tolist() == [[0, 5, 6, 4, 0]]
    crowds.write_ctc_truth(crowd, tmp_path / "second", 2)
    rows = np.loadtxt(tmp_path / "second/man_track.txt", int).tolist()
    assert rows == [[1, 0, 1, 0], [2, 0, 1, 0]]


def test_rods_grow_and_divide_and_the_sheet_leaves_no_room():
    colony = crowds.rods(frames=8, start=6, size=160)
    counts = [len(np.unique(plane)) - 1 for plane in colony.planes]
    assert counts == sorted(counts)
    assert counts[-1] - counts[0] == len(colony.mother) / 2 > 0
    areas = np.bincount(colony.planes[-1].ravel())[1:]
    assert areas[areas > 0].min() > 0.5 * crowds.WIDTH**2
    sheet = crowds.epithelium(frames=3, size=80, margin=30)
    assert all(plane.all() for plane in sheet.planes)
    assert len(np.intersect1d(sheet.planes[0], sheet.planes[2])) > 0.5 * len(np.unique(sheet.planes[0]))


def test_an_experiment_of_prediction_runs_and_finds_what_was_planted():
    assert bench_prediction_simulated._is_ordered(0, (0.2, 0.45)) == (True, True)


def test_the_table_whose_check_is_timed_has_the_columns_asked_for():
    assert OBJECTS.check(bench_contracts.objects(20, 12)).shape == (20, 12)
