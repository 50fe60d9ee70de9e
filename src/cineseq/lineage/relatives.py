"""Pairs of sisters, cousins, and unrelated neighbours of the same field and birth time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from cineseq.lineage.trees import LineageTrees
from cineseq.text import count

CANDIDATES = 9
PLACE = ["birth_y", "birth_x"]
FAR = 1e4
"""Distance between fields in the space of scaled birth time and position, in standard deviations."""
TIE = 1e-6
"""Jitter that separates cells with equal coordinates, which make a k-d tree slow."""


def relatives_of(families: LineageTrees, birth_time_bins: int) -> dict[str, np.ndarray]:
    """Return the pairs of each relation.

    All relations use cells that have a sister in the data, so that they differ in relatedness only.

    Parameters
    ----------
    families
        The trees.
    birth_time_bins
        Neighbours differ in birth time by at most the range of the field divided by this number. The nearest cell in
        birth time and position at birth is chosen. A cell without a position at birth is matched by time only.

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
    # Grandparent of each pair of sisters, shape (pairs,); two pairs with the same one are cousins.
    of_pair = parent[sisters[:, 0]] if len(sisters) else np.empty(0, dtype=int)
    grandparent = np.where(of_pair >= 0, parent[of_pair.clip(min=0)], -1) if len(sisters) else of_pair
    rows = np.flatnonzero(grandparent >= 0)
    rows = rows[np.argsort(grandparent[rows], kind="stable")]
    ordered = grandparent[rows]
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
    # Cells with a position choose among such cells; the others choose among all by birth time.
    chosen = np.full(len(rows), -1)
    for query, candidates, columns in ((placed, placed, ["birth", *PLACE]), (rest, np.arange(len(rows)), ["birth"])):
        if len(query):
            chosen[query] = _nearest(cells, query, candidates, columns, reach)
    pairs = np.sort(np.column_stack([np.arange(len(rows)), chosen])[chosen >= 0], axis=1)
    return rows[np.unique(pairs, axis=0)] if len(pairs) else np.empty((0, 2), dtype=int)


def _nearest(
    cells: pd.DataFrame, query: np.ndarray, candidates: np.ndarray, columns: list[str], reach: np.ndarray
) -> np.ndarray:
    """Return the nearest unrelated candidate of each query cell, -1 where none; all are positions in ``cells``."""
    points = _scaled(cells, columns)
    # The nearest few candidates of each cell, shape (query, CANDIDATES), then the first one that is allowed.
    near = cKDTree(points[candidates]).query(points[query], k=min(CANDIDATES, len(candidates)))[1]
    near = candidates[near.reshape(len(query), -1)]
    root_cell, birth, field = (cells[c].to_numpy() for c in ("root_cell", "birth", "field"))
    allowed = (
        (root_cell[near] != root_cell[query, None])
        & (field[near] == field[query, None])
        & (np.abs(birth[near] - birth[query, None]) <= reach[query, None])
    )
    return np.where(allowed.any(axis=1), near[np.arange(len(query)), allowed.argmax(axis=1)], -1)


def _scaled(cells: pd.DataFrame, columns: list[str]) -> np.ndarray:
    values = cells[columns].to_numpy(float)
    spread = np.nanstd(values, axis=0)
    scaled = values / np.where(spread > 0, spread, 1.0)
    tie = np.random.default_rng(0).random(len(cells)) * TIE
    return np.column_stack([cells["field"].to_numpy() * FAR, scaled, tie])


def matching_note(families: LineageTrees, relation: str, pairs: np.ndarray) -> str:
    """Return a note on neighbours that were matched by birth time only, or an empty text."""
    if relation != "neighbours" or not len(pairs):
        return ""
    without = int(families.cells[PLACE].isna().any(axis=1).to_numpy()[pairs].any(axis=1).sum())
    if not without:
        return ""
    return f"{count(without)} of {count(len(pairs), 'pair')} matched by birth time only: no position at birth"


def interval_note(relation: str, low: float) -> str:
    """Return a note on the intervals of neighbours, which cluster pairs by only one of their two root cells."""
    if relation != "neighbours" or not np.isfinite(low):
        return ""
    return "the interval clusters pairs by one of their two root cells"
