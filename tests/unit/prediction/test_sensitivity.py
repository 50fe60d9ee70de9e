"""Calibration of the primary analysis, and its sensitivity to alternative choices."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import ElasticNet
from tests.unit.prediction.prediction_examples import FAST, Planted, ask, simulate

from cineseq.prediction.crossval.elastic_net import PathGrid, nested_elastic_net
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.transform import design
from cineseq.prediction.sensitivity import calibration_slope
from cineseq.tables.prediction import SENSITIVITY


def test_calibration_slope_of_shrunken_and_of_exaggerated_predictions():
    measured = np.random.default_rng(0).normal(size=(50, 1))
    baseline = np.full((50, 1), measured.mean())
    assert calibration_slope(measured, measured, baseline) == pytest.approx(1.0)
    assert calibration_slope(baseline + 0.5 * (measured - baseline), measured, baseline) == pytest.approx(2.0)
    assert calibration_slope(baseline + 2 * (measured - baseline), measured, baseline) == pytest.approx(0.5)
    assert np.isnan(calibration_slope(baseline, measured, baseline))


def test_one_standard_error_takes_the_strongest_penalty_within_it():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 8))
    y = 0.7 * x[:, 0] + rng.normal(size=90)
    inner = [(np.flatnonzero(np.arange(90) % 3 != k), np.flatnonzero(np.arange(90) % 3 == k)) for k in range(3)]
    largest = np.abs((x - x.mean(axis=0)).T @ (y - y.mean())).max() / 90
    alphas = np.geomspace(largest, 0.01 * largest, 12)
    squares = np.empty((90, 12))
    for at, alpha in enumerate(alphas):
        for fit, rest in inner:
            model = ElasticNet(alpha=alpha, l1_ratio=1.0, tol=1e-8).fit(x[fit], y[fit])
            squares[rest, at] = np.square(y[rest] - model.predict(x[rest]))
    error = squares.mean(axis=0)
    least = error.argmin()
    spread = np.std([squares[rest, least].mean() for _, rest in inner], ddof=1) / np.sqrt(3)
    at = np.flatnonzero(error <= error[least] + spread)[0]
    assert 0 < at < least
    for choice, place in (("minimum", least), ("one_standard_error", at)):
        grid = PathGrid((1.0,), 12, tolerance=1e-8, choice=choice)
        own = nested_elastic_net(x, x, y[:, None], inner, grid).test[:, 0]
        expected = ElasticNet(alpha=alphas[place], l1_ratio=1.0, tol=1e-8).fit(x, y).predict(x)
        assert own == pytest.approx(expected, abs=1e-4)


def test_equal_blocks_have_the_same_variance():
    rng = np.random.default_rng(0)
    blocks = (Block(rng.normal(size=(30, 8)), tuple("abcdefgh")), Block(rng.normal(size=(30, 2)), tuple("ij")))
    columns = design(blocks, np.arange(30), 0.0, None, "blocks")
    assert columns[:, :8].var(axis=0).sum() == pytest.approx(8)
    assert columns[:, 8:].var(axis=0).sum() == pytest.approx(8)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    data = simulate(Planted(expression=0.3, morphology=0.35, genes=30), seed=2)
    return ask(data, FAST.model_copy(update={"permutations": 0})).tables["sensitivity"]


def test_every_variant_is_compared_with_the_primary_analysis(rows):
    SENSITIVITY.check(rows)
    assert set(rows["variant"]) == {
        "headline",
        "one_standard_error",
        "with_library_size",
        "equal_blocks",
        "cooperative",
    }
    by = rows.set_index(["variant", "model"])
    assert (by.loc["headline", "delta_r2"] == 0).all()
    for variant in ("one_standard_error", "with_library_size"):
        change = by.loc[variant, "r2"] - by.loc["headline", "r2"].reindex(by.loc[variant].index)
        assert by.loc[variant, "delta_r2"].to_numpy() == pytest.approx(change.to_numpy())
    assert by.loc["headline", "calibration_slope"]["both"] == pytest.approx(1, abs=0.35)
    assert np.isnan(by.loc[("headline", "mean"), "calibration_slope"])


def test_a_stronger_penalty_gives_flatter_predictions(rows):
    slope = rows.set_index(["variant", "model"])["calibration_slope"]
    assert slope["one_standard_error", "both"] > slope["headline", "both"]


def test_only_configured_variants_are_in_the_table():
    data = simulate(Planted(expression=0.3, morphology=0.35, genes=10), seed=2)
    asked = FAST.model_copy(update={"permutations": 0, "sensitivity": ["equal_blocks"]})
    assert set(ask(data, asked).tables["sensitivity"]["variant"]) == {"headline", "equal_blocks"}
