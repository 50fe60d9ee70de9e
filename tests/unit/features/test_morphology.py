"""Shape, intensity and texture of objects, against scikit-image and against what was drawn."""

import json

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from morphology import Settings, main
from skimage.feature import graycomatrix, graycoprops
from skimage.measure import regionprops_table
from tests.unit.features.feature_fields import Field, disc

from cineseq.errors import UserError
from cineseq.features.background import intensity_table, local_background, rings
from cineseq.features.label_statistics import grouped_means, grouped_quantiles
from cineseq.features.shape import shape_table
from cineseq.features.texture import co_occurrence, quantised, texture_table
from cineseq.io.stacks import MovieInfo, write_labels
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import MORPHOLOGY

ANGLES = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]


def blobs() -> np.ndarray:
    labels = np.zeros((80, 90), np.int64)
    labels[disc(labels.shape, 20, 20, 12)] = 3
    labels[disc(labels.shape, 20, 44, 12)] = 4  # touches 3
    labels[50:75, 10:22] = 9
    labels[60:62, 60:80] = 11
    labels[79, 89] = 20  # a single pixel in the corner
    return labels


def run(folder, paths: dict, **sections: object) -> tuple[pd.DataFrame, dict]:
    made, report = folder / "morphology.parquet", folder / "morphology.json"
    main(
        labels=paths["labels"],
        movie=paths.get("movie"),
        morphology=made,
        report=report,
        settings=Settings.model_validate({"field": {"sample": "s", "fov": "1"}, **sections}),
    )
    return read_table(made, MORPHOLOGY), json.loads(report.read_text())


@pytest.mark.parametrize("distance", [1, 2, 3])
def test_texture_equals_scikit_image_object_by_object(distance):
    labels, levels = blobs(), 8
    grey = np.random.default_rng(1).integers(0, levels, labels.shape)
    ids = np.unique(labels)[1:]
    counts = co_occurrence(grey, labels, ids, levels, distance)
    for i, label in enumerate(ids):
        alone = np.where(labels == label, grey, levels).astype(np.uint8)
        wanted = graycomatrix(alone, [distance], ANGLES, levels + 1, symmetric=True)[:levels, :levels]
        assert np.array_equal(counts[i], wanted[:, :, 0].sum(-1))
    made = texture_table(counts)
    whole = counts.transpose(1, 2, 0)[:, :, :, None]
    for name in ("contrast", "homogeneity", "energy", "entropy", "correlation"):
        wanted = graycoprops(whole, name)[:, 0]
        np.testing.assert_allclose(made[name][:-1], wanted[:-1], atol=1e-9)
    assert made.iloc[-1].isna().all()  # one pixel has no neighbour


def test_a_flat_object_has_no_correlation_and_no_entropy():
    made = texture_table(co_occurrence(np.zeros((9, 9), int), np.ones((9, 9), int), np.array([1]), 4, 1)).iloc[0]
    assert np.isnan(made["correlation"])
    assert (made["contrast"], made["homogeneity"], made["energy"], made["entropy"]) == (0, 1, 1, 0)


def test_quantised_fills_equal_bins_and_clips():
    plane = np.array([[-5.0, 0.0, 24.9], [25.0, 99.9, 300.0]])
    assert quantised(plane, 0, 100, 4).tolist() == [[0, 0, 0], [1, 3, 3]]
    assert quantised(plane, 7, 7, 4).max() == 0


def test_intensity_equals_scikit_image_and_numpy():
    labels = blobs()
    plane = np.random.default_rng(2).integers(0, 4000, labels.shape).astype(np.uint16)
    ids = np.unique(labels)[1:]
    made = intensity_table(plane, labels, ids, np.full(len(ids), 7.0))
    names = {"mean": "intensity_mean", "std": "intensity_std", "min": "intensity_min", "max": "intensity_max"}
    wanted = regionprops_table(labels, plane, properties=tuple(names.values()))
    for mine, theirs in names.items():
        np.testing.assert_allclose(made[mine], wanted[theirs], rtol=1e-12)
    np.testing.assert_allclose(made["q05"], [np.quantile(plane[labels == i], 0.05) for i in ids])
    np.testing.assert_allclose(made["q95"], [np.quantile(plane[labels == i], 0.95) for i in ids])
    np.testing.assert_allclose(made["mean_above_background"], made["mean"] - 7)


