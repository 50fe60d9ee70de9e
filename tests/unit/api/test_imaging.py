"""The interface for images: the same tables as the steps write, inputs unchanged, nothing written, mistakes refused."""

import os
import subprocess
import sys
from pathlib import Path

import embed as embed_step
import morphology as morphology_step
import numpy as np
import pandas as pd
import prepare_movie as prepare_step
import pytest
import score_function as score_step
import segment as segment_step
import tifffile
import track as track_step
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.unit.features.feature_fields import Field
from tests.unit.tracking.tracking_examples import dividing, still, together

import cineseq as cs
from cineseq import deprecation
from cineseq.errors import UserError
from cineseq.io.stacks import open_labels, open_movie, write_labels, write_movie
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import DETECTIONS, EMBEDDINGS, EVENTS, MORPHOLOGY, SCORES, TIMECOURSE, TRACKS

SMALL = np.zeros((2, 48, 48), np.int32)
SMALL[:, 6:20, 8:20], SMALL[:, 26:40, 22:40] = 1, 2
GREY = (100 + 60 * (SMALL > 0) + 5 * np.random.default_rng(0).normal(size=SMALL.shape)).clip(0).astype(np.uint16)


def walking() -> np.ndarray:
    """A division and a cell that walks by, shape (frames, height, width)."""
    return np.stack(together(dividing(), still(9, 20, 20)))


def plain(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns=["sample", "fov"])


@pytest.fixture(scope="module")
def field(tmp_path_factory) -> dict[str, Path]:
    ramp = 50 + np.array([0.0, 10.0, 20.0]) * np.clip(np.arange(12)[:, None] - 4, 0, None)
    return Field(tmp_path_factory.mktemp("field"), frames=12, values={"lipid": ramp}).write()


def opened(field: dict[str, Path]) -> tuple[object, np.ndarray]:
    with open_labels(field["labels"]) as labels:
        return cs.read_movie(field["movie"], function=["lipid"]), np.stack(list(labels))


# the steps


def test_a_prepared_movie_is_what_is_read(tmp_path):
    raw = np.random.default_rng(1).integers(50, 900, (6, 2, 40, 56)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "raw.tif", raw, imagej=True, metadata={"axes": "TCYX"})
    inputs = {"flat_field": "estimate", "drift": "translation", "pixel_size_um": 0.7}
    chosen = {"field": {"frame_step": 2}, "inputs": inputs, "channels": {"names": ["a", "b"]}}
    made = tmp_path / "movie.ome.tif"
    step_settings = prepare_step.Settings.model_validate(chosen)
    prepare_step.main(images=[tmp_path / "raw.tif"], movie=made, report=tmp_path / "r.json", settings=step_settings)
    movie = cs.read_movie(tmp_path / "raw.tif", channels=["a", "b"], frame_step=2, frame_interval_min=5, **inputs)
    with open_movie(made) as wanted:
        np.testing.assert_array_equal(movie.data, np.stack([wanted.planes(f, ["a", "b"]) for f in range(3)]))
        assert movie.info.origins == wanted.info.origins
    assert (movie.channels, movie.pixel_size_um, movie.frame_interval_min) == (("a", "b"), 0.7, 10.0)


def test_segment_returns_what_the_step_writes(field, tmp_path):
    files = {"labels": tmp_path / "l.ome.tif", "report": tmp_path / "r.json"}
    segment_step.main(
        movie=field["movie"],
        **files,
        settings=segment_step.Settings.model_validate({"channels": {"function": ["lipid"]}}),
    )
    with open_labels(files["labels"]) as written:
        wanted = np.stack(list(written))
    found = cs.segment(opened(field)[0])
    assert (found.dtype, found.shape, int(found.max())) == (np.dtype(np.int32), (12, 96, 96), 3)
    np.testing.assert_array_equal(found, wanted)


def test_measure_returns_what_the_step_writes(field, tmp_path):
    files = {"morphology": tmp_path / "m.parquet", "report": tmp_path / "r.json"}
    chosen = morphology_step.Settings.model_validate({"channels": {"function": ["lipid"]}})
    morphology_step.main(labels=field["labels"], movie=field["movie"], **files, settings=chosen)
    wanted = plain(read_table(files["morphology"], MORPHOLOGY))
    movie, labels = opened(field)
    pd.testing.assert_frame_equal(cs.measure(movie, labels), wanted)
    array = cs.measure(movie.data, labels, 0.5, names=["nuclear", "lipid"], channels="nuclear")
    pd.testing.assert_frame_equal(array, wanted)
    assert not any("nuclear" in name for name in cs.measure(None, labels, 0.5))


