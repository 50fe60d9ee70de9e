"""Appearance of each cell in each frame: everything that the renderer needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.simulate.latents import FADES_IN
from cineseq.simulate.lineage import DYING_FRAMES

NUCLEUS_AREA = 205.0
"""Area of an average nucleus in square pixels."""
DEBRIS_FRAMES = 5
"""Number of frames in which debris is visible."""
MEAN_SIGNAL, SIGNAL_STEP = 900.0, 210.0
"""Function signal of an average cell in the last frame, and its change per standard deviation, in grey levels."""
DRIFT = 3.0
"""Largest displacement of the stage in pixels; it returns to its start in the last frame."""


def drift(frames: int, rng: np.random.Generator) -> np.ndarray:
    """Return a slow drift of the stage that begins and ends at zero, shape (frames, 2), in pixels."""
    t = np.linspace(0, 1, frames)
    angle = rng.uniform(0, 2 * np.pi)
    far = DRIFT * np.sin(np.pi * t) ** 2
    across = 0.3 * DRIFT * np.sin(2 * np.pi * t) * np.sin(np.pi * t)
    return np.stack([far * np.sin(angle) + across * np.cos(angle), far * np.cos(angle) - across * np.sin(angle)], 1)


@dataclass(frozen=True)
class Moments:
    """The state of each cell in each frame of its life; all arrays have shape (moments,).

    Attributes
    ----------
    frame, cell
        Frame, and row of the cell in the plan.
    phase
        Position in the cell cycle.
    mitosis, newborn, dying
        Progress of division, recency of birth, and progress of death; 0 to 1.
    """

    frame: np.ndarray
    cell: np.ndarray
    phase: np.ndarray
    mitosis: np.ndarray
    newborn: np.ndarray
    dying: np.ndarray

    @classmethod
    def of(cls, cells: pd.DataFrame, position: np.ndarray) -> Moments:
        """Return the moments of planned cells; ``position`` has shape (frames, cells, 2), NaN where not alive."""
        frame, cell = np.nonzero(np.isfinite(position[..., 0]))
        plan = cells.iloc[cell]
        start, end = plan["start"].to_numpy(), plan["end"].to_numpy()
        age, left = frame - start, end - frame
        first, last = plan["start_phase"].to_numpy(), plan["end_phase"].to_numpy()
        divides = (plan["end_kind"] == "division").to_numpy()
        born = (plan["start_kind"] == "division").to_numpy()
        dies = (plan["end_kind"] == "death").to_numpy()
        return cls(
            frame,
            cell,
            first + (last - first) * (age + 1) / (end - start + 1),
            divides * np.select([left == 0, left == 1], [1.0, 0.6], 0.0),
            born * np.select([age == 0, age == 1], [1.0, 0.5], 0.0),
            dies * np.clip((DYING_FRAMES - left) / DYING_FRAMES, 0, 1),
        )


def cell_rows(
    cells: pd.DataFrame,
    latents: pd.DataFrame,
    *,
    position: np.ndarray,
    division_angle: np.ndarray,
    shift: np.ndarray,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return one row per cell and frame in which it lives.

    Parameters
    ----------
    cells, latents
        Plan and latents, one row per cell.
    position
        Positions without drift, shape (frames, cells, 2).
    division_angle
        Axis along which each cell's daughters separate, shape (cells,), in radians.
    shift
        Drift of the stage, shape (frames, 2).
    rng
        Random generator.
    """
    # All arrays from here have shape (moments,).
    at = Moments.of(cells, position)
    trait = latents.iloc[at.cell].reset_index(drop=True)
    centre = position[at.frame, at.cell] + shift[at.frame]
    major, minor = _half_axes(at, trait)
    brightness = np.exp(0.15 * trait["brightness"]) * (1 + 0.25 * at.phase)
    signal = accumulated(cells, latents, at, len(position))
    return pd.DataFrame(
        {
            "frame": at.frame,
            "kind": "cell",
            "number": cells["number"].to_numpy()[at.cell],
            "y_px": centre[:, 0],
            "x_px": centre[:, 1],
            "major_px": major,
            "minor_px": minor,
            "angle": _angles(at, cells, division_angle, len(position), rng),
            "brightness": brightness * (1 + 0.7 * at.mitosis + 0.4 * at.newborn + 1.2 * at.dying),
            "nuclear_texture": 0.22 * np.exp(0.30 * trait["nuclear_texture"]) * (1 - at.mitosis) * (1 - at.dying),
            "bright_texture": 0.030 * np.exp(0.35 * _bright_texture(at, trait, len(position))),
            "signal": signal * (1 - 0.5 * at.dying),
            "rounding": np.maximum.reduce([at.mitosis, 0.7 * at.newborn, at.dying]),
            "dying": at.dying,
            "pattern": cells["pattern"].to_numpy()[at.cell],
        }
    )


