"""Cells that died in a survivor's compartment without being its sister: a control for what a death leaves behind."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.kinship.families import Families
from cineseq.pairing.positions import Circles, locate

FIELD = ["sample", "fov"]
COMPARTMENT = ["sample", "compartment_id"]


def dead_mates(
    families: Families, cells: pd.DataFrame, pairs: pd.DataFrame | None, compartments: pd.DataFrame
) -> np.ndarray:
    """Count the dead cells, sisters apart, in the compartment of each cell.

    A dead cell is in the compartment that encloses the place where its track ended, unless that was closed later.

    Parameters
    ----------
    families
        The trees.
    cells
        As :data:`cineseq.contracts.CELLS`: where the tracks of the families ended.
    pairs
        As :data:`cineseq.contracts.PAIRS`, for the compartment of each live cell; None where there is none.
    compartments
        As :data:`cineseq.contracts.COMPARTMENTS`; may be empty.

    Returns
    -------
    numpy.ndarray
        Shape (cells of the families,); NaN for a cell whose compartment is not known.
    """
    if pairs is None or not len(compartments):
        return np.full(len(families.cells), np.nan)
    placed = pairs.dropna(subset=["track_id", "compartment_id"]).drop_duplicates("track_id").set_index("track_id")
    # Plain text: missing values of pandas' text type neither compare nor match the plain names of compartments.
    own = placed.reindex(families.cells["track_id"])[COMPARTMENT].astype(object).fillna("")
    bodies = _bodies(families, cells, compartments)
    count = bodies.groupby(COMPARTMENT).size().reindex(pd.MultiIndex.from_frame(own)).fillna(0).to_numpy(float)
    lies_in = bodies.set_index("row")["compartment_id"].reindex(np.arange(-1, len(own))).to_numpy(object)
    sister = np.full(len(families.cells), -1)
    one, other = families.sisters.T
    sister[one], sister[other] = other, one
    with_sister = lies_in[sister + 1] == own["compartment_id"].to_numpy(object)
    return np.where(own["compartment_id"] == "", np.nan, count - with_sister)


def _bodies(families: Families, cells: pd.DataFrame, compartments: pd.DataFrame) -> pd.DataFrame:
    """Return the dead cells that lie in a compartment: ``row`` in the families, ``sample`` and ``compartment_id``."""
    of_cell = cells.set_index("track_id").reindex(families.cells["track_id"])
    place = {axis: of_cell.get(f"end_{axis}_px", of_cell[f"{axis}_px"]).to_numpy(float) for axis in "yx"}
    dead = families.cells[[*FIELD, "end_frame"]].assign(row=np.arange(len(of_cell)), **place)
    dead = dead[(families.cells["died"] == 1).to_numpy()].dropna(subset=["y", "x"])
    closed = compartments.get("closed_frame", pd.Series(pd.NA, compartments.index))
    rooms = compartments.assign(closed=closed.astype("Float64").fillna(0).to_numpy(float))
    parts = [pd.DataFrame({"row": [], "sample": [], "compartment_id": []}).astype({"row": int})]
    for key, here in dead.groupby(FIELD):
        there = rooms[(rooms["sample"] == key[0]) & (rooms["fov"] == key[1])]
        circles = Circles(there[["y_px", "x_px"]].to_numpy(float), there["radius_px"].to_numpy(float))
        which = locate(here[["y", "x"]].to_numpy(float), circles, rim=0).compartment
        inside = which >= 0
        inside[inside] = here["end_frame"].to_numpy()[inside] >= there["closed"].to_numpy()[which[inside]]
        names = there["compartment_id"].to_numpy(object)[which[inside]]
        parts.append(here.loc[inside, ["row", "sample"]].assign(compartment_id=names))
    return pd.concat(parts, ignore_index=True)