def test_embed_returns_what_the_step_writes(field, tmp_path):
    files = {"embeddings": tmp_path / "e.parquet", "report": tmp_path / "r.json"}
    chosen = {"channels": {"function": ["lipid"]}, "embed": {"frames": "every", "every_n": 6, "crop_um": 12}}
    step_settings = embed_step.Settings.model_validate(chosen)
    embed_step.main(**field, **files, settings=step_settings)
    wanted = plain(read_table(files["embeddings"], EMBEDDINGS))
    movie, labels = opened(field)
    found = cs.embed(movie, labels, crop_um=12)
    both = found[found["frame"] % 6 == 0].reset_index(drop=True)
    assert (len(found), len(wanted)) == (36, 6)
    pd.testing.assert_frame_equal(both, wanted, rtol=1e-5, atol=1e-6)


def test_track_returns_what_the_step_writes(tmp_path):
    labels = walking()
    movie = np.stack([labels * 20, labels * 7], axis=1).astype(np.uint16)
    tifffile.imwrite(tmp_path / "movie.ome.tif", movie, metadata={"axes": "TCYX", "Channel": {"Name": ["n", "lipid"]}})
    opened_movie = cs.read_movie(tmp_path / "movie.ome.tif", function=["lipid"], frame_interval_min=30)
    info = opened_movie.info
    write_movie((p for frame in movie for p in frame), tmp_path / "prepared.ome.tif", info)
    write_labels(labels.astype(np.uint16), tmp_path / "labels.ome.tif", info)
    cages = pd.DataFrame({"compartment_id": ["a"], "y_px": 20.0, "x_px": 20.0, "radius_px": 9.0, "closed_frame": 0})
    edits = pd.DataFrame({"action": ["unlink"], "frame": [5], "cell": [9]})
    cages.assign(sample="s", fov="2").to_csv(tmp_path / "cages.csv", index=False)
    edits.to_csv(tmp_path / "edits.csv", index=False)
    files = {name: tmp_path / f"{name}.parquet" for name in ("detections", "tracks", "events")}
    chosen = {"field": {"sample": "s", "fov": "2"}, "channels": {"function": ["lipid"]}, "track": {"max_gap": 1}}
    track_step.main(
        labels=tmp_path / "labels.ome.tif",
        movie=tmp_path / "prepared.ome.tif",
        compartments=tmp_path / "cages.csv",
        edits=tmp_path / "edits.csv",
        **files,
        report=tmp_path / "r.json",
        settings=track_step.Settings.model_validate(chosen),
    )
    found = cs.track(labels, image=opened_movie, compartments=cages, edits=edits, sample="s", fov="2", max_gap=1)
    for name, contract in (("tracks", TRACKS), ("detections", DETECTIONS), ("events", EVENTS)):
        pd.testing.assert_frame_equal(getattr(found, name), read_table(files[name], contract))
    assert sorted(found.tracks["end_kind"]) == ["division", *["end_of_movie"] * 3, "lost"]
    assert found.events["edited"].any()


@pytest.mark.parametrize("minutes", [30.0, None])
def test_score_returns_what_the_step_writes(tmp_path, minutes):
    ramp = 50 + np.array([0.0, 10.0, 20.0]) * np.clip(np.arange(14)[:, None] - 6, 0, None)
    paths = Field(tmp_path, frames=14, values={"lipid": ramp}, frame_interval_min=minutes, noise=1.0).write()
    files = {
        "timecourse": tmp_path / "t.parquet",
        "scores": tmp_path / "s.parquet",
        "report": tmp_path / "r.json",
        "regions": tmp_path / "r.png",
    }
    summaries = ("endpoint", "maximum", "auc", "slope", "slope_after_onset", "rate")
    asked = [{"name": name, "channel": "lipid", "summary": name} for name in summaries]
    chosen = {"channels": {"function": ["lipid"]}, "function": {"scores": asked}}
    score_step.main(**paths, **files, settings=score_step.Settings.model_validate(chosen))
    course, scores = read_table(files["timecourse"], TIMECOURSE), read_table(files["scores"], SCORES)
    if minutes is None:
        assert course["hours"].isna().all()
        course["hours"] = course["frame"]
    else:
        assert course["hours"].unique().tolist() == [frame / 2 for frame in range(14)]
    for name in summaries:
        wanted = scores.set_index("track_id")[f"function_{name}"]
        pd.testing.assert_series_equal(cs.score(course, name), wanted, check_names=False, check_index_type=False)


# what is taken


