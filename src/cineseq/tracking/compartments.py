"""Closed compartments: no cell passes their walls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from cineseq.config.base import FieldOfView
from cineseq.io.maps import read_compartments

OPEN = -1


def passable(room: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return whether a cell can be object ``before`` first and ``after`` later (rows), shape (pairs,).

    A cell in a closed compartment stays there; one may be enclosed while a compartment closes.
    """
    return (room[before] == OPEN) | (room[before] == room[after])


def rooms(objects: pd.DataFrame, compartments: Path | pd.DataFrame | None, field: FieldOfView) -> np.ndarray:
    """Return the closed compartment that each object is in, or -1 outside any closed one, shape (objects,).

    A compartment without ``closed_frame`` is never closed. An object belongs to the compartment whose centre is
    nearest, if it lies within its radius. ``compartments`` is their table, or the file of it.
    """
    inside = np.full(len(objects), OPEN)
    if compartments is None or len(objects) == 0:
        return inside
    table = read_compartments([compartments]) if isinstance(compartments, Path) else compartments
    table = table[(table["sample"] == field.sample) & (table["fov"] == field.fov)].reset_index(drop=True)
    if "closed_frame" not in table or table["closed_frame"].isna().all():
        return inside
    distance, nearest = KDTree(table[["y_px", "x_px"]].to_numpy()).query(objects[["y_px", "x_px"]].to_numpy())
    closed = table["closed_frame"].astype(float).fillna(np.inf).to_numpy()[nearest]
    held = (distance <= table["radius_px"].to_numpy()[nearest]) & (objects["frame"].to_numpy() >= closed)
    return np.where(held, nearest, OPEN)
