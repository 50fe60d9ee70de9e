"""Epsilon squared within strata: against textbook formulae, without shifts of strata, and its jackknife by hand."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cineseq.statistics.epsilon_squared import WithinStrata, indicators, normal_upper_end
from cineseq.statistics.permutation import exchangeable_blocks, permuted_within


def drawn(seed, cells=120, strata=8, clusters=4, share=0.2):
    rng = np.random.default_rng(seed)
    stratum = rng.permutation(np.arange(cells) % strata)
    cluster = rng.integers(0, clusters, cells)
    means = np.linspace(-1, 1, clusters) / np.linspace(-1, 1, clusters).std()
    values = np.sqrt(share) * means[cluster] + np.sqrt(1 - share) * rng.normal(size=cells)
    return values, cluster, stratum


def test_in_one_stratum_it_is_the_epsilon_squared_of_an_analysis_of_variance():
    values, cluster, _ = drawn(0)
    within = WithinStrata.of(indicators(cluster), np.zeros(120))
    between = sum((cluster == k).sum() * (values[cluster == k].mean() - values.mean()) ** 2 for k in range(4))
    total = ((values - values.mean()) ** 2).sum()
    error = (total - between) / (120 - 4)
    assert within.together(within.centred(values)) == pytest.approx((between - 3 * error) / total)


def test_it_is_the_adjusted_partial_r2_of_a_regression_on_strata_and_clusters():
    values, cluster, stratum = drawn(1)
    within = WithinStrata.of(indicators(cluster), stratum)
    small = sm.OLS(values, indicators(stratum)).fit()
    large = sm.OLS(values, np.column_stack([indicators(stratum), indicators(cluster)[:, 1:]])).fit()
    expected = 1 - (large.ssr / large.df_resid) / (small.ssr / small.df_resid)
    assert within.together(within.centred(values)) == pytest.approx(expected)
    assert (within.freedom, within.rank) == (112, 3)


@given(st.integers(0, 10_000), st.floats(-1e3, 1e3))
def test_shifts_and_scales_of_strata_change_nothing(seed, shift):
    values, cluster, stratum = drawn(seed)
    within = WithinStrata.of(indicators(cluster), stratum)
    moved = 3 * values + shift * stratum
    found = within.jackknife_together(within.centred(values)), within.jackknife_together(within.centred(moved))
    assert found[1].estimate == pytest.approx(found[0].estimate, abs=1e-8)
    assert found[1].error == pytest.approx(found[0].error, abs=1e-8)


def test_a_jackknife_leaves_out_one_stratum_at_a_time():
    values, cluster, stratum = drawn(2)
    axes = np.random.default_rng(3).normal(size=(120, 2)) + values[:, None]
    for predictors, how in ((indicators(cluster), "together"), (axes, "apart")):
        within = WithinStrata.of(predictors, stratum)
        found = getattr(within, f"jackknife_{how}")(within.centred(values))
        without = []
        for left in range(8):
            other = WithinStrata.of(predictors[stratum != left], stratum[stratum != left])
            without.append(getattr(other, how)(other.centred(values[stratum != left])))
        error = np.sqrt(7 / 8 * np.square(np.array(without) - np.mean(without, axis=0)).sum(axis=0))
        assert found.error == pytest.approx(error)
        assert found.estimate == pytest.approx(getattr(within, how)(within.centred(values)))


def test_a_predictor_by_itself_is_an_adjusted_squared_correlation_within_strata():
    values, _, stratum = drawn(4)
    axis = values + np.random.default_rng(5).normal(size=120)
    within = WithinStrata.of(axis[:, None], stratum)
    r2 = np.corrcoef(within.centred(values), within.predictors[:, 0])[0, 1] ** 2
    assert within.apart(within.centred(values)) == pytest.approx([1 - (1 - r2) * 112 / 111])


def test_it_is_missing_where_nothing_varies_within_strata():
    cluster, stratum = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 1, 2, 2])
    within = WithinStrata.of(indicators(cluster), stratum)
    assert within.rank == 0
    assert np.isnan(within.together(within.centred(stratum.astype(float))))
    assert within.together(within.centred(np.arange(6.0))) == 0
    assert np.isnan(within.apart(within.centred(np.arange(6.0)))).all()
    alone = WithinStrata.of(indicators(np.array([0, 1, 0])), np.arange(3))
    assert np.isnan(alone.together(alone.centred(np.arange(3.0))))


def test_its_mean_is_the_planted_share_and_zero_without_one():
    for share in (0.0, 0.2):
        found = []
        for seed in range(200):
            values, cluster, stratum = drawn(seed, share=share)
            within = WithinStrata.of(indicators(cluster), stratum)
            found.append(within.together(within.centred(values + 5 * stratum)))
        assert np.mean(found) == pytest.approx(share, abs=0.015)


def test_several_columns_count_by_their_sums_of_squares():
    values, cluster, stratum = drawn(4)
    other = drawn(5)[0]
    within = WithinStrata.of(indicators(cluster), stratum)
    one, two = within.centred(values), within.centred(other)
    squares = np.array([(one**2).sum(), (two**2).sum()])
    expected = squares @ [within.together(one), within.together(two)] / squares.sum()
    assert within.overall(np.column_stack([one, two])) == pytest.approx(expected)
    assert within.jackknife_together(np.column_stack([one, one])).error == pytest.approx(
        within.jackknife_together(one).error
    )


def test_permuted_predictors_give_the_null_of_permuted_values():
    values, cluster, stratum = drawn(6)
    within = WithinStrata.of(indicators(cluster), stratum)
    own = within.centred(values)
    blocks = exchangeable_blocks(stratum, np.arange(120))
    null = within.permuted_overall(own[:, None], blocks, 20, np.random.default_rng(1))
    rows = permuted_within(np.arange(120), blocks, 20, np.random.default_rng(1))
    expected = [WithinStrata.of(indicators(cluster[row]), stratum).together(own) for row in rows]
    assert null == pytest.approx(np.array(expected))


@pytest.mark.parametrize(("estimate", "rank"), [(-0.01, 5), (0.04, 5), (0.3, 1), (0.0, 1)])
def test_the_normal_upper_end_is_where_so_small_a_statistic_has_probability_5_percent(estimate, rank):
    end = float(normal_upper_end(np.array(estimate), 100, rank))
    explained = 1 - (1 - estimate) * (100 - rank) / 100
    f = explained / rank / ((1 - explained) / (100 - rank))
    assert stats.ncf.cdf(f, rank, 100 - rank, 100 * end / (1 - end)) == pytest.approx(0.05, abs=1e-6)


def test_the_normal_upper_end_is_unknown_or_zero_where_the_estimate_is_unknown_or_far_below_zero():
    assert np.isnan(normal_upper_end(np.array([np.nan, 0.1]), 50, 2)).tolist() == [True, False]
    assert normal_upper_end(np.array(-0.2), 30, 5) == pytest.approx(0, abs=1e-9)


def test_a_share_at_the_margin_is_rarely_called_smaller_with_few_cells():
    """The jackknife alone says that a share of .05 along one predictor is smaller in about one of six studies."""
    rng, below = np.random.default_rng(3), {"jackknife": [], "both": []}
    for _ in range(400):
        stratum, predictor = np.repeat(np.arange(6), 10), rng.normal(size=(60, 1))
        within = WithinStrata.of(predictor, stratum)
        own = within.centred(np.sqrt(0.05) * predictor[:, 0] + np.sqrt(0.95) * rng.normal(size=60))
        found = within.jackknife_apart(own)
        below["jackknife"].append(found.upper_end()[0] < 0.05)
        normal = normal_upper_end(found.estimate, within.freedom, 1)
        below["both"].append(max(found.upper_end()[0], normal[0]) < 0.05)
    assert np.mean(below["jackknife"]) > 0.12
    assert np.mean(below["both"]) <= 0.08
