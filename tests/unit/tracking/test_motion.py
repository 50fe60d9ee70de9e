"""The common path of a field's cells is the stage's, and is not given where too few cells tell it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cineseq.tracking import motion
from cineseq.tracking.finalise import no_tracks
from cineseq.tracking.motion import LEAST_CELLS, common_path, steps_of_tracks

STAGE = np.array([[0, 0], [1, -2], [3, -2], [3, 1]], float)


def detections(cells: int, frames: int = 4) -> pd.DataFrame:
    """Return cells that stand still on a stage that moves, in an order of no help."""
    rng = np.random.default_rng(1)
    home = rng.uniform(0, 100, (cells, 2))
    rows = [(f"c{c}", t, *(home[c] + STAGE[t])) for c in range(cells) for t in range(frames)]
    return pd.DataFrame(rows, columns=["track_id", "frame", "y_px", "x_px"]).sample(frac=1, random_state=2)


def test_the_stage_is_found_though_a_third_of_the_cells_run_about() -> None:
    table = detections(12)
    runs = table["track_id"].isin([f"c{c}" for c in range(4)])
    table.loc[runs, "x_px"] += 30.0 * table.loc[runs, "frame"] ** 2
    still = common_path(detections(12), 4)
    assert still == {"common_y_px": [0, 1, 3, 3], "common_x_px": [0, -2, -2, 1]}
    moved = common_path(table, 4)
    assert moved["common_y_px"] == [0, 1, 3, 3]
    np.testing.assert_allclose(moved["common_x_px"], STAGE[:, 1])


def test_a_gap_is_no_step() -> None:
    table = detections(1)
    assert steps_of_tracks(table[table["frame"] != 1])["frame"].tolist() == [3]


@pytest.mark.parametrize(("last", "known"), [(0, 0), (1, 2), (2, 3), (3, 4)])
def test_the_path_ends_where_too_few_cells_go_on(last: int, known: int) -> None:
    table = detections(LEAST_CELLS)
    found = common_path(table[(table["track_id"] != "c0") | (table["frame"] <= last)], 4)
    assert len(found.get("common_y_px", [])) == known


def test_a_field_without_objects_has_no_path(tmp_path: Path) -> None:
    assert common_path(no_tracks().detections, 5) == {}
    (tmp_path / "a.json").write_text(json.dumps(common_path(detections(9), 4)))
    assert json.loads((tmp_path / "a.json").read_text())["common_x_px"] == [0, -2, -2, 1]


def test_motion_model_is_none_for_cells_that_wander():
    rng = np.random.default_rng(3)
    start = rng.uniform(0, 1000, (80, 2))
    path = start[None] + np.cumsum(rng.normal(0, 3, (10, 80, 2)), axis=0)
    points = path.reshape(-1, 2)
    rows = motion.by_frame(np.repeat(np.arange(10), 80), 10)
    assert motion.estimate(points, rows, "auto").kind == "none"


def test_a_colony_that_dilates_by_more_than_its_spacing_is_registered() -> None:
    rng = np.random.default_rng(0)
    yy, xx = np.mgrid[-9:10, -9:10] * 10.0
    before = np.c_[yy.ravel(), xx.ravel()] + rng.normal(0, 1, (yy.size, 2))
    after = 1.2 * before + [40.0, -30.0]
    rows = motion.by_frame(np.repeat([0, 1], len(before)), 2)
    found = motion.estimate(np.r_[before, after], rows, "flow")
    left = np.hypot(*(before + found.shift[: len(before)] - after).T)
    assert np.median(left) < 1.5
    assert np.percentile(left, 95) < 4


@pytest.mark.parametrize("cells", [12, 40])
def test_a_drift_over_many_neighbours_is_found(cells: int) -> None:
    first = np.random.default_rng(2).normal(60, 15, (cells, 2))
    points = np.concatenate([first + np.array([0, 60 * frame]) for frame in range(5)])
    rows = [slice(cells * frame, cells * (frame + 1)) for frame in range(5)]
    found = motion.estimate(points, rows, "auto")
    assert found.kind == "drift"
    assert np.allclose(found.shift[: 4 * cells], [0, 60])
