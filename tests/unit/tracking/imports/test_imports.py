"""Tracks in the formats of other tools: read on masks and alone; broken files are refused, what is unknown stays so."""

import json
import shutil
from pathlib import Path
from typing import get_args

import geff
import h5py
import numpy as np
import pandas as pd
import pytest
from tests.unit.tracking.imports.external_examples import FRAMES, alone, ancestry, on_masks, table
from tests.unit.tracking.imports.track_files import (
    LINKS,
    SPOTS,
    btrack,
    cell_acdc,
    geff_folder,
    header_of_cell_acdc,
    joined_cell_acdc,
    own_tables,
    saved_by_trackmate,
    trackmate,
    trackmate_without_spots,
)

from cineseq.config.features import Features
from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.features.frames import feature_frames
from cineseq.tracking.imports import FORMATS

FAMILY = {
    "0@34": ("", 2, "division"),
    "0@7": ("", 5, "end_of_movie"),
    "3@25": ("0@34", 5, "end_of_movie"),
    "3@45": ("0@34", 5, "end_of_movie"),
}
MAKERS = {
    "trackmate": trackmate,
    "trackmate 8": saved_by_trackmate,
    "geff": geff_folder,
    "cell_acdc": cell_acdc,
    "table": lambda f: table(f, "place"),
}


@pytest.mark.parametrize("way", [on_masks, alone])
@pytest.mark.parametrize("name", MAKERS)
def test_every_format_tells_the_same_family(tmp_path, name, way):
    detections, tracks, report = way(MAKERS[name](tmp_path), tmp_path)
    assert ancestry(tracks) == FAMILY
    assert len(detections) == len(SPOTS)
    left_out = sum(n for key, n in report["numbers"].items() if "cut" in key or "without" in key)
    assert left_out == (name == "trackmate 8")  # the spot that its filters hid, which is in no track


def test_a_format_may_be_named(tmp_path):
    path = cell_acdc(tmp_path)
    columns = {"frame": "frame_i", "track": "Cell_ID", "label": "Cell_ID"}
    _, tracks, _ = on_masks(path, tmp_path, track=Track(external_format="table", external_columns=columns))
    assert tracks["parent_id"].isna().all()


@pytest.mark.parametrize("way", [on_masks, alone])
def test_btrack_knows_deaths_and_its_dummies_are_left_out(tmp_path, way):
    _, tracks, report = way(btrack(tmp_path), tmp_path)
    assert ancestry(tracks)["0@7"] == ("", 4, "death")
    assert tracks.set_index("number").loc[4, ["frames", "fate", "alive_at_end"]].tolist() == [4, "death", False]
    assert np.isnan(tracks.set_index("number").loc[4, "end_confidence"])
    assert {n: up for n, (up, _, _) in ancestry(tracks).items() if up} == {"3@25": "0@34", "3@45": "0@34"}
    assert report["numbers"]["dummies"] == 1


def test_an_end_without_masks_is_no_death_and_knows_no_border(tmp_path):
    path = geff_folder(tmp_path, [link for link in LINKS if link != (44, 45)])
    detections, tracks, report = alone(path, tmp_path)
    assert ancestry(tracks)["0@7"] == ("", 4, "lost")
    assert tracks["end_confidence"].isna().sum() == 2  # the lost one and the division
    assert detections[["area_px", "touches_border"]].isna().all(axis=None)
    assert report["numbers"]["objects_without_any_link"] == 1


def test_hours_and_thinning_without_masks(tmp_path):
    external = table(tmp_path, "place")
    settings = {"field": {"frame_step": 2}, "inputs": {"frame_interval_min": 30}}
    _, tracks, report = alone(external, tmp_path, **settings)
    # frames 0, 2, 4 are left: the parent is seen in two, her daughters in one
    assert ancestry(tracks)["2@25"] == ("0@34", 2, "end_of_movie")
    assert tracks["end_hours"].max() == 2.0
    assert report["numbers"]["frames"] == 3


