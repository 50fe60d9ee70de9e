"""Latents are learned in training cells only, and lead back to the columns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from cineseq.generative.representations import fit, fit_blocks
from cineseq.prediction.crossval.folds import NotEstimableError


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), columns=st.integers(1, 12), cells=st.integers(15, 40))
def test_with_all_components_columns_come_back(seed: int, columns: int, cells: int) -> None:
    values = np.random.default_rng(seed).normal(size=(cells, columns)) * 7 + 3
    found = fit(values, np.arange(cells))
    np.testing.assert_allclose(found.inverse(found.transform(values)), values[:, found.columns], atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000))
def test_cells_that_are_not_trained_on_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, other = rng.normal(size=(40, 8)), rng.normal(size=(40, 8))
    other[:30] = values[:30]
    first, second = fit(values, np.arange(30)), fit(other, np.arange(30))
    np.testing.assert_array_equal(first.axes, second.axes)
    np.testing.assert_array_equal(first.centre, second.centre)


def test_genes_that_no_or_few_training_cells_express_are_left_out() -> None:
    rng = np.random.default_rng(0)
    values = rng.poisson(2, size=(100, 5)).astype(float)
    values[:, 1] = 0
    values[:80, 3] = 0
    dense, thin = (fit(own, np.arange(80), genes=True) for own in (values, sparse.csr_matrix(values)))
    assert dense.columns.tolist() == thin.columns.tolist() == [0, 2, 4]
    np.testing.assert_allclose(dense.transform(values), thin.transform(sparse.csr_matrix(values)))


def test_axes_of_noise_among_genes_are_left_out_and_those_of_a_program_kept() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(300, 200))
    values[:, :100] += 1.5 * rng.normal(size=(300, 1))
    values[:, 100:] += 1.5 * rng.normal(size=(300, 1))
    values[:, :50] += 1.5 * rng.normal(size=(300, 1))
    assert fit(values, np.arange(300), genes=True).latents == 3


def test_blocks_count_the_same_whatever_their_columns() -> None:
    rng = np.random.default_rng(2)
    blocks = [rng.normal(size=(200, 3)), 100 * rng.normal(size=(200, 40))]
    found = fit_blocks(blocks, np.arange(200))
    variance = found.transform(blocks).var(axis=0)
    assert variance[:3].sum() == pytest.approx(variance[3:].sum())
    for back, block in zip(found.inverse(found.transform(blocks)), blocks, strict=True):
        np.testing.assert_allclose(back, block, atol=1e-6)


def test_nothing_that_varies_is_not_estimable() -> None:
    with pytest.raises(NotEstimableError, match="nothing varies"):
        fit(np.ones((20, 4)), np.arange(20))
