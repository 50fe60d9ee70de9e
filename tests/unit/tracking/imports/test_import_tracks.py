"""External tracks: tables and track files become checked tables; contradictions are refused."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from import_tracks import Settings, main
from tests.unit.tracking.imports.external_examples import alone, cage, on_masks, table
from tests.unit.tracking.tracking_examples import outputs

from cineseq.config.base import FieldOfView
from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.io.stacks import MovieInfo, write_labels
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import TRACKS


def ctc(folder: Path, text: str) -> Path:
    (folder / "TRA").mkdir()
    (folder / "TRA/man_track.txt").write_text(text)
    return folder / "TRA"


GOOD = "1 0 2 0\n2 3 5 1\n3 3 5 1\n4 0 5 0\n"


def test_ctc_folder_keeps_numbers_and_parents(tmp_path):
    _, tracks, report = on_masks(ctc(tmp_path, GOOD), tmp_path)
    assert tracks["number"].tolist() == [1, 2, 3, 4]
    assert tracks["parent_id"].fillna("").tolist() == ["", "sample/1/1", "sample/1/1", ""]
    assert tracks["end_kind"].tolist() == ["division", "end_of_movie", "end_of_movie", "end_of_movie"]
    assert tracks.loc[0, ["end_confidence"]].isna().all()
    assert report["numbers"]["only_daughters_joined"] == 0


def test_masks_that_contradict_the_stated_frames_are_believed_and_counted(tmp_path):
    _, tracks, report = on_masks(ctc(tmp_path, "1 0 2 0\n2 3 4 1\n3 4 5 1\n4 1 5 0\n"), tmp_path)
    assert tracks["frames"].tolist() == [3, 3, 3, 6]
    assert report["numbers"]["objects_outside_the_frames_of_their_track"] == 3
    assert "Repaired on import: 3 objects outside the frames of their track." in report["lines"]


def test_stated_frames_are_those_of_the_movie_before_it_was_thinned(tmp_path):
    external = ctc(tmp_path, "1 0 5 0\n2 6 11 1\n3 6 11 1\n4 0 11 0\n")
    _, _, report = on_masks(external, tmp_path, field=FieldOfView(frame_step=2))
    assert report["numbers"]["objects_outside_the_frames_of_their_track"] == 0
    with pytest.raises(UserError, match="frame 6 of the file is not among the 6 frames of the masks, which are its"):
        on_masks(external, tmp_path)


def test_a_table_of_other_masks_is_refused(tmp_path):
    said = r"9 of 15 objects lie outside .* \(track 1, stated in frames 5 to 5, is in the mask of frame 0\); supply"
    with pytest.raises(UserError, match=said):
        on_masks(ctc(tmp_path, "1 5 5 0\n2 0 2 0\n3 0 2 0\n4 0 5 0\n"), tmp_path)


def test_an_only_daughter_is_the_same_cell_and_is_counted(tmp_path):
    _, tracks, report = on_masks(ctc(tmp_path, "1 0 2 0\n2 3 5 1\n3 3 5 0\n4 0 5 0\n"), tmp_path)
    assert tracks["frames"].tolist() == [6, 3, 6]
    assert report["numbers"]["only_daughters_joined"] == 1


def test_objects_without_a_track_get_their_own(tmp_path):
    _, tracks, report = on_masks(ctc(tmp_path, "1 0 2 0\n2 3 5 1\n3 3 5 1\n"), tmp_path)
    assert tracks["frames"].tolist() == [3, 3, 3, *[1] * 6]
    assert report["numbers"]["objects_without_given_track"] == 6


@pytest.mark.parametrize("by", ["label", "place"])
def test_table_by_label_or_by_place_gives_the_same_tracks(tmp_path, by):
    detections, tracks, _ = on_masks(table(tmp_path, by), tmp_path)
    assert tracks["parent_id"].fillna("").tolist() == ["", "sample/1/1", "sample/1/1", ""]
    assert (detections["track_id"].str.split("/").str[-1].astype(int) == detections["label"]).all()


def test_table_with_other_column_names(tmp_path):
    names = {"frame": "t", "track": "TID", "parent": "motherID"}
    path = table(tmp_path, **names)
    _, tracks, _ = on_masks(path, tmp_path, track=Track(external_columns=names))
    assert len(tracks) == 4


def test_a_thinned_movie_keeps_the_frames_that_are_left(tmp_path):
    rows = pd.DataFrame({"frame": np.arange(12), "track": 4, "y": 7.5, "x": 7.5})
    cell = pd.DataFrame({"frame": np.arange(0, 12), "track": 1, "y": 34.5, "x": 34.5})
    pd.concat([rows, cell]).to_csv(tmp_path / "external.csv", index=False)
    _, tracks, report = on_masks(tmp_path / "external.csv", tmp_path, field=FieldOfView(frame_step=2))
    assert tracks.set_index("number").loc[[1, 4], "frames"].tolist() == [3, 6]
    assert report["numbers"]["given_objects_without_mask"] == 3


def test_a_death_that_thinning_left_without_object_is_dropped_also_with_edits(tmp_path):
    rows = [(t, 4, 7.5, 7.5, "") for t in range(12)] + [(t, 1, 34.5, 34.5, "yes") for t in range(6)]
    rows.append((7, 3, 20.0, 50.0, "yes"))
    pd.DataFrame(rows, columns=["frame", "track", "y", "x", "death"]).to_csv(tmp_path / "external.csv", index=False)
    (tmp_path / "edits.csv").write_text("action,frame,cell\nnot_divide,0,1\n")
    thinned = FieldOfView(frame_step=2)
    _, tracks, report = on_masks(tmp_path / "external.csv", tmp_path, field=thinned, edits=tmp_path / "edits.csv")
    assert tracks.set_index("number").loc[[1, 4], "end_kind"].tolist() == ["death", "end_of_movie"]
    assert report["numbers"]["deaths_without_object"] == 1


BAD_CTC = {
    "row 2: track 2 ends before it starts": "1 0 2 0\n2 5 3 1\n3 3 5 1\n",
    "row 2: track 1 is listed twice": "1 0 2 0\n1 3 5 0\n",
    "four whole numbers": "1 0 2\n",
    r"four whole numbers, track, first frame, last frame, parent \(": "1 0 2 0\n2 x 5 1\n",
    "found none": "",
    "more than two daughters": "1 0 2 0\n2 3 5 1\n3 3 5 1\n4 0 5 1\n",
    "starts before its parent ends": "1 0 2 0\n2 3 5 4\n3 3 5 4\n4 0 5 0\n",
    "its own ancestor": "1 0 2 2\n2 3 5 1\n3 3 5 1\n4 0 5 2\n",
    "do not fit the masks": "11 0 2 0\n12 3 5 0\n",
}


@pytest.mark.parametrize("said", BAD_CTC)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_bad_track_file_is_refused_with_its_name(tmp_path, said):
    with pytest.raises(UserError, match=said) as raised:
        on_masks(ctc(tmp_path, BAD_CTC[said]), tmp_path)
    assert str(tmp_path / "TRA") in str(raised.value)
    assert not (tmp_path / "out/t.parquet").exists()


IMPOSSIBLE = {
    "track 1 is its own ancestor": "0,1,1,2,\n1,2,2,1,\n",
    "track 1 died and has daughters": "0,1,1,,1\n1,2,2,1,0\n1,3,3,1,0\n",
    "no row has a track in column 'track'": "0,-1,1,,\n1,,2,,\n",
    "there is a track -5": "0,-5,1,,\n1,1,2,,\n",
    "object 1 of frame 0 is listed twice": "0,1,1,,\n0,2,1,,\n",
    "a track has two objects in one frame": "0,1,1,,\n0,1,4,,\n1,1,2,,\n",
    "more than two daughters": "0,1,1,,\n1,2,2,1,\n1,3,3,1,\n1,4,4,1,\n",
}
MENDED = "more than two daughters"


@pytest.mark.parametrize("conflicts", ["refuse", "cut"])
@pytest.mark.parametrize("said", IMPOSSIBLE)
def test_what_no_cell_can_do_is_refused(tmp_path, said, conflicts):
    """Cutting mends merges and crowds only: where there is no telling which entry is wrong, nothing is guessed."""
    planes = [np.array([[1, 1, 0, 4, 4]], np.uint8), np.array([[2, 0, 3, 0, 4]], np.uint8)]
    write_labels(planes, tmp_path / "m.ome.tif", MovieInfo(2, 1, 5, (), None, None))
    (tmp_path / "external.csv").write_text("frame,track,label,parent,death\n" + IMPOSSIBLE[said])
    files = outputs(tmp_path)
    settings = Settings(track=Track(external_conflicts=conflicts))
    step = partial(main, external=tmp_path / "external.csv", labels=tmp_path / "m.ome.tif", **files, settings=settings)
    if conflicts == "cut" and said == MENDED:
        step()
        assert read_table(files["tracks"], TRACKS)["parent_id"].isna().all()
        return
    with pytest.raises(UserError, match=said):
        step()


@pytest.mark.parametrize("way", [on_masks, alone])
def test_given_tracks_pass_no_closed_wall(tmp_path, way):
    external = table(tmp_path, "place")
    _, tracks, _ = way(external, tmp_path, cage(tmp_path, closed=3))
    assert len(tracks) == 4
    with pytest.raises(UserError, match=r"passes the wall of a closed compartment .*sample/1/3"):
        way(external, tmp_path, cage(tmp_path, closed=2))


def test_edits_of_given_tracks_know_the_walls(tmp_path):
    external, edits = table(tmp_path), tmp_path / "edits.csv"
    edits.write_text("action,frame,cell,next_frame,next_cell,second_cell\nlink,3,2,4,3,\n")
    with pytest.raises(UserError, match="row 2: 'link' leads a cell through the wall of a closed compartment"):
        on_masks(external, tmp_path, cage(tmp_path, closed=3), edits)
    edits.write_text("action,frame,cell,next_frame,next_cell,second_cell\nunlink,2,1,3,3,\n")
    _, tracks, _ = on_masks(external, tmp_path, cage(tmp_path, closed=2), edits)
    assert tracks["parent_id"].isna().all()  # what passed the wall was mended by a person


STATED = {"1": "death", "True": "death", "0": "end_of_movie", "": "end_of_movie"}


@pytest.mark.parametrize("written", STATED)
def test_a_stated_death_is_a_death_and_an_empty_cell_is_none(tmp_path, written):
    rows = pd.read_csv(table(tmp_path))
    rows["died"] = [written if track == 4 else "0" for track in rows["track"]]
    rows.to_csv(tmp_path / "external.csv", index=False)
    _, tracks, report = on_masks(tmp_path / "external.csv", tmp_path, track=Track(external_columns={"death": "died"}))
    assert report["numbers"]["cells_followed_after_death"] == 0  # said of the whole track, not of when
    assert tracks.set_index("number").loc[4, "end_kind"] == STATED[written]
    assert (tracks["end_kind"] == "death").sum() == (STATED[written] == "death")


BAD_TABLE = {
    "not a readable table": "",
    "should hold frame numbers from 0, not -1": "frame,track,label\n-1,1,1\n",
    "no column 'track'": "frame,label\n0,1\n",
    "has no rows": "frame,track,label\n",
    "row 3: column 'frame' should be a whole number, not 'x'": "frame,track,label\n0,1,1\nx,1,1\n",
    r"track 2 .* has more than one parent, 1, 4": "frame,track,label,parent\n3,2,2,1\n4,2,2,4\n",
}


@pytest.mark.parametrize("said", BAD_TABLE)
def test_bad_table_is_refused(tmp_path, said):
    (tmp_path / "external.csv").write_text(BAD_TABLE[said])
    with pytest.raises(UserError, match=said):
        on_masks(tmp_path / "external.csv", tmp_path)


def test_unknown_format_and_missing_file_are_refused(tmp_path):
    (tmp_path / "external.xyz").write_text("")
    with pytest.raises(UserError, match=r"external\.xyz: unknown format of tracks"):
        on_masks(tmp_path / "external.xyz", tmp_path)
    with pytest.raises(UserError, match="no such file"):
        on_masks(tmp_path / "nowhere", tmp_path)


def test_tracks_without_any_object_are_refused(tmp_path):
    write_labels([np.zeros((9, 9), np.uint16)], tmp_path / "e.ome.tif", MovieInfo(1, 9, 9, (), None, None))
    files = outputs(tmp_path)
    with pytest.raises(UserError, match="the masks have no objects"):
        main(external=ctc(tmp_path, GOOD), labels=tmp_path / "e.ome.tif", **files, settings=Settings())


@pytest.mark.parametrize("word", ["apoptosis", "Died", "TRUE", "1.0", "cell_death"])
def test_any_word_for_a_death_is_one(tmp_path, word):
    rows = pd.read_csv(table(tmp_path, "place"))
    rows.assign(death=rows["track"].map({2: word, 3: "lost"})).to_csv(tmp_path / "external.csv", index=False)
    ends = on_masks(tmp_path / "external.csv", tmp_path)[1].set_index("number")["end_kind"]
    assert ends.loc[[1, 2, 3, 4]].tolist() == ["division", "death", "end_of_movie", "end_of_movie"]


def test_a_word_that_is_no_end_is_refused_and_the_advice_works(tmp_path):
    rows = pd.read_csv(table(tmp_path, "place"))
    rows = rows.assign(death=rows["track"].map({2: "perished"}), died=rows["track"] == 2)
    rows.to_csv(tmp_path / "external.csv", index=False)
    said = r"external\.csv, column 'death', row 11: 'perished' is not known; .* name another column as death in"
    with pytest.raises(UserError, match=said):
        on_masks(tmp_path / "external.csv", tmp_path)
    other = Track(external_columns={"death": "died"})
    ends = on_masks(tmp_path / "external.csv", tmp_path, track=other)[1].set_index("number")["end_kind"]
    assert ends[2] == "death"


@pytest.mark.parametrize("none", ["", "-1", "None"])
@pytest.mark.parametrize("by", ["label", "place"])
def test_tracks_that_are_numbered_from_zero_are_read(tmp_path, by, none):
    expected = on_masks(table(tmp_path, by), tmp_path)[1]
    rows = pd.read_csv(tmp_path / "external.csv", dtype=str)
    less = {str(n): str(n - 1) for n in range(1, 5)}
    rows = rows.assign(track=rows["track"].map(less), parent=rows["parent"].map({"1.0": "0", "1": "0"}).fillna(none))
    rows.to_csv(tmp_path / "external.csv", index=False)
    pd.testing.assert_frame_equal(on_masks(tmp_path / "external.csv", tmp_path)[1], expected)


@pytest.mark.parametrize("none", ["", "-1", "NaN", "#N/A", "<NA>"])
def test_an_object_in_no_track_is_one_of_its_own(tmp_path, none):
    rows = pd.read_csv(table(tmp_path, "place"), dtype=str)
    rows.loc[(rows["track"] == "4") & (rows["frame"] == "0"), "track"] = none
    rows.to_csv(tmp_path / "external.csv", index=False)
    _, tracks, report = on_masks(tmp_path / "external.csv", tmp_path)
    assert sorted(tracks["frames"]) == [1, 3, 3, 3, 5]
    assert report["numbers"]["objects_in_no_track"] == 1


def test_a_frame_whose_objects_are_in_no_track_is_described(tmp_path):
    rows = pd.read_csv(table(tmp_path, "place"), dtype=str)
    rows.loc[rows["frame"] == "5", "track"] = ""
    rows.to_csv(tmp_path / "external.csv", index=False)
    _, tracks, report = on_masks(tmp_path / "external.csv", tmp_path)
    assert report["notices"] == []
    assert sorted(tracks["frames"]) == [1, 1, 1, 2, 2, 3, 5]


TRACKMATE = "LABEL,ID,TRACK_ID,QUALITY,POSITION_X,POSITION_Y,POSITION_Z,POSITION_T,FRAME\n"
TRACKMATE_ROWS = (
    "Label,Spot ID,Track ID,Quality,X,Y,Z,T,Frame\n" * 2 + ",,,(quality),(micron),(micron),(micron),(sec),\n"
)


def trackmate_table(folder: Path, below: str = "", *, tracks: tuple[int, ...] = (1, 2, 3, 4), more: str = "") -> Path:
    """Write the drawn cells as TrackMate's table of spots, with positions in units of half a pixel."""
    rows = pd.read_csv(table(folder, "place"))
    spots = [
        f"ID{n},{n},{r.track - 1},5,{r.x / 2},{r.y / 2},0,{r.frame},{r.frame}\n"
        for n, r in enumerate(rows.itertuples())
        if r.track in tracks
    ]
    (folder / "spots.csv").write_text(TRACKMATE + below + "".join(spots) + more)
    return folder / "spots.csv"


