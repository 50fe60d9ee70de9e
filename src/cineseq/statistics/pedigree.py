"""Root cells, generations and sisters, from the parent of each cell."""

from __future__ import annotations

import numpy as np
import pandas as pd


class OwnAncestorError(ValueError):
    """Raised for a cell that descends from itself; the message is its name."""


def root_cells(parent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the root cell and the generation of every cell.

    Parameters
    ----------
    parent
        Index of each cell's parent, shape (cells,); -1 if unknown.

    Returns
    -------
    tuple of numpy.ndarray
        Index of the first known ancestor (the cell itself if its parent is unknown) and the number of divisions
        since it, each shape (cells,); both -1 for a cell that descends from itself, or from one that does.
    """
    # Start from cells without a parent and pass generation and root cell on, one generation per round.
    generation = np.where(parent < 0, 0, -1)
    root_cell = np.where(parent < 0, np.arange(len(parent)), -1)
    while (todo := (generation < 0) & (generation[parent] >= 0)).any():
        generation[todo] = generation[parent[todo]] + 1
        root_cell[todo] = root_cell[parent[todo]]
    return root_cell, generation


def ancestry(names: pd.Series, parents: pd.Series) -> dict[str, pd.Series]:
    """Return the columns ``founder_id``, ``generation`` and ``sister_id`` of cells, by the names of their parents.

    Parameters
    ----------
    names
        Name of each cell, unique text.
    parents
        Name of each cell's parent, missing if unknown. A parent that is not among the cells is a root cell.

    Raises
    ------
    OwnAncestorError
        When a cell descends from itself.
    """
    codes, known = pd.factorize(pd.concat([names, parents]).to_numpy(object))
    cell, parent_of_cell = codes[: len(names)], codes[len(names) :]
    # Parent of every name, shape (names,), -1 where none; parents that are not among the cells come last.
    parent = np.full(len(known), -1)
    parent[cell] = parent_of_cell
    root_cell, generation = root_cells(parent)
    if (generation < 0).any():
        raise OwnAncestorError(known[own_ancestor(parent, generation)])
    sister = sisters(sister_pairs(parent_of_cell), len(names))
    return {
        "founder_id": pd.Series(known[root_cell[cell]], dtype="string"),
        "generation": pd.Series(generation[cell]),
        "sister_id": names.take(sister).reset_index(drop=True).where(sister >= 0),
    }


def own_ancestor(parent: np.ndarray, generation: np.ndarray) -> int:
    """Return the first cell of a cycle of ancestors, reached from the first cell without a generation."""
    cell = int(np.argmax(generation < 0))
    for _ in range(len(parent) + 1):
        cell = int(parent[cell])  # after as many steps as there are cells it is within the cycle
    first, at = cell, int(parent[cell])
    while at != cell:
        first, at = min(first, at), int(parent[at])
    return first


def sister_pairs(parent: np.ndarray) -> np.ndarray:
    """Return the indices of both daughters of every parent cell with exactly two, ordered by parent; shape (pairs, 2).

    Parameters
    ----------
    parent
        Number of each cell's parent, shape (cells,), which need not be among the cells; -1 if unknown.
    """
    # Sort the daughters by parent and keep those of parents with exactly two.
    daughters = np.flatnonzero(parent >= 0)
    by_parent = daughters[np.argsort(parent[daughters], kind="stable")]
    _, family, size = np.unique(parent[by_parent], return_inverse=True, return_counts=True)
    return by_parent[size[family] == 2].reshape(-1, 2)


def sisters(pairs: np.ndarray, cells: int) -> np.ndarray:
    """Return the index of each cell's sister, -1 without a sister, shape (cells,); see :func:`sister_pairs`."""
    sister = np.full(cells, -1)
    sister[pairs] = pairs[:, ::-1]
    return sister
