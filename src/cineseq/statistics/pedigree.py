"""Founders, generations and sisters of cells from their mothers, as arrays."""

from __future__ import annotations

import numpy as np


def founders(mother: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the founder and the generation of every cell.

    Parameters
    ----------
    mother
        Position of each cell's mother, shape (cells,); -1 where she is not known.

    Returns
    -------
    tuple of numpy.ndarray
        Position of the first known ancestor (the cell itself where its mother is not known) and the number of divisions
        since it, each shape (cells,); both -1 for a cell that descends from itself, or from one that does.
    """
    generation = np.where(mother < 0, 0, -1)
    founder = np.where(mother < 0, np.arange(len(mother)), -1)
    while (todo := (generation < 0) & (generation[mother] >= 0)).any():
        generation[todo] = generation[mother[todo]] + 1
        founder[todo] = founder[mother[todo]]
    return founder, generation


def own_ancestor(mother: np.ndarray, generation: np.ndarray) -> int:
    """Return a cell that descends from itself, one of those without a generation."""
    cell = int(np.argmax(generation < 0))
    for _ in range(len(mother) + 1):
        cell = int(mother[cell])
    return cell


def sister_pairs(mother: np.ndarray) -> np.ndarray:
    """Return the positions of both daughters of every mother that has just two, by mother; shape (pairs, 2).

    Parameters
    ----------
    mother
        Number of each cell's mother, shape (cells,), whether she is among the cells or not; -1 where she is not known.
    """
    daughters = np.flatnonzero(mother >= 0)
    by_mother = daughters[np.argsort(mother[daughters], kind="stable")]
    _, family, size = np.unique(mother[by_mother], return_inverse=True, return_counts=True)
    return by_mother[size[family] == 2].reshape(-1, 2)


def sisters(pairs: np.ndarray, cells: int) -> np.ndarray:
    """Return the position of each cell's sister, -1 where it has none, shape (cells,); see :func:`sister_pairs`."""
    sister = np.full(cells, -1)
    sister[pairs] = pairs[:, ::-1]
    return sister
