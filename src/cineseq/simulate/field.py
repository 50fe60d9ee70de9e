"""Simulate one field of view, from the plan of its families to positions, cages and latents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.config.simulate import Simulate
from cineseq.simulate.appearance import cage_rows, cell_rows, debris_rows, drift
from cineseq.simulate.cages import Cages, early_cages, endpoint_cages
from cineseq.simulate.latents import draw_latents
from cineseq.simulate.lineage import FIRST_DIVISION, plan_field
from cineseq.simulate.motion import Field
from cineseq.statistics.streams import stream

VISIBLE = 0.35
"""A cell is tracked until its centre lies this fraction of its short half-axis outside the field."""


@dataclass(frozen=True)
class SimulatedField:
    """One simulated field of view with its ground truth.

    Attributes
    ----------
    sample, fov
        Names of the sample and field.
    cells
        One row per planned cell: its plan (see :class:`cineseq.simulate.lineage.SimulatedCell`) and its latents.
    positions
        Rows of the positions table: cells, debris and cages in every frame.
    cages
        The compartments.
    endpoint
        Live cells of the last frame with their cage (``cage``, -1 outside any), indexed by ``number``.
    """

    sample: str
    fov: str
    cells: pd.DataFrame
    positions: pd.DataFrame
    cages: Cages
    endpoint: pd.DataFrame


def simulate_field(settings: Simulate, seed: int, sample: str, fov: str) -> SimulatedField:
    """Simulate one field of view, which depends only on the settings, the seed and its own name."""
    here = (sample, fov)
    frames, size = settings.frames, settings.size_px
    cells = plan_field(settings, sample, stream(seed, "lineage", *here))
    cells["pattern"] = stream(seed, "pattern", *here).integers(0, 2**31, len(cells))
    latents = draw_latents(cells, settings, seed, sample, fov)
    early = settings.is_caged_early(sample)
    rng = stream(seed, "cages", *here)
    cages = early_cages(size, FIRST_DIVISION, rng) if early else None
    world = Field(cells, frames, size, cages, stream(seed, "motion", *here))
    place = world.run()
    shift = drift(frames, stream(seed, "drift", *here))
    rows = cell_rows(
        cells,
        latents,
        position=place,
        division_angle=world.division_angle,
        shift=shift,
        rng=stream(seed, "angle", *here),
    )
    rows["tracked"] = tracked(rows, size)
    seen = rows[rows["tracked"] & (rows["frame"] == frames - 1)].set_index("number")[["y_px", "x_px"]]
    if cages is None:
        cages = endpoint_cages(seen.to_numpy(), size, frames - 1, rng)
    walls = cage_rows(cages.centre, cages.radius, cages.closed_frame, shift)
    positions = pd.concat([rows, debris_rows(rows, cells, shift), walls], ignore_index=True)
    positions["tracked"] = positions["kind"].eq("cell") & positions["tracked"].eq(other=True)
    return SimulatedField(
        sample,
        fov,
        cells.join(latents),
        positions.assign(sample=sample, fov=fov),
        cages,
        seen.assign(cage=cages.holding(seen.to_numpy())),
    )


def tracked(rows: pd.DataFrame, size: int) -> np.ndarray:
    """Return whether a row is in the first continuous run of frames in which its cell is in the field, shape (rows,).

    Parameters
    ----------
    rows
        Rows of cells, see :func:`cineseq.simulate.appearance.cell_rows`.
    size
        Height and width of the field in pixels.
    """
    margin = -VISIBLE * rows["minor_px"]
    inside = pd.Series(data=True, index=rows.index)
    for axis in ("y_px", "x_px"):
        inside &= (rows[axis] > margin) & (rows[axis] < size - 1 - margin)
    ordered = rows.assign(inside=inside).sort_values(["number", "frame"])
    change = ordered.groupby("number")["inside"].transform(lambda s: (s & ~s.shift(fill_value=False)).cumsum())
    return (ordered["inside"] & (change == 1)).reindex(rows.index).to_numpy()