MERGE = ('<Edge SPOT_SOURCE_ID="7" SPOT_TARGET_ID="8"/>',) * 2
MERGED = (MERGE[0], MERGE[0] + '<Edge SPOT_SOURCE_ID="4" SPOT_TARGET_ID="8"/>')


def test_a_merge_is_refused_or_cut_and_counted(tmp_path):
    path = trackmate(tmp_path, MERGED)
    with pytest.raises(UserError, match=r"begins in frame 5 at y 33\.5, x 45\.5\) has more than one parent, \d, \d"):
        on_masks(path, tmp_path)
    _, tracks, report = alone(path, tmp_path, track=Track(external_conflicts="cut"))
    found = ancestry(tracks)
    assert found["5@45"] == ("", 5, "end_of_movie")
    assert found["3@45"] == ("0@34", 4, "lost")
    assert found["3@25"] == ("0@34", 5, "end_of_movie")
    assert report["numbers"]["links_cut_to_two_parents"] == 2
    assert "Repaired on import: 2 links to two parents, cut." in report["lines"]


def test_three_daughters_are_refused_or_cut_and_counted(tmp_path):
    path = geff_folder(tmp_path, [*(link for link in LINKS if link != (42, 43)), (12, 43)])
    with pytest.raises(UserError, match="has more than two daughters"):
        alone(path, tmp_path)
    _, tracks, report = alone(path, tmp_path, track=Track(external_conflicts="cut"))
    assert tracks["parent_id"].isna().all()
    assert ancestry(tracks)["0@34"] == ("", 2, "lost")
    assert report["numbers"]["links_cut_to_more_than_two_daughters"] == 3


def test_trackmate_edges_have_no_direction_and_filtered_tracks_are_left_out(tmp_path):
    turned = ('SPOT_SOURCE_ID="3" SPOT_TARGET_ID="4"', 'SPOT_SOURCE_ID="4" SPOT_TARGET_ID="3"')
    path = trackmate(tmp_path, turned, ('<TrackID TRACK_ID="1"/>', ""))
    _, tracks, report = alone(path, tmp_path)
    assert ancestry(tracks) == {name: row for name, row in FAMILY.items() if name != "0@7"}
    assert report["numbers"]["filtered_out_families"] == 1
    assert report["numbers"]["objects_without_any_link"] == FRAMES


def test_pixels_of_trackmate_need_not_be_square(tmp_path):
    flat = trackmate(tmp_path, ('pixelheight="0.5"', 'pixelheight="0.25"'))
    detections, _, _ = alone(flat, tmp_path)
    first = detections[detections["frame"] == 0].sort_values("y_px")
    assert first[["y_px", "x_px"]].to_numpy().tolist() == [[15.0, 7.5], [69.0, 34.5]]


BAD_TRACKMATE = {
    "TrackMate kept no tracks": ('<TrackID TRACK_ID="0"/>', ""),
    "not a readable XML file": ("</TrackMate>", ""),
    "its root is 'Tracks'": ("TrackMate", "Tracks"),
    "positions are in um and the file states no pixel width": ('pixelwidth="0.5" ', ""),
    "depths from 0 to 3": ('POSITION_Y="3.75" POSITION_Z="0.0"', 'POSITION_Y="3.75" POSITION_Z="3.0"'),
    "names object 99, which is not in the file": ('SPOT_TARGET_ID="4"', 'SPOT_TARGET_ID="99"'),
    r"from object 4 \(frame 4\) to 7 \(frame 4\) does not lead": ('"4" SPOT_TARGET_ID="5"', '"4" SPOT_TARGET_ID="7"'),
    "POSITION_X of a spot should be a number": ('POSITION_X="3.75"', 'POSITION_X="?"'),
}


