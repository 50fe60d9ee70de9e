"""How barcodes scatter around their compartments, and the probability that a barcode is a compartment's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

NEAREST = 4
"""Compartments that a barcode may come from: the nearest ones."""
LARGEST_SPREAD = 0.3
"""Largest standard deviation of barcodes around their compartments, in pitches; beyond it, neighbours mix."""
SMALLEST_SPREAD = 0.5
"""Smallest standard deviation in px."""
ROUNDS, CONVERGED = 100, 1e-4
FEWEST_STRAY = 0.5
"""Number of stray barcodes at which a field is taken to begin, so that none is never certain."""


@dataclass(frozen=True)
class Scatter:
    """Barcodes as a mixture: a Gaussian around every compartment, and stray ones that are uniform over the image.

    Attributes
    ----------
    spread
        Standard deviation around the centre of the compartment along each axis, px.
    own
        Barcodes per compartment, without the stray ones.
    stray
        Stray barcodes per square pixel.
    """

    spread: float
    own: float
    stray: float

    def density(self, distance: np.ndarray) -> np.ndarray:
        """Return the barcodes per square pixel of compartments at these distances (px), same shape."""
        variance = self.spread**2
        return self.own / (2 * np.pi * variance) * np.exp(-np.minimum(distance**2 / (2 * variance), 700.0))

    def total(self, distance: np.ndarray) -> np.ndarray:
        """Return the barcodes per square pixel at points with these distances of shape (n, k), shape (n,)."""
        return self.stray + self.density(distance).sum(axis=1)


def nearest(points: np.ndarray, tree: cKDTree) -> tuple[np.ndarray, np.ndarray]:
    """Return distance to and index of the nearest compartments, both of shape (n, k)."""
    k = min(NEAREST, tree.n)
    distance, which = tree.query(points, k=k)
    return distance.reshape(len(points), k), which.reshape(len(points), k)


def fit_scatter(distance: np.ndarray, compartments: int, area: float, pitch: float) -> Scatter:
    """Fit the mixture by expectation maximisation, with a uniform component for stray barcodes.

    Parameters
    ----------
    distance
        Distances of barcodes to their nearest compartments, shape (n, k), px.
    compartments
        Number of compartments.
    area
        Area of the image, square px.
    pitch
        Distance between neighbouring compartments, px.

    Notes
    -----
    The mixture is that of coherent point drift (Myronenko and Song 2010), with the weight of the uniform component
    estimated as well.
    """
    count, ceiling = len(distance), LARGEST_SPREAD * pitch
    fit = Scatter(max(0.15 * pitch, SMALLEST_SPREAD), 0.8 * count / compartments, 0.2 * count / area)
    for _ in range(ROUNDS):
        density = fit.density(distance)
        member = density / (fit.stray + density.sum(axis=1, keepdims=True))
        inside = max(float(member.sum()), 1e-9)
        spread = float(np.sqrt((member * distance**2).sum() / (2 * inside)))
        spread = min(max(spread, SMALLEST_SPREAD), max(ceiling, SMALLEST_SPREAD))
        new = Scatter(spread, inside / compartments, max(count - inside, FEWEST_STRAY) / area)
        done = abs(new.spread - fit.spread) < CONVERGED * pitch and abs(new.own - fit.own) < CONVERGED
        fit = new
        if done:
            break
    return fit


def own_probability(distance: np.ndarray, reach: np.ndarray, scatter: Scatter) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability that a barcode comes from the nearest compartment, before and after it is alone there.

    A compartment has at most one barcode of its own. Where a single barcode lies in its reach, it is a stranger only
    if the own one is missing or lies outside, which makes a stranger less likely than it is in general.

    Parameters
    ----------
    distance
        Distances to the nearest compartments, nearest first, shape (n, k), px.
    reach
        Distance from the centre up to which a barcode is accepted, shape (n,), px.
    scatter
        The mixture.

    Returns
    -------
    tuple of numpy.ndarray
        Both of shape (n,): whatever else lies in the compartment, and given that nothing else does.
    """
    density = scatter.density(distance)
    own, other = density[:, 0], scatter.stray + density[:, 1:].sum(axis=1)
    # The own barcode is accepted within this radius: within reach, and where it is likelier than a stranger.
    peak = scatter.own / (2 * np.pi * scatter.spread**2)
    likelier = 2 * scatter.spread**2 * np.log(np.maximum(peak / other, 1.0))
    accepted = 1 - np.exp(-np.minimum(reach**2, likelier) / (2 * scatter.spread**2))
    absent = np.maximum(1 - min(scatter.own, 1.0) * accepted, 1e-3)
    return own / (own + other), own / (own + other * absent)
