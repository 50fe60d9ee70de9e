"""Simulate the positions of the cells of one field of view in every frame."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.simulate.cages import Cages

SPEED = 1.1
"""Standard deviation of a velocity component in pixels per frame."""
PERSISTENCE = 0.75
"""Correlation of a cell's velocity with that in the previous frame."""
CONTACT = 17.0
"""Distance in pixels below which two nuclei repel each other strongly."""
REACH = 36.0
"""Distance in pixels up to which cells repel each other weakly."""
WALL = 6.0
"""Least distance to the border of cells that stay in the field, in pixels."""
EXIT_SPEED = 2.6
"""Speed of cells that enter or leave the field, in pixels per frame."""


def repel(position: np.ndarray) -> np.ndarray:
    """Return the displacement of each cell by soft repulsion in one relaxation step, shape (n, 2)."""
    apart = position[:, None] - position[None]
    distance = np.sqrt((apart**2).sum(-1)) + np.where(np.eye(len(position), dtype=bool), np.inf, 1e-6)
    push = 0.25 * np.clip(CONTACT - distance, 0, None) + 0.05 * np.clip(REACH - distance, 0, None)
    return (apart / distance[..., None] * push[..., None]).sum(1)


class Field:
    """Moves the cells of a field of view from frame to frame.

    Parameters
    ----------
    cells
        The plan, see :func:`cineseq.simulate.lineage.plan_field`.
    frames, size
        Frames, and height and width in pixels.
    cages
        Compartments that confine families from the first frame; None for cells that move freely.
    rng
        Random generator.
    """

    def __init__(
        self, cells: pd.DataFrame, frames: int, size: int, cages: Cages | None, rng: np.random.Generator
    ) -> None:
        self.cells, self.frames, self.size, self.cages, self.rng = cells, frames, size, cages, rng
        n = len(cells)
        self.start, self.end = cells["start"].to_numpy(), cells["end"].to_numpy()
        self.parent, self.root_cell = cells["parent"].to_numpy() - 1, cells["root_cell"].to_numpy() - 1
        self.leaves = (cells["end_kind"] == "left_fov").to_numpy()
        self.enters = (cells["start_kind"] == "entered").to_numpy()
        self.position = np.full((frames, n, 2), np.nan)
        self.velocity = np.zeros((n, 2))
        self.division_angle = rng.uniform(0, np.pi, n)
        self.settled = np.zeros(n, bool)
        self.leaving_from = rng.integers(4, max(5, frames // 2), n)
        self.home = self._homes()

    def run(self) -> np.ndarray:
        """Return positions in pixels, shape (frames, cells, 2); NaN where a cell is not alive."""
        self.position[0] = self._first()
        for frame in range(1, self.frames):
            self._carry_over(frame)
            self._separate(frame)
            self._step(frame)
        return self.position

    def _homes(self) -> np.ndarray | None:
        """Draw the cage of each family; some cages have two families, some none. Return one index per cell, or None."""
        if self.cages is None:
            return None
        families = np.unique(self.root_cell)
        cages = len(self.cages.radius)
        cage_of_family = self.rng.permutation(cages)[np.arange(len(families)) % cages]
        shared = self.rng.random(len(cage_of_family)) < 0.06
        cage_of_family[shared] = np.roll(cage_of_family, 1)[shared]
        return cage_of_family[np.searchsorted(families, self.root_cell)]

    def _first(self) -> np.ndarray:
        """Return the positions in the first frame, shape (cells, 2); NaN for cells that are not there."""
        n = len(self.cells)
        root_cells = (self.start == 0) & ~self.enters
        position = self.rng.uniform(WALL, self.size - WALL, (n, 2))
        if self.cages is not None and self.home is not None:
            position = self.cages.centre[self.home] + self.rng.normal(0, 2, (n, 2))
        # Cells that enter start outside the border; root cells that leave start close to it.
        at_border, outward = self._border(position)
        self.heading = np.where(self.enters[:, None], -outward, outward)
        begins = at_border + outward * self.rng.uniform(15, 35, n)[:, None]
        goes = at_border - outward * self.rng.uniform(10, 25, n)[:, None]
        position = np.where(self.enters[:, None], begins, np.where(self.leaves[:, None], goes, position))
        position[~(root_cells | self.enters)] = np.nan
        # Relax overlaps among the root cells.
        alive = np.flatnonzero(root_cells & ~self.leaves)
        for _ in range(60):
            position[alive] = self._confine(0, alive, position[alive] + repel(position[alive]))
        return position

    def _border(self, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Move each position to a random side of the field; return positions and outward directions, both (n, 2)."""
        n = len(position)
        crossed = self.rng.integers(0, 2, n)[:, None] == [[0, 1]]
        far = self.rng.integers(0, 2, n)[:, None].astype(float)
        return np.where(crossed, far * self.size, position), crossed * (2 * far - 1)

    def _carry_over(self, frame: int) -> None:
        old = (self.start < frame) & (self.end >= frame)
        self.position[frame, old] = self.position[frame - 1, old]

    def _separate(self, frame: int) -> None:
        """Place newborn daughters on opposite sides of the last position of their parent."""
        born = np.flatnonzero((self.start == frame) & (self.parent >= 0))
        parent = self.parent[born]
        side = np.where(np.concatenate([[False], parent[1:] == parent[:-1]]), 1.0, -1.0)
        axis = np.stack([np.sin(self.division_angle[parent]), np.cos(self.division_angle[parent])], 1)
        self.position[frame, born] = self.position[frame - 1, parent] + 5.5 * side[:, None] * axis

    def _step(self, frame: int) -> None:
        """Move all live cells by one frame: a persistent random walk, repulsion, and confinement."""
        alive = np.flatnonzero((self.start <= frame) & (self.end >= frame))
        # Velocity as a first-order autoregressive process, (alive, 2).
        noise = self.rng.normal(0, SPEED * np.sqrt(1 - PERSISTENCE**2), (len(alive), 2))
        self.velocity[alive] = PERSISTENCE * self.velocity[alive] + noise
        position = self.position[frame, alive]
        still = (self.start[alive] == frame)[:, None]
        position = position + np.where(still, 0.0, self.velocity[alive] + self._intent(frame, alive, position))
        for _ in range(2):
            position = self._confine(frame, alive, position + 0.5 * repel(position))
        self.position[frame, alive] = position

    def _intent(self, frame: int, alive: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Return the added velocity of cells that enter or leave, (alive, 2); mark cells that have entered."""
        self.settled[alive] |= ((position > 1.2 * CONTACT) & (position < self.size - 1.2 * CONTACT)).all(1)
        travels = self._is_free(frame, alive)
        return np.where(travels[:, None], EXIT_SPEED * self.heading[alive], 0.0)

    def _is_free(self, frame: int, alive: np.ndarray) -> np.ndarray:
        goes = self.leaves[alive] & (frame >= self.leaving_from[alive])
        return goes | (self.enters[alive] & ~self.settled[alive])

    def _confine(self, frame: int, alive: np.ndarray, position: np.ndarray) -> np.ndarray:
        if self.cages is not None and self.home is not None:
            return self.cages.keep_inside(position, self.home[alive])
        within = np.clip(position, WALL, self.size - WALL)
        return np.where(self._is_free(frame, alive)[:, None], position, within)
