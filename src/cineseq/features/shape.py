"""Measure size and shape of the objects of one frame."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from skimage.measure import regionprops_table

from cineseq.io.labels import renumbered
from cineseq.io.square_pixels import pixel_sides, squared_labels

LENGTHS = {
    "perimeter": "perimeter",
    "axis_major": "axis_major_length",
    "axis_minor": "axis_minor_length",
    "feret_max": "feret_diameter_max",
    "equivalent_diameter": "equivalent_diameter_area",
}
SHAPES = ("eccentricity", "solidity", "extent")
HU_FLOOR = 1e-8
"""Hu moments span many decades and both signs; below this floor their symmetric logarithm is linear."""


def shape_table(labels: np.ndarray, pixel_size_um: float | None, pixel_aspect: float = 1.0) -> pd.DataFrame:
    """Measure the objects of one frame.

    All measures except ``extent`` (fraction of the upright bounding box) are independent of orientation.

    Parameters
    ----------
    labels
        Label image, shape (height, width), with at least one object.
    pixel_size_um
        Micrometres per pixel; None measures in pixels. Of oblong pixels, the side of a square of the same area.
    pixel_aspect
        Height of a pixel divided by its width. Lengths and shapes of oblong pixels are measured on square ones, whose
        side is the shorter of theirs.

    Returns
    -------
    pandas.DataFrame
        One row per object, sorted by label: ``label``, ``area_px`` (in pixels, for callers) and ``morphology_*``
        columns that end in their unit. Ratios that are undefined for a very small object are NaN.
    """
    # Properties of regions, lengths in physical units, each shape (objects,).
    wanted = ("label", "area", "centroid", *LENGTHS.values(), *SHAPES, "moments_hu")
    small, names = renumbered(labels)
    sides = pixel_sides(pixel_aspect)
    square = small if pixel_aspect == 1 else squared_labels(small, sides)
    found = regionprops_table(square, properties=wanted, cache=True)
    area = found["area"] if pixel_aspect == 1 else np.bincount(small.ravel())[found["label"]].astype(float)
    scale, unit = (1.0, "px") if pixel_size_um is None else (pixel_size_um, "um")
    columns = {"label": names[found["label"]], "area_px": area, f"morphology_area_{unit}2": area * scale**2}
    scale *= min(sides)
    for name, source in LENGTHS.items():
        columns[f"morphology_{name}_{unit}"] = found[source] * scale
    columns |= {f"morphology_{name}": found[name] for name in SHAPES}
    columns["morphology_form_factor"] = _form_factor(found["area"], found["perimeter"])
    # Hu's moments on a signed logarithmic scale, and the distance to the nearest neighbour.
    for i in range(7):
        moment = found[f"moments_hu-{i}"]
        columns[f"morphology_hu_{i + 1}"] = np.sign(moment) * np.log10(1 + np.abs(moment) / HU_FLOOR)
    centres = np.column_stack([found["centroid-0"], found["centroid-1"]])
    columns[f"morphology_neighbour_distance_{unit}"] = _neighbour_distance(centres) * scale
    table = pd.DataFrame(columns)
    return table.mask(~np.isfinite(table))


def _form_factor(area: np.ndarray, perimeter: np.ndarray) -> np.ndarray:
    """Return 4 pi area / perimeter squared: 1 for a disc, less for other shapes; NaN without a perimeter."""
    return np.divide(4 * np.pi * area, perimeter**2, out=np.full(len(area), np.nan), where=perimeter > 0)


def _neighbour_distance(centres: np.ndarray) -> np.ndarray:
    """Return the distance to the nearest other centre; NaN for a single object."""
    if len(centres) < 2:
        return np.full(len(centres), np.nan)
    return cKDTree(centres).query(centres, k=2)[0][:, 1]
