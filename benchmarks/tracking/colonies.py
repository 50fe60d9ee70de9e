"""Simulated colonies of rigid rods that grow, divide and push each other apart, with known truth.

Rods are capsules of one width. In a frame every rod grows along its axis and the colony dilates as much as its area
grows, and then rods that overlap are moved and turned apart, pair by pair, each in proportion to its mobility, until
little overlap is left. A colony between two walls can only grow along them, as in a growth chamber.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from crowds import Crowd
from numba import njit
from scipy.spatial import KDTree

STEPS = 3
"""Steps of growth and relaxation within a frame."""
ROUNDS = 40
"""Rounds of pushing rods apart in a step."""
TOLERANCE = 0.02
"""Overlap of two rods that is left, in widths."""
DENSITY, PULL = 0.93, 0.1
"""Share of a colony that rods fill, and the part of the way there in a step."""
FLOWING = 0.7
"""Dilation of the colony over its growth; the rest is made by rods that push, cell by cell."""


@dataclass(frozen=True)
class Design:
    """A colony: doublings in 20 frames, cells at the end, and the shape of its rods.

    Attributes
    ----------
    doublings
        Doublings of the number of cells in 20 frames.
    cells
        Number of cells at which the movie ends.
    frames
        Number of frames at most.
    width, length
        Width of a rod and its length when it divides, in px; masks are a pixel narrower, so that rods do not touch.
    chamber
        Distance of the two walls of a growth chamber in px; None for a colony that grows to all sides.
    seed
        Seed of everything that is drawn.
    """

    doublings: float
    cells: int = 500
    frames: int = 80
    width: float = 10.0
    length: float = 40.0
    chamber: float | None = None
    seed: int = 0


@dataclass
class Rods:
    """Rods while they are simulated; arrays of shape (rods,), places (row, column) of shape (rods, 2), in px."""

    name: np.ndarray
    place: np.ndarray
    angle: np.ndarray
    length: np.ndarray
    limit: np.ndarray
    rate: np.ndarray
    mother: dict[int, int] = field(default_factory=dict)

    @property
    def axis(self) -> np.ndarray:
        """Unit vectors along the rods, shape (rods, 2)."""
        return np.c_[np.sin(self.angle), np.cos(self.angle)]


def grow(design: Design) -> Crowd:
    """Simulate a colony from four rods, and return its last frames."""
    rng = np.random.default_rng(design.seed)
    rods, snapshots = _first(design, rng), []
    while len(rods.name) < design.cells:
        for _ in range(STEPS):
            _grow_step(rods, design, rng)
        _divide(rods, design, rng)
        _separate(rods, design, 3 * ROUNDS)
        snapshots.append((rods.name, rods.place, rods.angle, rods.length))
    return _drawn(snapshots[-design.frames :], design, rods.mother)


def _first(design: Design, rng: np.random.Generator) -> Rods:
    count = 4
    place = rng.normal(0, design.width, (count, 2))
    length = design.length * rng.uniform(0.5, 0.95, count)
    rods = Rods(
        np.arange(1, count + 1),
        place,
        rng.uniform(0, np.pi, count),
        length,
        _limits(design, count, rng),
        rng.normal(1, 0.15, count).clip(0.6, 1.4),
    )
    _separate(rods, design, 500)
    return rods


def _limits(design: Design, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the lengths at which rods divide."""
    return design.length * rng.normal(1, 0.08, count).clip(0.75, 1.25)


def _grow_step(rods: Rods, design: Design, rng: np.random.Generator) -> None:
    """Grow every rod, dilate the colony by the growth of its area, and push rods apart."""
    before = rods.length.sum()
    rods.length = rods.length * 2 ** (design.doublings / 20 / STEPS * rods.rate)
    growth = rods.length.sum() / before
    centre = rods.place.mean(axis=0)
    apart = rods.place - centre
    # Area of a disc, or of a strip between the walls, with the same spread of places along each axis.
    if design.chamber is None:
        covered = 2 * np.pi * (apart**2).sum(axis=1).mean()
    else:
        covered = design.chamber * np.sqrt(12 * (apart[:, 1] ** 2).mean())
    dilation = growth**FLOWING * (rods.length.sum() * design.width / DENSITY / covered) ** PULL
    along = np.sqrt(dilation) if design.chamber is None else np.array([1, dilation])
    rods.place = centre + apart * along + rng.normal(0, 0.03 * design.width, rods.place.shape)
    rods.angle = rods.angle + rng.normal(0, 0.015, len(rods.angle))
    _separate(rods, design, ROUNDS)


def _divide(rods: Rods, design: Design, rng: np.random.Generator) -> None:
    """Replace every rod at its limit by two of about half its length, end to end."""
    which = rods.length >= rods.limit
    count = int(which.sum())
    if count == 0:
        return
    share = rng.normal(0.5, 0.025, count).clip(0.4, 0.6)
    length, axis, place = rods.length[which], rods.axis[which], rods.place[which]
    low = place - axis * (length * (1 - share) / 2)[:, None]
    high = place + axis * (length * share / 2)[:, None]
    named = rods.name.max() + 1 + np.arange(2 * count)
    rods.mother |= dict(zip(named.tolist(), np.tile(rods.name[which], 2).tolist(), strict=True))
    keep = ~which
    rods.name = np.r_[rods.name[keep], named]
    rods.place = np.r_[rods.place[keep], low, high]
    rods.angle = np.r_[rods.angle[keep], np.tile(rods.angle[which], 2) + rng.normal(0, 0.08, 2 * count)]
    rods.length = np.r_[rods.length[keep], length * share, length * (1 - share)]
    rods.limit = np.r_[rods.limit[keep], _limits(design, 2 * count, rng)]
    rods.rate = np.r_[rods.rate[keep], rng.normal(1, 0.15, 2 * count).clip(0.6, 1.4)]


