"""The best set of events: exact where the solver finishes, greedy where it does not, and never one resource twice."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cineseq.tracking import packing
from cineseq.tracking.packing import best_packing

EVENTS = st.lists(
    st.tuples(st.floats(-1, 3, width=32), st.integers(0, 4), st.integers(5, 9), st.integers(-1, 9)),
    min_size=1,
    max_size=9,
)


def events_of(rows: list[tuple[float, int, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    value = np.array([row[0] for row in rows])
    uses = np.array([[a, b, c if c not in (a, b) else -1] for _, a, b, c in rows])
    return value, uses


def fits(uses: np.ndarray) -> bool:
    used = uses[uses >= 0]
    return len(used) == len(np.unique(used))


@given(EVENTS)
@settings(max_examples=60, deadline=None)
def test_the_set_is_the_best_of_all_sets(rows):
    value, uses = events_of(rows)
    found = best_packing(value, uses)
    sets = (list(s) for n in range(len(rows) + 1) for s in combinations(range(len(rows)), n))
    best = max(value[s].sum() for s in sets if fits(uses[s]))
    assert fits(uses[found.taken])
    assert value[found.taken].sum() == pytest.approx(best, abs=1e-6)
    assert found.unfinished == 0


def test_the_best_set_is_not_the_greedy_one():
    # the most valuable event shares a daughter with each of two others that together are worth more
    value = np.array([1.1, 1.0, 1.0])
    uses = np.array([[0, 13, 14], [1, 13, 15], [2, 14, 16]])
    assert best_packing(value, uses).taken.tolist() == [False, True, True]


def test_a_component_that_is_not_finished_is_packed_greedily_and_counted(monkeypatch):
    class Unfinished:
        status, x = 1, None

    monkeypatch.setattr(packing, "milp", lambda *_, **__: Unfinished())
    found = best_packing(np.array([1.1, 1.0, 1.0, 5.0]), np.array([[0, 13, 14], [1, 13, 15], [2, 14, 16], [3, 17, -1]]))
    assert found.taken.tolist() == [True, False, False, True]
    assert (found.components, found.largest, found.unfinished) == (1, 3, 1)


def test_nothing_of_value_is_nothing():
    found = best_packing(np.array([0.0, -1.0]), np.array([[0, 1], [0, 2]]))
    assert not found.taken.any()
