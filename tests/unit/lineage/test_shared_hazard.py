"""The hazard of death that sisters share, whatever the lengths of their cycles."""

import numpy as np
import pytest

from cineseq.lineage.shared_hazard import residuals, shared_hazard


def test_residuals_are_deaths_minus_the_cumulative_hazard():
    found = residuals(np.array([1.0, 2.0, 2.0, 3.0]), np.array([1.0, 0.0, 1.0, 1.0]))
    assert found == pytest.approx([1 - 1 / 4, -7 / 12, 1 - 7 / 12, 1 - 19 / 12])
    assert found.sum() == pytest.approx(0)


def drawn(seed, *, frailty, families=300):
    """Cycles of sisters are nearly equal; deaths are independent given the hazard of the family."""
    rng = np.random.default_rng(seed)
    cycle = 24 * np.exp(0.5 * rng.normal(size=(families, 1)) + 0.1 * rng.normal(size=(families, 2)))
    death = rng.exponential(50, (families, 2)) * np.exp(-rng.normal(0, frailty, (families, 1)))
    return np.minimum(cycle, death), death < cycle


def p_of(seed, **planted):
    age, died = drawn(seed, **planted)
    of_cells = residuals(age.ravel(), died.ravel().astype(float)).reshape(-1, 2)
    return shared_hazard(of_cells, np.arange(len(age)) % 5, np.arange(len(age))).p_value


def test_cycles_of_similar_length_are_not_a_shared_hazard():
    p = np.array([p_of(seed, frailty=0.0) for seed in range(200)])
    assert 0.01 <= (p <= 0.05).mean() <= 0.09
    assert 0.4 <= (p <= 0.5).mean() <= 0.6


def test_families_that_differ_in_the_hazard_are_found():
    assert np.mean([p_of(seed, frailty=1.0) <= 0.05 for seed in range(20)]) >= 0.95


def test_pairs_of_one_root_cell_are_not_independent():
    rng = np.random.default_rng(0)
    p = []
    for _ in range(100):
        pairs = np.repeat(rng.normal(size=(60, 2)), 4, axis=0)
        p.append(shared_hazard(pairs, np.zeros(240, int), np.repeat(np.arange(60), 4)).p_value)
    assert (np.array(p) <= 0.05).mean() <= 0.11


def test_too_few_families_have_a_reason():
    found = shared_hazard(np.ones((10, 2)), np.zeros(10, int), np.arange(10))
    assert found.note == "not estimable: 10 families in strata with several pairs, 20 are needed"
