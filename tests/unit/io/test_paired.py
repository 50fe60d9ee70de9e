"""A part of the paired data, and their order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from tests.unit.io.paired_examples import CELLS, paired

from cineseq.io.paired import in_order


@given(rows=st.one_of(st.lists(st.booleans(), min_size=3, max_size=3), st.lists(st.integers(0, 2), max_size=5)))
def test_a_subset_keeps_rows_together(rows: list) -> None:
    chosen = np.array(rows, dtype=bool if len(rows) == 3 and all(isinstance(r, bool) for r in rows) else int)
    data = paired(sparse.csr_matrix(np.arange(6).reshape(3, 2)))
    part = data.subset(chosen)
    expected = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
    assert part.obs.index.tolist() == [CELLS[i] for i in expected]
    assert part.counts.toarray()[:, 0].tolist() == [2 * i for i in expected]
    assert part.function["function_kill"].tolist() == [[0.0, 1.0, 0.5][i] for i in expected]
    assert part.morphology.index.tolist() == part.embedding.index.tolist() == part.obs.index.tolist()


def test_cells_are_ordered_by_name() -> None:
    data = paired(sparse.csr_matrix(np.arange(6).reshape(3, 2))).subset(np.array([2, 0, 1]))
    assert in_order(data).obs.index.tolist() == ["s/1/10", "s/1/2", "s/1/3"]
    assert in_order(data).counts.toarray().tolist() == [[0, 1], [2, 3], [4, 5]]
