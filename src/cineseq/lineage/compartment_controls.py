"""Negative controls that need compartments: pairs of survivors, and dead cage-mates."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cineseq.config.lineage import Lineage
from cineseq.lineage.sister_score import Summaries
from cineseq.lineage.sister_status import NOT_DEAD
from cineseq.lineage.sister_test import associate
from cineseq.lineage.trees import LineageTrees, strata
from cineseq.pairing.positions import Circles, locate
from cineseq.tables.contract import FIELD
from cineseq.text import count, interval, percent, ratio
from cineseq.text import p_value as written_p

COMPARTMENT = ["sample", "compartment_id"]
NAME = "two_survivor_sums"
WHAT = "Compartments with two living sisters against those with two living cells that are not sisters and lost none"


def two_survivor_control(
    families: LineageTrees,
    status: pd.DataFrame,
    pairs: pd.DataFrame | None,
    state: pd.Series | None,
    settings: Lineage,
) -> tuple:
    """Compare a state between compartments with two living sisters and those with two other living cells.

    The value of a compartment is the mean state of its two cells, where both are measured; summed counts are not used.
    Both arms hold two living cells, and the cells of the second arm are known to have lost no sister. A difference
    would therefore be associated with the presence of a sister, not with a death. Sisters are more alike than other
    cells, so that the means of the arms differ in variance: the correlation of the two cells of a compartment is
    estimated in each arm. Compartments with cells of one root cell count as alike, directly or by way of others.

    Parameters
    ----------
    families, status
        Trees, and :func:`~cineseq.lineage.sister_status.sister_status` of their cells.
    pairs
        As :data:`cineseq.tables.imaging.PAIRS`; None where there is none.
    state
        1, 0 or NaN by ``track_id``, named; None where no state was tested.
    settings
        Strata, and the least number of compartments per arm.

    Returns
    -------
    tuple
        One row of :data:`cineseq.tables.lineage.LINEAGE_WARNINGS`.
    """
    if pairs is None:
        return _not_measured(families, 0, "no pairs table places two cells in a compartment")
    compartments = two_cell_compartments(families, status, pairs)
    with_sisters = int(compartments["sisters"].sum())
    with_others = len(compartments) - with_sisters
    if min(with_sisters, with_others) < settings.min_families:
        there = f"{count(with_sisters)} with sisters and {count(with_others)} with others"
        return _not_measured(families, len(compartments), f"{there}, {settings.min_families} of each are needed")
    if state is None:
        return _not_measured(families, len(compartments), "no state was tested")
    return _compared(families, compartments, state, settings)


def _compared(families: LineageTrees, compartments: pd.DataFrame, state: pd.Series, settings: Lineage) -> tuple:
    """Compare the compartments in which the state of both cells was measured."""
    # Mean state of both cells of each compartment, shape (compartments,); NaN where one is not measured.
    of_cell = state.reindex(families.cells["track_id"]).to_numpy(float)
    mean = of_cell[compartments[["one", "other"]].to_numpy()].mean(axis=1)
    compartments, mean = compartments[np.isfinite(mean)], mean[np.isfinite(mean)]
    stratum = strata(compartments["field"].to_numpy(), compartments["birth"].to_numpy(), settings.birth_time_bins)
    number, kin = np.full(len(mean), 2), _related(families, compartments)
    every = Summaries.of_state(compartments["sisters"].to_numpy(), mean, number, stratum, kin)
    found = associate(every, settings.min_families, kind=every.exposed)
    if not found.tested:
        arms = f"{count(found.exposed)} and {count(found.other)}"
        reason = f"'{state.name}' is measured in both cells of {arms} that share strata"
        return _not_measured(families, len(compartments), f"{reason}; barcodes of two cells enter no paired data")
    shares = [percent(mean[every.informative & (every.exposed == arm)].mean(), 1) for arm in (True, False)]
    estimates = []
    if np.isfinite(found.odds_ratio):
        ends = interval(found.low, found.high, ratio, named=True)
        estimates.append(f"odds ratio {ratio(found.odds_ratio)} within strata, {ends}")
    if np.isfinite(found.p_value):
        estimates.append(written_p(found.p_value))
    message = (
        f"{WHAT}: '{state.name}' in {shares[0]} of the cells of {count(found.exposed)} and {shares[1]} of the cells of "
        f"{count(found.other)} ({'; '.join(filter(None, (*estimates, found.note)))}). "
        "No death of a sister can explain a difference."
    )
    return _row(families, found.exposed + found.other, message)


def _related(families: LineageTrees, compartments: pd.DataFrame) -> np.ndarray:
    """Return a number for each compartment that it shares with all that are linked to it by root cells in common."""
    root_cell = families.cells["root_cell"].to_numpy()[compartments[["one", "other"]].to_numpy()]
    known, code = np.unique(root_cell, return_inverse=True)
    number = np.repeat(np.arange(len(compartments)), 2)
    # Graph of compartments and root cells, with an edge where a compartment holds a cell of a root cell.
    nodes = len(compartments) + len(known)
    edges = coo_array((np.ones(len(number)), (number, len(compartments) + code.ravel())), (nodes, nodes))
    return connected_components(edges, directed=False)[1][: len(compartments)]


def two_cell_compartments(families: LineageTrees, status: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the compartments with two cells, both alive at the end of the movie.

    Columns are ``one`` and ``other`` (rows of the cells), ``sisters`` (whether they are sisters), ``field`` and
    ``birth`` (mean of both).
    """
    shared = pairs[(pairs["occupancy"] == 2) & pairs["compartment_id"].notna()]
    shared = shared.drop_duplicates("track_id").dropna(subset="track_id")
    position = pd.Index(families.cells["track_id"]).get_indexer(shared["track_id"])
    shared = shared.assign(cell=position)[position >= 0]
    shared = shared[families.cells["alive_at_end"].to_numpy()[shared["cell"]] == 1]
    compartments = shared.groupby(COMPARTMENT)["cell"].agg(["min", "max", "size"])
    compartments = (
        compartments[compartments["size"] == 2].rename(columns={"min": "one", "max": "other"}).reset_index(drop=True)
    )
    one, other = compartments["one"].to_numpy(int), compartments["other"].to_numpy(int)
    birth = families.cells["birth"].to_numpy()
    sisters = status["sister"].to_numpy()[one] == other
    lost_none = status["status"].isin(NOT_DEAD).to_numpy()
    compartments = compartments.assign(
        sisters=sisters,
        field=families.cells["field"].to_numpy()[one],
        birth=(birth[one] + birth[other]) / 2,
    )
    return compartments[sisters | (lost_none[one] & lost_none[other])]


