"""Simulated cells without space between them, with known truth: a growing colony of rods, and a packed epithelium.

Both return a :class:`Crowd` of label images; :func:`write_ctc_truth` writes it as a Cell Tracking Challenge folder.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from scipy.spatial import KDTree

WIDTH = 10.0
"""Width of a rod in px."""
NODES = np.linspace(-1, 1, 5)
"""Where rods push each other: along the half axis between the centres of the caps."""
GROWTH, LENGTH_AT_DIVISION = 0.0475, 40.0
"""Growth of a rod's length in a frame; with these, 20 rods become about 120 in 40 frames."""
STEP_PX, SPACING, DIVIDING = 1.0, 22.0, 0.004
"""Of the epithelium: random step, distance between neighbours, fraction of cells that divide in a frame."""
FLOW = np.array([0.8, 0.5])
"""Motion of the epithelium as a whole, by which cells enter and leave, in px a frame (row, column)."""


@dataclass(frozen=True)
class Crowd:
    """Label images whose labels are cells, and the parent of every cell that was born."""

    planes: list[np.ndarray]
    mother: dict[int, int]


@dataclass
class Rods:
    """Rods while they are simulated: names, positions in px, and for rods their direction and length."""

    name: np.ndarray
    place: np.ndarray
    angle: np.ndarray
    length: np.ndarray

    def divide(self, which: np.ndarray, apart: np.ndarray, mother: dict[int, int], rng: np.random.Generator) -> None:
        """Replace cells by two each, ``apart`` px (row, column) on either side of them."""
        named = 1 + max(self.name.max(), max(mother, default=0)) + np.arange(2 * which.sum())
        mother |= dict(zip(named.tolist(), np.tile(self.name[which], 2).tolist(), strict=True))
        self.place = np.r_[self.place[~which], self.place[which] + apart, self.place[which] - apart]
        self.name = np.r_[self.name[~which], named]
        self.angle = np.r_[self.angle[~which], np.tile(self.angle[which], 2) + rng.normal(0, 0.05, 2 * which.sum())]
        self.length = np.r_[self.length[~which], np.tile(self.length[which] / 2, 2)]


def rods(frames: int = 40, start: int = 20, size: int = 360, seed: int = 0) -> Crowd:
    """Simulate rods that elongate, divide and push each other apart."""
    rng = np.random.default_rng(seed)
    place = size / 2 + rng.normal(0, 35, (start, 2))
    cells = Rods(np.arange(1, start + 1), place, rng.uniform(0, np.pi, start), rng.uniform(20, 38, start))
    limit, mother, planes = _limits(start, rng), {}, []
    _push(cells, 300)
    for _ in range(frames):
        planes.append(_draw_rods(cells, size))
        cells.length = cells.length * (1 + GROWTH * rng.uniform(0.7, 1.3, len(cells.length)))
        cells.place = cells.place + rng.normal(0, 0.3, cells.place.shape)
        which = cells.length > limit
        axis = np.c_[np.sin(cells.angle), np.cos(cells.angle)][which]
        cells.divide(which, axis * cells.length[which, None] / 4, mother, rng)
        limit = np.r_[limit[~which], _limits(2 * which.sum(), rng)]
        _push(cells, 60)
    return Crowd(planes, mother)


def _limits(count: int, rng: np.random.Generator) -> np.ndarray:
    return LENGTH_AT_DIVISION * rng.uniform(0.85, 1.15, count)


def _push(cells: Rods, rounds: int) -> None:
    """Move and turn rods that overlap; points along their axes keep a width's distance."""
    owner = np.repeat(np.arange(len(cells.name)), len(NODES))
    for _ in range(rounds):
        arm = (NODES * (cells.length[:, None] - WIDTH) / 2).ravel()
        axis = np.c_[np.sin(cells.angle), np.cos(cells.angle)][owner]
        point = cells.place[owner] + arm[:, None] * axis
        pairs = KDTree(point).query_pairs(WIDTH, output_type="ndarray")
        pairs = pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]
        if len(pairs) == 0:
            return
        between = point[pairs[:, 0]] - point[pairs[:, 1]]
        distance = np.maximum(np.hypot(*between.T), 1e-6)
        force = 0.1 * between * ((WIDTH - distance) / distance)[:, None]
        push = np.zeros_like(point)
        np.add.at(push, pairs[:, 0], force)
        np.add.at(push, pairs[:, 1], -force)
        turn = arm * (axis[:, 1] * push[:, 0] - axis[:, 0] * push[:, 1])
        cells.place = cells.place + np.stack([np.bincount(owner, push[:, i]) for i in (0, 1)], axis=1)
        cells.angle = cells.angle + np.bincount(owner, turn) / (cells.length / 2) ** 2


