"""Plan the lineages of one field of view: which cells live, divide, die, enter and leave."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from cineseq.config.simulate import Simulate

MOVIE_OVER_CYCLE = 0.7
"""Length of the movie in cell cycles."""
BEFORE_DEATH = 3
"""Least number of frames that a daughter lives before it starts to die."""
DYING_FRAMES = 3
"""Frames in which a dying cell condenses; its track ends with the last of them."""
AFTER_DEATH = 5
"""Least number of frames between the last frame of a dying cell and the end of the movie."""
FIRST_DIVISION = 3
"""First frame in which daughters appear."""


@dataclass(frozen=True)
class SimulatedCell:
    """One cell from birth to end, as planned.

    Attributes
    ----------
    number
        Number in the field of view, from 1.
    parent
        Number of the parent; 0 without one.
    root_cell
        Number of the first cell of the family.
    generation
        Divisions since the root cell.
    start, end
        First and last frame.
    start_kind, end_kind
        As in the tracks table, but planned: a cell may leave or enter the field without a plan.
    start_phase, end_phase
        Position in the cell cycle in the first frame and at ``end``, 0 at birth, 1 at division.
    """

    number: int
    parent: int
    root_cell: int
    generation: int
    start: int
    end: int
    start_kind: str
    end_kind: str
    start_phase: float
    end_phase: float


class Family:
    """Grows the cells of a field of view, one event after another."""

    def __init__(self, settings: Simulate, rng: np.random.Generator) -> None:
        self.last, self.rng = settings.frames - 1, rng
        self.cycle = settings.frames / MOVIE_OVER_CYCLE
        self.cells: list[SimulatedCell] = []

    @property
    def last_division(self) -> int:
        """Last frame of birth after which a daughter can still die within the movie."""
        return self.last - AFTER_DEATH - DYING_FRAMES - BEFORE_DEATH + 1

    def add(
        self, end: int, end_kind: str, parent: SimulatedCell | None = None, start_kind: str = "first_frame"
    ) -> SimulatedCell:
        """Add a cell that ends in frame ``end`` with ``end_kind``."""
        number = len(self.cells) + 1
        start = parent.end + 1 if parent else 0
        phase = self._phases(start, end, end_kind, is_daughter=parent is not None)
        cell = SimulatedCell(
            number,
            parent.number if parent else 0,
            parent.root_cell if parent else number,
            parent.generation + 1 if parent else 0,
            start,
            end,
            "division" if parent else start_kind,
            end_kind,
            *phase,
        )
        self.cells.append(cell)
        return cell

    def _phases(self, start: int, end: int, end_kind: str, *, is_daughter: bool) -> tuple[float, float]:
        duration = (end - start + 1) / self.cycle
        if end_kind == "division":
            return (0.0 if is_daughter else 1 - duration), 1.0
        first = 0.0 if is_daughter else float(self.rng.uniform(0, 0.98 - MOVIE_OVER_CYCLE))
        return first, first + duration

    def death_after(self, birth: int) -> int:
        """Draw the last frame of a cell that is born in frame ``birth`` and dies."""
        first = birth + BEFORE_DEATH + DYING_FRAMES - 1
        return int(self.rng.integers(first, min(first + 5, self.last - AFTER_DEATH) + 1))

    def divide(self, fates: tuple[str, str], birth: int, parent: SimulatedCell | None = None) -> list[SimulatedCell]:
        """Let ``parent``, or a new root cell, divide so that its daughters are visible from frame ``birth``."""
        root_cell = parent or self.add(birth - 1, "division")
        ends = {"death": self.death_after, "end_of_movie": lambda _: self.last}
        return [self.add(ends[fate](birth), fate, root_cell) for fate in fates]

    def divide_twice(self, again: int, birth: int) -> None:
        """Let a root cell divide, and ``again`` (1 or 2) of its daughters about half a cell cycle later."""
        root_cell = self.add(birth - 1, "division")
        for daughter in range(2):
            if daughter < again:
                second = min(birth + int(self.rng.integers(12, 16)), self.last - AFTER_DEATH - 1)
                parent = self.add(second - 1, "division", root_cell)
                self.divide(("end_of_movie", "end_of_movie"), second, parent)
            else:
                self.add(self.last, "end_of_movie", root_cell)


@dataclass(frozen=True)
class Quota:
    """Numbers of root cells of a field by their fate.

    Attributes
    ----------
    one_dies, both_die, both_live
        Root cells that divide, by the fates of their daughters.
    again
        Root cells of which one or both daughters divide too.
    dies, leaves
        Root cells that die, or leave the field, undivided.
    enters
        Cells that enter the field after the first frame.
    """

    one_dies: int
    both_die: int
    both_live: int
    again: int
    dies: int
    leaves: int
    enters: int


def quota(settings: Simulate, sample: str) -> Quota:
    """Return the fates in a field of ``sample``: treatment kills more cells, closed cages keep cells in the field."""
    fractions = {"control": (0.19, 0.03, 0.33, 0.04), "treated": (0.27, 0.06, 0.30, 0.06)}[settings.condition(sample)]
    one_dies, both_die, both_live, dies = (round(part * settings.founders) for part in fractions)
    open_field = not settings.is_caged_early(sample)
    passing = max(1, round(0.05 * settings.founders)) if open_field else 0
    return Quota(max(1, one_dies), both_die, both_live, max(1, settings.founders // 12), dies, passing, passing)


def plan_field(settings: Simulate, sample: str, rng: np.random.Generator) -> pd.DataFrame:
    """Plan the families of one field of view.

    Returns
    -------
    pandas.DataFrame
        One row per cell with the attributes of :class:`SimulatedCell`, parents before daughters.
    """
    many, family = quota(settings, sample), Family(settings, rng)
    early = family.last_division
    for fates, count in (
        (("death", "end_of_movie"), many.one_dies),
        (("death", "death"), many.both_die),
        (("end_of_movie", "end_of_movie"), many.both_live),
    ):
        for birth in births(FIRST_DIVISION, early, count, rng):
            family.divide(fates, int(birth))
    for i in range(many.again):
        family.divide_twice(2 - i % 2, int(rng.integers(FIRST_DIVISION, FIRST_DIVISION + 3)))
    for _ in range(many.dies):
        family.add(int(rng.integers(6, family.last - AFTER_DEATH + 1)), "death")
    for _ in range(many.leaves):
        family.add(family.last, "left_fov")
    while sum(c.generation == 0 for c in family.cells) < settings.founders:
        family.add(family.last, "end_of_movie")
    for _ in range(many.enters):
        family.add(family.last, "end_of_movie", start_kind="entered")
    return pd.DataFrame([asdict(c) for c in family.cells])


def births(first: int, last: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw ``count`` frames of birth, one in each of ``count`` equal intervals between ``first`` and ``last``."""
    slices = (np.arange(count) + rng.random(count)) / max(count, 1)
    return first + np.floor(slices * (last - first + 1)).astype(int)
