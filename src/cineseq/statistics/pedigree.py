"""Compute root cells (founders), generations and sisters from the parent of each cell."""

from __future__ import annotations

import numpy as np


def founders(parent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the founder and the generation of every cell.

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
    # Start from cells without a parent and pass generation and founder on, one generation per round.
    generation = np.where(parent < 0, 0, -1)
    founder = np.where(parent < 0, np.arange(len(parent)), -1)
    while (todo := (generation < 0) & (generation[parent] >= 0)).any():
        generation[todo] = generation[parent[todo]] + 1
        founder[todo] = founder[parent[todo]]
    return founder, generation


def own_ancestor(parent: np.ndarray, generation: np.ndarray) -> int:
    """Return a cell that descends from itself, reached from the first cell without a generation."""
    cell = int(np.argmax(generation < 0))
    for _ in range(len(parent) + 1):
        cell = int(parent[cell])
    return cell


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
