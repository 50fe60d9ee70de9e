"""Pairs of sisters, cousins, and unrelated neighbours of the same field and birth time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from cineseq.lineage.trees import LineageTrees

CANDIDATES = 9
PLACE = ["birth_y", "birth_x"]
FAR = 1e4
"""Separates fields in the space of scaled birth time and position, in standard deviations."""
TIE = 1e-6
"""Tells apart cells of one birth frame and no known position: a k-d tree of equal points is searched one by one."""


def relatives_of(families: LineageTrees, birth_time_bins: int) -> dict[str, np.ndarray]:
    """Return the pairs of each relation.

    Every relation is made of cells that belong to a pair of sisters, so that the relations differ in kinship only.

    Parameters
    ----------
    families
        The trees.
    birth_time_bins
        Neighbours differ in birth time by at most the field's range over this number. Among these the nearest in
        birth time and place of birth is taken; a cell whose place of birth is not known is matched by time only.

    Returns
    -------
    dict of str to numpy.ndarray
        ``sisters``, ``cousins`` and ``neighbours``: positions of cells, shape (pairs, 2).
    """
    return {
        "sisters": families.sisters,
        "cousins": _cousins(families),
        "neighbours": _neighbours(families, birth_time_bins),
    }


def _cousins(families: LineageTrees) -> np.ndarray:
    sisters = families.sisters
    parent = families.cells["parent"].to_numpy()
    mother = parent[sisters[:, 0]] if len(sisters) else np.empty(0, dtype=int)
    grandmother = np.where(mother >= 0, parent[mother.clip(min=0)], -1) if len(sisters) else mother
    rows = np.flatnonzero(grandmother >= 0)
    rows = rows[np.argsort(grandmother[rows], kind="stable")]
    ordered = grandmother[rows]
    twice = np.flatnonzero(ordered[1:] == ordered[:-1])
    left, right = sisters[rows[twice]], sisters[rows[twice + 1]]
    return np.concatenate([np.column_stack([left[:, i], right[:, j]]) for i in (0, 1) for j in (0, 1)])


def _neighbours(families: LineageTrees, birth_time_bins: int) -> np.ndarray:
    rows = np.unique(families.sisters)
    if len(rows) < 2:
        return np.empty((0, 2), dtype=int)
    cells = families.cells.iloc[rows]
    reach = cells.groupby("field")["birth"].transform(np.ptp).to_numpy() / birth_time_bins
    placed = np.flatnonzero(cells[PLACE].notna().all(axis=1))
    rest = np.setdiff1d(np.arange(len(rows)), placed)
    chosen = np.full(len(rows), -1)
    for asking, answering, columns in ((placed, placed, ["birth", *PLACE]), (rest, np.arange(len(rows)), ["birth"])):
        if len(asking):
            chosen[asking] = _nearest(cells, asking, answering, columns, reach)
    pairs = np.sort(np.column_stack([np.arange(len(rows)), chosen])[chosen >= 0], axis=1)
    return rows[np.unique(pairs, axis=0)] if len(pairs) else np.empty((0, 2), dtype=int)


def _nearest(
    cells: pd.DataFrame, asking: np.ndarray, answering: np.ndarray, columns: list[str], reach: np.ndarray
) -> np.ndarray:
    """Return for each asking cell the nearest answering one that is no kin, -1 where none; positions in ``cells``."""
    points = _scaled(cells, columns)
    near = cKDTree(points[answering]).query(points[asking], k=min(CANDIDATES, len(answering)))[1]
    near = answering[near.reshape(len(asking), -1)]
    founder, birth, field = (cells[c].to_numpy() for c in ("founder", "birth", "field"))
    allowed = (
        (founder[near] != founder[asking, None])
        & (field[near] == field[asking, None])
        & (np.abs(birth[near] - birth[asking, None]) <= reach[asking, None])
    )
    return np.where(allowed.any(axis=1), near[np.arange(len(asking)), allowed.argmax(axis=1)], -1)


def _scaled(cells: pd.DataFrame, columns: list[str]) -> np.ndarray:
    values = cells[columns].to_numpy(float)
    spread = np.nanstd(values, axis=0)
    scaled = values / np.where(spread > 0, spread, 1.0)
    tie = np.random.default_rng(0).random(len(cells)) * TIE
    return np.column_stack([cells["field"].to_numpy() * FAR, scaled, tie])


def matching_note(families: LineageTrees, relation: str, pairs: np.ndarray) -> str:
    """Say how many pairs of neighbours were matched by birth time alone, because a position at birth is missing."""
    if relation != "neighbours" or not len(pairs):
        return ""
    without = int(families.cells[PLACE].isna().any(axis=1).to_numpy()[pairs].any(axis=1).sum())
    return f"{without} of {len(pairs)} pairs matched by birth time only: no position at birth" if without else ""


def interval_note(relation: str, low: float) -> str:
    """Say that an interval of neighbours, where there is one, knows of one of the two founders of a pair alone."""
    if relation != "neighbours" or not np.isfinite(low):
        return ""
    return "the interval clusters pairs by one of their two founders"
