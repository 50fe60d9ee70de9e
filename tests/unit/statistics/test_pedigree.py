"""Root cells, generations and sisters from parents."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cineseq.statistics.pedigree import (
    OwnAncestorError,
    ancestry,
    own_ancestor,
    root_cells,
    sister_pairs,
    sisters,
)

PARENTS = st.lists(st.integers(-1, 30), max_size=30).map(
    lambda drawn: np.array([min(m, cell - 1) for cell, m in enumerate(drawn)], dtype=int)
)
"""Parents that stand before their daughters."""


def test_a_family_of_three_generations():
    parent = np.array([-1, 0, 0, 2, 2, -1, 5])
    root_cell, generation = root_cells(parent)
    assert root_cell.tolist() == [0, 0, 0, 0, 0, 5, 5]
    assert generation.tolist() == [0, 1, 1, 2, 2, 0, 1]
    assert sister_pairs(parent).tolist() == [[1, 2], [3, 4]]
    assert sisters(sister_pairs(parent), 7).tolist() == [-1, 2, 1, 4, 3, -1, -1]


def test_three_daughters_of_one_parent_are_no_sisters():
    assert sister_pairs(np.array([-1, 0, 0, 0])).shape == (0, 2)


def test_a_parent_need_not_be_among_the_cells():
    assert sister_pairs(np.array([9, 7, 9, 7])).tolist() == [[1, 3], [0, 2]]


def test_who_descends_from_itself_has_no_root_cell():
    parent = np.array([1, 2, 3, 1, -1])
    root_cell, generation = root_cells(parent)
    assert root_cell.tolist() == [-1, -1, -1, -1, 4]
    assert generation.tolist() == [-1, -1, -1, -1, 0]
    assert own_ancestor(parent, generation) == 1


def test_no_cells_have_no_pedigree():
    nobody = np.empty(0, dtype=int)
    assert [len(a) for a in (*root_cells(nobody), sister_pairs(nobody), sisters(sister_pairs(nobody), 0))] == [0] * 4


@given(PARENTS)
def test_a_daughter_is_of_her_parents_family_and_one_generation_on(parent):
    root_cell, generation = root_cells(parent)
    born = np.flatnonzero(parent >= 0)
    assert (root_cell[born] == root_cell[parent[born]]).all()
    assert (generation[born] == generation[parent[born]] + 1).all()
    assert (root_cell[parent < 0] == np.flatnonzero(parent < 0)).all()
    assert not generation[parent < 0].any()


@given(PARENTS)
def test_sisters_are_each_others_and_have_one_parent_with_no_other_daughter(parent):
    sister = sisters(sister_pairs(parent), len(parent))
    has = np.flatnonzero(sister >= 0)
    assert (sister[sister[has]] == has).all()
    assert (parent[sister[has]] == parent[has]).all()
    daughters = pd.Series(parent[parent >= 0]).value_counts()
    assert len(has) == 2 * (daughters == 2).sum()


def test_ancestry_names_a_parent_that_is_not_among_the_cells_as_root_cell():
    names = pd.Series(["b", "c", "a", "d"], dtype="string")
    parents = pd.Series(["a", "a", "z", pd.NA], dtype="string")
    found = ancestry(names, parents)
    assert found["founder_id"].tolist() == ["z", "z", "z", "d"]
    assert found["generation"].tolist() == [2, 2, 1, 0]
    assert found["sister_id"].fillna("").tolist() == ["c", "b", "", ""]


def test_ancestry_names_the_first_cell_that_descends_from_itself():
    names = pd.Series(["daughter", "a", "b"], dtype="string")
    parents = pd.Series(["b", "b", "a"], dtype="string")
    with pytest.raises(OwnAncestorError, match=r"^a$"):
        ancestry(names, parents)
