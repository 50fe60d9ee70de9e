"""Compartments: hydrogel cages that are polymerised around cells, early or at the end of the movie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist

NUCLEUS = 8.0
"""Typical radius of a nucleus in pixels."""
SHARED = 19.0
"""Cells closer than this (px) share a cage."""
LARGEST, SMALLEST = 20.0, 9.5
"""Range of radii of cages that are closed at the end, in pixels."""


@dataclass(frozen=True)
class Cages:
    """The compartments of one field of view.

    Attributes
    ----------
    centre
        Centres (row, column) in pixels, shape (cages, 2).
    radius
        Radii in pixels, shape (cages,).
    closed_frame
        First frame in which the cages were closed.
    """

    centre: np.ndarray
    radius: np.ndarray
    closed_frame: int

    def keep_inside(self, position: np.ndarray, home: np.ndarray) -> np.ndarray:
        """Move cells back into their cages; takes positions, (cells, 2), and cage indices, (cells,)."""
        out = position - self.centre[home]
        distance = np.maximum(np.hypot(*out.T), 1e-9)
        farthest = self.radius[home] - 0.9 * NUCLEUS
        return self.centre[home] + out * np.minimum(1.0, farthest / distance)[:, None]

    def holding(self, position: np.ndarray) -> np.ndarray:
        """Return the index of the cage around each position, -1 outside all cages, shape (cells,)."""
        distance = cdist(position, self.centre) / self.radius
        nearest = distance.argmin(1)
        return np.where(distance[np.arange(len(position)), nearest] <= 1, nearest, -1)


def early_cages(size: int, closed_frame: int, rng: np.random.Generator) -> Cages:
    """Return a regular array of cages that are closed before most cells divide."""
    pitch = 53.0
    many = int(size // pitch)
    at = (np.arange(many) + 0.5) * size / many
    centre = np.stack(np.meshgrid(at, at, indexing="ij"), -1).reshape(-1, 2) + rng.normal(0, 0.6, (many**2, 2))
    return Cages(centre, np.full(len(centre), 24.0), closed_frame)


def endpoint_cages(position: np.ndarray, size: int, closed_frame: int, rng: np.random.Generator) -> Cages:
    """Return cages around the cells of the last frame, and a few empty cages.

    Parameters
    ----------
    position
        Positions of the live cells in the last frame, shape (cells, 2).
    size
        Height and width of the field in pixels.
    closed_frame
        First frame in which the cages are closed.
    rng
        Random generator.
    """
    group = fcluster(linkage(position, "complete"), SHARED, "distance") - 1
    members = np.bincount(group)
    centre = np.stack([np.bincount(group, position[:, axis]) / members for axis in (0, 1)], 1)
    centre += rng.normal(0, 1.2, centre.shape)
    reach = np.zeros(len(members))
    np.maximum.at(reach, group, np.hypot(*(position - centre[group]).T))
    radius = _radii(centre, reach)
    keep = rng.random(len(centre)) > 0.03
    centre, radius = centre[keep], radius[keep]
    extra = _empty(position, centre, size, rng)
    return Cages(np.concatenate([centre, extra]), np.concatenate([radius, np.full(len(extra), 14.0)]), closed_frame)


def _radii(centre: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Return radii as large as neighbouring cages allow, but large enough for the cells of each cage."""
    distance = cdist(centre, centre) + np.diag(np.full(len(centre), np.inf))
    allowed = np.clip(0.48 * distance.min(1), SMALLEST, LARGEST)
    return np.maximum(allowed, reach + 2.0)


def _empty(position: np.ndarray, centre: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return the centres of up to three cages without cells."""
    tried = rng.uniform(16, size - 16, (400, 2))
    free = tried[(cdist(tried, position).min(1) > 26) & (cdist(tried, centre).min(1) > 36)]
    chosen: list[np.ndarray] = []
    for spot in free:
        if len(chosen) < 3 and all(np.hypot(*(spot - c)) > 30 for c in chosen):
            chosen.append(spot)
    return np.array(chosen).reshape(-1, 2)
