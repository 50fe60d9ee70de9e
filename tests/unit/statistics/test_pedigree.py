"""Founders, generations and sisters from parents."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from cineseq.statistics.pedigree import founders, own_ancestor, sister_pairs, sisters

MOTHERS = st.lists(st.integers(-1, 30), max_size=30).map(
    lambda drawn: np.array([min(m, cell - 1) for cell, m in enumerate(drawn)], dtype=int)
)
"""Mothers that stand before their daughters."""


def test_a_family_of_three_generations():
    parent = np.array([-1, 0, 0, 2, 2, -1, 5])
    founder, generation = founders(parent)
    assert founder.tolist() == [0, 0, 0, 0, 0, 5, 5]
    assert generation.tolist() == [0, 1, 1, 2, 2, 0, 1]
    assert sister_pairs(parent).tolist() == [[1, 2], [3, 4]]
    assert sisters(sister_pairs(parent), 7).tolist() == [-1, 2, 1, 4, 3, -1, -1]


def test_three_daughters_of_one_parent_are_no_sisters():
    assert sister_pairs(np.array([-1, 0, 0, 0])).shape == (0, 2)


def test_a_parent_need_not_be_among_the_cells():
    assert sister_pairs(np.array([9, 7, 9, 7])).tolist() == [[1, 3], [0, 2]]


def test_who_descends_from_itself_has_no_founder():
    parent = np.array([1, 2, 3, 1, -1])
    founder, generation = founders(parent)
    assert founder.tolist() == [-1, -1, -1, -1, 4]
    assert generation.tolist() == [-1, -1, -1, -1, 0]
    assert own_ancestor(parent, generation) in {1, 2, 3}


def test_no_cells_have_no_pedigree():
    nobody = np.empty(0, dtype=int)
    assert [len(a) for a in (*founders(nobody), sister_pairs(nobody), sisters(sister_pairs(nobody), 0))] == [0] * 4


@given(MOTHERS)
def test_a_daughter_is_of_her_parents_family_and_one_generation_on(parent):
    founder, generation = founders(parent)
    born = np.flatnonzero(parent >= 0)
    assert (founder[born] == founder[parent[born]]).all()
    assert (generation[born] == generation[parent[born]] + 1).all()
    assert (founder[parent < 0] == np.flatnonzero(parent < 0)).all()
    assert not generation[parent < 0].any()


@given(MOTHERS)
def test_sisters_are_each_others_and_have_one_parent_with_no_other_daughter(parent):
    sister = sisters(sister_pairs(parent), len(parent))
    has = np.flatnonzero(sister >= 0)
    assert (sister[sister[has]] == has).all()
    assert (parent[sister[has]] == parent[has]).all()
    daughters = pd.Series(parent[parent >= 0]).value_counts()
    assert len(has) == 2 * (daughters == 2).sum()
