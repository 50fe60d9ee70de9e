"""Compartments with two living sisters against compartments with two other living cells, by the mean of the two."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.config.lineage import Lineage
from cineseq.lineage.sister_status import NOT_DEAD
from cineseq.lineage.stratified_tests import Units, permutation_p, several_families
from cineseq.lineage.trees import LineageTrees, strata
from cineseq.pairing.positions import Circles, locate
from cineseq.tables.contract import FIELD
from cineseq.text import p_value as written_p

COMPARTMENT = ["sample", "compartment_id"]
NAME = "two_survivor_sums"
WHAT = "Compartments with two living sisters against those with two living cells that are no sisters and lost none"


def two_survivor_sums(
    families: LineageTrees,
    status: pd.DataFrame,
    pairs: pd.DataFrame | None,
    state: pd.Series | None,
    settings: Lineage,
    *,
    seed: int,
) -> tuple:
    """Compare a state between the two kinds of compartments by the mean of their two cells, where both are measured.

    Summed counts are not used. There is no p-value where a founder has cells in several compartments, which are alike
    and may not be exchanged. Both arms hold two living cells, so neither their number nor a death tells them apart. The
    others are known to have lost no sister, so a difference would go with sitting beside a sister, and no death would
    explain it.

    Parameters
    ----------
    families, status
        Trees, and :func:`~cineseq.lineage.sister_status.sister_status` of their cells.
    pairs
        As :data:`cineseq.tables.imaging.PAIRS`; None where there is none.
    state
        1, 0 or NaN by ``track_id``, named; None where no state was tested.
    settings
        Strata, permutations, and the fewest compartments of an arm.
    seed
        Of the permutations.

    Returns
    -------
    tuple
        One row of :data:`cineseq.tables.lineage.LINEAGE_WARNINGS`.
    """
    if pairs is None:
        return _not_measured(families, 0, "no pairs table places two cells in a compartment")
    rooms = _rooms_of_two(families, status, pairs)
    kin = int(rooms["sisters"].sum())
    if min(kin, len(rooms) - kin) < settings.min_families:
        found = f"{kin} with sisters and {len(rooms) - kin} with others, {settings.min_families} each are needed"
        return _not_measured(families, len(rooms), found)
    if state is None:
        return _not_measured(families, len(rooms), "no state was tested")
    return _compared(families, rooms, state, settings, seed)


def _compared(families: LineageTrees, rooms: pd.DataFrame, state: pd.Series, settings: Lineage, seed: int) -> tuple:
    """Compare the compartments of which both cells have the state measured."""
    of_cell = state.reindex(families.cells["track_id"]).to_numpy(float)
    mean = of_cell[rooms[["one", "other"]].to_numpy()].mean(axis=1)
    rooms, mean = rooms[np.isfinite(mean)], mean[np.isfinite(mean)]
    stratum = strata(rooms["field"].to_numpy(), rooms["birth"].to_numpy(), settings.birth_time_bins)
    every = Units(rooms["sisters"].to_numpy(bool), mean, stratum, np.ones(len(mean)))
    units = every.only(every.informative) if len(mean) else every
    arms = int(units.exposed.sum()), int((~units.exposed).sum())
    if min(arms) < settings.min_families:
        found = f"{arms[0]} and {arms[1]} of them have '{state.name}' in both cells and share strata"
        return _not_measured(families, len(rooms), f"{found}; barcodes of two cells enter no paired data")
    several = _in_several_rooms(families, rooms[every.informative])
    if several:
        told = f"no p-value, {several} founders have cells in several compartments, which are alike"
    else:
        p = permutation_p(units, settings.permutations, np.random.default_rng(seed))
        told = written_p(p) if np.isfinite(p) else "no p-value, it does not vary within strata"
    shares = [units.state[units.exposed == arm].mean() for arm in (True, False)]
    message = (
        f"{WHAT}: '{state.name}' in {shares[0]:.1%} of the cells of {arms[0]} and {shares[1]:.1%} of the cells of "
        f"{arms[1]} (permutation within strata, {told}). No death of a sister can explain a difference."
    )
    return _row(families, sum(arms), message)


def _in_several_rooms(families: LineageTrees, rooms: pd.DataFrame) -> int:
    founder = families.cells["founder"].to_numpy()[rooms[["one", "other"]].to_numpy()]
    of_room = pd.DataFrame({"room": np.repeat(np.arange(len(rooms)), 2), "founder": founder.ravel()})
    return several_families(of_room.drop_duplicates()["founder"].to_numpy())


def _rooms_of_two(families: LineageTrees, status: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return compartments whose two cells live at the end: ``one``, ``other``, ``sisters``, ``field`` and ``birth``."""
    shared = pairs[(pairs["occupancy"] == 2) & pairs["compartment_id"].notna()]
    shared = shared.drop_duplicates("track_id").dropna(subset="track_id")
    position = pd.Index(families.cells["track_id"]).get_indexer(shared["track_id"])
    shared = shared.assign(cell=position)[position >= 0]
    shared = shared[families.cells["alive_at_end"].to_numpy()[shared["cell"]] == 1]
    rooms = shared.groupby(COMPARTMENT)["cell"].agg(["min", "max", "size"])
    rooms = rooms[rooms["size"] == 2].rename(columns={"min": "one", "max": "other"}).reset_index(drop=True)
    one, other = rooms["one"].to_numpy(int), rooms["other"].to_numpy(int)
    birth = families.cells["birth"].to_numpy()
    sisters = status["sister"].to_numpy()[one] == other
    lost_none = status["status"].isin(NOT_DEAD).to_numpy()
    rooms = rooms.assign(
        sisters=sisters,
        field=families.cells["field"].to_numpy()[one],
        birth=(birth[one] + birth[other]) / 2,
    )
    return rooms[sisters | (lost_none[one] & lost_none[other])]


