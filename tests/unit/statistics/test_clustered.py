"""Correlations with p-values that allow for alike cells of a family."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cineseq.statistics.clustered import clustered_correlation


def test_one_cell_a_cluster_gives_the_t_test_of_the_products():
    """Without a design but the mean: six products of centred values, a one-sample t-test with residuals enlarged."""
    x, y = np.array([-2.0, -1, 0, 0, 1, 2]), np.array([-1.0, -1, 1, -1, 1, 1])
    rho, p = clustered_correlation(x[:, None], y, np.ones((6, 1)), np.arange(6))
    assert rho[0] == pytest.approx(6 / np.sqrt(10 * 6))
    # Products 2, 1, 0, 0, 1, 2 have the sum 6 and squares 10; each residual is enlarged by 1 / sqrt(1 - 1/6).
    square = 36 / (10 * 6 / 5)
    t = np.sqrt(square * 5 / (6 - square))
    assert p[0] == pytest.approx(2 * stats.t.sf(t, 5))


def test_a_family_counts_as_one():
    """Four copies of each cell are no more evidence than one."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 5)), rng.normal(size=12)
    once = clustered_correlation(x, y, np.ones((12, 1)), np.arange(12))
    copies = clustered_correlation(np.repeat(x, 4, 0), np.repeat(y, 4), np.ones((48, 1)), np.repeat(np.arange(12), 4))
    assert copies[0] == pytest.approx(once[0])
    assert copies[1] == pytest.approx(once[1], rel=1e-6)


def test_the_rate_of_small_p_holds_where_families_share_half_of_their_noise():
    """The test that takes cells as independent rejects in .13."""
    rng = np.random.default_rng(1)
    founder = np.repeat(np.arange(20), 4)
    noise = rng.normal(size=(2, 20, 1500))[:, founder] + rng.normal(size=(2, 80, 1500))
    studies = zip(*noise.swapaxes(1, 2), strict=True)
    p = [clustered_correlation(x[:, None], y, np.ones((80, 1)), founder)[1][0] for x, y in studies]
    assert 0.025 < np.mean(np.array(p) <= 0.05) < 0.065


@given(st.integers(0, 100))
def test_the_order_of_cells_and_the_scale_of_values_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    x, y, cluster = rng.normal(size=(30, 3)), rng.normal(size=30), rng.integers(0, 10, 30)
    design = np.eye(2)[cluster % 2]
    found = clustered_correlation(x, y, design, cluster)
    order = rng.permutation(30)
    again = clustered_correlation(5 * x[order] + 2, 3 * y[order] - 1, design[order], cluster[order])
    assert again[0] == pytest.approx(found[0])
    assert again[1] == pytest.approx(found[1])


def test_a_constant_column_and_a_single_family_have_no_p_value():
    rng = np.random.default_rng(2)
    x = np.column_stack([np.full(10, 0.1), rng.normal(size=10)])
    rho, p = clustered_correlation(x, rng.normal(size=10), np.ones((10, 1)), np.arange(10))
    assert np.isnan([rho[0], p[0]]).all()
    assert np.isfinite([rho[1], p[1]]).all()
    assert np.isnan(clustered_correlation(x, rng.normal(size=10), np.ones((10, 1)), np.zeros(10))[1]).all()
