"""Simulated tissue in which cells touch, move with a flow, divide in their outline, and leave the layer; known truth.

A cell is the union of two cells of a power diagram, whose sites lie on its long axis. A division gives the two halves
names of their own, so that the daughters fill the outline of the mother. Weights of the diagram steer every cell to its
own area; a cell that leaves shrinks, at once or over some frames, and its neighbours take its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from crowds import Crowd
from numba import njit

REACH = 2.5
"""How far from its sites a cell is drawn, in sizes (square roots of the mean area)."""
SETTLING = 25
"""Frames before the movie, in which cells take their areas."""
SMALLEST = 0.06
"""Area of a cell, over the mean, below which it is gone."""
ROUNDS = 2
"""Rounds in a frame in which cells take the middle of their area."""
OLD_ENOUGH = 8
"""Frames in which a daughter grows to the area of a cell."""


@dataclass(frozen=True)
class Design:
    """A tissue and what its cells do.

    Attributes
    ----------
    leaving, dividing
        Shares of the cells of the first frame that leave the layer and that divide within the movie.
    frames
        Number of frames.
    field_px, margin_px
        Side of the field and width of the tissue around it, from which cells enter.
    size
        Square root of the mean area of a cell, in px.
    flow, wobble
        Speed of the flow and random step of a cell, in sizes a frame.
    seed
        Seed of everything that is drawn.
    """

    leaving: float
    dividing: float = 0.2
    frames: int = 20
    field_px: int = 520
    margin_px: int = 60
    size: float = 22.0
    flow: float = 0.15
    wobble: float = 0.17
    seed: int = 0

    @property
    def side(self) -> int:
        """Side of the whole tissue in px."""
        return self.field_px + 2 * self.margin_px


@dataclass
class Sheet:
    """Cells while they are simulated; arrays of shape (cells,), places (row, column) and axes of shape (cells, 2)."""

    name: np.ndarray
    place: np.ndarray
    axis: np.ndarray
    weight: np.ndarray
    share: np.ndarray
    """Area of the cell that it grows to, over the mean."""
    age: np.ndarray
    leaves: np.ndarray
    """Frame after which the cell is gone; beyond the movie for the others."""
    fades: np.ndarray
    """Frames in which it shrinks before that."""
    divides: np.ndarray
    """Frame in which its daughters are first seen; beyond the movie for the others."""
    mother: dict[int, int] = field(default_factory=dict)

    def keep(self, which: np.ndarray) -> None:
        """Keep some of the cells."""
        for name in ("name", "place", "axis", "weight", "share", "age", "leaves", "fades", "divides"):
            setattr(self, name, getattr(self, name)[which])


def live(design: Design) -> Crowd:
    """Simulate a tissue and return the frames of its field."""
    rng = np.random.default_rng(design.seed)
    sheet, planes = _first(design, rng), []
    waves = rng.normal(0, 1, (3, 3))
    for frame in range(-SETTLING, design.frames):
        _move(sheet, design, waves, rng)
        sheet.keep(sheet.leaves > frame)
        for _ in range(ROUNDS):
            plane = _paint(sheet, design)
            _settle(sheet, plane, design, frame)
        plane = _paint(sheet, design)
        area = np.bincount(plane.ravel(), minlength=len(sheet.name) + 1)[1:]
        if (small := area < SMALLEST * design.size**2).any():
            sheet.keep(~small)
            plane = _paint(sheet, design)
        divided = sheet.divides == frame
        if divided.any():
            plane = _divide(sheet, plane, divided, rng)
        if frame >= 0:
            names = np.r_[0, sheet.name].astype(np.int32)
            inner = slice(design.margin_px, design.margin_px + design.field_px)
            planes.append(names[plane[inner, inner]])
    return Crowd(planes, sheet.mother)


def _first(design: Design, rng: np.random.Generator) -> Sheet:
    count = int(design.side**2 / design.size**2)
    never = np.full(count, design.frames + 1)
    leaves, divides, fades = never.copy(), never.copy(), np.zeros(count, int)
    order = rng.permutation(count)
    gone, split = np.split(order, [round(design.leaving * count)])
    split = split[: round(design.dividing * count)]
    # First frame without the cell, and the frame in which it begins to shrink; half are gone without shrinking.
    leaves[gone] = rng.integers(2, design.frames - 1, len(gone))
    fades[gone] = rng.choice([1, 1, 1, 3, 4, 6], len(gone))
    divides[split] = rng.integers(1, design.frames - 1, len(split))
    return Sheet(
        np.arange(1, count + 1),
        rng.uniform(0, design.side, (count, 2)),
        np.zeros((count, 2)),
        np.zeros(count),
        rng.lognormal(0, 0.2, count),
        np.full(count, OLD_ENOUGH),
        leaves,
        fades,
        divides,
    )


def _paint(sheet: Sheet, design: Design) -> np.ndarray:
    """Return the row of each pixel's cell plus 1, shape (side, side)."""
    sites = np.concatenate([sheet.place - sheet.axis, sheet.place + sheet.axis])
    owner = np.tile(np.arange(1, len(sheet.name) + 1), 2)
    return _power_diagram(sites, np.tile(sheet.weight, 2), owner, design.side, REACH * design.size)


