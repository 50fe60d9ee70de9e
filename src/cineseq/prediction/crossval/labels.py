"""Labels of cells that folds and permutations use: groups by columns, families, and positions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from cineseq.errors import UserError
from cineseq.prediction.crossval.feature_blocks import POSITION

FAMILY = "family"


def group_columns(obs: pd.DataFrame, names: list[str], key: str) -> list[str]:
    """Return the columns of ``obs`` for grouping names: the name itself, or ``group_`` and the name.

    Raises
    ------
    UserError
        When neither exists.
    """
    columns = []
    for name in names:
        column = next((c for c in (name, f"group_{name}") if c in obs.columns), None)
        if column is None:
            msg = (
                f"{key}: '{name}' is not a column of the paired cells; name one of "
                f"{sorted(c for c in obs.columns if obs[c].nunique() < len(obs))}."
            )
            raise UserError(msg)
        columns.append(column)
    return columns


def joint_labels(obs: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Return a number per combination of values of some columns, shape (cells,); missing is a value of its own."""
    if not columns:
        return np.zeros(len(obs), dtype=int)
    text = obs[columns].astype("string").fillna("")
    return text.groupby(columns, sort=True).ngroup().to_numpy()


def family_labels(obs: pd.DataFrame) -> np.ndarray:
    """Return the number of the family of each cell, shape (cells,); a cell of unknown family is its own family."""
    if FAMILY not in obs.columns:
        return np.arange(len(obs))
    family = obs[FAMILY].astype("string").fillna("")
    codes = pd.factorize(family)[0]
    return np.where(family == "", len(obs) + np.arange(len(obs)), codes)


def merged(*labelings: np.ndarray) -> np.ndarray:
    """Return the finest grouping that splits no group of any labelling, numbered by first appearance.

    Groups that share a cell are merged (connected components of the graph of cells and groups).
    """
    # A bipartite graph: nodes 0 to cells - 1 are cells, the others the groups of each labelling in turn.
    cells = len(labelings[0])
    rows, columns, offset = [], [], cells
    for labels in labelings:
        codes = pd.factorize(labels)[0]
        rows.append(np.arange(cells))
        columns.append(codes + offset)
        offset += codes.max() + 1
    ends = (np.concatenate(rows), np.concatenate(columns))
    graph = sparse.coo_matrix((np.ones(len(ends[0])), ends), shape=(offset, offset))
    return pd.factorize(connected_components(graph, directed=False)[1][:cells])[0]


def known_families(obs: pd.DataFrame) -> np.ndarray:
    """Return whether the family of each cell is known, shape (cells,)."""
    if FAMILY not in obs.columns:
        return np.zeros(len(obs), dtype=bool)
    return (obs[FAMILY].astype("string").fillna("") != "").to_numpy(dtype=bool)


def known_positions(obs: pd.DataFrame) -> np.ndarray | None:
    """Return row and column of the cells in the frame, shape (cells, 2), NaN where unknown; None where all are."""
    if not set(POSITION) <= set(obs.columns):
        return None
    position = obs[list(POSITION)].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    return position if np.isfinite(position).all(axis=1).any() else None
