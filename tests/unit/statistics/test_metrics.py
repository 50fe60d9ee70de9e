"""R² and the area under the curve: literal values, invariants, and how often intervals hold the truth."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from cineseq.statistics.metrics import (
    Retrained,
    area_interval,
    area_under_curve,
    centred,
    r2,
    r2_interval,
    r2_jackknife,
)


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


def test_models_that_vary_widen_the_interval_of_r2():
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(12), 30)
    total = rng.chisquare(1, size=360)
    gain = 0.3 * total + 0.1 * rng.normal(size=360)
    same = Retrained(units, np.tile(gain, (12, 1)))
    varied = Retrained(units, gain + 0.02 * rng.normal(size=(12, 1)))
    fixed = r2_jackknife(gain, total, units, same)
    assert fixed.error == pytest.approx(r2_jackknife(gain, total, units).error / np.sqrt(1 + 3 / 12))
    assert r2_jackknife(gain, total, units, varied).error > 2 * fixed.error
    few = r2_jackknife(gain[:150], total[:150], units[:150], Retrained(units[:150], varied.gain[:5, :150]))
    assert np.isnan(few.error)
