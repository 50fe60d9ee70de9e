"""Shapes of the paired cells by hours before the end of their tracks, and latent variables learned elsewhere."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from cineseq.generative.timed import read_timed

CELLS = pd.Index(["s/f/1", "s/f/2"])


def paired(**more: list[float]) -> SimpleNamespace:
    times = {"start_frame": [0, 4], "end_frame": [4, 4], "start_hours": [0.0, 2.0], "end_hours": [2.0, 2.0]}
    morphology = pd.DataFrame({"morphology_area_um2": [1.0, 2.0]}, CELLS)
    return SimpleNamespace(obs=pd.DataFrame(times | more, CELLS), morphology=morphology)


def objects(folder: Path, **more: list[float]) -> list[Path]:
    rows = {"track_id": ["s/f/1", "s/f/1", "s/f/2", "other"], "frame": [2, 4, 4, 4]}
    rows["morphology_area_um2"] = [5.0, 6.0, 7.0, 8.0]
    pd.DataFrame(rows | more).to_parquet(folder / "objects.parquet")
    return [folder / "objects.parquet"]


def test_hours_are_counted_back_from_the_last_frame_of_each_track(tmp_path: Path) -> None:
    found = read_timed(objects(tmp_path), paired())
    assert found["track_id"].tolist() == ["s/f/1", "s/f/1", "s/f/2"]
    assert found["hours_before"].tolist() == [1.0, 0.0, 0.0]
    assert found["morphology_area_um2"].tolist() == [5.0, 6.0, 7.0]


def test_frames_at_irregular_times_have_their_own_hours(tmp_path: Path) -> None:
    found = read_timed(objects(tmp_path, hours=[0.3, 2.0, 2.0, 2.0]), paired())
    assert found["hours_before"].round(6).tolist() == [1.7, 0.0, 0.0]


def test_without_times_or_images_there_are_no_rows(tmp_path: Path) -> None:
    assert read_timed([], paired()).empty
    assert read_timed(objects(tmp_path), paired(start_hours=[float("nan")] * 2, end_hours=[float("nan")] * 2)).empty
