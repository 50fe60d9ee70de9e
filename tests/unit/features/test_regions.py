"""Regions of cells and the background of frames, on images whose truth is planted."""

import json

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage
from score_function import Settings, main
from tests.unit.features.feature_fields import Field, disc

from cineseq.features.regions import Regions, cell_values, empty_level, owners_of_cells, saturated_share
from cineseq.io.stacks import open_labels
from cineseq.preprocessing.saturation import Saturation
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import SCORES, TIMECOURSE


def test_regions_meet_in_the_middle_between_neighbours():
    masks = np.zeros((1, 20), int)
    masks[0, 3], masks[0, 9] = 1, 2
    regions = Regions.around(masks, 4, 1)
    assert regions.labels[0].tolist() == [1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0]
    assert np.flatnonzero(regions.empty[0]).tolist() == [15, 16, 17, 18, 19]
    assert (Regions.around(masks, 0, 1).labels == masks).all()
    assert Regions.around(masks * 0, 4, 1).empty.all()


def test_borders_between_neighbours_follow_the_signal():
    masks = np.zeros((21, 60), int)
    masks[8:13, 18:23], masks[8:13, 38:43] = 1, 2
    image = np.full((21, 60), 100.0)
    image[:, 35:] = 160  # the second cell reaches farther than the middle, which is 30
    image += np.random.default_rng(0).normal(0, 1, image.shape)
    around = Regions.around(masks, 14, 1)
    followed = around.bordered_by(image, masks)
    assert abs(np.flatnonzero(around.labels[10] == 2)[0] - 31) <= 1
    assert abs(np.flatnonzero(followed.labels[10] == 2)[0] - 35) <= 1
    # Which pixels belong to any cell does not depend on the image.
    assert ((followed.labels > 0) == (around.labels > 0)).all()
    assert (followed.labels[masks > 0] == masks[masks > 0]).all()


def test_without_a_signal_borders_are_the_middles():
    masks = np.zeros((21, 60), int)
    masks[8:13, 18:23], masks[8:13, 38:43] = 1, 2
    around = Regions.around(masks, 14, 1)
    assert around.bordered_by(np.full((21, 60), 7.0), masks) is around
    noise = np.random.default_rng(1).normal(100, 3, (21, 60))
    assert (around.bordered_by(noise, masks).labels == around.labels).mean() > 0.9


def test_a_nucleus_has_the_cell_that_it_overlaps_most():
    masks, cells = np.zeros((5, 24), int), np.zeros((5, 24), int)
    cells[:, 0:8], cells[:, 8:16], cells[:, 18:20] = 5, 9, 2
    masks[2, 6:9] = 1  # two pixels in cell 5, one in cell 9
    masks[2, 12] = 4
    masks[2, 22] = 6  # beyond all cells
    regions = Regions.of_cells(masks, cells, 0)
    assert owners_of_cells(masks, cells).sort_values("nucleus").to_numpy().tolist() == [[1, 5], [4, 9]]
    assert regions.labels[0].tolist() == [1] * 8 + [4] * 8 + [0] * 8
    assert regions.labels[2].tolist() == [1] * 9 + [4] * 7 + [0] * 6 + [6, 0]
    # The cell without a nucleus is not measured, and is not empty either.
    assert np.flatnonzero(regions.empty[0]).tolist() == [16, 17, 20, 21, 22, 23]


def test_nuclei_of_one_cell_share_its_pixels_by_distance():
    masks, cells = np.zeros((3, 12), int), np.zeros((3, 12), int)
    cells[:, 1:11] = 3
    masks[1, 2], masks[1, 7] = 8, 4
    labels = Regions.of_cells(masks, cells, 1).labels
    assert labels[1].tolist() == [0, 8, 8, 8, 8, 4, 4, 4, 4, 4, 4, 0]
    assert Regions.of_cells(np.zeros((3, 12), int), cells, 1).labels.max() == 0
    assert Regions.of_cells(masks, np.zeros((3, 12), int), 1).labels.tolist() == masks.tolist()


def test_labels_of_cells_may_be_of_any_size():
    masks, cells = np.zeros((3, 12), int), np.zeros((3, 12), int)
    cells[:, :6], cells[:, 6:] = 4_000_000_000, 4_000_000_001
    masks[1, [2, 7, 10]] = 8, 4, 5
    labels = Regions.of_cells(masks, cells, 1).labels
    assert labels[0].tolist() == [8] * 6 + [4] * 3 + [5] * 3


@given(st.integers(0, 2**32 - 1))
def test_each_nucleus_keeps_its_pixels_and_each_pixel_lies_in_a_cell_or_nucleus(seed):
    rng = np.random.default_rng(seed)
    masks, cells = rng.integers(0, 4, (8, 9)), rng.integers(0, 5, (8, 9))
    labels = Regions.of_cells(masks, cells, 1).labels
    assert (labels[masks > 0] == masks[masks > 0]).all()
    assert not (labels[(masks == 0) & (cells == 0)]).any()
    owners = owners_of_cells(masks, cells)
    assert owners["nucleus"].is_unique
    for cell in set(np.unique(cells)) - {0} - set(owners["cell"]):
        assert not labels[(cells == cell) & (masks == 0)].any()