def series(folder: Path, kind: str) -> object:
    """Write GREY as a movie of some kind; return what read_movie takes."""
    if kind == "ome.tif":
        tifffile.imwrite(folder / "m.ome.tif", GREY[:, None], metadata={"axes": "TCYX"})
        return folder / "m.ome.tif"
    if kind == "zarr":
        group = zarr.open_group(folder / "m.zarr", mode="w", zarr_format=2)
        group.create_array("0", data=GREY[:, None], chunks=(1, 1, 48, 48))
        axes = [{"name": n, "type": t} for n, t in zip("tcyx", ("time", "channel", "space", "space"), strict=True)]
        scale = [{"type": "scale", "scale": [1, 1, 1, 1]}]
        group.attrs["multiscales"] = [
            {"version": "0.4", "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
        ]
        return folder / "m.zarr"
    for frame, plane in enumerate(GREY):
        path = folder / f"t{frame}.{'png' if kind == 'png' else 'tif'}"
        Image.fromarray(plane).save(path) if kind == "png" else tifffile.imwrite(path, plane)
    names = sorted(path for path in folder.iterdir() if path.name.startswith("t"))
    return {"png": folder, "pattern": str(folder / "t*.tif"), "list": names, "folder": folder}[kind]


@pytest.mark.parametrize("kind", ["ome.tif", "zarr", "png", "pattern", "list", "folder"])
def test_every_kind_of_movie_is_read(tmp_path, kind):
    movie = cs.read_movie(series(tmp_path, kind), pixel_size_um=0.5, channels=["dna"])
    np.testing.assert_array_equal(movie.data, GREY[:, None])
    np.testing.assert_array_equal(np.asarray(movie), GREY[:, None])
    assert (movie.channels, movie.pixel_size_um, movie.frame_interval_min) == (("dna",), 0.5, None)


def test_a_single_plane_is_a_movie_of_one_frame(tmp_path):
    tifffile.imwrite(tmp_path / "one.tif", GREY[0])
    movie = cs.read_movie(str(tmp_path / "one.tif"))
    assert movie.data.shape == (1, 1, 48, 48)
    table = cs.measure(movie, SMALL[:1])
    assert table[["frame", "label"]].to_numpy().tolist() == [[0, 1], [0, 2]]


def test_labels_may_be_a_movie_and_paths_are_to_be_opened(tmp_path):
    tifffile.imwrite(tmp_path / "masks.tif", SMALL.astype(np.uint16))
    masks = cs.read_movie(tmp_path / "masks.tif")
    pd.testing.assert_frame_equal(cs.track(masks).tracks, cs.track(SMALL).tracks)
    with pytest.raises(UserError, match=r"masks\.tif' is a path, .*; open it with read_movie first"):
        cs.track(tmp_path / "masks.tif")
    with pytest.raises(UserError, match=r"is a path, .*; open it with read_movie first"):
        cs.segment(str(tmp_path / "masks.tif"))
    tifffile.imwrite(tmp_path / "two.tif", np.stack([SMALL] * 2, 1).astype(np.uint8), imagej=True)
    two = cs.read_movie(tmp_path / "two.tif")
    with pytest.raises(UserError, match=r"labels: a movie with 2 channels, but labels have one"):
        cs.measure(GREY, two)


@pytest.mark.parametrize(
    ("axes", "shape", "wanted"),
    [(None, (48, 48), (48, 48)), (None, (3, 48, 48), (48, 48)), (None, (2, 3, 48, 48), (2, 48, 48)),
     ("TYX", (2, 48, 40), (2, 48, 40)), ("YXC", (48, 40, 3), (48, 40)), ("CXTY", (1, 40, 2, 48), (40, 2, 48))],
)  # fmt: skip
def test_labels_have_the_shape_of_the_image_without_channels(axes, shape, wanted):
    letters = axes or {2: "YX", 3: "CYX", 4: "TCYX"}[len(shape)]
    rows, columns = np.mgrid[: shape[letters.index("Y")], : shape[letters.index("X")]]
    disc = 100 + 400 * (np.hypot(rows - 22, columns - 18) < 9)
    image = np.zeros(shape)
    np.moveaxis(image, [letters.index("Y"), letters.index("X")], [-2, -1])[...] = disc
    labels = cs.segment(image, axes=axes)
    assert (labels.shape, labels.dtype) == (wanted, np.int32)
    kept = letters.replace("C", "")
    first = np.moveaxis(labels, [kept.index("Y"), kept.index("X")], [-2, -1]).reshape(-1, *disc.shape)
    assert all((plane[16:28, 12:24] == 1).all() for plane in first)
    measured = cs.measure(image, labels, axes=axes)
    assert measured["frame"].tolist() == list(range(shape[letters.index("T")] if "T" in letters else 1))


def variants(array: np.ndarray) -> list[np.ndarray]:
    """The same numbers: read-only, of other types, in the other byte order, and not in one piece."""
    frozen = array.copy()
    frozen.flags.writeable = False
    sparse = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)[..., ::2]
    sparse[...] = array
    other = [array.astype(kind) for kind in (np.uint8, np.int64, np.uint32, ">u2", ">i4", np.float32)]
    return [frozen, np.asfortranarray(array), sparse, *other]


def test_any_type_order_and_read_only_arrays_give_the_same(field):
    _, labels = opened(field)
    wanted = cs.track(labels[:3]).tracks
    for same in variants(labels[:3].astype(np.int32)):
        pd.testing.assert_frame_equal(cs.track(same).tracks, wanted)
    grey = GREY.clip(0, 255)
    tables = [cs.measure(image, SMALL, axes="TYX") for image in variants(grey)]
    for table in [*tables, *(cs.measure(grey, names, axes="TYX") for names in variants(SMALL))]:
        pd.testing.assert_frame_equal(table, tables[0], rtol=1e-5)


