"""Exact minimum-cost matching in which anyone may stay alone."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

DENSE_ENTRIES = 250_000


def match(
    rows: np.ndarray, cols: np.ndarray, costs: np.ndarray, shape: tuple[int, int], alone: float
) -> tuple[np.ndarray, np.ndarray]:
    """Match rows to columns at the least total cost; a row that stays alone costs ``alone``.

    Small problems are solved by SciPy's ``linear_sum_assignment``, large ones by its sparse counterpart (Jonker and
    Volgenant 1987); both are exact.

    Parameters
    ----------
    rows, cols, costs
        The allowed pairs and their costs (at least 0), shape (pairs,); no pair twice.
    shape
        Numbers of rows and columns.
    alone
        Cost of a row without a column.

    Returns
    -------
    rows, cols
        The matched pairs, in order of rows, shape (matches,) each.
    """
    n, m = shape
    keep = costs < alone
    rows, cols, costs = rows[keep], cols[keep], costs[keep]
    if len(rows) == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    if n * (m + n) <= DENSE_ENTRIES:
        square = np.full((n, m + n), np.inf)
        square[rows, cols] = costs
        square[np.arange(n), m + np.arange(n)] = alone
        found, chosen = linear_sum_assignment(square)
    else:
        every = np.arange(n)
        weights = np.r_[costs, np.full(n, alone)] + alone  # the offset keeps explicit zeros; it changes no optimum
        table = csr_matrix((weights, (np.r_[rows, every], np.r_[cols, m + every])), shape=(n, m + n))
        found, chosen = min_weight_full_bipartite_matching(table)
    matched = chosen < m
    order = np.argsort(found[matched])
    return found[matched][order].astype(np.int64), chosen[matched][order].astype(np.int64)