@pytest.mark.parametrize("said", BAD_TRACKMATE)
def test_bad_trackmate_file_is_refused(tmp_path, said):
    more = [('<TrackID TRACK_ID="1"/>', "")] if "no tracks" in said else []
    with pytest.raises(UserError, match=said) as raised:
        alone(trackmate(tmp_path, BAD_TRACKMATE[said], *more), tmp_path)
    assert "division.xml" in str(raised.value)


def test_geff_in_physical_units_needs_their_size(tmp_path):
    path = geff_folder(tmp_path, units=("minute", "micrometer"), scale=0.5)
    with pytest.raises(UserError, match=r"time is in minute; set track\.external_frame_interval"):
        alone(path, tmp_path)
    with pytest.raises(UserError, match=r"axis 'y' is in micrometer; set track\.external_pixel_size"):
        alone(path, tmp_path, track=Track(external_frame_interval=1))
    _, tracks, _ = on_masks(path, tmp_path, track=Track(external_frame_interval=1, external_pixel_size=0.5))
    assert ancestry(tracks) == FAMILY
    with pytest.raises(UserError, match=r"multiples of track\.external_frame_interval, 2"):
        alone(path, tmp_path, track=Track(external_frame_interval=2, external_pixel_size=0.5))


def change_axes(path: Path, axes: object) -> None:
    """Write other axes into the metadata of a GEFF folder; ``axes`` is given those that there are."""
    file = next(path / name for name in ("zarr.json", ".zattrs") if (path / name).is_file())
    stored = json.loads(file.read_text())
    metadata = stored.get("attributes", stored)["geff"]
    metadata["axes"] = axes(metadata["axes"])
    file.write_text(json.dumps(stored))


@pytest.mark.parametrize(
    "axes", [lambda _: None, lambda old: [axis | {"type": None} for axis in old]], ids=["no axes", "no types"]
)
def test_geff_without_axes_is_read_by_the_names_of_properties(tmp_path, axes):
    path = geff_folder(tmp_path)
    expected = alone(path, tmp_path)[1]
    change_axes(path, axes)
    pd.testing.assert_frame_equal(alone(path, tmp_path)[1], expected)


def test_properties_of_other_names_are_named_in_the_settings_and_the_advice_works(tmp_path):
    path = geff_folder(tmp_path)
    expected = alone(path, tmp_path)[1]
    graph, _ = geff.read(path)
    for _, properties in graph.nodes(data=True):
        properties["hour"] = properties.pop("t")
    shutil.rmtree(path)
    geff.write(graph, path)
    with pytest.raises(UserError, match=r"which property is frame is not clear among .*hour.*track\.external_columns"):
        alone(path, tmp_path)
    named = Track(external_columns={"frame": "hour"})
    pd.testing.assert_frame_equal(alone(path, tmp_path, track=named)[1], expected)
    with pytest.raises(UserError, match=r"no property 'hours' \(track\.external_columns\); the nodes have "):
        alone(path, tmp_path, track=Track(external_columns={"frame": "hours"}))


def test_bad_geff_is_refused(tmp_path):
    with pytest.raises(UserError, match="the graph has no edges"):
        alone(geff_folder(tmp_path, []), tmp_path)
    shutil.rmtree(tmp_path / "external.geff")
    with pytest.raises(UserError, match=r"from object 25 \(frame 5\) to 23 \(frame 3\) does not lead to a later frame"):
        alone(geff_folder(tmp_path, [*LINKS, (25, 23)]), tmp_path)
    shutil.rmtree(tmp_path / "external.geff/nodes")
    with pytest.raises(UserError, match="not a readable GEFF folder"):
        alone(tmp_path / "external.geff", tmp_path)


def spoil_no_tracks(file: h5py.File) -> None:
    del file["tracks"]


def spoil_two_types(file: h5py.File) -> None:
    file.copy("tracks/obj_type_1", "tracks/obj_type_2")


def spoil_empty(file: h5py.File) -> None:
    del file["tracks/obj_type_1/map"]
    file["tracks/obj_type_1/map"] = np.zeros((0, 2), np.uint32)


