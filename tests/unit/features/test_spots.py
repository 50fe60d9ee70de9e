"""Spots planted in cells."""

import numpy as np
import pytest
import tifffile
from score_function import Settings, main
from tests.unit.features.feature_fields import Field

import cineseq as cs
from cineseq.config.features import Function
from cineseq.features import timecourse
from cineseq.features.spots import find_spots, spot_values
from cineseq.io.stacks import MovieInfo, write_movie
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import SCORES

PLACES = ((20, 20), (20, 40), (40, 30), (70, 70))


def planted(height: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    image = np.random.default_rng(seed).normal(100, 5, (96, 96))
    rows, columns = np.mgrid[:96, :96]
    for y, x in PLACES:
        image += height * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 1.5**2))
    labels = np.zeros((96, 96), int)
    labels[8:52, 8:52], labels[60:80, 60:80], labels[60:80, 8:28] = 1, 2, 3
    return image, labels


def test_spots_are_found_where_they_are():
    image, labels = planted(80)
    spots = find_spots(image, labels, 1.5, 4.5)
    assert sorted(zip(spots.rows.tolist(), spots.columns.tolist(), strict=True)) == sorted(PLACES)
    assert sorted(spots.labels.tolist()) == [1, 1, 1, 2]
    # A Gaussian spot holds 2 pi s^2 times its height; two thirds of it lie within one and a half radii.
    assert spots.intensity == pytest.approx(2 * np.pi * 1.5**2 * 80 * 0.68, rel=0.2)


def test_counts_and_intensities_of_cells_and_none_without_spots():
    image, labels = planted(80)
    found = spot_values(image, labels, np.array([1, 2, 3]), 1.5, 4.5)
    assert found["spot_count"].tolist() == [3, 1, 0]
    assert found["spot_intensity"][2] == 0
    assert spot_values(image, labels * 0, np.array([], int), 1.5, 4.5)["spot_count"].tolist() == []
    assert spot_values(np.full((96, 96), 7.0), labels, np.array([1, 2, 3]), 1.5, 4.5)["spot_count"].sum() == 0


def test_noise_has_few_spots():
    image, _ = planted(0, seed=1)
    assert len(find_spots(image, np.ones((96, 96), int), 1.5, 4.5).rows) <= 3


@pytest.mark.parametrize("shape", [(2, 2), (1, 2), (1, 1)])
def test_equal_maxima_next_to_each_other_are_one_spot(shape):
    image = np.full((40, 60), 100.0)
    for x in (15, 40):
        image[20 : 20 + shape[0], x : x + shape[1]] = 200
    spots = find_spots(image, np.ones((40, 60), int), 1.5, 4.5)
    assert len(spots.rows) == 2
    assert ((spots.rows - 20) < shape[0]).all()
    assert spot_values(image, np.ones((40, 60), int), np.array([1]), 1.5, 4.5)["spot_count"].tolist() == [2]


@pytest.mark.parametrize("shape", [(1, 60), (60, 1), (1, 1), (2, 60)])
def test_thin_images_have_spots_too(shape):
    image = np.random.default_rng(0).normal(100, 1, shape)
    if max(shape) > 1:
        image.ravel()[30 if 1 in shape else [30, 90]] = 200
    found = spot_values(image, np.ones(shape, int), np.array([1]), 1.5, 4.5)
    assert found["spot_count"].tolist() == [float(max(shape) > 1)]


def test_spots_are_only_sought_in_channels_whose_scores_ask(tmp_path, monkeypatch):
    paths = Field(tmp_path).write()
    sought = []
    real = timecourse.spot_values
    monkeypatch.setattr(timecourse, "spot_values", lambda *a: sought.append(a[0].mean()) or real(*a))
    made = {name: tmp_path / f"{name}.parquet" for name in ("timecourse", "scores", "report")}
    asked = {"scores": [{"name": "a", "channel": "lipid"}], "measure": "spot_count", "region": "mask"}
    chosen = Settings.model_validate({"channels": {"function": ["lipid"]}, "function": asked})
    main(**paths, **made, regions=tmp_path / "r.png", settings=chosen)
    assert len(sought) == 3  # frames, of one of two channels
    assert read_table(made["scores"], SCORES)["function_a"].notna().all()


def test_measure_has_columns_of_spots_if_asked():
    image, labels = planted(80)
    table = cs.measure(image, labels, spots=True)
    assert table["morphology_C0_spot_count"].tolist() == [3, 1, 0]
    assert "morphology_C0_spot_intensity" in table
    assert "morphology_C0_spot_count" not in cs.measure(image, labels)


def test_spots_are_measured_over_time_only_if_a_score_asks():
    assert not Function().measures_spots
    assert Function(scores=[{"name": "a", "channel": "c", "measure": "spot_count"}]).measures_spots
    assert Function(scores=[{"name": "a", "channel": "c", "measure": "spot_count"}]).not_levels == {"function_a"}


def test_spots_over_time_are_a_measure_of_the_step(tmp_path):
    paths = Field(tmp_path, values={"lipid": np.zeros((3, 3))}).write()
    movie = tifffile.imread(paths["movie"])
    bump = 120 * np.exp(-(np.square(np.mgrid[-4:5, -4:5]).sum(0)) / (2 * 1.5**2))
    for y, x in ((26, 30), (35, 30), (30, 66)):
        movie[:, 1, y - 4 : y + 5, x - 4 : x + 5] += bump.astype(np.uint16)
    write_movie(movie.reshape(-1, 96, 96), paths["movie"], MovieInfo(3, 96, 96, ("nuclear", "lipid"), 0.5, 30.0))
    made = {name: tmp_path / f"{name}.parquet" for name in ("timecourse", "scores", "report")}
    asked = [{"name": m, "channel": "lipid", "measure": m} for m in ("spot_count", "spot_intensity")]
    chosen = {"channels": {"function": ["lipid"]}, "function": {"scores": asked, "region": "mask"}}
    main(**paths, **made, regions=tmp_path / "r.png", settings=Settings.model_validate(chosen))
    scores = read_table(made["scores"], SCORES)
    assert scores["function_spot_count"].tolist() == [2, 1, 0]
    assert scores["function_spot_intensity"].iloc[0] == pytest.approx(
        2 * scores["function_spot_intensity"].iloc[1], rel=0.15
    )