def _not_measured(families: LineageTrees, compartments: int, why: str) -> tuple:
    return _row(families, compartments, f"{WHAT}: not measured, {why}.")


def _row(families: LineageTrees, compartments: int, message: str) -> tuple:
    cells = 2 * compartments
    return NAME, "all", cells, cells / max(1, len(families.cells)), "info", message


def dead_cage_mates(families: LineageTrees, pairs: pd.DataFrame | None, dead: pd.DataFrame | None) -> np.ndarray:
    """Count the dead cage-mates of each cell: dead cells in its compartment other than its sister.

    Parameters
    ----------
    families
        The trees.
    pairs
        As :data:`cineseq.tables.imaging.PAIRS`, with the compartment of each live cell; None where there is none.
    dead
        As :func:`dead_cells` returns; None where there are no compartments.

    Returns
    -------
    numpy.ndarray
        Shape (cells of the families,); NaN for a cell whose compartment is not known.
    """
    if pairs is None or dead is None:
        return np.full(len(families.cells), np.nan)
    placed = pairs.dropna(subset=["track_id", "compartment_id"]).drop_duplicates("track_id").set_index("track_id")
    # Plain text: missing values of pandas' text type neither compare nor match the plain names of compartments.
    own = placed.reindex(families.cells["track_id"])[COMPARTMENT].astype(object).fillna("")
    return cage_mates_in(families, own, dead)


