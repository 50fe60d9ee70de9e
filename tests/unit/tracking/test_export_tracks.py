"""Tracks in the form of the Cell Tracking Challenge: written, read back and scored."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from export_tracks import main as export_tracks
from import_tracks import Settings as ImportSettings
from import_tracks import main as import_tracks
from tests.unit.tracking.tracking_examples import outputs
from track import Settings
from track import main as track

from cineseq.config.base import FieldOfView
from cineseq.config.tracking import Track
from cineseq.evaluation.tracking import score_ctc, score_deaths
from cineseq.io.stacks import MovieInfo, write_labels
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import DETECTIONS, TRACKS
from cineseq.tracking.export import continuous_pieces, relabelled


def planes_with_gap_and_division() -> list[np.ndarray]:
    """Cell 1 is unseen in frame 3; cell 2 divides into 3 and 4 at frame 5; labels have gaps."""
    planes = []
    for t in range(8):
        plane = np.zeros((80, 80), np.uint16)
        if t != 3:
            plane[10:20, 10 + t : 20 + t] = 11
        if t < 5:
            plane[44:58, 40:54] = 2
        else:
            plane[46:56, 34 - t : 44 - t] = 30
            plane[46:56, 52 + t : 62 + t] = 41
        planes.append(plane)
    return planes


def tracked(folder: Path) -> dict[str, Path]:
    planes = planes_with_gap_and_division()
    write_labels(planes, folder / "m.ome.tif", MovieInfo(len(planes), 80, 80, (), 0.5, 10.0))
    files = {"detections": folder / "d.parquet", "tracks": folder / "t.parquet"}
    field = FieldOfView(sample="s", fov="f")
    track(
        labels=folder / "m.ome.tif",
        **files,
        events=folder / "e.parquet",
        report=folder / "r.json",
        settings=Settings(field=field),
    )
    export_tracks(labels=folder / "m.ome.tif", **files, geff=folder / "g.geff", ctc=folder / "ctc")
    return {"labels": folder / "m.ome.tif", **files, "geff": folder / "g.geff", "ctc": folder / "ctc"}


def test_export_has_a_mask_in_every_frame_of_every_track(tmp_path):
    ctc = tracked(tmp_path)["ctc"]
    rows = np.loadtxt(ctc / "res_track.txt", int)
    assert rows.tolist() == [[1, 0, 2, 0], [2, 0, 4, 0], [3, 5, 7, 2], [4, 5, 7, 2], [5, 4, 7, 1]]
    names = sorted(p.name for p in ctc.iterdir())
    assert names == [f"mask{t:03d}.tif" for t in range(8)] + ["res_track.txt"]
    for t in range(8):
        mask = tifffile.imread(ctc / f"mask{t:03d}.tif")
        assert mask.dtype == np.uint16
        here = {number for number, first, last, _ in rows.tolist() if first <= t <= last}
        assert set(np.unique(mask).tolist()) - {0} == here
        assert ((mask > 0) == (planes_with_gap_and_division()[t] > 0)).all()


def test_export_replaces_an_old_folder_whole(tmp_path):
    files = tracked(tmp_path)
    (files["ctc"] / "left over.tif").write_text("x")
    export_tracks(**files)
    assert not (files["ctc"] / "left over.tif").exists()


def test_round_trip_keeps_links_divisions_and_the_gap(tmp_path):
    files = tracked(tmp_path)
    ours = tmp_path / "again"
    planes = [tifffile.imread(p) for p in sorted(files["ctc"].glob("mask*.tif"))]
    write_labels(planes, ours / "m.ome.tif", MovieInfo(8, 80, 80, (), 0.5, 10.0))
    out = outputs(ours)
    settings = ImportSettings(field=FieldOfView(sample="s", fov="f"))
    import_tracks(external=files["ctc"], labels=ours / "m.ome.tif", **out, settings=settings)
    columns = ["track_id", "parent_id", "sister_id", "start_frame", "end_frame", "frames", "end_kind", "start_y_px"]
    before, after = (read_table(p, TRACKS)[columns] for p in (files["tracks"], out["tracks"]))
    pd.testing.assert_frame_equal(before, after)
    before, after = (
        read_table(p, DETECTIONS).sort_values(["frame", "y_px", "x_px"])
        for p in (files["detections"], out["detections"])
    )
    assert before["track_id"].tolist() == after["track_id"].tolist()


def test_empty_movie_exports_empty_masks(tmp_path):
    write_labels([np.zeros((9, 9), np.uint16)] * 2, tmp_path / "m.ome.tif", MovieInfo(2, 9, 9, (), None, None))
    files = {"detections": tmp_path / "d.parquet", "tracks": tmp_path / "t.parquet"}
    track(
        labels=tmp_path / "m.ome.tif",
        **files,
        events=tmp_path / "e.parquet",
        report=tmp_path / "r.json",
        settings=Settings(track=Track(allow_empty=True)),
    )
    export_tracks(labels=tmp_path / "m.ome.tif", **files, geff=tmp_path / "g.geff", ctc=tmp_path / "ctc")
    assert (tmp_path / "ctc/res_track.txt").read_text() == ""
    assert not tifffile.imread(tmp_path / "ctc/mask001.tif").any()


def test_daughters_hang_on_the_last_piece_of_a_parent_with_a_gap():
    detections = pd.DataFrame({"track_id": ["m", "m", "a", "b"], "frame": [0, 2, 3, 3], "label": [1, 1, 1, 2]})
    tracks = pd.DataFrame({"track_id": ["m", "a", "b"], "number": [1, 2, 3], "parent_id": [pd.NA, "m", "m"]})
    rows, label = continuous_pieces(detections, tracks)
    assert rows.to_numpy().tolist() == [[1, 0, 0, 0], [2, 3, 3, 4], [3, 3, 3, 4], [4, 2, 2, 1]]
    assert label.tolist() == [1, 4, 2, 3]


def test_a_mask_label_without_detection_is_an_error():
    with pytest.raises(ValueError, match="no detection"):
        relabelled(np.array([[0, 5]]), pd.DataFrame({"label": [4], "piece": [1]}))
    with pytest.raises(ValueError, match="no detections"):
        relabelled(np.array([[0, 5]]), None)


def test_deaths_are_matched_one_to_one_in_place_and_time():
    truth = pd.DataFrame({"frame": [5, 9], "y_px": [10.0, 50.0], "x_px": [10.0, 50.0]})
    said = pd.DataFrame({"frame": [6, 5, 20], "y_px": [11.0, 12.0, 50.0], "x_px": [10.0, 10.0, 50.0]})
    scores = score_deaths(said, truth, tolerance_frames=2, distance_px=5)
    assert scores == {"precision": 1 / 3, "recall": 0.5, "F1": 0.4, "predicted": 3.0, "true": 2.0}
    none = score_deaths(said.iloc[:0], truth, tolerance_frames=2, distance_px=5)
    assert np.isnan(none["precision"])
    assert none["recall"] == 0


def sim01(data_folder: Path, folder: Path, lost_parents: tuple[int, ...]) -> dict[str, float]:
    """Score the truth of ctc_sim01 against itself without some parent links."""
    truth = data_folder / "ctc_sim01/01_GT/TRA"
    folder.mkdir()
    for path in truth.glob("man_track*.tif"):
        (folder / path.name.replace("man_track", "mask")).symlink_to(path)
    rows = np.loadtxt(truth / "man_track.txt", int)
    rows[np.isin(rows[:, 3], lost_parents), 3] = 0
    np.savetxt(folder / "res_track.txt", rows, "%d")
    return score_ctc(folder, truth)


@pytest.mark.data
def test_one_division_less_scores_as_calculated_by_hand(data_folder, tmp_path):
    perfect = sim01(data_folder, tmp_path / "perfect", ())
    assert (perfect["LNK"], perfect["AOGM"], perfect["division_F1"]) == (1, 0, 1)
    scores = sim01(data_folder, tmp_path / "res", (6,))
    assert scores["AOGM"] == 3.0  # two missing links at 1.5 each
    assert scores["TRA"] == pytest.approx(0.99838, abs=1e-5)
    assert scores["LNK"] == pytest.approx(0.98649, abs=1e-5)
    assert scores["division_F1"] == pytest.approx(10 / 11)
    assert scores["true_divisions"] == 6


@pytest.mark.data
def test_simulated_nuclei_are_tracked_without_error(data_folder, tmp_path):
    truth = data_folder / "ctc_sim01/01_GT/TRA"
    planes = [tifffile.imread(p) for p in sorted(truth.glob("man_track*.tif"))]
    write_labels(planes, tmp_path / "m.ome.tif", MovieInfo(len(planes), *planes[0].shape, (), None, None))
    files = {"detections": tmp_path / "d.parquet", "tracks": tmp_path / "t.parquet"}
    track(
        labels=tmp_path / "m.ome.tif",
        **files,
        events=tmp_path / "e.parquet",
        report=tmp_path / "r.json",
        settings=Settings(),
    )
    export_tracks(labels=tmp_path / "m.ome.tif", **files, geff=tmp_path / "g.geff", ctc=tmp_path / "ctc")
    scores = score_ctc(tmp_path / "ctc", truth)
    assert (scores["LNK"], scores["TRA"], scores["division_F1"]) == (1, 1, 1)
