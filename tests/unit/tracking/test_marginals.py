"""Probabilities of events that exclude each other, against the sum over all allowed sets."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cineseq.tracking.marginals import LEAST_ODDS, marginals, probabilities


def exact(log_odds: np.ndarray, uses: np.ndarray) -> np.ndarray:
    total, with_event = 0.0, np.zeros(len(log_odds))
    for size in range(len(log_odds) + 1):
        for chosen in map(list, combinations(range(len(log_odds)), size)):
            used = uses[chosen][uses[chosen] >= 0]
            if len(used) == len(np.unique(used)):
                weight = np.exp(log_odds[chosen].sum())
                total += weight
                with_event[chosen] += weight
    return with_event / total


@given(st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=7))
@settings(max_examples=40, deadline=None)
def test_on_a_chain_of_links_the_probabilities_are_exact(values):
    # objects 0, 1, ... may become objects 10, 11, ...: each the one of its number, or the one after it
    event = np.arange(len(values))
    uses = np.c_[event // 2, 10 + (event + 1) // 2, np.full(len(values), -1)]
    found = marginals(np.array(values), uses, 20, 200)
    assert found == pytest.approx(exact(np.array(values), uses), abs=2e-3)


@given(st.lists(st.floats(-3, 6, width=32), min_size=3, max_size=3))
@settings(max_examples=40, deadline=None)
def test_a_division_and_links_to_its_daughters_have_exact_probabilities(values):
    # parent 0; daughters 1 and 2; links to each, and the division
    uses = np.array([[0, 1, -1], [0, 2, -1], [0, 1, 2]])
    found = marginals(np.array(values), uses, 3, 200)
    assert found == pytest.approx(exact(np.array(values), uses), abs=2e-3)


@given(st.lists(st.floats(-3, 6, width=32), min_size=6, max_size=6))
@settings(max_examples=40, deadline=None)
def test_two_parents_of_one_cell_have_exact_probabilities(values):
    # parents 0 and 1; daughters 2, 3 and 4, of which 3 may be that of either
    uses = np.array([[0, 2, -1], [0, 3, -1], [0, 2, 3], [1, 3, -1], [1, 4, -1], [1, 3, 4]])
    found = marginals(np.array(values), uses, 5, 300)
    assert found == pytest.approx(exact(np.array(values), uses), abs=2e-3)


@given(st.integers(0, 2**31), st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_no_resource_is_used_more_than_once_on_average(seed, events):
    rng = np.random.default_rng(seed)
    uses = np.c_[rng.integers(0, 6, events), 6 + rng.integers(0, 6, events), np.full(events, -1)]
    found = marginals(rng.normal(0, 4, events), uses, 12, 300)
    assert ((found >= 0) & (found <= 1)).all()
    assert np.bincount(uses[:, :2].ravel(), np.repeat(found, 2), 12).max() < 1 + 1e-9


def test_what_is_out_of_the_question_has_no_probability():
    found = probabilities(np.array([LEAST_ODDS - 1, 0.0]), np.array([[0, 1, -1], [2, 3, -1]]), 4, 10)
    assert found == pytest.approx([0.0, 0.5])


def test_probabilities_of_a_tie_do_not_add_up_to_more_than_one():
    # a lattice, each point of which may become any of the four around it, or divide into any two of them
    side, step = 12, ((0, 0), (0, 1), (1, 0), (1, 1))
    number = np.arange(side * side).reshape(side, side)
    near = np.stack([np.roll(number, (-y, -x), (0, 1)).ravel() for y, x in step], axis=1)
    one, n = number.ravel(), number.size
    links = np.concatenate([np.c_[one, n + near[:, [k]], -np.ones((n, 1), int)] for k in range(4)])
    pairs = [(i, k) for k in range(4) for i in range(k)]
    births = np.concatenate([np.c_[one, n + near[:, list(pair)]] for pair in pairs])
    uses = np.r_[links, births]
    found = marginals(np.r_[np.full(len(links), 5.0), np.full(len(births), 12.0)], uses, 2 * n, 20)
    used = uses >= 0
    assert np.bincount(uses[used], np.broadcast_to(found[:, None], uses.shape)[used]).max() < 1 + 1e-9