@njit(cache=True)
def _power_diagram(sites: np.ndarray, weight: np.ndarray, owner: np.ndarray, side: int, reach: float) -> np.ndarray:
    """Give each pixel to the owner of the site with the least squared distance less its weight."""
    least = np.full((side, side), np.inf)
    plane = np.zeros((side, side), np.int32)
    for i in range(len(sites)):
        for y in range(max(0, int(sites[i, 0] - reach)), min(side, int(sites[i, 0] + reach) + 1)):
            for x in range(max(0, int(sites[i, 1] - reach)), min(side, int(sites[i, 1] + reach) + 1)):
                power = (y - sites[i, 0]) ** 2 + (x - sites[i, 1]) ** 2 - weight[i]
                if power < least[y, x]:
                    least[y, x] = power
                    plane[y, x] = owner[i]
    return plane


def _move(sheet: Sheet, design: Design, waves: np.ndarray, rng: np.random.Generator) -> None:
    """Move cells with the flow and at random."""
    flow = design.flow * _flow(sheet.place / design.side, waves)
    sheet.place += design.size * (flow + rng.normal(0, design.wobble, sheet.place.shape))
    sheet.place = sheet.place.clip(1, design.side - 2)
    sheet.age += 1


def _settle(sheet: Sheet, plane: np.ndarray, design: Design, frame: int) -> None:
    """Move cells to the middle of their area, and steer their areas."""
    area, centre, axis = _shapes(plane, len(sheet.name))
    seen = area > 0
    sheet.place[seen] += 0.5 * (centre - sheet.place)[seen]
    sheet.axis[seen] = axis[seen]
    # Wanted areas fill the tissue; daughters grow, and cells that leave shrink to a tenth.
    grown = np.minimum(0.5 + 0.5 * sheet.age / OLD_ENOUGH, 1)
    left = np.clip((sheet.leaves - frame) / np.maximum(sheet.fades, 1), 0.1, 1)
    wanted = sheet.share * grown * left
    wanted *= design.side**2 / wanted.sum()
    sheet.weight += np.where(left < 1, 0.4, 0.2) * (wanted - area)
    sheet.weight = np.clip(sheet.weight - np.median(sheet.weight), -1.2 * design.size**2, 1.2 * design.size**2)


def _flow(place: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """Return a flow (row, column) without sources that does not leave the tissue, of about unit speed."""
    flow = np.zeros_like(place)
    for (m, n), strength in np.ndenumerate(waves):
        k, q = np.pi * (m + 1), np.pi * (n + 1)
        flow[:, 0] += strength * q * np.sin(k * place[:, 0]) * np.cos(q * place[:, 1])
        flow[:, 1] -= strength * k * np.cos(k * place[:, 0]) * np.sin(q * place[:, 1])
    return flow / (np.sqrt((flow**2).sum(axis=1).mean()) + 1e-9)


def _shapes(plane: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return area, centre, and half the distance of the two sites along the long axis, of each cell."""
    y, x = np.indices(plane.shape)
    index = plane.ravel()

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(index, values.ravel(), count + 1)[1:]

    area = np.bincount(index, minlength=count + 1)[1:].astype(float)
    mass = np.maximum(area, 1)
    cy, cx = total(y) / mass, total(x) / mass
    yy, xx, yx = total(y * y) / mass - cy**2, total(x * x) / mass - cx**2, total(y * x) / mass - cy * cx
    # Long axis of the second moments, and the spread along it.
    angle = 0.5 * np.arctan2(2 * yx, xx - yy)
    spread = np.sqrt(np.maximum((yy + xx) / 2 + np.hypot((xx - yy) / 2, yx), 0))
    axis = 0.5 * spread[:, None] * np.c_[np.sin(angle), np.cos(angle)]
    return area, np.c_[cy, cx], axis


def _divide(sheet: Sheet, plane: np.ndarray, divided: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Split cells in two across their long axis; return the plane with the rows of the new cells."""
    mothers = np.flatnonzero(divided)
    last = max(sheet.name.max(), max(sheet.mother, default=0))
    fresh = last + 1 + np.arange(2 * len(mothers))
    sheet.mother |= dict(zip(fresh.tolist(), np.tile(sheet.name[mothers], 2).tolist(), strict=True))
    # The pixels of a mother are the first daughter's, and the second's where they lie ahead along the axis.
    count = len(sheet.name)
    second = np.full(count + 1, 0)
    second[mothers + 1] = count + 1 + np.arange(len(mothers))
    y, x = np.indices(plane.shape)
    at = np.r_[[[0, 0]], sheet.place]
    along = np.r_[[[0, 0]], sheet.axis]
    ahead = (y - at[plane, 0]) * along[plane, 0] + (x - at[plane, 1]) * along[plane, 1] > 0
    plane = np.where(ahead & (second[plane] > 0), second[plane], plane)
    sheet.name[mothers], daughters = fresh[: len(mothers)], fresh[len(mothers) :]
    never = np.full(len(mothers), sheet.leaves.max() + 1)
    sheet.age[mothers] = 0
    sheet.divides[mothers] = never
    place, axis = sheet.place[mothers], sheet.axis[mothers]
    sheet.place[mothers] = place - axis
    sheet.axis[mothers] = 0
    sheet.name = np.r_[sheet.name, daughters]
    sheet.place = np.r_[sheet.place, place + axis]
    sheet.axis = np.r_[sheet.axis, np.zeros_like(axis)]
    sheet.weight = np.r_[sheet.weight, sheet.weight[mothers]]
    share = sheet.share[mothers]
    sheet.share[mothers] = share * rng.lognormal(0, 0.1, len(mothers))
    sheet.share = np.r_[sheet.share, share]
    sheet.age = np.r_[sheet.age, np.zeros(len(mothers), int)]
    sheet.leaves = np.r_[sheet.leaves, never]
    sheet.fades = np.r_[sheet.fades, np.zeros(len(mothers), int)]
    sheet.divides = np.r_[sheet.divides, never]
    return plane