def cage_mates_in(families: LineageTrees, own: pd.DataFrame, dead: pd.DataFrame) -> np.ndarray:
    """Count the dead cage-mates of each cell in known compartments.

    Parameters
    ----------
    families
        The trees.
    own
        ``sample`` and ``compartment_id`` of each cell of the trees as plain text, empty where unknown.
    dead
        Dead cells of known compartments: ``row`` of the cell in the trees, ``sample`` and ``compartment_id``.

    Returns
    -------
    numpy.ndarray
        Shape (cells of the families,); NaN for a cell of unknown compartment.
    """
    # Dead cells per compartment, then per cell of the trees, shape (cells,); the sister is subtracted.
    dead_cells = dead.groupby(COMPARTMENT).size().reindex(pd.MultiIndex.from_frame(own)).fillna(0).to_numpy(float)
    lies_in = dead.set_index("row")["compartment_id"].reindex(np.arange(-1, len(own))).to_numpy(object)
    sister = np.full(len(families.cells), -1)
    one, other = families.sisters.T
    sister[one], sister[other] = other, one
    with_sister = lies_in[sister + 1] == own["compartment_id"].to_numpy(object)
    return np.where(own["compartment_id"] == "", np.nan, dead_cells - with_sister)


def dead_cells(families: LineageTrees, cells: pd.DataFrame, compartments: pd.DataFrame) -> pd.DataFrame | None:
    """Return the dead cells that were in a compartment when they died.

    A dead cell belongs to the compartment that encloses the end of its track, unless the compartment closed later.

    Parameters
    ----------
    families
        The trees.
    cells
        As :data:`cineseq.tables.imaging.CELLS`, with the positions at which tracks end.
    compartments
        As :data:`cineseq.tables.imaging.COMPARTMENTS`; may be empty.

    Returns
    -------
    pandas.DataFrame or None
        ``row`` of the cell in the trees, ``sample`` and ``compartment_id``; None without compartments.
    """
    if not len(compartments):
        return None
    # Rows of dead cells with their last position, and compartments with the frame in which they closed.
    of_cell = cells.set_index("track_id").reindex(families.cells["track_id"])
    place = {axis: of_cell.get(f"end_{axis}_px", of_cell[f"{axis}_px"]).to_numpy(float) for axis in "yx"}
    dead = families.cells[[*FIELD, "end_frame"]].assign(row=np.arange(len(of_cell)), **place)
    dead = dead[(families.cells["died"] == 1).to_numpy()].dropna(subset=["y", "x"])
    closed = compartments.get("closed_frame", pd.Series(pd.NA, compartments.index))
    closable = compartments.assign(closed=closed.astype("Float64").fillna(0).to_numpy(float))
    parts = [pd.DataFrame({"row": [], "sample": [], "compartment_id": []}).astype({"row": int})]
    # In each field: the circle that holds a dead cell, if it had closed by then.
    for key, here in dead.groupby(FIELD):
        there = closable[(closable["sample"] == key[0]) & (closable["fov"] == key[1])]
        circles = Circles(there[["y_px", "x_px"]].to_numpy(float), there["radius_px"].to_numpy(float))
        which = locate(here[["y", "x"]].to_numpy(float), circles, tolerance=0).compartment
        inside = which >= 0
        inside[inside] = here["end_frame"].to_numpy()[inside] >= there["closed"].to_numpy()[which[inside]]
        names = there["compartment_id"].to_numpy(object)[which[inside]]
        parts.append(here.loc[inside, ["row", "sample"]].assign(compartment_id=names))
    return pd.concat(parts, ignore_index=True)