def _half_axes(at: Moments, trait: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the long and short half-axes in px: cells grow, round up, align chromosomes, and condense as they die."""
    area = NUCLEUS_AREA * np.exp(0.17 * trait["size"].to_numpy()) * (0.82 + 0.36 * at.phase)
    area *= (1 - 0.30 * at.newborn) * (1 - 0.35 * at.mitosis) * (1 - 0.62 * at.dying)
    ratio = np.clip(0.78 - 0.085 * trait["elongation"].to_numpy(), 0.45, 0.99)
    round_up = np.maximum.reduce([0.6 * at.newborn, at.dying, at.mitosis])
    ratio = np.where(at.mitosis == 1, 0.5, ratio + (0.95 - ratio) * round_up)
    return np.sqrt(area / (np.pi * ratio)), np.sqrt(area * ratio / np.pi)


def _bright_texture(at: Moments, trait: pd.DataFrame, frames: int) -> np.ndarray:
    """Return the trait at each moment: the part of it that is independent of function fades in at the end."""
    first, last = FADES_IN
    faded_in = np.clip((first - (frames - 1 - at.frame)) / (first - last), 0, 1)
    before = trait["bright_texture_before"].to_numpy()
    return before + faded_in * (trait["bright_texture"].to_numpy() - before)


def _angles(
    at: Moments, cells: pd.DataFrame, division_angle: np.ndarray, frames: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the angle of the long axis: a random walk, and at a division perpendicular to the axis of separation."""
    start = rng.uniform(0, np.pi, len(cells))
    wander = start + np.cumsum(rng.normal(0, 0.12, (frames, len(cells))), 0)
    parent = np.maximum(cells["parent"].to_numpy() - 1, 0)
    axis = np.where(at.newborn > 0, division_angle[parent][at.cell], division_angle[at.cell])
    return np.where((at.mitosis == 1) | (at.newborn > 0), axis + np.pi / 2, wander[at.frame, at.cell])


def accumulated(cells: pd.DataFrame, latents: pd.DataFrame, at: Moments, frames: int) -> np.ndarray:
    """Return the function signal in grey levels at each moment, shape (moments,).

    It accumulates during the movie up to the level set by the cell's function; a daughter starts at the level of its
    parent.
    """
    final = np.clip(MEAN_SIGNAL + SIGNAL_STEP * latents["function"].to_numpy(), 80, None)
    parent = cells["parent"].to_numpy()[at.cell] - 1
    own = np.clip((at.frame - cells["start"].to_numpy()[at.cell] + 1) / 6, 0, 1)
    level = np.where(parent >= 0, own * final[at.cell] + (1 - own) * final[parent], final[at.cell])
    return level * (0.12 + 0.88 * (at.frame / (frames - 1)) ** 1.4)


def debris_rows(rows: pd.DataFrame, cells: pd.DataFrame, shift: np.ndarray) -> pd.DataFrame:
    """Return one row per dead cell and frame with debris: fragments that fade and do not move."""
    dead = rows.merge(cells.loc[cells["end_kind"] == "death", ["number", "end"]], on="number")
    dead = dead[dead["frame"] == dead["end"]]
    frames = len(shift)
    parts = []
    for age in range(1, DEBRIS_FRAMES + 1):
        later = dead.assign(frame=dead["end"] + age, kind="debris", dying=1.0)
        later = later[later["frame"] < frames]
        moved = shift[later["frame"]] - shift[later["end"]]
        later = later.assign(
            y_px=later["y_px"] + moved[:, 0],
            x_px=later["x_px"] + moved[:, 1],
            brightness=later["brightness"] * (1 - age / (DEBRIS_FRAMES + 1)) * 0.5,
            signal=later["signal"] * (1 - age / (DEBRIS_FRAMES + 1)),
        )
        parts.append(later)
    return pd.concat(parts)[rows.columns]


def cage_rows(centre: np.ndarray, radius: np.ndarray, closed_frame: int, shift: np.ndarray) -> pd.DataFrame:
    """Return one row per cage and frame, from the frame in which it is closed; cages drift with the stage."""
    frame, cage = (a.ravel() for a in np.mgrid[closed_frame : len(shift), : len(radius)])
    place = centre[cage] + shift[frame]
    return pd.DataFrame(
        {
            "frame": frame,
            "kind": "cage",
            "number": cage + 1,
            "y_px": place[:, 0],
            "x_px": place[:, 1],
            "major_px": radius[cage],
            "minor_px": radius[cage],
            "pattern": cage,
        }
    )