def test_inputs_are_never_changed():
    labels, image = walking(), np.stack([walking()] * 2, axis=1) * 9 + 100
    points = pd.DataFrame({"frame": [1, 0, 0], "y_px": [5, 5, 30], "x_px": [6, 5, 30]}, index=[7, 3, 5])
    course = pd.DataFrame({"track_id": ["b", "a", "a"], "hours": [1, 2, 0], "value": [1, 2, 3]}, index=[2, 2, 1])
    cages = pd.DataFrame({"compartment_id": ["a"], "y_px": 20, "x_px": 20, "radius_px": 9, "closed_frame": 0})
    before = [x.copy() for x in (labels, image, points, course, cages)]
    cs.segment(image[0])
    cs.measure(image, labels)
    cs.embed(image[:1], labels[:1])
    cs.track(labels, image=image, compartments=cages)
    cs.track(points, frames=2)
    cs.score(course, "auc", details=True)
    for old, new in zip(before[:2], (labels, image), strict=True):
        np.testing.assert_array_equal(old, new)
    for old, new in zip(before[2:], (points, course, cages), strict=True):
        pd.testing.assert_frame_equal(old, new)


# points


def crowd(frames: int = 12) -> pd.DataFrame:
    """A grid of cells that drift, one of which divides in frame 6, in no order."""
    grid = [(20.0 + 30 * y, 20.0 + 30 * x) for y in range(4) for x in range(4)]
    rows = [
        (frame, y + 1.5 * frame + turn, x - frame + 0.4 * turn)
        for frame in range(frames)
        for i, (y, x) in enumerate(grid)
        for turn in ((-6.0, 6.0) if i == 5 and frame >= 6 else (0.0,))
    ]
    return pd.DataFrame(rows, columns=["frame", "y_px", "x_px"]).sample(frac=1, random_state=0)


def test_points_are_linked_and_a_division_is_found():
    points = crowd()
    found = cs.track(points, frame_interval_min=20, diameter_px=14)
    divided = found.tracks[found.tracks["end_kind"] == "division"]
    assert divided[["start_frame", "end_frame"]].to_numpy().tolist() == [[0, 5]]
    assert len(found.tracks) == 18
    assert found.tracks["parent_id"].dropna().tolist() == divided["track_id"].tolist() * 2
    assert set(found.tracks["end_kind"]) == {"division", "end_of_movie"}
    assert found.tracks["end_hours"].max() == pytest.approx(11 / 3)
    first = found.detections[found.detections["frame"] == 0]
    assert first["label"].tolist() == list(range(1, 17))
    assert found.detections["area_px"].isna().all()
    assert found.detections["touches_border"].isna().all()
    estimated = cs.track(points).tracks
    pd.testing.assert_series_equal(estimated["parent_id"], found.tracks["parent_id"])


def test_points_that_vanish_are_lost_without_a_guess():
    points = crowd()
    gone = points[~((points["frame"] > 5) & (points["y_px"] - 1.5 * points["frame"] < 21))]
    ends = cs.track(gone).tracks
    lost = ends[ends["end_kind"] == "lost"]
    assert len(lost) == 4
    assert lost["end_confidence"].isna().all()
    assert not set(ends["end_kind"]) & {"death", "left_fov"}


def test_points_of_masks_are_linked_as_the_masks_are():
    whole = cs.track(walking())
    points = whole.detections[["frame", "label", "y_px", "x_px", "area_px"]]
    found = cs.track(points)
    pd.testing.assert_series_equal(found.tracks["parent_id"], whole.tracks["parent_id"])
    pd.testing.assert_frame_equal(
        found.detections.drop(columns="touches_border"), whole.detections.drop(columns="touches_border")
    )


def test_points_of_no_cell_in_a_frame_need_the_length_of_the_movie():
    points = crowd()
    holes = points[points["frame"] != 3]
    with pytest.raises(UserError, match=r"no cell in 1 of the frames 0 to 11, the first of them 3; .* or set frames="):
        cs.track(holes)
    assert cs.track(holes, frames=14).tracks["end_kind"].isin(["lost", "division"]).all()


# scores


def test_scores_have_errors_and_say_why_there_is_none():
    course = pd.DataFrame(
        {"track_id": ["a"] * 4 + ["b", "c"], "hours": [3, 0, 1, 2, 0, 0], "value": [6.0, 0, 2, 4, 5, None]}
    )
    found = cs.score(course, "endpoint", details=True)
    assert found.index.tolist() == ["a", "b", "c"]
    assert found.loc["a", "value"] == 4
    assert found.loc["a", "standard_error"] == pytest.approx(2 / np.sqrt(3))
    assert pd.isna(found.loc["a", "note"])
    assert found.loc["b", "note"] == "one frame has no standard error"
    assert found.loc["c", "note"] == "there is no value"
    assert cs.score(course, "auc").loc["a"] == 9
    assert cs.score(course, "auc", details=True).loc["a", "standard_error"] == 0
    assert cs.score(course, "maximum").dropna().to_dict() == {"a": 6, "b": 5}
    slope = cs.score(course, "slope_after_onset", details=True)
    assert slope["value"].isna().all()
    assert slope.loc["a", "note"] == "fewer than 7 points: baseline_frames=5, and two for the onset"
    flat = pd.DataFrame({"track_id": "a", "hours": range(7), "value": 1.0})
    notes = [cs.score(course, "slope_after_onset", details=True).loc["a", "note"] for course in (flat, flat[:6])]
    assert notes[0] == "the signal never rises above its baseline"
    assert notes[1] == slope.loc["a", "note"]


