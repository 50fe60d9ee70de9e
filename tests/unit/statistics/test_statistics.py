"""Shared statistics: literal values, invariants, behaviour on null data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from cineseq.statistics.correlation import partial_spearman, spearman_within
from cineseq.statistics.metrics import (
    area_interval,
    area_under_curve,
    centred,
    r2,
    r2_interval,
)
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


def test_r2_is_against_the_training_mean_and_may_be_negative():
    assert r2(np.array([1.0, 1.0]), np.array([2.0, 2.0])) == pytest.approx(0.75)
    assert r2(np.array([2.0, 2.0]), np.array([1.0, 1.0])) == pytest.approx(-3)
    assert np.isnan(r2(np.zeros(3), np.zeros(3)))


def test_centred_has_zero_mean_in_every_group():
    values = np.arange(12.0).reshape(6, 2)
    groups = np.array(["a", "b", "a", "b", "a", "b"])
    assert centred(values, groups)[groups == "a"].sum(axis=0) == pytest.approx([0, 0])


def test_the_interval_of_r2_is_a_jackknife_over_groups_with_effective_degrees_of_freedom():
    gain, total = np.array([3.0, 1.0, 2.0, 2.0, 4.0, 1.0]), np.array([6.0, 4.0, 4.0, 5.0, 8.0, 3.0])
    without = (gain.sum() - gain) / (total.sum() - total)
    error = np.sqrt(5 / 6 * np.square(without - without.mean()).sum() * (1 + 3 / 6))
    half = stats.t.ppf(0.975, 30**2 / np.square(total).sum() - 1) * error
    middle = 13 / 30
    assert r2_interval(gain, total, np.arange(6)) == pytest.approx((middle - half, middle + half))
    # Cells of one group are summed.
    split = np.repeat(np.arange(6), 2)
    assert r2_interval(gain[split] / 2, total[split] / 2, split) == pytest.approx((middle - half, middle + half))


@pytest.mark.parametrize(("groups", "lowest"), [(6, 0.89), (12, 0.92)])
def test_the_interval_of_r2_covers_with_few_groups_of_sizes_one_to_four(groups: int, lowest: float):
    rng = np.random.default_rng(3)
    size = np.linspace(1, 4, groups)
    units = np.repeat(np.arange(groups), np.round(20 * size / size.mean()).astype(int))
    covered = 0
    for _ in range(1000):
        signal, noise = rng.normal(size=(2, len(units)))
        value = signal + noise + 0.3 * rng.normal(size=groups)[units]
        low, high = r2_interval(value**2 - (value - signal) ** 2, value**2, units)
        covered += low <= 1 - 1.09 / 2.09 <= high
    assert lowest <= covered / 1000 <= 0.99


def test_fewer_than_six_groups_have_no_interval():
    gain, total = np.arange(1.0, 7.0), np.arange(2.0, 8.0) * 2
    assert np.isfinite(r2_interval(gain, total, np.arange(6))).all()
    assert np.isnan(r2_interval(gain[:5], total[:5], np.arange(5))).all()
    assert np.isnan(r2_interval(np.zeros(8), np.zeros(8), np.arange(8))).all()


def test_partial_spearman_without_covariates_is_spearman():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    rho, p = partial_spearman(x, y, np.empty((60, 0)), np.arange(60))
    expected = [stats.spearmanr(column, y) for column in x.T]
    assert rho == pytest.approx([e.statistic for e in expected])
    assert p == pytest.approx([e.pvalue for e in expected], abs=0.05)


def test_partial_spearman_takes_a_common_cause_out():
    rng = np.random.default_rng(1)
    cause = rng.normal(size=500)
    x, y = cause + rng.normal(size=500), cause + rng.normal(size=500)
    plain = partial_spearman(x[:, None], y, np.empty((500, 0)), np.arange(500))
    given_cause = partial_spearman(x[:, None], y, stats.rankdata(cause)[:, None], np.arange(500))
    assert plain[0][0] > 0.4
    assert abs(given_cause[0][0]) < 0.12


def test_partial_spearman_of_a_constant_is_unknown():
    rho, p = partial_spearman(np.ones((20, 1)), np.arange(20.0), np.empty((20, 0)), np.arange(20))
    assert np.isnan(rho[0])
    assert np.isnan(p[0])


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_spearman_within_ignores_shifts_between_groups(seed):
    rng = np.random.default_rng(seed)
    groups = np.repeat([0, 1, 2], 20)
    x, y = rng.normal(size=60), rng.normal(size=60)
    shifted = spearman_within(x + 100 * groups, y - 50 * groups, groups)
    assert shifted == pytest.approx(spearman_within(x, y, groups))


def test_spearman_within_of_constant_predictions_is_unknown():
    assert np.isnan(spearman_within(np.zeros(20), np.arange(20.0), np.zeros(20)))


@pytest.mark.parametrize("seed", range(5))
def test_the_area_under_the_curve_counts_pairs_and_leaves_out_groups(seed: int):
    rng = np.random.default_rng(seed)
    scores, positive = rng.integers(0, 6, 40).astype(float), rng.random(40) < 0.4
    positive[:2] = (True, False)
    whole = roc_auc_score(positive, scores)
    assert area_under_curve(scores, positive) == pytest.approx(whole)
    units = np.repeat(np.arange(8), 5)
    without = np.array([roc_auc_score(positive[units != g], scores[units != g]) for g in range(8)])
    half = stats.t.ppf(0.975, 7) * np.sqrt(7 / 8 * np.square(without - without.mean()).sum() * (1 + 3 / 8))
    assert area_interval(scores, positive, units) == pytest.approx((max(whole - half, 0), min(whole + half, 1)))


def test_cells_of_one_kind_have_no_area_under_the_curve():
    scores, one_kind = np.arange(8.0), np.ones(8, dtype=bool)
    assert np.isnan(area_under_curve(scores, one_kind))
    assert np.isnan(area_interval(scores, one_kind, np.arange(8))).all()
    in_one_group = np.arange(8) == 0
    assert np.isnan(area_interval(scores, in_one_group, np.arange(8))).all()


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
