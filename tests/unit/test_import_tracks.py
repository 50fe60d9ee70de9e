"""Given tracks: tables and track files become checked tables; contradictions are refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.unit.tracking_examples import outputs

from cineseq.config.base import FieldOfView
from cineseq.config.track import Track
from cineseq.contracts import DETECTIONS, TRACKS
from cineseq.errors import UserError
from cineseq.stacks import MovieInfo, write_labels
from cineseq.tables import read_table
from import_tracks import Settings, main

FRAMES = 6


def labels(folder: Path) -> Path:
    """Track 1 divides into 2 and 3 at frame 3; 4 is always there; labels are track numbers."""
    planes = []
    for t in range(FRAMES):
        plane = np.zeros((60, 60), np.uint16)
        plane[5:11, 5:11] = 4
        if t < 3:
            plane[30:40, 30:40] = 1
        else:
            plane[30:38, 22:30] = 2
            plane[30:38, 42:50] = 3
        planes.append(plane)
    write_labels(planes, folder / "m.ome.tif", MovieInfo(FRAMES, 60, 60, (), None, None))
    return folder / "m.ome.tif"


def run(given: Path, folder: Path, **more: object) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    files = outputs(folder)
    main(given=given, labels=labels(folder), **files, settings=Settings(**more))
    report = json.loads(files["report"].read_text())
    return read_table(files["detections"], DETECTIONS), read_table(files["tracks"], TRACKS), report


def ctc(folder: Path, text: str) -> Path:
    (folder / "TRA").mkdir()
    (folder / "TRA/man_track.txt").write_text(text)
    return folder / "TRA"


GOOD = "1 0 2 0\n2 3 5 1\n3 3 5 1\n4 0 5 0\n"


def test_ctc_folder_keeps_numbers_and_parents(tmp_path):
    _, tracks, report = run(ctc(tmp_path, GOOD), tmp_path)
    assert tracks["number"].tolist() == [1, 2, 3, 4]
    assert tracks["parent_id"].fillna("").tolist() == ["", "sample/1/1", "sample/1/1", ""]
    assert tracks["end_kind"].tolist() == ["division", "end_of_movie", "end_of_movie", "end_of_movie"]
    assert tracks.loc[0, ["end_confidence"]].isna().all()
    assert report["numbers"]["only_daughters_joined"] == 0


def test_an_only_daughter_is_the_same_cell_and_is_counted(tmp_path):
    _, tracks, report = run(ctc(tmp_path, "1 0 2 0\n2 3 5 1\n3 3 5 0\n4 0 5 0\n"), tmp_path)
    assert tracks["frames"].tolist() == [6, 3, 6]
    assert report["numbers"]["only_daughters_joined"] == 1


def test_objects_without_a_track_get_their_own(tmp_path):
    _, tracks, report = run(ctc(tmp_path, "1 0 2 0\n2 3 5 1\n3 3 5 1\n"), tmp_path)
    assert tracks["frames"].tolist() == [3, 3, 3, *[1] * 6]
    assert report["numbers"]["objects_without_given_track"] == 6


def table(folder: Path, by: str = "label", **names: str) -> Path:
    rows = [(t, 4, 4, 7.5, 7.5, "") for t in range(FRAMES)]
    rows += [(t, 1, 1, 34.5, 34.5, "") for t in range(3)]
    rows += [(t, n, n, 33.5, x, 1) for t in range(3, FRAMES) for n, x in ((2, 25.5), (3, 45.5))]
    frame = pd.DataFrame(rows, columns=["frame", "track", "label", "y", "x", "parent"])
    frame = frame.drop(columns=["label"] if by == "place" else ["y", "x"]).rename(columns=names)
    frame.to_csv(folder / "given.csv", index=False)
    return folder / "given.csv"


@pytest.mark.parametrize("by", ["label", "place"])
def test_table_by_label_or_by_place_gives_the_same_tracks(tmp_path, by):
    detections, tracks, _ = run(table(tmp_path, by), tmp_path)
    assert tracks["parent_id"].fillna("").tolist() == ["", "sample/1/1", "sample/1/1", ""]
    assert (detections["track_id"].str.split("/").str[-1].astype(int) == detections["label"]).all()


def test_table_with_other_column_names(tmp_path):
    names = {"frame": "t", "track": "TID", "parent": "motherID"}
    path = table(tmp_path, **names)
    _, tracks, _ = run(path, tmp_path, track=Track(given_columns=names))
    assert len(tracks) == 4


def test_a_thinned_movie_keeps_the_frames_that_are_left(tmp_path):
    rows = pd.DataFrame({"frame": np.arange(12), "track": 4, "y": 7.5, "x": 7.5})
    cell = pd.DataFrame({"frame": np.arange(0, 12), "track": 1, "y": 34.5, "x": 34.5})
    pd.concat([rows, cell]).to_csv(tmp_path / "given.csv", index=False)
    _, tracks, report = run(tmp_path / "given.csv", tmp_path, field=FieldOfView(frame_step=2))
    assert tracks.set_index("number").loc[[1, 4], "frames"].tolist() == [3, 6]
    assert report["numbers"]["given_objects_without_mask"] == 3


BAD_CTC = {
    "row 2: track 2 ends before it starts": "1 0 2 0\n2 5 3 1\n3 3 5 1\n",
    "row 2: track 1 is listed twice": "1 0 2 0\n1 3 5 0\n",
    "four whole numbers": "1 0 2\n",
    r"four whole numbers, track, first frame, last frame, parent \(": "1 0 2 0\n2 x 5 1\n",
    "found none": "",
    "more than two daughters": "1 0 2 0\n2 3 5 1\n3 3 5 1\n4 0 5 1\n",
    "starts before her mother ends": "1 0 2 0\n2 3 5 4\n3 3 5 4\n4 0 5 0\n",
    "its own ancestor": "1 0 2 2\n2 3 5 1\n3 3 5 1\n4 0 5 2\n",
    "do not fit the masks": "11 0 2 0\n12 3 5 0\n",
}


@pytest.mark.parametrize("said", BAD_CTC)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_bad_track_file_is_refused_with_its_name(tmp_path, said):
    with pytest.raises(UserError, match=said) as raised:
        run(ctc(tmp_path, BAD_CTC[said]), tmp_path)
    assert str(tmp_path / "TRA") in str(raised.value)
    assert not (tmp_path / "t.parquet").exists()


BAD_TABLE = {
    "no column 'track'": "frame,label\n0,1\n",
    "has no rows": "frame,track,label\n",
    "row 3: column 'frame' should be a whole number, not 'x'": "frame,track,label\n0,1,1\nx,1,1\n",
    r"track 2 .* has more than one mother, 1, 4": "frame,track,label,parent\n3,2,2,1\n4,2,2,4\n",
}


@pytest.mark.parametrize("said", BAD_TABLE)
def test_bad_table_is_refused(tmp_path, said):
    (tmp_path / "given.csv").write_text(BAD_TABLE[said])
    with pytest.raises(UserError, match=said):
        run(tmp_path / "given.csv", tmp_path)


def test_unknown_format_and_missing_file_are_refused(tmp_path):
    (tmp_path / "given.xyz").write_text("")
    with pytest.raises(UserError, match=r"given\.xyz: tracks in no known format"):
        run(tmp_path / "given.xyz", tmp_path)
    with pytest.raises(UserError, match="no such file"):
        run(tmp_path / "nowhere", tmp_path)


def test_tracks_without_any_object_are_refused(tmp_path):
    write_labels([np.zeros((9, 9), np.uint16)], tmp_path / "e.ome.tif", MovieInfo(1, 9, 9, (), None, None))
    files = outputs(tmp_path)
    with pytest.raises(UserError, match="the masks have no objects"):
        main(given=ctc(tmp_path, GOOD), labels=tmp_path / "e.ome.tif", **files, settings=Settings())