def test_the_slope_has_the_standard_error_of_least_squares():
    rng = np.random.default_rng(2)
    value = np.r_[np.zeros(6), 10 * np.arange(1, 13)] + rng.normal(0, 1, 18)
    course = pd.DataFrame({"track_id": 1, "hours": np.arange(18) / 2, "value": value})
    found = cs.score(course, "slope_after_onset", details=True).iloc[0]
    after = course[course["hours"] >= 3.0]
    fit, covariance = np.polyfit(after["hours"], after["value"], 1, cov=True)
    assert found["value"] == pytest.approx(fit[0])
    assert found["standard_error"] == pytest.approx(np.sqrt(covariance[0, 0]))


@settings(max_examples=40)
@given(st.lists(st.floats(-50, 50), min_size=4, max_size=12), st.randoms(), st.sampled_from(["endpoint", "auc"]))
def test_the_order_of_rows_does_not_matter_to_a_score(values, random, summary):
    course = pd.DataFrame({"track_id": "a", "hours": np.arange(len(values)), "value": values})
    order = list(range(len(values)))
    random.shuffle(order)
    one, other = (cs.score(c, summary, details=True) for c in (course, course.iloc[order]))
    pd.testing.assert_frame_equal(one, other)


# invariants


@settings(max_examples=15)
@given(st.permutations(list(range(1, 6))), st.integers(0, 3))
def test_the_numbers_of_the_labels_do_not_change_what_is_measured(order, turn):
    plane = np.zeros((60, 60), np.int32)
    for i in range(5):
        plane[4 + 11 * i : 10 + 12 * i, 5 + turn : 12 + 3 * i] = i + 1
    grey = 50 + np.random.default_rng(1).integers(0, 99, plane.shape)
    named = np.array([0, *order])[plane]
    wanted, found = cs.measure(grey, plane), cs.measure(grey, named)
    back = found.set_index("label").loc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(back.drop(columns="frame"), wanted.drop(columns=["frame", "label"]))


# what is refused

LABELS = {
    "of text": (np.full((2, 8, 8), "a"), r"labels: values of type <U1; expected whole numbers"),
    "true or false": (SMALL > 0, r"labels: truth values .* number the cells, as skimage.measure.label"),
    "black and white": ((SMALL > 0) * 255, r"one label only, 255, which is in \d separate pieces in frame 0; number"),
    "with fractions": (SMALL * 0.5, r"labels: frame 0 has fractions or missing values; use whole numbers"),
    "with NaN": (np.where(SMALL == 2, np.nan, SMALL), r"labels: frame 0 has fractions or missing values"),
    "below zero": (-SMALL, r"labels: frame 0 has negative labels; use 0 for background"),
    "too high": (
        SMALL.astype(np.int64) * 10**10,
        r"label 20000000000, above 4294967295; renumber .*relabel_sequential",
    ),
    "of two axes": (SMALL[0], r"labels: 2 axes; expected \(frames, height, width\).*labels\[None\]"),
    "of nothing": (SMALL[:0], r"labels: they are empty, shape \(0, 48, 48\)"),
    "without cells": (SMALL * 0, r"labels: there is no cell in any frame; .*allow_empty=True"),
}


@pytest.mark.parametrize("case", LABELS)
def test_wrong_labels_are_refused(case):
    labels, match = LABELS[case]
    with pytest.raises(UserError, match=match):
        cs.track(labels)


def test_whole_floats_are_labels_and_no_cells_are_allowed_when_said():
    pd.testing.assert_frame_equal(cs.track(SMALL.astype(float)).tracks, cs.track(SMALL).tracks)
    found = cs.track(SMALL * 0, allow_empty=True)
    assert [len(found.tracks), len(found.detections), len(found.events)] == [0, 0, 0]
    assert cs.measure(GREY[0], SMALL[0] * 0).columns.tolist() == ["frame", "label"]