def test_masks_of_whole_cells_are_the_regions(tmp_path):
    field = Field(tmp_path, radius=4)
    paths = field.write()
    with open_labels(paths["labels"]) as stack:
        nuclei = np.stack(list(stack))
    cells = np.zeros_like(nuclei)
    for label, far in ((1, 12), (2, 6)):  # the others have no cell
        for t, plane in enumerate(nuclei):
            cells[t][ndimage.binary_dilation(plane == label, iterations=far)] = 10 + label
    tifffile.imwrite(tmp_path / "cells.tif", cells, photometric="minisblack")
    found = {}
    for region in ("cell", "mask"):
        made = {
            "timecourse": tmp_path / "t.parquet",
            "scores": tmp_path / "s.parquet",
            "report": tmp_path / "r.json",
            "regions": tmp_path / "r.png",
        }
        asked = {"scores": [{"name": "a", "channel": "lipid"}], "region": region}
        chosen = Settings.model_validate({"channels": {"function": ["lipid"]}, "function": asked})
        main(**paths, **made, settings=chosen, cells=[tmp_path / "cells.tif"])
        course = read_table(made["timecourse"], TIMECOURSE)
        said = " ".join(json.loads(made["report"].read_text())["lines"])
        found[region] = course[course["frame"] == 0].sort_values("track_id")["region_px"].to_list(), said
    labels, sizes = np.unique(nuclei[0][nuclei[0] > 0], return_counts=True)
    whole = {one: (cells[0] == 10 + one).sum() for one in (1, 2)}
    expected = [float(whole.get(one, size)) for one, size in zip(labels, sizes, strict=True)]
    assert sorted(found["cell"][0]) == sorted(expected)
    assert sorted(found["mask"][0]) == sorted(sizes.astype(float))
    assert "in the mask of the whole cell above" in found["cell"][1]
    assert "overlap no mask of a whole cell" in found["cell"][1]
    assert "cell_masks of the sample sheet are not used" in found["mask"][1]


def test_padding_is_neither_a_region_nor_empty():
    masks = np.zeros((1, 12), int)
    masks[0, 5] = 1
    regions = Regions.around(masks, 3, 1, (slice(None), slice(4, 11)))
    assert np.flatnonzero(regions.labels[0]).tolist() == [4, 5, 6, 7, 8]
    assert np.flatnonzero(regions.empty[0]).tolist() == [10]


@pytest.mark.parametrize("covered", [0.0, 0.4, 0.6])
def test_the_background_is_the_mode_of_what_is_empty(covered):
    rng = np.random.default_rng(0)
    plane = rng.normal(100, 5, (200, 200)) + np.linspace(0, 20, 200)[:, None]
    # Debris and cells that were not segmented lie in the empty part.
    plane[rng.random((200, 200)) < covered] += 60
    level, own = empty_level(plane, np.ones((200, 200), bool))
    assert own
    assert level[:, 0] == pytest.approx(100 + np.linspace(0, 20, 200), abs=2.5)


def test_whole_grey_levels_and_a_full_frame_have_a_background():
    assert empty_level(np.full((50, 50), 7, np.uint16), np.ones((50, 50), bool))[0].tolist() == [[7.0] * 50] * 50
    level, own = empty_level(np.arange(100.0).reshape(10, 10), np.zeros((10, 10), bool))
    assert not own
    assert level[0, 0] == pytest.approx(0.99)


def test_saturation_is_the_share_at_a_cameras_highest_level():
    plane = np.array([[4095, 4095, 10, 10]], np.uint16)
    pixels, group = np.arange(4), np.array([0, 0, 1, 1])
    assert saturated_share(plane, pixels, group, 2).tolist() == [1, 0]
    assert saturated_share(plane - 5, pixels, group, 2).tolist() == [0, 0]


def test_saturated_pixels_of_the_raw_movie_are_taken_where_they_are_known(tmp_path):
    field = Field(tmp_path, radius=4)
    paths = field.write()
    with open_labels(paths["labels"]) as stack:
        nuclei = np.stack(list(stack))
    raw = Saturation()
    full = raw.see(np.where(nuclei[0] == 1, 4095, 10), "lipid")
    raw.keep(full, 0, "lipid")
    raw.write(tmp_path / "saturated.npz", ["lipid"])
    made = {
        "timecourse": tmp_path / "t.parquet",
        "scores": tmp_path / "s.parquet",
        "report": tmp_path / "r.json",
        "regions": tmp_path / "r.png",
    }
    asked = {"scores": [{"name": "a", "channel": "lipid"}], "region": "mask"}
    given_settings = {"channels": {"function": ["lipid"]}, "function": asked, "inputs": {"flat_field": "estimate"}}
    chosen = Settings.model_validate(given_settings)
    main(**paths, **made, settings=chosen, saturated=tmp_path / "saturated.npz")
    course = read_table(made["timecourse"], TIMECOURSE)
    assert sorted(course.loc[course["frame"] == 0, "saturated"]) == [0] * (len(np.unique(nuclei[0])) - 2) + [1]
    assert (course.loc[course["frame"] > 0, "saturated"] == 0).all()
    assert "pixels are saturated, at most 100% of a cell" in " ".join(json.loads(made["report"].read_text())["lines"])
    main(**paths, **made, settings=chosen)
    assert read_table(made["timecourse"], TIMECOURSE)["saturated"].isna().all()


