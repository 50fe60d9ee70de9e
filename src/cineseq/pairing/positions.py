"""Locate points in compartments, and the pixel sizes of their fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from cineseq.config.base import FieldOfView
from cineseq.io.delimited import rows_of
from cineseq.tables.contract import FIELD

NEAREST = 4
"""Number of compartments returned per point."""

SCREENED = 32
"""Number of nearest centres among which the nearest walls are sought first."""

POINTS_AT_ONCE = 1000
"""Points per chunk of the distance matrix, which bounds its memory."""


@dataclass(frozen=True)
class Circles:
    """Compartments of one field: ``centres`` of shape (m, 2) and ``radii`` of shape (m,), in px."""

    centres: np.ndarray
    radii: np.ndarray

    def nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the compartments around each point, sorted by the distance to their walls.

        Returns
        -------
        tuple of numpy.ndarray
            Index in ``centres``, distance to the centre (px) and distance outside the wall (in radii; negative
            inside), each of shape (n, k) for n points and k of at most ``NEAREST``.
        """
        k = min(NEAREST, len(self.centres))
        if len(self.centres) <= SCREENED:
            return self._nearest(points, k)
        # Screen by the nearest centres; where a wall beyond them could be nearer, compare with all compartments.
        far, screened = cKDTree(self.centres).query(points, k=SCREENED)  # (n, s)
        screened = np.sort(screened, axis=1)
        distance = np.linalg.norm(points[:, None] - self.centres[screened], axis=-1)
        which, distance, outside = _by_wall(distance, self.radii[screened], k)
        which = np.take_along_axis(screened, which, axis=1)
        unsure = np.flatnonzero(far[:, -1] / self.radii.max() - 1 <= outside[:, -1])
        for rows in np.array_split(unsure, len(unsure) // POINTS_AT_ONCE + 1):
            which[rows], distance[rows], outside[rows] = self._nearest(points[rows], k)
        return which, distance, outside

    def _nearest(self, points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return _by_wall(cdist(points, self.centres), self.radii, k)


def _by_wall(distance: np.ndarray, radii: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the k nearest walls: column, distance to the centre and distance outside the wall in radii, (n, k)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        outside = (distance - radii) / radii
    # A compartment without end holds every point, and one without size those at its centre.
    outside = np.nan_to_num(outside, nan=-1.0)
    # Select the k nearest walls and sort them; the stable sort breaks ties by column.
    which = np.sort(np.argpartition(outside, k - 1, axis=1)[:, :k], axis=1)
    order = np.argsort(np.take_along_axis(outside, which, axis=1), axis=1, kind="stable")
    which = np.take_along_axis(which, order, axis=1)
    return which, np.take_along_axis(distance, which, axis=1), np.take_along_axis(outside, which, axis=1)


@dataclass(frozen=True)
class LocatedPoints:
    """Compartments of points; each array has one entry per point.

    Attributes
    ----------
    compartment
        Index of the compartment; -1 outside all compartments and where ambiguous.
    touched
        Up to two compartments that an ambiguous point may lie in, shape (n, 2); -1 for none.
    distance
        Distance to the centre of the compartment in px; NaN without a compartment.
    """

    compartment: np.ndarray
    touched: np.ndarray
    distance: np.ndarray

    @property
    def ambiguous(self) -> np.ndarray:
        """Whether each point may or may not lie in a compartment, or may lie in either of two; shape (n,)."""
        return np.any(self.touched >= 0, axis=1)


def locate(points: np.ndarray, circles: Circles, tolerance: float) -> LocatedPoints:
    """Assign points of shape (n, 2) to compartments.

    A point lies in the compartment whose wall encloses it. It is ambiguous when it lies outside by at most
    ``tolerance`` radii, or when the walls of two compartments are equally near within ``tolerance`` radii.
    """
    outside_all = np.full(len(points), -1)
    if not len(points) or not len(circles.centres):
        return LocatedPoints(outside_all, np.stack([outside_all, outside_all], axis=1), np.full(len(points), np.nan))
    which, distance, outside = circles.nearest(points)
    first, second = outside[:, 0], outside[:, 1] if outside.shape[1] > 1 else np.full(len(points), np.inf)
    near_two = (first <= tolerance) & (second - first <= tolerance)
    on_the_wall = (first > 0) & (first <= tolerance)
    ambiguous = near_two | on_the_wall
    inside = (first <= 0) & ~ambiguous
    other = which[:, 1] if which.shape[1] > 1 else outside_all
    touched = np.stack([np.where(ambiguous, which[:, 0], -1), np.where(near_two, other, -1)], axis=1)
    return LocatedPoints(np.where(inside, which[:, 0], -1), touched, np.where(inside, distance[:, 0], np.nan))


def pixel_sizes(labels: list[Path], fields: list[FieldOfView], configured: float | None) -> pd.DataFrame:
    """Return ``sample``, ``fov``, ``pixel_size_um``, ``height_px`` and ``width_px`` of every field; NaN where unknown.

    For masks the pixel size comes from ``inputs.pixel_size_um``, or else from the images; for tracks without masks only
    from the former, and the size of the image is unknown.

    Parameters
    ----------
    labels
        The masks of each field of view; empty for point tracks.
    fields
        The fields of view.
    configured
        ``inputs.pixel_size_um``, for fields without masks.
    """
    sizes = [_image_size(path) for path in labels] if labels else [(configured, None, None)] * len(fields)
    known = rows_of(labels, fields) if labels else fields
    rows = [(f.sample, f.fov, *size) for f, size in zip(known, sizes, strict=True)]
    measured = ["pixel_size_um", "height_px", "width_px"]
    sizes = pd.DataFrame(rows, columns=[*FIELD, *measured])
    return sizes.astype({"sample": "string", "fov": "string"} | dict.fromkeys(measured, "float64"))


def _image_size(labels: Path) -> tuple[float | None, int, int]:
    from cineseq.io.stacks import open_labels  # noqa: PLC0415 - image files are opened for a map of pixels only

    with open_labels(labels) as masks:
        return masks.info.pixel_size_um, masks.info.height, masks.info.width


def with_micrometres(pairs: pd.DataFrame, sizes: pd.DataFrame) -> pd.DataFrame:
    """Fill ``distance_um`` of pairs from ``distance_px`` where the pixel size of the field is known."""
    scale = pairs[FIELD].merge(sizes[[*FIELD, "pixel_size_um"]], on=FIELD, how="left", validate="many_to_one")[
        "pixel_size_um"
    ]
    return pairs.assign(distance_um=pairs["distance_px"] * scale.to_numpy())


def missing_sizes(sizes: pd.DataFrame) -> list[str]:
    """Return a sentence on the fields of view without a pixel size; an empty list if all have one."""
    unknown = sizes[sizes["pixel_size_um"].isna()]
    if unknown.empty:
        return []
    names = (unknown["sample"] + "/" + unknown["fov"]).tolist()
    named = ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")
    return [
        f"distance_um is missing in {len(names)} of {len(sizes)} fields of view ({named}): neither their "
        "images nor inputs.pixel_size_um give the pixel size."
    ]