POINTS = {
    "without a column": ({"frame": [0], "y": [1], "x_px": [1]}, r"points: no column 'y_px'; .* has frame, y, x_px"),
    "with a missing frame": ({"frame": [0, None], "y_px": 1, "x_px": [1, 2]}, r"'frame' has the value nan; expected"),
    "with half a frame": ({"frame": [0.5], "y_px": 1, "x_px": 1}, r"'frame' has the value 0.5; .* whole number from 0"),
    "with text": ({"frame": [0], "y_px": ["here"], "x_px": 1}, r"'y_px' has the value here; expected a number"),
    "twice": ({"frame": [0, 0], "y_px": 1.5, "x_px": 2}, r"the cell with frame 0, y_px 1\.5, x_px 2 is listed twice"),
    "of a label twice": (
        {"frame": [0, 0], "label": 1, "y_px": 1, "x_px": [2, 3]}, r"the cell with frame 0, label 1 is listed twice",
    ),
    "without area": ({"frame": [0], "y_px": 1, "x_px": 2, "area_px": 0}, r"'area_px' has the value 0.0; .*above 0"),
    "of nothing": ({"frame": [], "y_px": [], "x_px": []}, r"labels: there is no point; .*allow_empty=True"),
}  # fmt: skip


@pytest.mark.parametrize("case", POINTS)
def test_wrong_points_are_refused(case):
    columns, match = POINTS[case]
    with pytest.raises(UserError, match=match):
        cs.track(pd.DataFrame(columns))


def test_points_take_no_image_and_labels_no_length():
    with pytest.raises(UserError, match=r"image: it is used with label images only"):
        cs.track(crowd(), image=GREY)
    with pytest.raises(UserError, match=r"frames: it is for tables of points"):
        cs.track(SMALL, frames=3)
    with pytest.raises(UserError, match=r"frames: 4 should be the number of frames of the movie, more than .* 11"):
        cs.track(crowd(), frames=4)


IMAGES = {
    "depth": ({"axes": "ZYX"}, GREY, r"axes: 'ZYX' has a depth axis Z, .*image\.max\(axis=0\)"),
    "unknown letters": ({"axes": "QYX"}, GREY, r"axes: 'QYX' should hold Y and X"),
    "too few letters": ({"axes": "YX"}, GREY, r"axes: 'YX' names 2 axes, but image has 3, shape \(2, 48, 48\)"),
    "five axes": ({}, GREY[None, None], None),
    "one axis": ({}, GREY[0, 0], r"image: 1 axes, shape \(48,\); expected YX, CYX or TCYX"),
    "values": ({}, GREY[0] > 100, r"image: values of type bool; expected grey levels"),
    "NaN": ({}, np.where(GREY[0] > 150, np.nan, 1.0), r"image: frame 0 of channel 0 has values that are not finite"),
    "empty": ({}, GREY[0][:0], r"image: it is empty, shape \(0, 48\)"),
    "a channel by name": ({"channels": "gfp"}, GREY, r"channels: there is no channel 'gfp'; the image has C0, C1"),
    "a channel by number": ({"channels": 2}, GREY, r"channels: there is no channel 2; the image has C0, C1, counted"),
    "names": ({"names": ["a"]}, GREY, r"names: \['a'\] should hold a name for each channel of image \(2\)"),
    "pixel size": ({"pixel_size_um": -1}, GREY, r"pixel_size_um: -1 should be a number above 0, or None"),
    "pixel size as text": ({"pixel_size_um": "1"}, GREY, r"pixel_size_um: '1' should be a number above 0"),
    "a setting": ({"min_aera": 3}, GREY[0], r"segment: min_aera: unknown key, did you mean 'min_area'\? \(got 3\)"),
    "a value": ({"diameter": 0}, GREY[0], r"segment: diameter: Input should be greater than 0 \(got 0\)"),
    "a model": ({"model": "here/none.pt"}, GREY[0], r"segment.model: there is no file 'here/none.pt'; give compact,"),
}


@pytest.mark.parametrize("case", IMAGES)
def test_wrong_images_are_refused(case):
    keywords, image, match = IMAGES[case]
    with pytest.raises(UserError, match=match or r"image: 5 axes, shape \(1, 1, 2, 48, 48\)"):
        cs.segment(image, **keywords)


def test_labels_of_another_image_are_refused():
    match = r"labels: 3 axes, shape \(2, 48, 48\); expected YX, as image without C; .*'TYX'"
    with pytest.raises(UserError, match=match):
        cs.measure(GREY, SMALL)
    with pytest.raises(UserError, match=r"labels: 2 axes, shape \(48, 48\); expected TYX"):
        cs.embed(GREY, SMALL[0], axes="TYX")
    with pytest.raises(UserError, match=r"labels: 2 frames of 48 x 48 px, but image has 2 of 48 x 40 px"):
        cs.track(SMALL, image=GREY[..., :40], axes="TYX")


def test_a_missing_path_and_wrong_settings_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"path: there is no file or folder '.*nowhere\.tif', nor one that matches"):
        cs.read_movie(tmp_path / "nowhere.tif")
    with pytest.raises(UserError, match=r"path: there is no file or folder '.*t\*\.tif'"):
        cs.read_movie(str(tmp_path / "t*.tif"))
    path = series(tmp_path, "ome.tif")
    with pytest.raises(UserError, match=r"read_movie: flatfield: unknown key, did you mean 'flat_field'"):
        cs.read_movie(path, flatfield="estimate")
    with pytest.raises(UserError, match=r"lists 2 channels, but the file has 1"):
        cs.read_movie(path, channels=["a", "b"])
    with pytest.raises(UserError, match=r"track: serach_range_px: unknown key, did you mean 'search_range_px'"):
        cs.track(SMALL, serach_range_px=3)
    with pytest.raises(UserError, match=r"compartments: .*lacks the columns .*; the columns are sample, fov"):
        cs.track(SMALL, compartments=pd.DataFrame({"compartment_id": ["a"]}))
    with pytest.raises(UserError, match=r"edits: unknown column 'actoin'"):
        cs.track(SMALL, edits=pd.DataFrame({"actoin": ["death"], "frame": 0, "cell": 1}))