def _draw_rods(cells: Rods, size: int) -> np.ndarray:
    """Give each pixel to the nearest axis, if that is at most half a width away."""
    nearest, plane = np.full((size, size), WIDTH / 2), np.zeros((size, size), np.uint16)
    half = (cells.length - WIDTH) / 2
    axis = np.c_[np.sin(cells.angle), np.cos(cells.angle)]
    for name, centre, along, reach in zip(cells.name, cells.place, axis, half, strict=True):
        low = np.clip((centre - reach - WIDTH).astype(int), 0, size)
        high = np.clip((centre + reach + WIDTH).astype(int) + 1, 0, size)
        y, x = np.mgrid[low[0] : high[0], low[1] : high[1]]
        offset = np.stack([y - centre[0], x - centre[1]])
        on_axis = np.clip(np.tensordot(along, offset, 1), -reach, reach)
        distance = np.hypot(*(offset - along[:, None, None] * on_axis))
        here = slice(low[0], high[0]), slice(low[1], high[1])
        closer = distance < nearest[here]
        nearest[here][closer], plane[here][closer] = distance[closer], name
    return plane


def epithelium(frames: int = 40, size: int = 360, margin: int = 60, seed: int = 0) -> Crowd:
    """Simulate cells that fill the field, jostle, divide, and drift through it as a sheet."""
    rng = np.random.default_rng(seed)
    low, high = -margin - frames * FLOW, size + margin
    count = int(np.prod(high - low) / SPACING**2)
    none = np.zeros(count)
    cells = Rods(np.arange(1, count + 1), rng.uniform(low, high, (count, 2)), none, none + 1)
    for _ in range(60):
        _spread(cells, 0.1)
    planes, mother = [], {}
    y, x = np.mgrid[:size, :size]
    for _ in range(frames):
        owner = KDTree(cells.place).query(np.c_[y.ravel(), x.ravel()])[1]
        planes.append(cells.name[owner].reshape(size, size).astype(np.uint16))
        which = rng.uniform(size=len(cells.name)) < DIVIDING
        turn = rng.uniform(0, np.pi, which.sum())
        cells.divide(which, SPACING / 4 * np.c_[np.sin(turn), np.cos(turn)], mother, rng)
        cells.place = cells.place + FLOW + rng.normal(0, STEP_PX, cells.place.shape)
        _spread(cells, 0.1)
    return Crowd(planes, mother)


def _spread(cells: Rods, strength: float) -> None:
    """Push neighbours apart that are nearer than cells are on average."""
    pairs = KDTree(cells.place).query_pairs(1.2 * SPACING, output_type="ndarray")
    between = cells.place[pairs[:, 0]] - cells.place[pairs[:, 1]]
    distance = np.maximum(np.hypot(*between.T), 1e-6)
    force = strength * between * ((1.2 * SPACING - distance) / distance)[:, None]
    np.add.at(cells.place, pairs[:, 0], force)
    np.add.at(cells.place, pairs[:, 1], -force)


def write_ctc_truth(crowd: Crowd, folder: Path, frame_step: int = 1) -> Path:
    """Write ``man_track*.tif`` and ``man_track.txt`` of every n-th frame; return the folder.

    A cell that leaves the field and comes back is two tracks. A division counts where the mother is seen until the
    frame before both daughters are.
    """
    folder.mkdir(parents=True)
    planes = crowd.planes[::frame_step]
    seen = pd.concat([pd.DataFrame({"frame": t, "cell": np.unique(p[p > 0])}) for t, p in enumerate(planes)])
    seen = seen.sort_values(["cell", "frame"], ignore_index=True)
    begins = (seen["cell"] != seen["cell"].shift()) | (seen["frame"] != seen["frame"].shift() + 1)
    seen["track"] = begins.cumsum()
    for t, here in seen.groupby("frame"):
        table = np.zeros(int(seen["cell"].max()) + 1, np.uint16)
        table[here["cell"]] = here["track"]
        tifffile.imwrite(folder / f"man_track{t:03d}.tif", table[planes[t]], compression="zlib")
    tracks = seen.groupby("track").agg(cell=("cell", "first"), first=("frame", "min"), last=("frame", "max"))
    tracks["mother"] = tracks["cell"].map(crowd.mother)
    known = tracks.reset_index().merge(tracks.reset_index(), left_on="mother", right_on="cell", suffixes=("", "_of"))
    known = known[known["first"] == known["last_of"] + 1]
    known = known[known.groupby("track_of")["track"].transform("size") == 2].set_index("track")["track_of"]
    tracks["parent"] = known.reindex(tracks.index).fillna(0).astype(int)
    np.savetxt(folder / "man_track.txt", tracks.reset_index()[["track", "first", "last", "parent"]], fmt="%d")
    return folder