def spoil_length(file: h5py.File) -> None:
    file["tracks/obj_type_1/map"][-1] = (9, 99)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_no_tracks, "not a btrack file with tracks"),
        (spoil_two_types, r"2 object types \(obj_type_1, obj_type_2\)"),
        (spoil_empty, "it contains no tracks"),
        (spoil_length, "disagree in length"),
    ],
)
def test_bad_btrack_file_is_refused(tmp_path, spoil, said):
    path = btrack(tmp_path)
    with h5py.File(path, "a") as file:
        spoil(file)
    with pytest.raises(UserError, match=said):
        alone(path, tmp_path)


def test_cell_acdc_knows_deaths_and_exclusions(tmp_path):
    rows = pd.read_csv(cell_acdc(tmp_path))
    rows.loc[(rows["Cell_ID"] == 4) & (rows["frame_i"] >= 4), "is_cell_dead"] = 1
    rows.loc[rows["Cell_ID"] == 3, "is_cell_excluded"] = 1
    rows.to_csv(tmp_path / "acdc_output.csv", index=False)
    _, tracks, report = alone(tmp_path / "acdc_output.csv", tmp_path)
    # without her sister a daughter is one cell with her parent
    assert ancestry(tracks) == {"0@34": ("", 5, "end_of_movie"), "0@7": ("", 5, "death")}
    assert report["numbers"]["excluded_objects"] == 3
    assert report["numbers"]["only_daughters_joined"] == 1


@pytest.mark.parametrize(("margin", "last"), [(2, 3), (4, 1)])
def test_a_body_that_is_followed_counts_as_alive_until_the_margin(tmp_path, margin, last):
    rows = pd.read_csv(cell_acdc(tmp_path))
    rows.loc[(rows["Cell_ID"] == 4) & (rows["frame_i"] >= 2), "is_cell_dead"] = 1
    rows.to_csv(tmp_path / "acdc_output.csv", index=False)
    detections, tracks, report = alone(tmp_path / "acdc_output.csv", tmp_path)
    assert report["numbers"]["cells_followed_after_death"] == 1
    assert any(line.startswith("Cells followed beyond") and "death: 1." in line for line in report["lines"])
    chosen = feature_frames(detections, tracks, Features(death_margin_frames=margin)).set_index("track_id")
    assert chosen.loc["sample/1/4", "frame"] == last


def test_a_bud_of_cell_acdc_belongs_to_its_mother_until_they_divide(tmp_path):
    cells = [(t, 1, "mother", 1, -1) for t in range(2)] + [(1, 2, "bud", 1, -1)]
    cells += [(2, 1, "mother", 3, 1), (2, 2, "mother", 4, 1)]
    names = ["frame_i", "Cell_ID", "relationship", "Cell_ID_tree", "parent_ID_tree"]
    rows = pd.DataFrame(cells, columns=names).assign(y_centroid=5, x_centroid=lambda r: 10 * r["Cell_ID"])
    rows.to_csv(tmp_path / "acdc_output.csv", index=False)
    _, tracks, report = alone(tmp_path / "acdc_output.csv", tmp_path)
    assert ancestry(tracks)["0@10"] == ("", 1, "division")
    assert tracks["parent_id"].fillna("").tolist() == ["", "sample/1/1", "sample/1/1"]
    assert report["numbers"]["buds_before_division"] == 1


@pytest.mark.parametrize("way", [on_masks, alone])
def test_a_table_that_cell_acdc_joined_is_read_if_it_has_one_position(tmp_path, way):
    detections, tracks, _ = way(joined_cell_acdc(tmp_path, ("Position_1",)), tmp_path)
    assert len(detections) == len(SPOTS)
    # without a lineage tree parents are unknown, and a bud is a cell
    assert {name: (up, last) for name, (up, last, _) in ancestry(tracks).items()} == {
        name: ("", last) for name, (_, last, _) in FAMILY.items()
    }
    assert ancestry(tracks)["0@7"][2] == "death"
    with pytest.raises(UserError, match="column 'Position_n' names 2 positions; supply the table of one position"):
        way(joined_cell_acdc(tmp_path, ("Position_1", "Position_2")), tmp_path)


