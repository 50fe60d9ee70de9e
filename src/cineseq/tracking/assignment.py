"""Exact minimum-cost matching in which anyone may stay alone."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

DENSE_ENTRIES = 250_000


def match(
    rows: np.ndarray, cols: np.ndarray, costs: np.ndarray, shape: tuple[int, int], alone: float
) -> tuple[np.ndarray, np.ndarray]:
    """Match rows to columns at the least total cost; a row that stays alone costs ``alone``.

    Rows and columns that no chain of pairs connects are problems of their own, and solved one by one: a solver's time
    grows faster than the size of its problem. Most have one row or one column, and their cheapest pair is the answer.

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
    keep = costs < alone
    rows, cols, costs = (np.asarray(values)[keep] for values in (rows, cols, costs))
    if len(rows) == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    problem = _problems(rows, cols, shape)
    order = np.lexsort((cols, rows, costs, problem))
    rows, cols, costs, problem = (values[order] for values in (rows, cols, costs, problem))
    first = np.searchsorted(problem, np.arange(problem[-1] + 2))
    (row, known, row_edges), (col, others, col_edges) = (_numbered(values, problem) for values in (rows, cols))
    sizes = np.c_[np.diff(row_edges), np.diff(col_edges)]
    easy = sizes.min(axis=1) == 1
    matched = [(rows[first[:-1][easy]], cols[first[:-1][easy]])]  # the cheapest pairs
    for number in np.flatnonzero(~easy).tolist():
        pairs = slice(first[number], first[number + 1])
        found, chosen = match_connected(row[pairs], col[pairs], costs[pairs], tuple(sizes[number]), alone)
        matched.append((known[row_edges[number] + found], others[col_edges[number] + chosen]))
    found, chosen = (np.concatenate(side).astype(np.int64) for side in zip(*matched, strict=True))
    order = np.argsort(found)
    return found[order], chosen[order]


def match_connected(
    rows: np.ndarray, cols: np.ndarray, costs: np.ndarray, shape: tuple[int, int], alone: float
) -> tuple[np.ndarray, np.ndarray]:
    """Match as :func:`match` does, in one problem.

    Parameters and results are those of :func:`match`, but every cost is below ``alone`` and there is at least one pair.
    Small problems are solved by SciPy's ``linear_sum_assignment``, large ones by its sparse counterpart (Jonker and
    Volgenant 1987); both are exact.
    """
    n, m = shape
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


def _problems(rows: np.ndarray, cols: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the connected problem of each pair, numbered from 0, shape (pairs,)."""
    n, m = shape
    graph = coo_matrix((np.ones(len(rows), bool), (rows, n + cols)), shape=(n + m, n + m))
    return np.unique(connected_components(graph, directed=False)[1][rows], return_inverse=True)[1]


def _numbered(values: np.ndarray, problem: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows or the columns of each problem, numbered from 0.

    Returns
    -------
    numbers
        Number of each pair's row, shape (pairs,).
    distinct
        All rows, sorted by problem.
    edges
        Where each problem's begin in ``distinct``, and its end, shape (problems + 1,).
    """
    distinct, seen, inverse = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(problem[seen], kind="stable")
    edges = np.searchsorted(problem[seen][order], np.arange(problem[-1] + 2))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[inverse] - edges[problem], distinct[order], edges
