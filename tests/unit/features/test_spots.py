"""Spots planted in cells."""

import numpy as np
import pytest

import cineseq as cs
from cineseq.config.features import Function
from cineseq.features.spots import find_spots, spot_values

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
