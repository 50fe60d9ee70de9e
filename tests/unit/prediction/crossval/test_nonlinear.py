"""A product of two features is missed by additive models and found by the optional non-linear learner."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from tests.unit.prediction.prediction_examples import SMALL, Planted, ask, by_model, simulate

from cineseq.config.prediction import Folds, Prediction
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval import nonlinear
from cineseq.prediction.crossval.elastic_net import PathGrid
from cineseq.prediction.crossval.nonlinear import gradient_boosting, kernel_ridge
from cineseq.prediction.report import report

GRID = PathGrid((0.5,), 4)
FAST = SMALL.model_copy(update={"sensitivity": [], "half_samples": 10})


def product(cells: int = 400, columns: int = 10, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(cells, columns))
    return x, (x[:, 0] * x[:, 1] + 0.5 * rng.normal(size=cells))[:, None]


def halves(cells: int) -> list[tuple[np.ndarray, np.ndarray]]:
    odd = np.arange(cells) % 2 == 1
    return [(np.flatnonzero(odd), np.flatnonzero(~odd)), (np.flatnonzero(~odd), np.flatnonzero(odd))]


@pytest.mark.parametrize("learn", [kernel_ridge, gradient_boosting])
def test_a_product_of_two_columns_is_found_and_noise_is_not(learn):
    x, y = product()
    train, test = slice(0, 300), slice(300, 400)
    noise = np.random.default_rng(1).normal(size=(400, 1))
    both = np.hstack([y, noise])
    error = np.square(learn(x[train], x[test], both[train], halves(300), GRID).test - both[test]).mean(axis=0)
    share = 1 - error / both[test].var(axis=0)
    assert share[0] > 0.2
    assert share[1] < 0.05


def test_kernel_ridge_is_that_of_scikit_learn_on_centred_responses(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(nonlinear, "PENALTIES", np.array([0.3]))
    x, y = product(60, 4)
    found = kernel_ridge(x[:40], x[40:], y[:40], halves(40), GRID).test

    def kernel(a, b):
        return (1 + a @ b.T / 4) ** 2

    k, crossed = kernel(x[:40], x[:40]), kernel(x[40:], x[:40])
    middle = np.eye(40) - 1 / 40
    centred = middle @ k @ middle
    alpha = 0.3 * np.trace(centred) / 40
    own = KernelRidge(alpha=alpha, kernel="precomputed").fit(centred, y[:40] - y[:40].mean())
    turned = (crossed - k.mean(axis=0)) @ middle
    assert found == pytest.approx(y[:40].mean() + own.predict(turned))


@pytest.fixture(scope="module")
def multiplied() -> PairedData:
    data = simulate(Planted(genes=10, features=5, cells_per_field=50), seed=0)
    shape = data.morphology.to_numpy()[:, 3:]
    function = shape[:, 0] * shape[:, 1] + 0.3 * np.random.default_rng(2).normal(size=len(shape))
    return replace(data, function=data.function.assign(function_uptake=function))


def test_the_row_is_there_where_it_is_asked_for_and_said(multiplied):
    found = ask(multiplied, FAST.model_copy(update={"nonlinear": "kernel_ridge"}), Folds(inner=2))
    rows = by_model(found)
    assert rows.loc["nonlinear", "r2"] > 0.25
    assert rows.loc["both", "r2"] < 0.1
    assert rows.loc["nonlinear", "p_value"] == 1 / 20
    contrasts = found.tables["contrasts"]
    within = contrasts[contrasts["estimand"] == "within"]
    gain = within.set_index(["model_a", "model_b"]).loc[("nonlinear", "both")]
    assert gain["low"] > 0
    lines = report(found.tables, found.random_folds, found.notes)["lines"]
    assert any("; non-linear 0." in line for line in lines)


def test_the_row_is_absent_by_default(multiplied):
    assert Prediction().nonlinear is None
    found = ask(multiplied, FAST.model_copy(update={"permutations": 0}), Folds(inner=2))
    assert "nonlinear" not in by_model(found).index
