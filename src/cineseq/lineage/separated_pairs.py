"""Pairs of sisters that were in different compartments before the fate of either.

A compartment with two living cells gives one library and is not read. Where sisters share a compartment, a survivor is
therefore read only if its sister died, while separated pairs are read whatever became of them. Families that share a
compartment may differ from others in more than deaths, so that only separated pairs are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.lineage.trees import LineageTrees
from cineseq.text import count

COMPARED = ("died", "survived")
FEWEST_TOGETHER = 3
LEAST_SHARE = 0.08
"""Share of the placed pairs in one compartment from which sisters count as sharing; fewer may be placed wrongly."""

READ_AS_OFTEN = 0.5
"""Survivors that share a compartment with their living sister count as read from this fraction of the others' rate."""


@dataclass(frozen=True)
class Sharing:
    """Pairs of sisters that share a compartment.

    Attributes
    ----------
    pairs, placed
        Pairs in one compartment, and pairs of which both compartments are known.
    dead_placed
        Pairs with a dead sister among the placed ones.
    left_unread
        Whether survivors that share a compartment with their living sister were read less often than other survivors,
        or there are none.
    """

    pairs: int
    placed: int
    dead_placed: int
    left_unread: bool

    @property
    def selects(self) -> bool:
        """Whether reading only compartments with one live cell selects for dead sisters."""
        frequent = self.pairs >= FEWEST_TOGETHER and self.pairs >= LEAST_SHARE * self.placed
        return frequent and self.left_unread


def together(
    families: LineageTrees, status: pd.DataFrame, pairs: pd.DataFrame | None, dead: pd.DataFrame | None = None
) -> np.ndarray:
    """Return which cells share the compartment of their sister, shape (cells,).

    Parameters
    ----------
    families, status
        Trees, and :func:`~cineseq.lineage.sister_status.sister_status` of their cells.
    pairs
        The pairs table, with the compartments of live cells; None where there is none.
    dead
        Dead cells in compartments that were closed when they died: ``row`` in the trees, ``sample`` and
        ``compartment_id``; None where not known.

    Returns
    -------
    numpy.ndarray
        1 in the same compartment, 0 in different ones, NaN where one of them is not known.
    """
    place = pd.Series(pd.NA, range(len(families.cells)), dtype=object)
    if pairs is not None:
        placed = pairs.dropna(subset=["track_id", "compartment_id"]).drop_duplicates("track_id").set_index("track_id")
        place[:] = placed["compartment_id"].astype(object).reindex(families.cells["track_id"]).to_numpy()
    if dead is not None:
        place[dead["row"].to_numpy(int)] = dead["compartment_id"].to_numpy(object)
    code = pd.factorize(place)[0]
    sister = status["sister"].to_numpy()
    known = (code >= 0) & (sister >= 0) & (code[sister] >= 0)
    return np.where(known, (code == code[sister]).astype(float), np.nan)


def sharing(cells: pd.DataFrame) -> Sharing:
    """Count the pairs of sisters of one sample that share a compartment.

    Parameters
    ----------
    cells
        Cells of the sample with ``together`` as :func:`together` returns, ``status``, ``sequenced`` and
        ``alive_at_end``.
    """
    shared, apart = cells["together"] == 1, cells["together"] == 0
    alive = (cells["status"] == "survived") & (cells["alive_at_end"] == 1)
    read, others = cells.loc[alive & shared, "sequenced"], cells.loc[alive & apart, "sequenced"]
    rate = others.mean() if len(others) else 1.0
    unread = not len(read) or read.mean() < READ_AS_OFTEN * rate
    placed = shared | apart
    dead_placed = (placed & (cells["status"] == "died")).sum()
    return Sharing(int(shared.sum()) // 2, int(placed.sum()) // 2, int(dead_placed), bool(unread))


@dataclass(frozen=True)
class Eligible:
    """Survivors that the primary contrast may compare.

    Attributes
    ----------
    cells
        Whether the cell may be compared, shape (cells,).
    families
        Families left out: with a sequenced survivor, and a sister that died or is alive at the end.
    reason
        Why they are left out; empty where none is.
    """

    cells: np.ndarray
    families: int
    reason: str


def eligible(families: LineageTrees, status: pd.DataFrame, shared: np.ndarray) -> Eligible:
    """Choose the pairs of sisters that can be compared without selection by compartment.

    In a sample in which reading selects for dead sisters (:class:`Sharing`), these are the pairs known to have been
    separated. In another sample, pairs known to share a compartment are left out, unless such pairs were read too.

    Parameters
    ----------
    families, status
        Trees, and :func:`~cineseq.lineage.sister_status.sister_status` of their cells with ``sequenced``.
    shared
        As :func:`together` returns.

    References
    ----------
    Hernan, Hernandez-Diaz and Robins, Epidemiology 15 (2004) 615 (selection bias; restriction is used because living
    pairs in one compartment are never read, so that no weight can represent them).
    """
    cells = families.cells[["sample", "alive_at_end"]].assign(
        together=shared, status=status["status"].to_numpy(), sequenced=status["sequenced"].to_numpy(bool)
    )
    may = np.ones(len(cells), dtype=bool)
    selected = []
    for rows in cells.groupby("sample").indices.values():
        found = sharing(cells.iloc[rows])
        if found.selects:
            may[rows] = shared[rows] == 0
            selected.append(found)
        elif found.left_unread:
            may[rows] = shared[rows] != 1
    out = status.loc[~may & cells["sequenced"].to_numpy() & cells["status"].isin(COMPARED).to_numpy(), "block"]
    number = int(out.nunique())
    return Eligible(may, number, _reason(selected, number) if number else "")


def _reason(selected: list[Sharing], number: int) -> str:
    left_out = f"{count(number, 'family is', 'families are')} left out"
    if not selected:
        return f"{left_out}, whose sisters share a compartment"
    pairs, placed = sum(found.pairs for found in selected), sum(found.placed for found in selected)
    if pairs == placed and any(found.dead_placed for found in selected):
        known = f"all {count(placed, 'pair')} of sisters in known compartments share one"
        return f"{known}, so that a survivor read there has a dead sister; {left_out}"
    share = f"{count(pairs)} of {count(placed, 'pair')} of sisters in known compartments share one, and living ones"
    text = f"{share} are not read there; {left_out} that are not known to have been separated before either's fate"
    if any(found.dead_placed == 0 for found in selected):
        text += " (the compartments of dead sisters are not known: supply the table of compartments)"
    return text
