"""Variance between families, and values without it."""

import numpy as np
import pytest

from cineseq.statistics.clustered import orthonormal_basis
from cineseq.statistics.family_variance import family_variance_ratio, without_likeness


def test_the_ratio_is_found_where_a_fit_has_taken_half_of_the_families():
    """Families of one to four cells; sums of squares of the residuals alone give half of the planted 2."""
    rng = np.random.default_rng(0)
    families = np.repeat(np.arange(100), np.tile([1, 2, 3, 4], 25))
    found = []
    for _ in range(30):
        design = rng.normal(size=(100, 50))[families]
        values = np.sqrt(2) * rng.normal(size=(100, 3))[families] + rng.normal(size=(250, 3))
        basis = orthonormal_basis(design)
        found.append(family_variance_ratio(values - basis @ (basis.T @ values), basis, families))
    assert np.mean(found) == pytest.approx(2, abs=0.2)


def test_single_cells_and_cells_that_are_not_alike_have_none():
    rng = np.random.default_rng(1)
    values, none = rng.normal(size=(40, 1)), np.zeros((40, 0))
    assert family_variance_ratio(values, none, np.arange(40)) == 0
    opposite = np.tile([[1.0], [-1.0]], (20, 1))
    assert family_variance_ratio(opposite, none, np.arange(40) // 2) == 0
    assert family_variance_ratio(np.repeat(values[:20], 2, axis=0), none, np.arange(40) // 2) == 20


def test_cells_of_a_family_are_no_longer_correlated():
    families = np.array([0, 0, 0, 1, 2, 2])
    covariance = np.eye(6) + 3 * (families[:, None] == families)
    root = without_likeness(np.eye(6), families, 3.0)
    assert root @ covariance @ root.T == pytest.approx(np.eye(6))
    assert without_likeness(covariance, families, 0.0) == pytest.approx(covariance)
