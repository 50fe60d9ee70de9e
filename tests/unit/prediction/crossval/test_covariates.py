"""Penalised splines of covariates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cineseq.prediction.crossval.covariates import CovariateModel, Splines, natural_splines
from cineseq.prediction.crossval.feature_blocks import Block


def test_a_curve_is_fitted_and_a_line_goes_on_beyond_the_knots():
    x = np.linspace(-1, 1, 201)
    rng = np.random.default_rng(0)
    train = np.flatnonzero(np.abs(x) < 0.8)
    basis = natural_splines(Block(x[:, None], ("size",)), train)
    assert basis.curved.tolist() == [False, True, True, True]
    curve = np.square(x) + 0.05 * rng.normal(size=201)
    fit = CovariateModel.of(basis, train, np.arange(201) % 8, 4).predict(curve[:, None])[:, 0]
    assert np.abs(fit - np.square(x))[train].max() < 0.06
    outside = x > 0.85
    assert np.diff(fit[outside], 2) == pytest.approx(0, abs=1e-6)


def test_columns_of_a_covariate_are_uncorrelated_in_the_training_cells():
    rng = np.random.default_rng(1)
    values = np.column_stack([np.exp(rng.normal(size=300)), rng.integers(0, 2, 300)])
    basis = natural_splines(Block(values, ("size", "side")), np.arange(200)).values
    assert basis.shape == (300, 5)
    assert basis[:200, :4].T @ basis[:200, :4] == pytest.approx(200 * np.eye(4), abs=1e-6)


def test_few_cells_get_straight_lines():
    values = np.random.default_rng(2).normal(size=(40, 10))
    assert natural_splines(Block(values, tuple("abcdefghij")), np.arange(30)).values.shape == (40, 10)


def test_what_covariates_do_not_predict_is_predicted_as_its_mean():
    """Sixty columns of noise on eighty cells: least squares would have an R2 near -3."""
    rng = np.random.default_rng(3)
    basis, target = rng.normal(size=(400, 60)), rng.normal(size=(400, 1))
    outside = np.arange(80, 400)
    own = np.square(target - target[:80].mean())[outside].sum()
    model = CovariateModel.of(Splines(basis, np.arange(60) >= 30), np.arange(80), np.arange(400) % 80, 4)
    assert np.square(target - model.predict(target))[outside].sum() < 1.1 * own
    closest = basis @ np.linalg.lstsq(basis[:80], target[:80])[0]
    assert np.square(target - closest)[outside].sum() > 2 * own


@given(st.integers(0, 50))
def test_the_fit_of_test_cells_does_not_know_their_values(seed):
    rng = np.random.default_rng(seed)
    block, target = Block(rng.normal(size=(60, 3)), ("a", "b", "c")), rng.normal(size=(60, 2))
    train = np.arange(40)
    model = CovariateModel.of(natural_splines(block, train), train, np.arange(60) // 2, 3)
    other = target.copy()
    other[40:] = 99
    assert model.predict(other) == pytest.approx(model.predict(target))
