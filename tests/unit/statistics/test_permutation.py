"""P-values, false discovery rates and permutations: literal values, invariants, ties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from cineseq.statistics.permutation import benjamini_hochberg, coarse, draw_rows, exchangeable_blocks, p_value


def test_benjamini_hochberg_leaves_out_missing_tests():
    adjusted = benjamini_hochberg(np.array([0.01, np.nan, 0.04, 0.03]))
    assert adjusted[[0, 2, 3]] == pytest.approx([0.03, 0.04, 0.04])
    assert np.isnan(adjusted[1])


def test_benjamini_hochberg_of_nothing_is_nothing():
    assert np.isnan(benjamini_hochberg(np.array([np.nan, np.nan]))).all()
    assert benjamini_hochberg(np.empty(0)).shape == (0,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_benjamini_hochberg_equals_statsmodels(p):
    assert benjamini_hochberg(np.array(p)) == pytest.approx(multipletests(p, method="fdr_bh")[1])


def test_p_value_counts_ties_and_never_is_zero():
    assert p_value(1.0, np.array([0.0, 1.0, 2.0])) == pytest.approx(3 / 4)
    assert p_value(9.0, np.zeros(99)) == pytest.approx(0.01)


def test_p_value_of_nothing_is_unknown():
    assert np.isnan(p_value(np.nan, np.zeros(9)))
    assert np.isnan(p_value(0.0, np.empty(0)))


def test_p_value_by_column_skips_missing_null():
    null = np.array([[0.0, np.nan], [2.0, 0.0]])
    assert p_value(np.array([1.0, 1.0]), null) == pytest.approx([2 / 3, 1 / 2])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 12)), min_size=1, max_size=60), st.integers(0, 1000))
def test_permutation_stays_in_strata_and_keeps_families_together(pairs, seed):
    strata = np.array([s for s, _ in pairs])
    families = np.array([f for _, f in pairs]) + 100 * strata
    rows = draw_rows(exchangeable_blocks(strata, families), np.random.default_rng(seed))
    assert sorted(rows) == list(range(len(pairs)))
    assert (strata[rows] == strata).all()
    for family in np.unique(families):
        assert len(np.unique(families[rows[families == family]])) == 1


def test_permutation_moves_equal_families_and_shuffles_a_lone_one():
    families = np.array([0, 0, 1, 1, 2, 2, 2])
    rng = np.random.default_rng(0)
    drawn = np.array([draw_rows(exchangeable_blocks(np.zeros(7), families), rng) for _ in range(50)])
    assert {tuple(row[:4]) for row in drawn} == {(0, 1, 2, 3), (2, 3, 0, 1)}
    assert set(drawn[:, 4]) == {4, 5, 6}


def test_too_few_permutations_for_one_test_to_pass_are_said() -> None:
    p = np.append(np.full(60, 0.5), np.nan)
    assert coarse(199, p, "genes") == "199 permutations for 60 genes: 6 or more can pass together, fewer cannot"
    assert coarse(1199, p, "genes") == ""
    assert coarse(9, p, "genes") == "9 permutations for 60 genes: none can pass"
    assert coarse(9, np.array([np.nan]), "genes") == ""
    # What it says is true: of 60 tests, six at the least p-value possible pass, five do not.
    for count, passing in ((6, 6), (5, 0)):
        floor = np.where(np.arange(60) < count, 1 / 200, 1.0)
        assert (benjamini_hochberg(floor) <= 0.05).sum() == passing
