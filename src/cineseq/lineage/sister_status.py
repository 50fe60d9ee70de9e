"""Status of the sister of each survivor."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.config.lineage import Lineage
from cineseq.lineage.trees import NOT_BORN_IN_MOVIE, LineageTrees
from cineseq.statistics.pedigree import sisters

STATUSES = ("died", "survived", "divided", "unknown", "none", "too_recent")
NOT_DEAD = ("survived", "divided", "none")
"""Statuses of cells whose sister is known not to have died; the sisters of others may have died."""
MEANING = {
    "died": "sister died",
    "survived": "sister alive in the last frame",
    "divided": "sister divided again",
    "unknown": "sister's fate unknown",
    "none": "no sister: not born in the movie",
    "too_recent": "born too late to be compared",
}


def sister_status(families: LineageTrees, settings: Lineage) -> pd.DataFrame:
    """Classify every cell by the fate of its sister.

    A sister that was lost, left the field, or was never detected is unknown, neither dead nor alive. Sisters that
    divided again are a separate class. Cells born too shortly before the end of the movie are ``too_recent`` whatever
    became of the sister, so that sisters in both arms were at risk for long enough.

    Parameters
    ----------
    families
        The trees.
    settings
        Settings with the least time of co-observation.

    Returns
    -------
    pandas.DataFrame
        ``status`` (one of :data:`STATUSES`), ``sister`` (row of the sister, -1 where none) and ``block`` (number of
        the pair of sisters; a cell without a sister has a number of its own). Rows as in ``families.cells``.
    """
    cells = families.cells
    sister, block = _sister_and_block(families)
    status = np.full(len(cells), "unknown", dtype=object)
    paired = sister >= 0
    died, alive, fate = (cells[c].to_numpy()[sister] for c in ("died", "alive_at_end", "fate"))
    status[paired & (fate == "division")] = "divided"
    status[paired & (alive == 1) & (fate != "division")] = "survived"
    status[paired & (died == 1)] = "died"
    status[paired & too_recent(families, settings)] = "too_recent"
    status[(cells["siblings"] == 0) & cells["start_kind"].isin(NOT_BORN_IN_MOVIE)] = "none"
    return pd.DataFrame({"status": status, "sister": sister, "block": block})


def too_recent(families: LineageTrees, settings: Lineage) -> np.ndarray:
    """Return which cells were born too shortly before the end of the movie, shape (cells,)."""
    cells = families.cells
    if settings.min_coobserved_hours is not None and families.unit == "h":
        return (cells["field_end"] - cells["birth"]).to_numpy() < settings.min_coobserved_hours
    return (cells["field_end_frame"] - cells["start_frame"]).to_numpy() < settings.min_coobserved_frames


def _sister_and_block(families: LineageTrees) -> tuple[np.ndarray, np.ndarray]:
    pairs = families.sisters
    block = len(pairs) + np.arange(len(families.cells))
    block[pairs] = np.arange(len(pairs))[:, None]
    return sisters(pairs, len(families.cells)), block
