"""Pairs of sisters, cousins, and unrelated neighbours of the same field and birth time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from cineseq.kinship.families import Families

CANDIDATES = 9
FAR = 1e4
"""Separates fields in the space of scaled birth time and position, in standard deviations."""
TIE = 1e-6
"""Tells apart cells of one birth frame and no known position: a k-d tree of equal points is searched one by one."""


def relatives_of(families: Families, birth_time_bins: int) -> dict[str, np.ndarray]:
    """Return the pairs of each relation.

    Every relation is made of cells that belong to a pair of sisters, so that the relations differ in kinship only.

    Parameters
    ----------
    families
        The trees.
    birth_time_bins
        Neighbours differ in birth time by at most the field's range over this number.

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


def _cousins(families: Families) -> np.ndarray:
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


def _neighbours(families: Families, birth_time_bins: int) -> np.ndarray:
    rows = np.unique(families.sisters)
    if len(rows) < 2:
        return np.empty((0, 2), dtype=int)
    cells = families.cells.iloc[rows]
    founder, birth = cells["founder"].to_numpy(), cells["birth"].to_numpy()
    span = cells.groupby("field")["birth"].transform(np.ptp).to_numpy()
    points = _scaled(cells)
    _, near = cKDTree(points).query(points, k=min(CANDIDATES, len(rows)))
    near = near.reshape(len(rows), -1)
    field = cells["field"].to_numpy()
    allowed = (
        (founder[near] != founder[:, None])
        & (field[near] == field[:, None])
        & (np.abs(birth[near] - birth[:, None]) <= span[:, None] / birth_time_bins)
    )
    found = allowed.any(axis=1)
    chosen = near[np.arange(len(rows)), allowed.argmax(axis=1)]
    pairs = np.sort(np.column_stack([np.arange(len(rows)), chosen])[found], axis=1)
    return rows[np.unique(pairs, axis=0)] if len(pairs) else np.empty((0, 2), dtype=int)


def _scaled(cells: pd.DataFrame) -> np.ndarray:
    columns = ["birth"] + [c for c in ("y", "x") if cells[c].notna().all()]
    values = cells[columns].to_numpy(float)
    spread = values.std(axis=0)
    scaled = values / np.where(spread > 0, spread, 1.0)
    tie = np.random.default_rng(0).random(len(cells)) * TIE
    return np.column_stack([cells["field"].to_numpy() * FAR, scaled, tie])
