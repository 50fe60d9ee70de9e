"""One-to-one matching: sparse and dense solvers agree, and parts are solved as the whole is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from cineseq.tracking import assignment


@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_sparse_and_dense_matching_agree(seed, n, m):
    rng = np.random.default_rng(seed)
    rows, cols = np.nonzero(rng.random((n, m)) < 0.7)
    costs = rng.uniform(0, 1.5, len(rows))
    table = {(r, c): v for r, c, v in zip(rows, cols, costs, strict=True)}

    def total(pairs: tuple[np.ndarray, np.ndarray]) -> float:
        return sum(table[p] - 1.0 for p in zip(*pairs, strict=True))

    dense = assignment.match(rows, cols, costs, (n, m), 1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "DENSE_ENTRIES", 0)
        sparse = assignment.match(rows, cols, costs, (n, m), 1.0)
    assert total(dense) == pytest.approx(total(sparse))
    for pairs in (dense, sparse):
        assert len(set(pairs[0].tolist())) == len(set(pairs[1].tolist())) == len(pairs[0])


@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(1, 12), st.floats(0.02, 0.4))
@settings(max_examples=100, deadline=None)
def test_solving_each_connected_problem_alone_is_solving_all_at_once(seed, n, m, share):
    rng = np.random.default_rng(seed)
    rows, cols = np.nonzero(rng.random((n, m)) < share)
    costs = rng.uniform(0, 1.2, len(rows))
    square = np.full((n, m + n), 9.0)
    square[rows, cols] = costs
    square[np.arange(n), m + np.arange(n)] = 1.0
    row, column = linear_sum_assignment(square)
    wanted = [(r, c) for r, c in zip(row.tolist(), column.tolist(), strict=True) if c < m]
    found = assignment.match(rows, cols, costs, (n, m), 1.0)
    assert list(zip(*(side.tolist() for side in found), strict=True)) == wanted