@given(arrays(np.float64, st.integers(0, 40), elements=st.floats(-1e3, 1e3)), st.data(), st.floats(0, 1))
def test_grouped_quantiles_and_means_equal_numpy(values, data, quantile):
    groups = np.array(data.draw(st.lists(st.integers(0, 4), min_size=len(values), max_size=len(values))), dtype=int)
    made = grouped_quantiles(values, groups, 5, np.array([quantile]))[:, 0]
    means = grouped_means(values, groups, 5)
    for i in range(5):
        mine = values[groups == i]
        if len(mine):
            assert made[i] == pytest.approx(np.quantile(mine, quantile), abs=1e-9)
            assert means[i] == pytest.approx(mine.mean(), abs=1e-9)
        else:
            assert np.isnan(made[i])
            assert np.isnan(means[i])


def test_shapes_of_a_disc_and_of_a_square():
    labels = np.zeros((120, 120), int)
    labels[disc(labels.shape, 40, 40, 30)] = 1
    labels[80:110, 80:110] = 2
    made = shape_table(labels, None).set_index("label")
    assert made.loc[1, "morphology_equivalent_diameter_px"] == pytest.approx(60, rel=0.01)
    assert made.loc[1, "morphology_axis_major_px"] == pytest.approx(60, rel=0.01)
    assert made.loc[1, "morphology_form_factor"] == pytest.approx(0.93, abs=0.08)
    assert made.loc[1, "morphology_eccentricity"] == pytest.approx(0, abs=0.05)
    assert made.loc[2, "morphology_area_px2"] == 900
    assert made.loc[2, "morphology_extent"] == 1
    assert made.loc[2, "morphology_solidity"] == 1
    assert made.loc[2, "morphology_feret_max_px"] == pytest.approx(30 * np.sqrt(2), rel=0.02)
    assert made["morphology_neighbour_distance_px"].tolist() == pytest.approx([np.hypot(54.5, 54.5)] * 2)


def test_micrometres_scale_lengths_once_and_areas_twice():
    pixels, microns = shape_table(blobs(), None), shape_table(blobs(), 0.25)
    for name in ("perimeter", "axis_major", "axis_minor", "feret_max", "equivalent_diameter", "neighbour_distance"):
        np.testing.assert_allclose(microns[f"morphology_{name}_um"], pixels[f"morphology_{name}_px"] * 0.25)
    np.testing.assert_allclose(microns["morphology_area_um2"], pixels["morphology_area_px2"] / 16)
    same = [c for c in pixels.columns if not c.endswith(("_px", "_px2"))]
    pd.testing.assert_frame_equal(pixels[same], microns[same])