@pytest.mark.parametrize("below", ["", TRACKMATE_ROWS])
@pytest.mark.parametrize("more", ["", "ID99,99,,5,3.2,29.0,0,0,0\n"])
def test_the_table_of_spots_of_trackmate_is_read(tmp_path, below, more):
    path = trackmate_table(tmp_path, below, more=more)
    _, tracks, report = on_masks(path, tmp_path, track=Track(external_pixel_size=0.5))
    assert tracks["frames"].tolist() == [3, 3, 3, 6]
    assert tracks["parent_id"].isna().all()
    assert report["numbers"]["objects_in_no_track"] == bool(more)


def test_the_unit_of_the_table_of_spots_is_asked_for_and_the_advice_works(tmp_path):
    path = trackmate_table(tmp_path, TRACKMATE_ROWS)
    with pytest.raises(UserError, match=r"spots\.csv: positions are in micron; set track\.external_pixel_size to the"):
        on_masks(path, tmp_path)


def test_a_division_in_the_table_of_spots_needs_the_xml_file(tmp_path):
    path = trackmate_table(tmp_path, more="ID99,99,3,5,3.2,29.0,0,0,0\n")
    with pytest.raises(UserError, match=r"row 17: track 3 has two spots in frame 0, so it divides, .* Save button of"):
        on_masks(path, tmp_path, track=Track(external_pixel_size=0.5))
