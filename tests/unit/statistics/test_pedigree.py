"""Founders, generations and sisters from mothers."""

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
    mother = np.array([-1, 0, 0, 2, 2, -1, 5])
    founder, generation = founders(mother)
    assert founder.tolist() == [0, 0, 0, 0, 0, 5, 5]
    assert generation.tolist() == [0, 1, 1, 2, 2, 0, 1]
    assert sister_pairs(mother).tolist() == [[1, 2], [3, 4]]
    assert sisters(sister_pairs(mother), 7).tolist() == [-1, 2, 1, 4, 3, -1, -1]


def test_three_daughters_of_one_mother_are_no_sisters():
    assert sister_pairs(np.array([-1, 0, 0, 0])).shape == (0, 2)


def test_a_mother_need_not_be_among_the_cells():
    assert sister_pairs(np.array([9, 7, 9, 7])).tolist() == [[1, 3], [0, 2]]


def test_who_descends_from_itself_has_no_founder():
    mother = np.array([1, 2, 3, 1, -1])
    founder, generation = founders(mother)
    assert founder.tolist() == [-1, -1, -1, -1, 4]
    assert generation.tolist() == [-1, -1, -1, -1, 0]
    assert own_ancestor(mother, generation) in {1, 2, 3}


def test_no_cells_have_no_pedigree():
    nobody = np.empty(0, dtype=int)
    assert [len(a) for a in (*founders(nobody), sister_pairs(nobody), sisters(sister_pairs(nobody), 0))] == [0] * 4


@given(MOTHERS)
def test_a_daughter_is_of_her_mothers_family_and_one_generation_on(mother):
    founder, generation = founders(mother)
    born = np.flatnonzero(mother >= 0)
    assert (founder[born] == founder[mother[born]]).all()
    assert (generation[born] == generation[mother[born]] + 1).all()
    assert (founder[mother < 0] == np.flatnonzero(mother < 0)).all()
    assert not generation[mother < 0].any()


@given(MOTHERS)
def test_sisters_are_each_others_and_have_one_mother_with_no_other_daughter(mother):
    sister = sisters(sister_pairs(mother), len(mother))
    has = np.flatnonzero(sister >= 0)
    assert (sister[sister[has]] == has).all()
    assert (mother[sister[has]] == mother[has]).all()
    daughters = pd.Series(mother[mother >= 0]).value_counts()
    assert len(has) == 2 * (daughters == 2).sum()
