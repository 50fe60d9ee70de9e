"""Exact minimum-cost bipartite matching in which a row may stay unmatched at a no-link cost."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

DENSE_ENTRIES = 250_000
"""Largest cost matrix, in entries, for the dense solver."""


def match(
    rows: np.ndarray, cols: np.ndarray, costs: np.ndarray, shape: tuple[int, int], no_link_cost: float
) -> tuple[np.ndarray, np.ndarray]:
    """Match rows to columns at the lowest total cost; an unmatched row costs ``no_link_cost``.

    This is the linear assignment problem of frame-to-frame linking and gap closing (Jaqaman et al. 2008, Nature
    Methods 5, 695). Connected components of the graph of pairs are solved separately, since the time of a solver grows
    faster than the size of its problem. Most components have one row or one column: the cheapest pair solves them.

    Parameters
    ----------
    rows, cols, costs
        The allowed pairs and their costs (at least 0), shape (pairs,); no pair twice.
    shape
        Numbers of rows and columns.
    no_link_cost
        Cost of a row without a column.

    Returns
    -------
    rows, cols
        The matched pairs, in order of rows, shape (matches,) each.
    """
    # Pairs that cost at least as much as no link are never part of a solution.
    keep = costs < no_link_cost
    rows, cols, costs = (np.asarray(values)[keep] for values in (rows, cols, costs))
    if len(rows) == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    # Connected components; pairs sorted by component, then cost, shape (pairs,) each.
    problem = _components(rows, cols, shape)
    order = np.lexsort((cols, rows, costs, problem))
    rows, cols, costs, problem = (values[order] for values in (rows, cols, costs, problem))
    first = np.searchsorted(problem, np.arange(problem[-1] + 2))
    (row, all_rows, row_edges), (col, all_cols, col_edges) = (_numbered(values, problem) for values in (rows, cols))
    # Components with one row or one column: their first pair is the cheapest. Sizes have shape (components, 2).
    sizes = np.c_[np.diff(row_edges), np.diff(col_edges)]
    easy = sizes.min(axis=1) == 1
    matched = [(rows[first[:-1][easy]], cols[first[:-1][easy]])]
    # All other components: one exact assignment each.
    for number in np.flatnonzero(~easy).tolist():
        pairs = slice(first[number], first[number + 1])
        size = (int(sizes[number, 0]), int(sizes[number, 1]))
        matched_row, matched_col = match_connected(row[pairs], col[pairs], costs[pairs], size, no_link_cost)
        matched.append((all_rows[row_edges[number] + matched_row], all_cols[col_edges[number] + matched_col]))
    rows, cols = (np.concatenate(side).astype(np.int64) for side in zip(*matched, strict=True))
    order = np.argsort(rows)
    return rows[order], cols[order]


def match_connected(
    rows: np.ndarray, cols: np.ndarray, costs: np.ndarray, shape: tuple[int, int], no_link_cost: float
) -> tuple[np.ndarray, np.ndarray]:
    """Match as :func:`match` does, as one assignment problem.

    Parameters and results are those of :func:`match`. Every cost is below ``no_link_cost``; there is at least one pair.
    Small problems are solved by SciPy's ``linear_sum_assignment``, large ones by its sparse counterpart (Jonker and
    Volgenant 1987); both are exact.
    """
    n, m = shape
    # Every row gets a column of its own that means "no link", so that a full matching of the rows exists.
    if n * (m + n) <= DENSE_ENTRIES:
        square = np.full((n, m + n), np.inf)
        square[rows, cols] = costs
        square[np.arange(n), m + np.arange(n)] = no_link_cost
        matched_rows, chosen = linear_sum_assignment(square)
    else:
        all_rows = np.arange(n)
        # The offset keeps explicit zeros in the sparse matrix; it does not change the optimum.
        weights = np.r_[costs, np.full(n, no_link_cost)] + no_link_cost
        table = csr_matrix((weights, (np.r_[rows, all_rows], np.r_[cols, m + all_rows])), shape=(n, m + n))
        matched_rows, chosen = min_weight_full_bipartite_matching(table)
    matched = chosen < m
    order = np.argsort(matched_rows[matched])
    return matched_rows[matched][order].astype(np.int64), chosen[matched][order].astype(np.int64)


def _components(rows: np.ndarray, cols: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the connected component of each pair, numbered from 0, shape (pairs,)."""
    n, m = shape
    graph = coo_matrix((np.ones(len(rows), bool), (rows, n + cols)), shape=(n + m, n + m))
    return np.unique(connected_components(graph, directed=False)[1][rows], return_inverse=True)[1]


def _numbered(values: np.ndarray, problem: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return numbers of the rows, or of the columns, within each component, from 0.

    Returns
    -------
    numbers
        Number of each pair's row within its component, shape (pairs,).
    distinct
        All rows, sorted by component, shape (rows,).
    edges
        Where each component begins in ``distinct``, and the end, shape (components + 1,).
    """
    distinct, seen, inverse = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(problem[seen], kind="stable")
    edges = np.searchsorted(problem[seen][order], np.arange(problem[-1] + 2))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[inverse] - edges[problem], distinct[order], edges