@pytest.mark.parametrize("aspect", [2.0, 0.5, 1.6])
def test_oblong_pixels_show_a_disc_as_a_disc(aspect):
    # A disc of 12 um on pixels of the area of 0.25 um2.
    height, width = 0.5 * aspect**0.5, 0.5 / aspect**0.5
    rows, columns = np.mgrid[: round(40 / height), : round(40 / width)]
    labels = (np.hypot((rows + 0.5) * height - 20, (columns + 0.5) * width - 20) <= 12).astype(int)
    made = shape_table(labels, 0.5, aspect).iloc[0]
    assert made["area_px"] == labels.sum()
    assert made["morphology_area_um2"] == pytest.approx(np.pi * 144, rel=0.01)
    assert made["morphology_equivalent_diameter_um"] == pytest.approx(24, rel=0.02)
    assert made["morphology_axis_major_um"] == pytest.approx(24, rel=0.02)
    assert made["morphology_eccentricity"] < 0.25
    assert shape_table(labels, 0.5).iloc[0]["morphology_eccentricity"] > 0.6


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 3), st.booleans(), st.integers(0, 2**16))
def test_shape_does_not_depend_on_how_the_cell_lies(turns, mirrored, seed):
    rng = np.random.default_rng(seed)
    labels = np.zeros((60, 60), int)
    for _ in range(3):
        labels[disc(labels.shape, *rng.uniform(22, 38, 2), rng.uniform(4, 12))] = 1
    other = np.rot90(labels, turns)
    other = other[:, ::-1] if mirrored else other
    made, turned = shape_table(labels, None), shape_table(other, None)
    # The seventh Hu moment changes sign in a mirror; that is what it is for.
    columns = [c for c in made.columns if c != "morphology_hu_7"]
    np.testing.assert_allclose(made[columns], turned[columns], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pixels", [[(5, 5)], [(5, 5), (5, 6)], [(5, 5), (6, 6), (7, 7)]])
def test_tiny_objects_are_measured_without_infinities(pixels):
    labels = np.zeros((12, 12), int)
    for place in pixels:
        labels[place] = 1
    made = shape_table(labels, None)
    assert not np.isinf(made.to_numpy(float)).any()
    assert made["morphology_area_px2"].tolist() == [len(pixels)]


def test_local_background_ignores_what_was_not_seen():
    labels = np.zeros((40, 40), int)
    labels[10:20, 12:22] = 1
    plane = np.full((40, 40), 50.0)
    plane[:, :10] = 900
    around = rings(labels, 1, 6, (slice(None), slice(10, None)))
    assert not around.labels[:, :10].any()
    assert around.labels[:, 10:].any()
    assert local_background(plane, around, np.array([1]))[0].tolist() == [50]
    empty = rings(np.zeros((4, 4), int), 1, 6, (slice(1, None), slice(None)))
    assert empty.open.sum() == 12


def test_local_background_ignores_neighbours_and_falls_back_when_crowded():
    labels = np.zeros((60, 60), int)
    labels[20:40, 20:30], labels[20:40, 30:40] = 1, 2
    plane = np.full((60, 60), 50.0)
    plane[labels == 1], plane[labels == 2] = 1000, 3000
    background, own = local_background(plane, rings(labels, 2, 5), np.array([1, 2]))
    assert background.tolist() == [50, 50]
    assert own.all()
    full = np.ones((20, 20), int)
    full[:, 10:] = 2
    plane = np.arange(400.0).reshape(20, 20)
    background, own = local_background(plane, rings(full, 2, 5), np.array([1, 2]))
    assert not own.any()
    assert background.tolist() == pytest.approx([3.99, 3.99])


def test_step_writes_physical_units_and_leaves_the_function_channel_out(tmp_path):
    paths = Field(tmp_path).write()
    made, report = run(tmp_path, paths, channels={"function": ["lipid"]})
    assert len(made) == 9
    assert made["morphology_area_um2"].iloc[0] == (Field(tmp_path).masks() == 1).sum() / 4
    assert made["morphology_nuclear_mean_above_background"].to_numpy() == pytest.approx(100, abs=2)
    assert not [c for c in made.columns if "lipid" in c]
    assert report["numbers"] == {"frames": 3, "objects": 9, "small_objects": 0, "crowded_objects": 0, "channels": 1}
    assert "Not measured: lipid." in report["lines"]


def test_changing_the_function_channel_changes_nothing(tmp_path):
    tables = []
    for i, level in enumerate((0.0, 900.0)):
        folder = tmp_path / str(i)
        folder.mkdir()
        paths = Field(folder, values={"lipid": np.full((3, 3), level)}).write()
        tables.append(run(folder, paths, channels={"function": ["lipid"]})[0])
    pd.testing.assert_frame_equal(*tables)
    allowed, _ = run(tmp_path / "1", paths, channels={"function": ["lipid"], "allow_function_in": ["morphology"]})
    assert allowed["morphology_lipid_mean_above_background"].to_numpy() == pytest.approx(900, abs=3)


def test_the_stain_of_dead_cells_is_not_measured_and_its_name_must_exist(tmp_path):
    paths = Field(tmp_path).write()
    made, report = run(tmp_path, paths, channels={"death": "lipid"})
    assert not [c for c in made.columns if "lipid" in c]
    assert "Not measured: lipid." in report["lines"]
    with pytest.raises(UserError, match=r"no channel 'lipd' as named in channels\.death; the movie has"):
        run(tmp_path, paths, channels={"death": "lipd"})
    with pytest.raises(UserError, match="'lipid' is the stain of dead cells"):
        run(tmp_path, paths, channels={"death": "lipid"}, morphology={"channels": ["lipid"]})


def test_unknown_pixel_size_and_no_movie_give_shape_in_pixels(tmp_path):
    paths = Field(tmp_path, pixel_size_um=None).write()
    made, report = run(tmp_path, {"labels": paths["labels"]})
    assert {"morphology_area_px2", "morphology_perimeter_px"} <= set(made.columns)
    assert not [c for c in made.columns if c.endswith(("_um", "_um2")) or "nuclear" in c]
    assert "in pixels, because the pixel size is unknown" in report["lines"][0]


def test_a_field_without_cells_gives_a_legal_empty_table(tmp_path):
    paths = Field(tmp_path, centres=()).write()
    made, report = run(tmp_path, paths)
    assert len(made) == 0
    assert report["numbers"]["objects"] == 0


def test_one_frame_and_small_objects(tmp_path):
    paths = Field(tmp_path, frames=1, radius=2, centres=((40, 40),)).write()
    made, report = run(tmp_path, paths)
    assert len(made) == 1
    assert np.isnan(made["morphology_neighbour_distance_um"].iloc[0])
    assert report["numbers"]["small_objects"] == 1


def test_masks_of_another_size_are_refused(tmp_path):
    paths = Field(tmp_path).write()
    write_labels(iter([np.zeros((50, 96), np.uint16)] * 3), paths["labels"], MovieInfo(3, 50, 96, (), 0.5, 30.0))
    with pytest.raises(UserError, match=r"3 frames of 96 x 96 px but its masks have 3 frames of 50 x 96"):
        run(tmp_path, paths)
    assert not (tmp_path / "morphology.parquet").exists()


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"channels": {"function": ["lippid"]}}, "no channel 'lippid' as named in channels.function"),
        ({"morphology": {"channels": ["actin"]}}, "no channel 'actin' as named in morphology.channels"),
        (
            {"channels": {"function": ["lipid"]}, "morphology": {"channels": ["lipid"]}},
            "'lipid' measures function and must not enter morphology",
        ),
    ],
)
def test_wrong_channels_are_refused(tmp_path, sections, said):
    paths = Field(tmp_path).write()
    with pytest.raises(UserError, match=said):
        run(tmp_path, paths, **sections)


@pytest.mark.data
def test_real_nuclei_are_measured(tmp_path, data_folder):
    files = sorted((data_folder / "ctc_sim01" / "01_GT" / "TRA").glob("*.tif"))[:2]
    masks = [tifffile.imread(f).astype(np.uint16) for f in files]
    info = MovieInfo(2, *masks[0].shape, (), None, None)
    write_labels(iter(masks), tmp_path / "labels.ome.tif", info)
    made, report = run(tmp_path, {"labels": tmp_path / "labels.ome.tif"})
    assert len(made) == sum(len(np.unique(m)) - 1 for m in masks)
    assert made["morphology_solidity"].between(0.8, 1).mean() > 0.95
    assert report["numbers"]["objects"] == len(made)