def _not_measured(families: LineageTrees, rooms: int, why: str) -> tuple:
    return _row(families, rooms, f"{WHAT}: not measured, {why}.")


def _row(families: LineageTrees, rooms: int, message: str) -> tuple:
    cells = 2 * rooms
    return NAME, "all", cells, cells / max(1, len(families.cells)), "info", message


def dead_mates(
    families: LineageTrees, cells: pd.DataFrame, pairs: pd.DataFrame | None, compartments: pd.DataFrame
) -> np.ndarray:
    """Count the dead cells, sisters apart, in the compartment of each cell.

    A dead cell is in the compartment that encloses the place where its track ended, unless that was closed later.

    Parameters
    ----------
    families
        The trees.
    cells
        As :data:`cineseq.tables.imaging.CELLS`: where the tracks of the families ended.
    pairs
        As :data:`cineseq.tables.imaging.PAIRS`, for the compartment of each live cell; None where there is none.
    compartments
        As :data:`cineseq.tables.imaging.COMPARTMENTS`; may be empty.

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
    return mates_in(families, own, _bodies(families, cells, compartments))


def mates_in(families: LineageTrees, own: pd.DataFrame, bodies: pd.DataFrame) -> np.ndarray:
    """Count the dead cells, sisters apart, in the compartment of each cell.

    Parameters
    ----------
    families
        The trees.
    own
        ``sample`` and ``compartment_id`` of each cell of the families as plain text, empty where not known.
    bodies
        Dead cells whose compartment is known: ``row`` in the families, ``sample`` and ``compartment_id``.

    Returns
    -------
    numpy.ndarray
        Shape (cells of the families,); NaN for a cell whose compartment is not known.
    """
    count = bodies.groupby(COMPARTMENT).size().reindex(pd.MultiIndex.from_frame(own)).fillna(0).to_numpy(float)
    lies_in = bodies.set_index("row")["compartment_id"].reindex(np.arange(-1, len(own))).to_numpy(object)
    sister = np.full(len(families.cells), -1)
    one, other = families.sisters.T
    sister[one], sister[other] = other, one
    with_sister = lies_in[sister + 1] == own["compartment_id"].to_numpy(object)
    return np.where(own["compartment_id"] == "", np.nan, count - with_sister)


def _bodies(families: LineageTrees, cells: pd.DataFrame, compartments: pd.DataFrame) -> pd.DataFrame:
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
