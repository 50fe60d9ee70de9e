"""The score of families of one and two survivors: exact cases, invariants, and the rate of false calls."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.stats.contingency_tables import StratifiedTable

from cineseq.lineage.e_value import e_values
from cineseq.lineage.sister_score import Summaries, score, sister_correlation, weights
from cineseq.lineage.sister_test import associate, mantel_haenszel


def alone(exposed, state, stratum=None, root_cell=None):
    """Families of one survivor each."""
    number = len(exposed)
    stratum = np.zeros(number, int) if stratum is None else stratum
    root_cell = np.arange(number) if root_cell is None else root_cell
    return Summaries.of_state(exposed, state, np.ones(number, int), stratum, root_cell)


def drawn(seed, *, families, strata, died, alike, rate, pairs=1, inherited=0.0):
    """States of families in which a daughter dies with a chance and stands for nothing; its sister stays."""
    rng = np.random.default_rng(seed)
    root_cell = np.arange(families) // pairs
    stratum = rng.integers(0, strata, families)[root_cell]
    risk, log_odds = (
        np.log(chance / (1 - chance)) + inherited * rng.normal(size=families)[root_cell] for chance in (died, rate)
    )
    dead = rng.random((families, 2)) < 1 / (1 + np.exp(-risk[:, None]))
    state = (rng.random((families, 2)) < 1 / (1 + np.exp(-log_odds[:, None]))).astype(float)
    copies = rng.random(families) < alike
    state[copies, 1] = state[copies, 0]
    kept = ~dead.all(axis=1)
    mean = np.nanmean(np.where(dead, np.nan, state)[kept], axis=1)
    number = 2 - dead.sum(axis=1)[kept]
    stratum = np.unique(stratum[kept], return_inverse=True)[1]
    return Summaries.of_state(dead.any(axis=1)[kept], mean, number, stratum, root_cell[kept])


def test_without_sisters_and_kin_it_is_the_mantel_haenszel_test():
    rng = np.random.default_rng(0)
    exposed, state, stratum = rng.random(200) < 0.3, (rng.random(200) < 0.4).astype(float), np.arange(200) // 40
    tables = [
        [[np.sum((exposed == arm) & (state == value) & (stratum == k)) for value in (1, 0)] for arm in (True, False)]
        for k in range(5)
    ]
    expected = StratifiedTable([np.array(table) for table in tables])
    found = associate(alone(exposed, state, stratum), 5)
    assert found.p_value == pytest.approx(expected.test_null_odds().pvalue)
    assert found.odds_ratio == pytest.approx(expected.oddsratio_pooled)
    assert (found.low, found.high) == pytest.approx(expected.oddsratio_pooled_confint())


def test_mantel_haenszel_of_one_stratum_is_the_cross_product():
    families = alone(np.repeat([True, False], [30, 40]), np.repeat([1.0, 0, 1, 0], [20, 10, 10, 30]))
    ratio, low, high, note = mantel_haenszel(families, np.ones(70))
    assert ratio == pytest.approx(20 * 30 / (10 * 10))
    assert low < ratio < high
    assert note == ""


def test_an_empty_cell_gives_no_number_but_a_p_value():
    found = associate(alone(np.repeat([True, False], [10, 10]), np.repeat([0.0, 1.0], [10, 10])), 5)
    assert np.isnan(found.odds_ratio)
    assert "0 of 10 exposed families" in found.note
    assert found.p_value < 1e-4


def test_reasons_of_what_is_not_estimable():
    few = associate(alone(np.repeat([True, False], [4, 40]), np.arange(44) % 2.0), 5)
    assert few.note == "not estimable: 4 and 40 families in strata with both arms, 5 of each are needed"
    assert not few.tested
    constant = associate(alone(np.arange(40) % 2 == 0, np.arange(40) // 20.0, np.arange(40) // 20), 5)
    assert np.isnan(constant.p_value)
    assert "no p-value: the state does not vary within strata" in constant.note


@pytest.mark.parametrize(("alike", "weight"), [(0.0, 2.0), (0.5, 1.333), (1.0, 1.0)])
def test_a_pair_is_worth_two_survivors_when_sisters_are_unlike_and_one_when_alike(alike, weight):
    rng = np.random.default_rng(0)
    stratum = np.repeat(np.arange(400), 5)
    rate = rng.uniform(0.2, 0.8, 400)[stratum]
    one, other = rng.random((2, 2000)) < rate
    other = np.where(rng.random(2000) < alike, one, other)
    pairs = Summaries.of_state(rate > 0, (one + other.astype(float)) / 2, np.full(2000, 2), stratum, np.arange(2000))
    assert weights(pairs)[0, 0] == pytest.approx(weight, abs=0.1)
    assert list(weights(alone(np.ones(3), np.ones(3), np.arange(3)))[:, 0]) == [1, 1, 1]


def test_each_kind_has_its_own_correlation():
    one = np.tile([0.0, 1], 100)
    mean = np.concatenate([one, np.where(np.arange(200) % 4 < 2, 0.5, one)])
    kind = np.arange(400) < 200
    pairs = Summaries.of_state(kind, mean, np.full(400, 2), np.zeros(400, int), np.arange(400))
    assert sister_correlation(pairs, kind)[0] == pytest.approx(1.0, abs=0.02)
    assert sister_correlation(pairs, ~kind)[0] == pytest.approx(0.0, abs=0.01)
    found = weights(pairs, kind)[:, 0]
    assert found[:200] == pytest.approx(1.0)
    assert found[200:] == pytest.approx(2.0, abs=0.02)


def test_the_correlation_of_few_pairs_is_shrunk_to_zero_most_where_the_state_is_rare():
    def of(states, singles):
        mean = np.array([*states, *singles], float)
        survivors = np.repeat([2, 1], [len(states), len(singles)])
        none = np.zeros(len(mean), int)
        families = Summaries.of_state(none == 1, mean, survivors, none, np.arange(len(mean)))
        return sister_correlation(families, survivors == 2)[0]

    # Pairs whose members are alike: four that carry the estimate evenly, forty, and forty of which one has the state.
    assert of([1, 1, 0, 0], []) == pytest.approx(16 / 20)
    assert of([1] * 20 + [0] * 20, []) == pytest.approx(1600 / 1640)
    assert of([1] + [0] * 39, []) < 0.05
    assert of([], [1, 0]) == 1


def test_a_stratum_with_a_single_pair_tells_of_the_correlation():
    rng = np.random.default_rng(3)
    stratum, number = np.repeat(np.arange(500), 3), np.tile([2, 1, 1], 500)
    one, other = (rng.random((2, 1500)) < 0.5).astype(float)
    for alike, correlation in ((one, 1.0), (other, 0.0)):
        mean = np.where(number == 2, (one + alike) / 2, one)
        families = Summaries.of_state(number == 1, mean, number, stratum, np.arange(1500))
        assert sister_correlation(families, number == 2)[0] == pytest.approx(correlation, abs=0.1)


def test_only_strata_with_both_arms_inform():
    families = alone(np.array([True, True, True, False, False]), np.ones(5), np.array([0, 0, 1, 1, 2]))
    assert list(families.informative) == [False, False, True, True, False]
    informative = families.only(families.informative)
    assert score(informative, weights(informative)).information[0] == 0.5


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_swapped_arms_give_the_inverse_odds_ratio_and_the_same_p_value(seed):
    families = drawn(seed, families=80, strata=3, died=0.4, alike=0.3, rate=0.4, pairs=2, inherited=1.0)
    one, other = (associate(f, 5) for f in (families, replace(families, exposed=~families.exposed)))
    assert one.p_value == pytest.approx(other.p_value)
    assert one.odds_ratio * other.odds_ratio == pytest.approx(1)
    assert one.low * other.high == pytest.approx(1)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_the_order_of_families_changes_nothing(seed):
    families = drawn(seed, families=80, strata=3, died=0.4, alike=0.3, rate=0.4, pairs=4, inherited=1.0)
    order = np.random.default_rng(seed).permutation(len(families.exposed))
    parts = (getattr(families, name)[order] for name in ("exposed", "mean", "within", "survivors"))
    shuffled = Summaries(*parts, families.stratum[order], families.root_cell[order])
    assert associate(shuffled, 5).p_value == pytest.approx(associate(families, 5).p_value)


def test_families_of_one_root_cell_that_are_copies_prove_no_more_than_one():
    p = {1: [], 4: []}
    covers = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        exposed, state = rng.random(120) < 0.4, (rng.random(120) < 0.4).astype(float)
        for copies, values in p.items():
            of = np.repeat(np.arange(120), copies)
            found = associate(alone(exposed[of], state[of], of // 40, of), 5)
            values.append(found.p_value)
        covers.append(found.low <= 1 <= found.high)
    assert np.corrcoef(norm.isf(np.array(p[1]) / 2), norm.isf(np.array(p[4]) / 2))[0, 1] > 0.99
    assert np.mean(np.array(p[4]) <= 0.05) <= 0.09
    assert np.mean(covers) >= 0.91


@pytest.mark.parametrize(
    "design",
    [
        {"families": 300, "strata": 20, "died": 0.05, "alike": 0.0, "rate": 0.3},
        {"families": 1000, "strata": 20, "died": 0.05, "alike": 0.0, "rate": 0.3},
        {"families": 300, "strata": 5, "died": 0.7, "alike": 0.8, "rate": 0.3},
        {"families": 300, "strata": 20, "died": 0.3, "alike": 0.0, "rate": 0.3, "pairs": 4, "inherited": 1.5},
        {"families": 300, "strata": 20, "died": 0.05, "alike": 0.3, "rate": 0.1, "pairs": 4, "inherited": 1.5},
    ],
)
def test_a_state_that_goes_with_nothing_is_called_in_one_of_twenty(design):
    """Permuted family means call rare deaths of unlike sisters in .14, cells as independent alike ones in .13."""
    p = np.array([associate(drawn(seed, **design), 5).p_value for seed in range(600)])
    assert 0.025 <= (p <= 0.05).mean() <= 0.08


def test_e_values_of_known_ratios():
    """VanderWeele and Ding (2017): 3.9 (1.8 to 8.7) has 7.26 and 3.0; a frequent state takes the square root."""
    assert e_values(3.9, 1.8, 8.7, 0.1) == pytest.approx((7.26, 3.0), abs=0.005)
    assert e_values(1 / 3.9, 1 / 8.7, 1 / 1.8, 0.1) == pytest.approx((7.26, 3.0), abs=0.005)
    assert e_values(3.9**2, 1.8**2, 8.7**2, 0.4) == pytest.approx((7.26, 3.0), abs=0.005)
    assert e_values(2.0, 0.8, 5.0, 0.1)[1] == 1.0
    assert np.isnan(e_values(np.nan, np.nan, np.nan, 0.1)).all()
