"""Sentences of the report say what was seen: steps of links, masks only where there are some, rates only if learnt."""

from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.config.tracking import Track
from cineseq.io.stacks import MovieInfo
from cineseq.tracking.field import track_points
from cineseq.tracking.points import take_points


def report_of(frames: int, step: float) -> dict:
    """Track nine points on a square grid of 20 px that all move by ``step`` px per frame."""
    home = np.stack(np.meshgrid(np.arange(3) * 20.0, np.arange(3) * 20.0), -1).reshape(-1, 2)
    rows = [
        pd.DataFrame(home + np.array([0, step * frame]), columns=["y_px", "x_px"]).assign(frame=frame)
        for frame in range(frames)
    ]
    points = take_points(pd.concat(rows, ignore_index=True), None, None)
    info = MovieInfo(*points.objects.shape, (), None, None)
    field = FieldOfView(sample="a", fov="1")
    return track_points(points, None, None, info=info, field=field, settings=Track(), where=Path("points"))[1]


def test_the_median_step_is_that_of_the_links() -> None:
    report = report_of(5, 3.0)
    assert report["numbers"]["median_step_px"] == 3.0
    assert report["numbers"]["step_over_neighbour_distance"] == 0.15


def test_one_frame_has_no_step_and_teaches_nothing() -> None:
    report = report_of(1, 3.0)
    said = " ".join(report["lines"])
    assert report["numbers"]["median_step_px"] is None
    assert report["numbers"]["neighbour_distance_px"] == 20.0
    assert "The median step" not in said
    assert "One frame teaches no rates, so these are assumed, per cell and frame" in said


def test_points_do_not_look_for_masks() -> None:
    assert not any("moved mask" in line for line in report_of(5, 3.0)["lines"])