SHORT = {"track_id": ["a"], "hours": 1, "value": 2}
COURSES = {
    "without hours": ({"track_id": ["a"], "value": [1]}, {}, r"timecourse: no column 'hours' \(frame number times min"),
    "with missing hours": ({"track_id": ["a"], "hours": [None], "value": [1]}, {}, r"'hours' has the value None in"),
    "with text": ({"track_id": ["a"], "hours": 1, "value": ["x"]}, {}, r"'value' has the value x in row 0"),
    "twice": ({"track_id": ["a", "a"], "hours": 1, "value": 2}, {}, r"track 'a' has two values at 1 h; keep one"),
    "of two fields": (
        {"track_id": "a", "hours": [1, 1], "value": 2, "fov": ["1", "2"]}, {},
        r"are of 2 fields \(1, 2\); give each track of each field its own track_id",
    ),
    "with durations": (
        {"track_id": "a", "hours": pd.to_timedelta([1, 2], unit="h"), "value": 2}, {}, r"'hours' holds dates or durat",
    ),
    "with a duration": (
        {"track_id": "a", "hours": [1.0, pd.Timedelta(2, "h")], "value": 2}, {}, r"'hours' holds dates or durations",
    ),
    "with dates": (
        {"track_id": "a", "hours": pd.to_datetime(["2024-01-01", "2024-01-02"], utc=True), "value": 2}, {},
        r"'hours' holds dates or durations; give numbers",
    ),
    "of two channels": (
        {"track_id": "a", "hours": [1, 1], "value": 2, "channel": ["p", "q"]}, {}, r"2 channels \(p, q\); name one as",
    ),
    "another channel": (
        {"track_id": ["a"], "hours": 1, "value": 2, "channel": "p"}, {"channel": "q"}, r"no channel 'q' .* has p",
    ),
    "one end of the window": (SHORT, {"summary": "auc_per_hour", "window": (1,)}, r"window: expected .*got \(1,\)\)"),
    "no window": (SHORT, {"summary": "auc_per_hour", "window": 3}, r"window: expected .*got 3\)"),
    "words in the window": (SHORT, {"summary": "auc_per_hour", "window": ("a", 10)}, r"window: expected"),
    "an endless window": (SHORT, {"summary": "auc_per_hour", "window": (0, np.inf)}, r"window: expected"),
    "a reversed window": (SHORT, {"summary": "auc_per_hour", "window": (2, 1)}, r"the last hour must be after"),
    "a window elsewhere": (SHORT, {"window": (0, 1)}, r"window: only the summary auc_per_hour .* for endpoint"),
    "no level": (SHORT, {"summary": "time_above"}, r"threshold: the summary time_above needs a level"),
    "a level that is no number": (SHORT, {"summary": "time_above", "threshold": np.nan}, r"threshold: expected .*nan"),
    "a level as text": (SHORT, {"summary": "time_above", "threshold": "5"}, r"threshold: expected a finite number"),
    "a level elsewhere": (SHORT, {"threshold": 5}, r"threshold: only the summary time_above .* for endpoint"),
    "another summary": ({"track_id": ["a"], "hours": 1, "value": 2}, {"summary": "slop"}, r"did you mean 'slope'"),
}  # fmt: skip


@pytest.mark.parametrize("case", COURSES)
def test_wrong_time_courses_are_refused(case):
    columns, keywords, match = COURSES[case]
    with pytest.raises(UserError, match=match):
        cs.score(pd.DataFrame(columns), **keywords)


def test_a_changed_summary_is_said_once(caplog, monkeypatch):
    monkeypatch.setattr(deprecation, "_WARNED", set())
    course = pd.DataFrame({"track_id": "a", "hours": [0, 1, 2], "value": [1, 2, 3]})
    for summary in ("endpoint", "slope", "slope", "maximum", "auc", "auc"):
        cs.score(course, summary)
    cs.score(course, "auc_per_hour", window=[np.int64(0), None])
    assert [line.split(":")[1].strip(" '") for line in caplog.messages] == ["slope", "maximum", "auc"]


