"""Closed compartments: which objects they hold, and which links would pass a wall."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.io.maps import read_compartments

OPEN = -1


def passable(compartment: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return whether a cell can move from object ``before`` to object ``after``, shape (pairs,).

    A cell in a closed compartment stays there. A cell outside may be enclosed when a compartment closes.

    Parameters
    ----------
    compartment
        Closed compartment of each object, -1 for none, shape (objects,).
    before, after
        Rows of the earlier and the later object, shape (pairs,).
    """
    return (compartment[before] == OPEN) | (compartment[before] == compartment[after])


def closed_compartments(
    objects: pd.DataFrame, compartments: Path | pd.DataFrame | None, field: FieldOfView
) -> np.ndarray:
    """Return the closed compartment of each object, -1 for none, shape (objects,).

    A compartment without ``closed_frame`` never closes. An object belongs to the compartment with the nearest centre
    if it lies within its radius. ``compartments`` is their table or its file.
    """
    inside = np.full(len(objects), OPEN)
    if compartments is None or len(objects) == 0:
        return inside
    table = read_compartments([compartments]) if isinstance(compartments, Path) else compartments
    table = table[(table["sample"] == field.sample) & (table["fov"] == field.fov)].reset_index(drop=True)
    if "closed_frame" not in table or table["closed_frame"].isna().all():
        return inside
    from scipy.spatial import KDTree  # noqa: PLC0415 - slow to import, and lineages do without it

    distance, nearest = KDTree(table[["y_px", "x_px"]].to_numpy()).query(objects[["y_px", "x_px"]].to_numpy())
    closed = table["closed_frame"].astype(float).fillna(np.inf).to_numpy()[nearest]
    enclosed = (distance <= table["radius_px"].to_numpy()[nearest]) & (objects["frame"].to_numpy() >= closed)
    return np.where(enclosed, nearest, OPEN)
