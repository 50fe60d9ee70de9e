"""Locate points in compartments and align two maps of the same compartments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from skimage.measure import ransac
from skimage.transform import AffineTransform

from cineseq.config.base import FieldOfView
from cineseq.io.delimited import rows_of
from cineseq.tables.contract import FIELD
from cineseq.text import count

NEAREST = 4
"""Number of compartments returned per point."""

POINTS_AT_ONCE = 1000
"""Points per chunk of the distance matrix, which bounds its memory."""

TRANSLATION_ROUNDS = 10
MIN_FOR_AFFINE = 12
LARGEST_DISTORTION = 0.05
"""Largest accepted deviation of the linear part from the identity; two images of one field do not differ by more."""

LARGEST_SHIFT = 0.35
"""Largest accepted shift in pitches; from half a pitch on, a regular array may be shifted by a whole pitch."""


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
        parts = [self._nearest(part, k) for part in np.array_split(points, len(points) // POINTS_AT_ONCE + 1)]
        which, distance, outside = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return which, distance, outside

    def _nearest(self, points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        distance = cdist(points, self.centres)  # (n, m)
        outside = (distance - self.radii) / self.radii
        # Select the k nearest walls and sort them; the stable sort breaks ties by index. Shape (n, k).
        which = np.sort(np.argpartition(outside, k - 1, axis=1)[:, :k], axis=1)
        nearest = np.argsort(np.take_along_axis(outside, which, axis=1), axis=1, kind="stable")
        which = np.take_along_axis(which, nearest, axis=1)
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


@dataclass(frozen=True)
class Alignment:
    """A barcode map aligned to the compartment map of one field.

    Attributes
    ----------
    points
        Positions of the barcodes on the compartment map, shape (n, 2), px.
    shift
        Length of the mean shift in pitches, where the pitch is the median distance between neighbouring compartments.
    aligned
        Fraction of the barcodes within the accepted distance of a compartment.
    residual
        Root mean square distance of those barcodes from their centres, px; NaN without any.
    """

    points: np.ndarray
    shift: float
    aligned: float
    residual: float


def align(points: np.ndarray, circles: Circles, radius: float) -> Alignment:
    """Align barcodes to compartments by a translation, then by an affine map if enough barcodes support it.

    The translation is the median offset from the nearest centres, repeated until it converges. The affine map is
    fitted by random sample consensus (Fischler and Bolles 1981) and kept only if its distortion is small. A shift
    by a whole pitch cannot be distinguished from none, so ``shift`` is returned.

    Parameters
    ----------
    points
        Positions of barcodes, shape (n, 2), px.
    circles
        Compartments of the same field.
    radius
        Accepted distance from a centre, in radii.
    """
    # Translation: median offset to the nearest centres, as in iterative closest point, until it converges.
    tree = cKDTree(circles.centres)
    moved = points.astype(np.float64)  # (n, 2)
    for _ in range(TRANSLATION_ROUNDS):
        step = np.median(circles.centres[tree.query(moved)[1]] - moved, axis=0)
        moved = moved + step
        if np.abs(step).max() < 1e-3:
            break
    # Affine refinement, then the fraction aligned, the residual and the shift.
    moved = _affine(moved, circles, tree, radius)
    distance, which = tree.query(moved)
    near = distance <= radius * circles.radii[which]
    residual = float(np.sqrt(np.mean(distance[near] ** 2))) if near.any() else float("nan")
    shift = float(np.linalg.norm(np.mean(moved - points, axis=0)) / _pitch(circles, tree))
    return Alignment(moved, shift, float(near.mean()), residual)


def _affine(points: np.ndarray, circles: Circles, tree: cKDTree, radius: float) -> np.ndarray:
    """Return the points after the affine map; unchanged if few points are near a centre or the map distorts."""
    distance, which = tree.query(points)
    near = distance <= radius * circles.radii[which]
    if near.sum() < MIN_FOR_AFFINE:
        return points
    threshold = float(np.median(circles.radii)) / 2
    pairs = (points[near], circles.centres[which[near]])
    model, _ = ransac(pairs, AffineTransform, min_samples=3, residual_threshold=threshold, max_trials=200, rng=0)
    if not model or np.abs(model.params[:2, :2] - np.eye(2)).max() > LARGEST_DISTORTION:
        return points
    return model(points)


def _pitch(circles: Circles, tree: cKDTree) -> float:
    """Return the median distance to the nearest other centre; the diameter for a single compartment."""
    if len(circles.centres) < 2:
        return float(2 * circles.radii[0])
    return float(np.median(tree.query(circles.centres, k=2)[0][:, 1]))


def posterior(points: np.ndarray, circles: Circles, residual: float) -> np.ndarray:
    """Return the probability that each point belongs to the compartment nearest to it, shape (n,).

    Positions are assumed to scatter around the centre of their compartment as an isotropic Gaussian whose spread is
    the residual of the alignment (at least half a pixel), with a uniform prior over the compartments.
    """
    distance = circles.nearest(points)[1]  # (n, k)
    # The residual is a distance in two dimensions; divided by sqrt 2 it is the spread along each axis.
    spread = max(residual / np.sqrt(2), 0.5)
    likelihood = np.exp(-(distance**2 - distance.min(axis=1, keepdims=True) ** 2) / (2 * spread**2))
    return likelihood.max(axis=1) / likelihood.sum(axis=1)


def pixel_sizes(labels: list[Path], fields: list[FieldOfView], configured: float | None) -> pd.DataFrame:
    """Return ``sample``, ``fov`` and ``pixel_size_um`` of every field of view; NaN where unknown.

    For masks it comes from ``inputs.pixel_size_um``, or else from the images; for tracks without masks only from
    the former.

    Parameters
    ----------
    labels
        The masks of each field of view; empty for point tracks.
    fields
        The fields of view.
    configured
        ``inputs.pixel_size_um``, for fields without masks.
    """
    sizes = [_pixel_size(path) for path in labels] if labels else [configured] * len(fields)
    known = rows_of(labels, fields) if labels else fields
    rows = [(f.sample, f.fov, size) for f, size in zip(known, sizes, strict=True)]
    sizes = pd.DataFrame(rows, columns=[*FIELD, "pixel_size_um"])
    return sizes.astype({"sample": "string", "fov": "string", "pixel_size_um": "float64"})


def _pixel_size(labels: Path) -> float | None:
    from cineseq.io.stacks import open_labels  # noqa: PLC0415 - image files are opened for a map of pixels only

    with open_labels(labels) as masks:
        return masks.info.pixel_size_um


def with_micrometres(pairs: pd.DataFrame, sizes: pd.DataFrame) -> pd.DataFrame:
    """Fill ``distance_um`` of pairs from ``distance_px`` where the pixel size of the field is known."""
    scale = pairs[FIELD].merge(sizes, on=FIELD, how="left", validate="many_to_one")["pixel_size_um"]
    return pairs.assign(distance_um=pairs["distance_px"] * scale.to_numpy())


def missing_sizes(sizes: pd.DataFrame) -> list[str]:
    """Return a sentence on the fields of view without a pixel size; an empty list if all have one."""
    unknown = sizes[sizes["pixel_size_um"].isna()]
    if unknown.empty:
        return []
    names = (unknown["sample"] + "/" + unknown["fov"]).tolist()
    named = ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")
    return [
        f"distance_um is missing in {len(names)} of {count(len(sizes), 'field')} of view ({named}): neither their "
        "images nor inputs.pixel_size_um give the pixel size."
    ]