def test_function_channels_are_kept_out_and_the_advice_works(tmp_path):
    names = ["dna", "lipid"]
    tifffile.imwrite(tmp_path / "m.ome.tif", np.stack([GREY, GREY + 1], 1), metadata={"axes": "TCYX"})
    movie = cs.read_movie(tmp_path / "m.ome.tif", channels=names, function="lipid")
    assert movie.function == ("lipid",)
    for kept_out in (cs.measure, cs.embed):
        with pytest.raises(UserError, match=r"channels: 'lipid' measures function, .* without 'lipid' in function="):
            kept_out(movie, SMALL, channels=["lipid"])
    with pytest.raises(UserError, match=r"channels: 'lipid' measures function"):
        cs.segment(movie, channels="lipid")
    advised = cs.read_movie(tmp_path / "m.ome.tif", channels=names)
    assert "morphology_lipid_mean" in cs.measure(advised, SMALL, channels=["lipid"])
    every = cs.read_movie(tmp_path / "m.ome.tif", channels=names, function=names)
    with pytest.raises(UserError, match=r"m\.ome\.tif: every channel measures function, so none is left to embed"):
        cs.embed(every, SMALL)


def test_one_name_may_be_given_as_text(tmp_path):
    movie = cs.read_movie(series(tmp_path, "ome.tif"), channels="lip", function="lip")
    assert (movie.channels, movie.function) == (("lip",), ("lip",))


def test_planes_of_a_movie_are_not_changed_in_place(tmp_path):
    movie = cs.read_movie(series(tmp_path, "ome.tif"))
    with pytest.raises(ValueError, match="read-only"):
        movie.data[0] = 0
    copy = movie.data.copy()
    copy[:] = 0
    assert cs.segment(copy).max() == 0
    assert cs.segment(movie).max() > 0


def test_labels_without_an_image_have_no_channels():
    with pytest.raises(UserError, match=r"axes: 'CYX' has channels C, but .* use 'TYX' or 'YX'"):
        cs.measure(None, SMALL, axes="CYX")
    pd.testing.assert_frame_equal(cs.measure(None, SMALL, axes="tyx"), cs.measure(None, SMALL))
    assert cs.measure(None, SMALL)["frame"].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(("path", "kind"), [(None, "NoneType"), (GREY, "ndarray"), ([GREY], "list")])
def test_what_is_no_path_is_not_read(path, kind):
    with pytest.raises(UserError, match=rf"path: expected a path, a pattern or a list of paths, not a {kind}"):
        cs.read_movie(path)


def test_a_model_is_a_name_or_a_path():
    match = r"model: None should be the name of a model or the path of its weights"
    with pytest.raises(UserError, match=match):
        cs.segment(GREY[0], model=None)
    with pytest.raises(UserError, match=match):
        cs.embed(GREY[0], SMALL[0], model=None)


def test_only_a_table_with_each_column_once_is_a_time_course():
    with pytest.raises(UserError, match="expected a pandas table with track_id, hours and value, not a NoneType"):
        cs.score(None)
    twice = pd.DataFrame([["a", 0, 1, 2]], columns=["track_id", "hours", "value", "value"])
    with pytest.raises(UserError, match=r"timecourse: there are several columns 'value'; keep one of them"):
        cs.score(twice)


def test_a_model_of_the_hub_is_not_downloaded_unless_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match=r"weights of 'vit_small_patch14_dinov2.lvd142m' are not in the local cache"):
        cs.embed(GREY[0], SMALL[0], "vit_small_patch14_dinov2.lvd142m")
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"there is no file '.*cpsam_v2'; .*set segment.download"):
        cs.segment(GREY[0], "cpsam_v2")


# nothing is written and little is loaded


def test_no_function_writes_to_disk(tmp_path, no_writing):
    path = series(tmp_path, "ome.tif")
    with no_writing():
        movie = cs.read_movie(path)
        assert cs.segment(movie).max() > 0
        labels = (movie.data[:, 0] > 130).astype(int) * np.repeat([1, 2], 24)
        found = cs.track(labels, image=movie, frame_interval_min=10)
        points = cs.track(found.detections[["frame", "y_px", "x_px"]])
        assert len(points.tracks) == len(found.tracks) == 2
        shapes, vectors = cs.measure(movie, labels), cs.embed(movie, labels)
        assert len(shapes) == len(vectors) == 4
        course = found.detections.assign(hours=found.detections["frame"], value=1.0)
        assert cs.score(course).tolist() == [1.0, 1.0]
        with pytest.raises(PermissionError):
            (tmp_path / "new").write_text("x")


def run_python(code: str, *arguments: object, **variables: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-B", "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | variables)


def test_importing_the_package_loads_neither_torch_nor_pandas():
    code = "import sys, cineseq; print(sorted({'torch', 'pandas', 'numpy', 'scipy'} & set(sys.modules)))"
    assert run_python(code).stdout == "[]\n"
    code = "import sys, cineseq; cineseq.track, cineseq.measure, cineseq.score; print('torch' in sys.modules)"
    assert run_python(code).stdout == "False\n"


def test_the_package_names_its_functions():
    assert {"read_movie", "segment", "track", "measure", "embed", "score"} <= set(dir(cs)) & set(cs.__all__)
    with pytest.raises(AttributeError, match="module 'cineseq' has no attribute 'meassure'"):
        _ = cs.meassure
