"""The same cells on high and on wide pixels are the same cells."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cineseq.config.base import FieldOfView
from cineseq.config.features import Embed
from cineseq.config.tracking import Track
from cineseq.features.crops import FrameMasks, crop_side
from cineseq.features.regions import Regions
from cineseq.features.shape import shape_table
from cineseq.io.square_pixels import oblong_labels, squared_image, squared_labels
from cineseq.io.stacks import Labels, MovieInfo
from cineseq.lineage.discordant_sisters import Scale, measured_before_fate
from cineseq.tracking.field import track_objects
from cineseq.tracking.objects import measure

FRAMES, EXTENT_UM = 6, 120.0


def drawn(places, radii, height, width):
    """Return discs, ``places`` of shape (frames, cells, 2) and radii in µm, on pixels of some height and width."""
    y, x = np.arange(0, EXTENT_UM, height) + height / 2, np.arange(0, EXTENT_UM, width) + width / 2
    planes = np.zeros((len(places), len(y), len(x)), np.int32)
    for plane, centres in zip(planes, places, strict=True):
        for label, ((cy, cx), radius) in enumerate(zip(centres, radii, strict=True), 1):
            plane[(y[:, None] - cy) ** 2 + (x - cx) ** 2 <= radius**2] = label
    info = MovieInfo(len(planes), len(y), len(x), (), (height * width) ** 0.5, 10.0, pixel_aspect=height / width)
    return Labels(info, lambda frame: planes[frame])


def walks(seed):
    """Return places of six cells that move apart from each other, shape (frames, 6, 2), and their radii, in µm."""
    rng = np.random.default_rng(seed)
    start = np.array([(y, x) for y in (35, 85) for x in (25, 60, 95)], float) + rng.uniform(-3, 3, (6, 2))
    steps = rng.normal(0, 2, (FRAMES, 6, 2))
    steps[0] = 0
    return start + steps.cumsum(axis=0), rng.uniform(6, 9, 6)


def tracked(labels, tmp_path):
    curated, _ = track_objects(
        measure(labels), None, None, info=labels.info, field=FieldOfView(), settings=Track(), where=tmp_path
    )
    return curated


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), ratio=st.floats(1.2, 2.5), side=st.floats(0.4, 0.7))
def test_areas_distances_and_speeds_do_not_depend_on_which_side_is_longer(tmp_path_factory, seed, ratio, side):
    path = tmp_path_factory.getbasetemp()
    places, radii = walks(seed)
    found = []
    for height, width in ((side, side * ratio), (side * ratio, side), (side, side)):
        labels = drawn(places, radii, height, width)
        tables = tracked(labels, path)
        shapes = shape_table(labels[0], labels.info.pixel_size_um, labels.info.pixel_aspect)
        um = (tables.detections[["y_px", "x_px"]] + 0.5) * [height, width]
        step = np.hypot(*um.groupby(tables.detections["track_id"]).diff().dropna().to_numpy().T)
        objects = measure(labels)
        found.append((shapes, step, objects))
        assert tables.tracks["frames"].tolist() == [FRAMES] * 6
        assert tables.detections["area_px"].to_numpy() * height * width == pytest.approx(
            np.tile(np.pi * radii**2, FRAMES), rel=0.15
        )
        # Distances in tracking are those of the sample, in sides of a square pixel.
        apart = objects.steady.loc[:5, ["y_px", "x_px"]].diff().dropna().to_numpy() * labels.info.pixel_size_um
        assert apart == pytest.approx(np.diff(places[0], axis=0), abs=0.4 * ratio)
    for shapes, step, objects in found[1:]:
        for name in ("area_um2", "axis_major_um", "equivalent_diameter_um", "neighbour_distance_um", "perimeter_um"):
            first, other = found[0][0][f"morphology_{name}"], shapes[f"morphology_{name}"]
            assert other.to_numpy() == pytest.approx(first.to_numpy(), rel=0.15)
        assert step == pytest.approx(found[0][1], abs=0.5)
        assert objects.table["eccentricity"].max() < 0.6


def test_a_disc_on_oblong_pixels_is_round_in_tracking():
    labels = drawn(np.array([[[60.0, 60.0]]]), [15], 1.5, 0.5)
    table = measure(labels).table
    assert table["eccentricity"].iloc[0] < 0.3
    assert abs(table[["elongation_0", "elongation_45"]].to_numpy()).max() < 0.1
    assert table[["y_px", "x_px"]].to_numpy()[0] == pytest.approx([60 / 1.5 - 0.5, 60 / 0.5 - 0.5], abs=0.2)


@pytest.mark.parametrize(("height", "width"), [(0.5, 1.0), (1.0, 0.5)])
def test_the_speed_of_sisters_takes_both_sides_into_account(height, width):
    frames = np.arange(6)
    rows = [
        pd.DataFrame({"track_id": name, "frame": frames, "y_px": 0.0, "x_px": 0.0, "area_px": 9.0})
        for name in ("a", "b")
    ]
    rows[0]["y_px"], rows[1]["x_px"] = 3 / height * frames, 3 / width * frames  # both 3 µm per frame
    objects = pd.concat(rows, ignore_index=True).assign(pixel_aspect=height / width)
    pairs = pd.DataFrame({"died": ["a"], "other": ["b"], "first": [0], "last": [5], "root_cell": ["r"]})
    nowhere = pd.DataFrame({"y_px": [], "x_px": [], "radius_px": []})
    found = measured_before_fate(pairs, objects, nowhere, Scale((height * width) ** 0.5, 1.0))
    assert found["speed"].tolist() == pytest.approx([3, 3])


def test_regions_reach_equally_far_and_crops_are_round():
    labels = drawn(np.array([[[60.0, 60.0]]]), [10], 1.2, 0.6)
    masks, sides, size = labels[0].astype(np.int64), labels.info.pixel_sides, labels.info.pixel_size_um
    around = Regions.around(masks, 6 / size, 1, sides=sides)
    rows, columns = np.nonzero(around.labels)
    assert [np.ptp(rows) * 1.2, np.ptp(columns) * 0.6] == pytest.approx([32, 32], abs=2.4)
    side = crop_side(labels, Embed())
    frame = FrameMasks.of(masks, side, Embed(), sides=sides)
    cell = pd.DataFrame({"label": [1], "y_px": [60 / 1.2 - 0.5], "x_px": [60 / 0.6 - 0.5]})
    mask = frame.cut(cell, masks.astype(float), 0, 1).masks[0]
    rows, columns = np.nonzero(mask)
    assert [np.ptp(rows) * size, np.ptp(columns) * size] == pytest.approx([20, 20], abs=2.5)


@given(
    labels=st.integers(1, 12).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 3), min_size=n, max_size=n), min_size=1, max_size=12)
    ),
    aspect=st.floats(0.3, 3),
)
def test_labels_return_from_square_pixels_as_they_were(labels, aspect):
    plane, sides = np.array(labels), (aspect**0.5, aspect**-0.5)
    squared = squared_labels(plane, sides)
    assert squared_image(plane, sides).shape == squared.shape
    assert (oblong_labels(squared, plane.shape, sides) == plane).all()