def test_integrated_intensity_is_the_sum_and_the_mean_is_per_pixel():
    plane, labels = np.array([[5.0, 7, 9, 1]]), np.array([[1, 1, 2, 0]])
    found = cell_values(plane, labels, np.array([1, 2]), np.array([1.0, 2.0]))
    assert {name: values.tolist() for name, values in found.items()} == {
        "integrated": [10, 7], "mean": [5, 7], "region_px": [2, 1], "saturated": [0, 0],
    }  # fmt: skip


@pytest.mark.parametrize(("inner", "outer"), [(0, 4), (4, 9), (0, 9)], ids=["nucleus", "cytoplasm", "cell"])
def test_the_default_measures_a_signal_wherever_it_is_in_the_cell(tmp_path, inner, outer):
    field = Field(tmp_path, radius=4)
    paths = field.write()
    centres = ((30, 30), (30, 66), (66, 40))
    levels = np.array([80.0, 160.0, 320.0])
    signal = sum(
        level * (disc((96, 96), y, x, outer) & ~disc((96, 96), y, x, inner - 0.5 if inner else -1))
        for level, (y, x) in zip(levels, centres, strict=True)
    )
    rng = np.random.default_rng(1)
    field._planes = lambda masks: (
        (200 + (signal if channel == "lipid" else 0) + rng.normal(0, 5, (96, 96))).round().astype(np.uint16)
        for _ in range(3)
        for channel in field.channels
    )
    paths = field.write()
    made = {
        "timecourse": tmp_path / "t.parquet",
        "scores": tmp_path / "s.parquet",
        "report": tmp_path / "r.json",
        "regions": tmp_path / "r.png",
    }
    asked = {"scores": [{"name": "a", "channel": "lipid"}, {"name": "mean", "channel": "lipid", "measure": "mean"}]}
    chosen = {"field": {"sample": "s", "fov": "1"}, "channels": {"function": ["lipid"]}, "function": asked}
    main(**paths, **made, settings=Settings.model_validate(chosen))
    scores = read_table(made["scores"], SCORES)
    totals = [float(signal[disc((96, 96), y, x, 15)].sum()) for y, x in centres]
    assert scores["function_a"].tolist() == pytest.approx(totals, rel=0.15)
    course = read_table(made["timecourse"], TIMECOURSE)
    assert course["background"].to_numpy() == pytest.approx(200, abs=2)
    assert (course["integrated"] / course["region_px"]).to_numpy() == pytest.approx(course["mean"].to_numpy())
    assert scores["function_mean"].to_numpy() == pytest.approx(
        course.groupby("track_id")["mean"].mean().to_numpy(float)
    )


@pytest.mark.parametrize("background", ["empty", "ring", "percentile"])
def test_a_picture_shows_regions_and_background(tmp_path, background):
    paths = Field(tmp_path, radius=4).write()
    made = {name: tmp_path / f"{name}.parquet" for name in ("timecourse", "scores", "report")}
    asked = {"scores": [{"name": "a", "channel": "lipid"}], "background": background, "region": "mask"}
    chosen = {"field": {"sample": "s", "fov": "1"}, "channels": {"function": ["lipid"]}, "function": asked}
    main(**paths, **made, regions=tmp_path / "r.png", settings=Settings.model_validate(chosen))
    picture = np.asarray(Image.open(tmp_path / "r.png").convert("RGB")).astype(int)
    red, green, blue = picture.reshape(-1, 3).T
    assert ((red > 180) & (green > 130) & (blue < 120)).sum() > 100
    assert bool((blue > red + 30).sum() > 100) is (background != "percentile")


@pytest.mark.parametrize("flat_field", ["none", "estimate"])
def test_saturation_is_unknown_and_not_zero_after_a_flat_field(tmp_path, flat_field):
    paths = Field(tmp_path, noise=0, values={"lipid": np.array([[3895.0, 100, 100]] * 3)}).write()
    made = {name: tmp_path / f"{name}.parquet" for name in ("timecourse", "scores", "report")}
    asked = {"scores": [{"name": "a", "channel": "lipid"}], "region": "mask"}
    chosen = {"inputs": {"flat_field": flat_field}, "channels": {"function": ["lipid"]}, "function": asked}
    main(**paths, **made, regions=tmp_path / "r.png", settings=Settings.model_validate(chosen))
    saturated = read_table(made["timecourse"], TIMECOURSE).groupby("track_id")["saturated"].first()
    said = made["report"].read_text()
    if flat_field == "none":
        assert saturated.tolist() == [1, 0, 0]
        assert "pixels are saturated, at most 100% of a cell" in said
    else:
        assert saturated.isna().all()
        assert "lipid: which cells have saturated pixels is not known" in said