def _separate(rods: Rods, design: Design, rounds: int) -> None:
    """Move and turn rods apart; pairs of neighbours are found anew every ten rounds."""
    half = np.inf if design.chamber is None else design.chamber / 2
    state = np.c_[rods.place, rods.angle, rods.length]
    for _ in range(0, rounds, 10):
        pairs = KDTree(state[:, :2]).query_pairs(rods.length.max() + design.width, output_type="ndarray")
        order = np.lexsort((pairs[:, 1], pairs[:, 0]))
        if _push(state, pairs[order], design.width, half, 10) < TOLERANCE * design.width:
            break
    rods.place, rods.angle = state[:, :2].copy(), state[:, 2].copy()


@njit(cache=True)
def _push(state: np.ndarray, pairs: np.ndarray, width: float, half: float, rounds: int) -> float:
    """Push overlapping capsules apart in place, at the ends of their axes; return the largest overlap left.

    ``state`` has the row, column, angle and length of each rod, ``pairs`` has shape (pairs, 2). A contact moves and
    turns both rods in proportion to their mobility, so that the overlap vanishes (projection, as in position-based
    dynamics). Walls are ``half`` away from row 0.
    """
    place, angle, length = state[:, :2], state[:, 2], state[:, 3]
    worst = 0.0
    for _ in range(rounds):
        worst = 0.0
        for index in range(len(pairs)):
            a, b = pairs[index]
            reach = (length[a] + length[b]) / 2
            if np.hypot(place[a, 0] - place[b, 0], place[a, 1] - place[b, 1]) >= reach:
                continue
            for i, j in ((a, b), (b, a)):
                for end in (-1.0, 1.0):
                    # The end of the axis of rod i against the axis of rod j.
                    arm = end * (length[i] - width) / 2
                    y = place[i, 0] + arm * np.sin(angle[i])
                    x = place[i, 1] + arm * np.cos(angle[i])
                    dy, dx = np.sin(angle[j]), np.cos(angle[j])
                    extent = (length[j] - width) / 2
                    at = (y - place[j, 0]) * dy + (x - place[j, 1]) * dx
                    at = min(max(at, -extent), extent)
                    ny, nx = y - place[j, 0] - at * dy, x - place[j, 1] - at * dx
                    distance = np.hypot(ny, nx)
                    overlap = width - distance
                    if overlap <= 0:
                        continue
                    worst = max(worst, overlap)
                    if distance < 1e-6:
                        ny, nx = -dx, dy
                    else:
                        ny, nx = ny / distance, nx / distance
                    # Mobility: 1 over mass for motion, 12 over mass and squared length for turning.
                    turn_i = arm * (np.cos(angle[i]) * ny - np.sin(angle[i]) * nx)
                    turn_j = at * (dx * ny - dy * nx)
                    move_i, move_j = 1 / length[i], 1 / length[j]
                    spin_i, spin_j = 12 / length[i] ** 3, 12 / length[j] ** 3
                    force = overlap / (move_i + move_j + spin_i * turn_i**2 + spin_j * turn_j**2)
                    place[i, 0] += force * move_i * ny
                    place[i, 1] += force * move_i * nx
                    place[j, 0] -= force * move_j * ny
                    place[j, 1] -= force * move_j * nx
                    angle[i] += force * spin_i * turn_i
                    angle[j] -= force * spin_j * turn_j
        if half < np.inf:
            for i in range(len(place)):
                extent = (length[i] - width) / 2 * abs(np.sin(angle[i])) + width / 2
                place[i, 0] = min(max(place[i, 0], extent - half), half - extent)
    return worst


def _drawn(snapshots: list[tuple[np.ndarray, ...]], design: Design, mother: dict[int, int]) -> Crowd:
    """Return label images that hold the whole colony in every frame."""
    margin = design.length
    low = np.min([s[1].min(axis=0) for s in snapshots], axis=0) - margin
    shape = np.ceil(np.max([s[1].max(axis=0) for s in snapshots], axis=0) + margin - low).astype(int)
    planes = [
        _draw(name, np.c_[place - low, angle, length], design.width, (shape[0], shape[1]))
        for name, place, angle, length in snapshots
    ]
    return Crowd(planes, mother)


@njit(cache=True)
def _draw(name: np.ndarray, state: np.ndarray, width: float, shape: tuple[int, int]) -> np.ndarray:
    """Give each pixel to the nearest axis, if that is nearer than half a width less half a pixel."""
    height, across = shape
    place, angle, length = state[:, :2], state[:, 2], state[:, 3]
    nearest = np.full((height, across), width / 2 - 0.5)
    plane = np.zeros((height, across), np.int32)
    for i in range(len(name)):
        extent, reach = (length[i] - width) / 2, length[i] / 2 + 1
        dy, dx = np.sin(angle[i]), np.cos(angle[i])
        for y in range(max(0, int(place[i, 0] - reach)), min(height, int(place[i, 0] + reach) + 2)):
            for x in range(max(0, int(place[i, 1] - reach)), min(across, int(place[i, 1] + reach) + 2)):
                at = (y - place[i, 0]) * dy + (x - place[i, 1]) * dx
                at = min(max(at, -extent), extent)
                distance = np.hypot(y - place[i, 0] - at * dy, x - place[i, 1] - at * dx)
                if distance < nearest[y, x]:
                    nearest[y, x] = distance
                    plane[y, x] = name[i]
    return plane
