"""Align a map of barcodes to the compartments of the same field."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from skimage.measure import ransac
from skimage.transform import AffineTransform

from cineseq.pairing.positions import Circles
from cineseq.pairing.scatter import Scatter, fit_scatter, nearest, own_probability
from cineseq.pairing.shifts import Contents, Extent, candidates, geometry, of_contents, probabilities, thinned

MIN_FOR_AFFINE = 12
FIRST_CANDIDATES = 8
LARGEST_DISTORTION = 0.05
"""Largest accepted deviation of the linear part from the identity; two images of one field do not differ by more."""


@dataclass(frozen=True)
class Alignment:
    """A barcode map aligned to the compartment map of one field.

    Attributes
    ----------
    points
        Positions of the barcodes on the compartment map, shape (n, 2), px.
    step
        Mean shift in pitches along y and x, where the pitch is the median distance between neighbouring compartments.
    probability
        Probability of that shift, against all others that are possible.
    next_step
        The second most probable shift, in pitches; NaN without one.
    aligned
        Fraction of the barcodes within the accepted distance of a compartment.
    residual
        Root mean square distance of those barcodes from their centres, px; NaN without any.
    scatter
        How barcodes scatter around their compartments.
    certainty
        Two arrays of shape (n,), the probabilities that each barcode comes from the compartment nearest to it if the
        shift is right: the first whatever else lies there, the second given that it is alone there.
    nearest
        Index of that compartment, shape (n,).
    stray
        Estimated fraction of the barcodes that belong to no compartment.
    gain
        Log likelihood of positions, cells and counts, above that of a map that does not belong to the compartments.
    contents
        The part of it that cells and counts contribute at the most probable shift; NaN where they say nothing.
    """

    points: np.ndarray
    step: np.ndarray
    probability: float
    next_step: np.ndarray
    aligned: float
    residual: float
    scatter: Scatter
    certainty: tuple[np.ndarray, np.ndarray]
    nearest: np.ndarray
    stray: float
    gain: float
    contents: float

    @property
    def shift(self) -> float:
        """Length of the mean shift in pitches."""
        return float(np.linalg.norm(self.step))


def align(
    points: np.ndarray,
    circles: Circles,
    radius: float,
    *,
    furthest: float = 3.0,
    window: Extent | None = None,
    contents: Contents | None = None,
) -> Alignment:
    """Align barcodes to compartments by the most probable shift, and an affine map if enough barcodes support it.

    The affine map is fitted by random sample consensus (Fischler and Bolles 1981) and kept only if its distortion is
    small. An array that repeats fits itself under a shift by a whole pitch: edges, gaps and irregular positions, and
    the cells and counts of compartments, tell which shift is right.

    Parameters
    ----------
    points
        Positions of barcodes, shape (n, 2), px.
    circles
        Compartments of the same field.
    radius
        Accepted distance from a centre, in radii.
    furthest
        Largest shift in pitches; at 0.5 or less, the maps are taken to be in register.
    window
        The image; None where it is unknown, and is then taken to end at the outermost compartments and barcodes.
    contents
        Cells of the compartments and counts of the barcodes; None if neither is known.

    Returns
    -------
    Alignment
        Points as they are and NaN for the rest where the compartments have no pitch: a single one of unknown size, such
        as the only cell of an open culture, or cells that are all at one place.
    """
    points = points.astype(np.float64)
    pitch = pitch_of(circles)
    if not 0 < pitch < np.inf:
        return _not_aligned(points)
    window = window or around(circles, points)
    tree = cKDTree(circles.centres)
    # A first shift, from which the affine map starts; a shift by a whole pitch does not change its linear part.
    first_steps = candidates(points, circles.centres, pitch, furthest, FIRST_CANDIDATES)
    warped = _affine(points, circles, tree, radius, _fullest(points, first_steps, circles, tree, radius))
    steps = candidates(warped, circles.centres, pitch, furthest)
    # The scatter around compartments, at the shift that leaves most barcodes near one.
    distance, _ = nearest(warped + _fullest(warped, steps, circles, tree, radius), tree)
    scatter = fit_scatter(distance, len(circles.centres), window.area, pitch)
    # The probability of each shift.
    positions, nothing = geometry(warped, steps, circles.centres, window, scatter)
    known = np.full(len(steps), np.nan)
    if contents is not None:
        known = of_contents(warped, steps, circles.centres, circles.radii * radius, window=window, contents=contents)
    chance, gain = probabilities(steps, positions, np.nan_to_num(known), nothing, pitch)
    first, *others = np.argsort(-chance, kind="stable")
    moved = warped + steps[first]
    # The scatter again, at the shift that was chosen, in what both images show; and the certainty of each barcode.
    distance, which = nearest(moved, tree)
    shared, both = window.overlap(steps[first]), window.holds(moved)
    if both.any() and shared.holds(circles.centres).any():
        scatter = fit_scatter(distance[both], int(shared.holds(circles.centres).sum()), shared.area, pitch)
    within = distance[:, 0] <= radius * circles.radii[which[:, 0]]
    return Alignment(
        moved,
        np.mean(moved - points, axis=0) / pitch,
        float(chance[first]),
        np.mean(warped + steps[others[0]] - points, axis=0) / pitch if others else np.full(2, np.nan),
        float(within.mean()),
        float(np.sqrt(np.mean(distance[within, 0] ** 2))) if within.any() else float("nan"),
        scatter,
        own_probability(distance, radius * circles.radii[which[:, 0]], scatter),
        which[:, 0],
        min(1.0, scatter.stray * shared.area / max(both.sum(), 1)),
        gain,
        float(known[first]),
    )


def _not_aligned(points: np.ndarray) -> Alignment:
    """Return the alignment of points to compartments that have no pitch: nothing is known of it."""
    nan, unknown = float("nan"), np.full(len(points), np.nan)
    nowhere, step = np.full(len(points), -1), np.full(2, np.nan)
    scatter = Scatter(nan, nan, nan)
    return Alignment(points, step, nan, step, nan, nan, scatter, (unknown, unknown), nowhere, nan, nan, nan)


def _fullest(points: np.ndarray, steps: np.ndarray, circles: Circles, tree: cKDTree, radius: float) -> np.ndarray:
    """Return the translation that leaves most points near a centre, shape (2,)."""
    some = thinned(points)
    found = [tree.query(some + step) for step in steps]
    near = [(distance <= radius * circles.radii[which]).sum() for distance, which in found]
    return steps[int(np.argmax(near))]


def _affine(points: np.ndarray, circles: Circles, tree: cKDTree, radius: float, step: np.ndarray) -> np.ndarray:
    """Return the points after the affine map, less its translation of their mean; unchanged if it is not supported."""
    moved = points + step
    distance, which = tree.query(moved)
    near = distance <= radius * circles.radii[which]
    if near.sum() < MIN_FOR_AFFINE:
        return points
    threshold = float(np.median(circles.radii)) / 2
    pairs = (thinned(moved[near]), thinned(circles.centres[which[near]]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # points on a line support no affine map
        model, _ = ransac(pairs, AffineTransform, min_samples=3, residual_threshold=threshold, max_trials=200, rng=0)
    if not model or np.abs(model.params[:2, :2] - np.eye(2)).max() > LARGEST_DISTORTION:
        return points
    warped = model(moved)
    return warped - (warped - points).mean(axis=0)


def pitch_of(circles: Circles) -> float:
    """Return the median distance to the nearest other centre; the diameter if there is no other place."""
    places = np.unique(circles.centres, axis=0)
    if len(places) < 2:
        return float(2 * circles.radii[0])
    return float(np.median(cKDTree(places).query(places, k=2)[0][:, 1]))


def around(circles: Circles, *points: np.ndarray) -> Extent:
    """Return the window that just holds the compartments and the points."""
    radii = np.where(np.isfinite(circles.radii), circles.radii, 0)[:, None]
    every = np.concatenate([circles.centres - radii, circles.centres + radii, *points])
    return Extent(every.min(axis=0), every.max(axis=0))
