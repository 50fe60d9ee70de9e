"""Pairs of sisters of which one died, measured in the frames that both lived through before either's fate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.kinship.families import Families
from cineseq.pairing.positions import Circles, locate

FEWEST_FRAMES = 3
"""Common frames that a pair needs; fewer give no growth and no speed."""
FEATURES = {
    "area": "mean logarithm of the area",
    "area_growth": "growth rate of the area",
    "eccentricity": "mean eccentricity of the outline",
    "solidity": "mean solidity of the outline",
    "speed": "mean speed of the centre",
    "neighbour_distance": "mean distance to the nearest other cell",
    "compartment_distance": "mean distance to the centre of the compartment, in its radii",
}
"""Features of a cell before its fate; shape and place only, so none shows a function channel."""
UNITS = {
    "area_growth": "per {time}",
    "speed": "{length}/{time}",
    "neighbour_distance": "{length}",
    "compartment_distance": "radii",
}
"""Units of the features that have one; a difference of logarithms has none."""


@dataclass(frozen=True)
class Scale:
    """Size of a pixel in micrometres and of a frame in hours, of one field; None where unknown."""

    um: float | None = None
    hours: float | None = None


UNSCALED = Scale()


def scale_of(cells: pd.DataFrame, objects: pd.DataFrame) -> Scale:
    """Find the scale of a field: of space by areas in both units, of time by the lives of cells in both units.

    Parameters
    ----------
    cells, objects
        As :data:`cineseq.contracts.CELLS` and :data:`cineseq.contracts.OBJECTS`, of one field.
    """
    um = np.sqrt(_column(objects, "morphology_area_um2") / objects["area_px"].astype(float))
    lives = cells["end_frame"].astype(float) - cells["start_frame"].astype(float)
    hours = (cells["end_hours"] - cells["start_hours"]).astype(float) / lives.where(lives > 0)
    known = [values[values > 0] for values in (um, hours)]
    return Scale(*(float(values.median()) if len(values) else None for values in known))


def discordant_pairs(families: Families, margin: int) -> pd.DataFrame:
    """Return the pairs of sisters of which one died and the other is known not to have.

    Parameters
    ----------
    families
        The trees.
    margin
        Frames before a death or a division that are not measured: dying and rounding up show the fate itself.

    Returns
    -------
    pandas.DataFrame
        ``died`` and ``other`` (their ``track_id``), ``sample``, ``fov``, ``founder``, and the window, ``first`` to
        ``last`` frame, that both lived through; it may be empty (``last`` before ``first``).
    """
    cells = families.cells
    died = (cells["died"] == 1).to_numpy()[families.sisters]
    lived = ((cells["died"] == 0) | (cells["alive_at_end"] == 1)).to_numpy()[families.sisters] & ~died
    discordant = died.any(axis=1) & lived.any(axis=1)
    pairs, died = families.sisters[discordant], died[discordant]
    rows = np.where(died[:, :1], pairs, pairs[:, ::-1])
    fated = cells["died"].notna().to_numpy()
    last = cells["end_frame"].to_numpy() - margin * fated
    track = cells["track_id"].to_numpy()[rows]
    one = cells.iloc[rows[:, 0]][["sample", "fov", "founder"]].reset_index(drop=True)
    window = {"first": cells["start_frame"].to_numpy()[rows].max(axis=1), "last": last[rows].min(axis=1)}
    return one.assign(died=track[:, 0], other=track[:, 1], **window)


def called_deaths(pairs: pd.DataFrame, cells: pd.DataFrame) -> int:
    """Count the pairs whose death tracking called from shape, brightness and speed; nobody saw or stated it.

    Parameters
    ----------
    pairs
        As :func:`discordant_pairs` returns.
    cells
        As :data:`cineseq.contracts.CELLS`. A death that was given has no confidence, one that a person saw has 1.
    """
    confidence = cells.set_index("track_id")["end_confidence"].reindex(pairs["died"]).astype(float)
    return int((confidence < 1).sum())


def measured_before_fate(
    pairs: pd.DataFrame, objects: pd.DataFrame, compartments: pd.DataFrame, scale: Scale = UNSCALED
) -> pd.DataFrame:
    """Measure both sisters of each pair in the same frames.

    Parameters
    ----------
    pairs
        As :func:`discordant_pairs` returns, of one field.
    objects
        As :data:`cineseq.contracts.OBJECTS`, of the same field; areas and shapes may be missing.
    compartments
        As :data:`cineseq.contracts.COMPARTMENTS`, of the same field; may be empty.
    scale
        Of the same field; pixels and frames stay what they are where it is not known.

    Returns
    -------
    pandas.DataFrame
        One row per pair and side, indexed by pair (as ``pairs``) and ``side`` (``died`` or ``other``), with the
        :data:`FEATURES`, ``frames``, the number of common frames, ``founder``, and the units of ``length`` (um or px)
        and ``time`` (h or frame). Pairs with fewer than :data:`FEWEST_FRAMES` are
        left out; what was not measured is missing.
    """
    seen = _in_common_frames(pairs, objects)
    group = seen.groupby(["pair", "side"], sort=True)
    log_area = np.log(seen["area_px"].where(seen["area_px"] > 0))
    steps = np.hypot(*(group[axis].diff() for axis in ("y_px", "x_px"))) / group["frame"].diff()
    by_frame = {
        "area": log_area,
        "eccentricity": _column(seen, "morphology_eccentricity"),
        "solidity": _column(seen, "morphology_solidity"),
        "speed": steps * (scale.um or 1.0) / (scale.hours or 1.0),
        "neighbour_distance": _column(seen, "morphology_neighbour_distance_"),
        "compartment_distance": _from_centre(seen, compartments),
    }
    found = pd.DataFrame(by_frame).groupby([seen["pair"], seen["side"]]).mean()
    growth = _slope(log_area, seen["frame"] * (scale.hours or 1.0), [seen["pair"], seen["side"]])
    found = found.assign(area_growth=growth)[list(FEATURES)].assign(frames=group.size())
    founder = pairs["founder"].reindex(found.index.get_level_values("pair")).to_numpy()
    length, time = "um" if scale.um else "px", "h" if scale.hours else "frame"
    return found.assign(founder=founder, length=length, time=time)


def _slope(values: pd.Series, time: pd.Series, by: list[pd.Series]) -> pd.Series:
    """Return the least-squares slope of the values over time in each group, from the frames that have a value."""
    time = time.where(values.notna())
    centred = time - time.groupby(by).transform("mean")
    covariance = (centred * values).groupby(by).sum(min_count=FEWEST_FRAMES)
    return covariance / (centred**2).groupby(by).sum()


def _in_common_frames(pairs: pd.DataFrame, objects: pd.DataFrame) -> pd.DataFrame:
    """Return the objects of both sisters in the frames of the window in which both were seen, ordered in time."""
    sides = pairs.rename_axis(index="pair").reset_index()
    sides = sides.melt(["pair", "first", "last"], ["died", "other"], var_name="side", value_name="track_id")
    seen = objects.merge(sides, on="track_id")
    seen = seen[seen["frame"].between(seen["first"], seen["last"])].drop_duplicates(["pair", "side", "frame"])
    both = seen.groupby(["pair", "frame"])["side"].transform("size") == 2
    seen = seen[both].sort_values(["pair", "side", "frame"], ignore_index=True)
    enough = seen.groupby(["pair", "side"])["frame"].transform("size") >= FEWEST_FRAMES
    return seen[enough].reset_index(drop=True).astype({"area_px": float, "frame": float})


def _column(seen: pd.DataFrame, start: str) -> pd.Series:
    """Return the first column whose name begins so (its unit is the rest), missing values where there is none."""
    name = next((c for c in seen.columns if c.startswith(start)), None)
    return pd.Series(np.nan, seen.index) if name is None else seen[name].astype(float)


def _from_centre(seen: pd.DataFrame, compartments: pd.DataFrame) -> np.ndarray:
    radii = compartments["radius_px"].to_numpy(float)
    places = locate(seen[["y_px", "x_px"]].to_numpy(float), _circles(compartments), rim=0)
    radius = np.append(radii, np.nan)[places.compartment]
    return places.distance / radius


def _circles(compartments: pd.DataFrame) -> Circles:
    return Circles(compartments[["y_px", "x_px"]].to_numpy(float), compartments["radius_px"].to_numpy(float))
