"""Which compartment a point lies in, and how two maps of the same compartments are aligned."""

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
from cineseq.io.stacks import open_labels
from cineseq.tables.contract import FIELD

NEAREST = 4
"""Compartments that are returned for a point."""

POINTS_AT_ONCE = 1000
"""Bounds the memory of distances."""

TRANSLATION_ROUNDS = 10
MIN_FOR_AFFINE = 12
LARGEST_DISTORTION = 0.05
"""Largest departure of the linear part from the identity; two pictures of one field do not differ by more."""

LARGEST_SHIFT = 0.35
"""Largest shift in pitches: beyond half a pitch a regular array fits its neighbours as well as itself."""


@dataclass(frozen=True)
class Circles:
    """Compartments of one field: ``centres`` of shape (m, 2) and ``radii`` of shape (m,), in px."""

    centres: np.ndarray
    radii: np.ndarray

    def nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the compartments around points, the one whose wall is the nearest first.

        Returns
        -------
        tuple of numpy.ndarray
            Position in ``centres``, distance to the centre (px) and distance outside the wall (radii; negative
            inside), each of shape (points, k) with k at most ``NEAREST``.
        """
        k = min(NEAREST, len(self.centres))
        parts = [self._nearest(part, k) for part in np.array_split(points, len(points) // POINTS_AT_ONCE + 1)]
        which, distance, outside = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return which, distance, outside

    def _nearest(self, points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        distance = cdist(points, self.centres)
        outside = (distance - self.radii) / self.radii
        which = np.sort(np.argpartition(outside, k - 1, axis=1)[:, :k], axis=1)
        nearest = np.argsort(np.take_along_axis(outside, which, axis=1), axis=1, kind="stable")
        which = np.take_along_axis(which, nearest, axis=1)
        return which, np.take_along_axis(distance, which, axis=1), np.take_along_axis(outside, which, axis=1)


@dataclass(frozen=True)
class Places:
    """Where points lie; every array has one entry per point.

    Attributes
    ----------
    compartment
        Position of the compartment; -1 outside all of them and where ambiguous.
    touched
        Up to two compartments that an ambiguous point may lie in, shape (points, 2); -1 for none.
    distance
        Distance to the centre of the compartment in px; NaN without one.
    """

    compartment: np.ndarray
    touched: np.ndarray
    distance: np.ndarray

    @property
    def ambiguous(self) -> np.ndarray:
        """Whether the point may lie in a compartment or not, or in either of two."""
        return np.any(self.touched >= 0, axis=1)


def locate(points: np.ndarray, circles: Circles, rim: float) -> Places:
    """Place points of shape (n, 2) into compartments.

    A point is in the compartment whose wall encloses it. It is ambiguous when it lies outside by at most ``rim``
    radii, or when another compartment's wall is as near, within ``rim`` radii.
    """
    nobody = np.full(len(points), -1)
    if not len(points) or not len(circles.centres):
        return Places(nobody, np.stack([nobody, nobody], axis=1), np.full(len(points), np.nan))
    which, distance, outside = circles.nearest(points)
    first, second = outside[:, 0], outside[:, 1] if outside.shape[1] > 1 else np.full(len(points), np.inf)
    near_two = (first <= rim) & (second - first <= rim)
    on_the_wall = (first > 0) & (first <= rim)
    ambiguous = near_two | on_the_wall
    inside = (first <= 0) & ~ambiguous
    other = which[:, 1] if which.shape[1] > 1 else nobody
    touched = np.stack([np.where(ambiguous, which[:, 0], -1), np.where(near_two, other, -1)], axis=1)
    return Places(np.where(inside, which[:, 0], -1), touched, np.where(inside, distance[:, 0], np.nan))


@dataclass(frozen=True)
class Alignment:
    """A map of barcodes brought onto the map of compartments of one field.

    Attributes
    ----------
    points
        Positions of the barcodes on the map of compartments, shape (n, 2), px.
    shift
        Length of the mean shift in pitches, the pitch being the usual distance between neighbouring compartments.
    aligned
        Fraction of the barcodes within the accepted distance of a compartment.
    residual
        Root mean square distance of those from their centres, px; NaN where there is none.
    """

    points: np.ndarray
    shift: float
    aligned: float
    residual: float


def align(points: np.ndarray, circles: Circles, radius: float) -> Alignment:
    """Align barcodes to compartments: a translation, then an affine map where enough barcodes support it.

    The translation is the median offset from the nearest centres, repeated until it settles; the affine map is fitted
    by random sample consensus (Fischler and Bolles 1981) and kept only if it hardly distorts. Nothing here can tell
    a shift by a whole pitch from none, hence ``shift``.

    Parameters
    ----------
    points
        Positions of barcodes, shape (n, 2), px.
    circles
        Compartments of the same field.
    radius
        Accepted distance from a centre, in radii.
    """
    tree = cKDTree(circles.centres)
    moved = points.astype(np.float64)
    for _ in range(TRANSLATION_ROUNDS):
        step = np.median(circles.centres[tree.query(moved)[1]] - moved, axis=0)
        moved = moved + step
        if np.abs(step).max() < 1e-3:
            break
    moved = _affine(moved, circles, tree, radius)
    distance, which = tree.query(moved)
    near = distance <= radius * circles.radii[which]
    residual = float(np.sqrt(np.mean(distance[near] ** 2))) if near.any() else float("nan")
    shift = float(np.linalg.norm(np.mean(moved - points, axis=0)) / _pitch(circles, tree))
    return Alignment(moved, shift, float(near.mean()), residual)


def _affine(points: np.ndarray, circles: Circles, tree: cKDTree, radius: float) -> np.ndarray:
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
    if len(circles.centres) < 2:
        return float(2 * circles.radii[0])
    return float(np.median(tree.query(circles.centres, k=2)[0][:, 1]))


def posterior(points: np.ndarray, circles: Circles, residual: float) -> np.ndarray:
    """Return the probability that each point belongs to the compartment nearest to it, shape (n,).

    Positions are taken to scatter around their compartment's centre as a round Gaussian whose spread is the residual
    of the alignment (at least half a pixel), all compartments being equally likely beforehand.
    """
    distance = circles.nearest(points)[1]
    spread = max(residual / np.sqrt(2), 0.5)
    likelihood = np.exp(-(distance**2 - distance.min(axis=1, keepdims=True) ** 2) / (2 * spread**2))
    return likelihood.max(axis=1) / likelihood.sum(axis=1)


def pixel_sizes(labels: list[Path], fields: list[FieldOfView], configured: float | None) -> pd.DataFrame:
    """Return ``sample``, ``fov`` and ``pixel_size_um`` of every field of view; NaN where nothing says it.

    Masks take it from ``inputs.pixel_size_um``, or else from the images; tracks without masks have only the former.

    Parameters
    ----------
    labels
        The masks of each field of view; none where tracks come alone.
    fields
        The fields of view.
    configured
        ``inputs.pixel_size_um``, for fields without masks.
    """
    said = [_pixel_size(path) for path in labels] if labels else [configured] * len(fields)
    known = rows_of(labels, fields) if labels else fields
    rows = [(f.sample, f.fov, size) for f, size in zip(known, said, strict=True)]
    sizes = pd.DataFrame(rows, columns=[*FIELD, "pixel_size_um"])
    return sizes.astype({"sample": "string", "fov": "string", "pixel_size_um": "float64"})


def _pixel_size(labels: Path) -> float | None:
    with open_labels(labels) as masks:
        return masks.info.pixel_size_um


def with_micrometres(pairs: pd.DataFrame, sizes: pd.DataFrame) -> pd.DataFrame:
    """Fill ``distance_um`` of pairs from ``distance_px`` where the pixel size of the field is known."""
    scale = pairs[FIELD].merge(sizes, on=FIELD, how="left", validate="many_to_one")["pixel_size_um"]
    return pairs.assign(distance_um=pairs["distance_px"] * scale.to_numpy())


def missing_sizes(sizes: pd.DataFrame) -> list[str]:
    """Return a sentence on the fields of view without a pixel size; nothing where all have one."""
    unknown = sizes[sizes["pixel_size_um"].isna()]
    if unknown.empty:
        return []
    names = (unknown["sample"] + "/" + unknown["fov"]).tolist()
    named = ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")
    return [
        f"distance_um is missing in {len(names)} of {len(sizes)} fields of view ({named}): neither their images nor "
        "inputs.pixel_size_um say how large a pixel is."
    ]