def test_cells_outside_the_tree_of_cell_acdc_are_left_out_and_counted(tmp_path):
    rows = pd.read_csv(cell_acdc(tmp_path))
    rows["Cell_ID_tree"] = rows["Cell_ID"].where(rows["Cell_ID"] != 4, -1)
    rows.to_csv(tmp_path / "acdc_output.csv", index=False)
    _, tracks, report = alone(tmp_path / "acdc_output.csv", tmp_path)
    assert ancestry(tracks) == {name: row for name, row in FAMILY.items() if name != "0@7"}
    assert report["numbers"]["objects_outside_the_lineage_tree"] == FRAMES


EMPTY = {
    "TrackMate found no spots in it": trackmate_without_spots,
    "acdc_output.csv: the table has no rows": header_of_cell_acdc,
    "tracks.parquet: it contains no tracks": lambda f: own_tables(f, "tracks", "detections"),
    "there is no detections.parquet beside it": lambda f: own_tables(f, "tracks"),
}


@pytest.mark.parametrize("way", [on_masks, alone])
@pytest.mark.parametrize("said", EMPTY)
def test_an_empty_file_is_refused_with_its_reason(tmp_path, said, way):
    with pytest.raises(UserError, match=said):
        way(EMPTY[said](tmp_path), tmp_path)


def test_labels_without_positions_need_masks(tmp_path):
    with pytest.raises(UserError, match="supply the masks that they label in the column 'masks'"):
        alone(table(tmp_path, "label"), tmp_path)


@pytest.mark.data
def test_hand_tracked_wells(data_folder, tmp_path):
    columns = {"frame": "tmin", "track": "TID", "y": "ypixel", "x": "xpixel", "parent": "motherID"}
    strict = Track(external_columns=columns, external_frame_interval=30)
    lenient = strict.model_copy(update={"external_conflicts": "cut"})
    wells = data_folder / "mcf10a_tracks"
    with pytest.raises(UserError, match=r"track 13 .* has more than two daughters"):
        alone(wells / "EGF_1.csv", tmp_path, track=strict)
    expected = {"PBS_1": (705, 11, 2, 0), "EGF_1": (2771, 107, 41, 9), "OSM_1": (1284, 37, 15, 0)}
    for name, numbers in expected.items():
        detections, tracks, report = alone(wells / f"{name}.csv", tmp_path, track=lenient)
        divisions, cut = (
            (tracks["end_kind"] == "division").sum(),
            report["numbers"]["links_cut_to_more_than_two_daughters"],
        )
        assert (len(detections), len(tracks), divisions, cut) == numbers


def test_every_format_can_be_named_in_the_settings() -> None:
    named = get_args(Track.model_fields["external_format"].annotation)
    assert set(named) == {"auto", *FORMATS}


@pytest.mark.parametrize(
    ("first", "step", "said"),
    [
        (1, 1, "no cell is listed before frame 1, so the movie begins with 1 frames without cells"),
        (0, 15, "cells are listed in every 15. frame only"),
        (0, 1, ""),
    ],
)
def test_frames_without_masks_that_seem_to_count_otherwise_are_named(tmp_path, caplog, first, step, said):
    path = tmp_path / "t.csv"
    rows = [f"{first + step * t},1,1,{10 + t},10" for t in range(7)]  # the parent of a root may be the track itself
    path.write_text("\n".join(["frame,track,parent,y,x", *rows]) + "\n")
    _, tracks, _ = alone(path, tmp_path)
    assert tracks["parent_id"].isna().all()
    warned = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert (said in warned[0]) if said else not warned
