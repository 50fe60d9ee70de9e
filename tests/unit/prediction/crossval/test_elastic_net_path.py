"""Elastic-net paths on a working set equal those over all columns, set by set."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import enet_path

from cineseq.prediction.crossval.elastic_net_path import Problem, Sets


def example(seed: int, cells: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return correlated, centred predictors and a response that a few of them make."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(cells, columns)) + rng.normal(size=(cells, 1))
    return np.asfortranarray(x - x.mean(axis=0)), x[:, :3].sum(axis=1) + rng.normal(size=cells)


def plain(x: np.ndarray, y: np.ndarray, ratio: float, alphas: np.ndarray) -> np.ndarray:
    """Return coefficients of a path over all columns, shape (columns, penalties)."""
    return enet_path(x, y, l1_ratio=ratio, alphas=alphas, tol=1e-9, max_iter=100_000)[1]


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    columns=st.integers(2, 60),
    ratio=st.sampled_from([0.1, 0.5, 1.0]),
    alphas=st.integers(1, 12),
)
def test_every_set_has_the_path_of_all_columns(seed, columns, ratio, alphas):
    x, y = example(seed, 40, columns)
    left_out = [np.arange(10), np.arange(5, 25), np.empty(0, dtype=int)]
    problem = Problem(Sets(x, left_out), [0, 1, 2], y, 1e-9)
    largest = np.abs(problem.products).max() / len(y) / ratio
    penalties = np.geomspace(largest, 0.05 * largest, alphas)
    predicted = np.concatenate([piece.predicted for piece in problem.walk(ratio, penalties)], axis=2)
    assert predicted.shape == (40, 3, alphas)
    for number, rows in enumerate(left_out):
        kept = np.setdiff1d(np.arange(40), rows)
        centre, mean = x[kept].mean(axis=0), y[kept].mean()
        expected = mean + (x - centre) @ plain(x[kept] - centre, y[kept] - mean, ratio, penalties)
        assert predicted[:, number] == pytest.approx(expected, abs=1e-4)


def test_few_columns_are_looked_at_and_grams_are_learnt_as_needed(monkeypatch):
    monkeypatch.setattr("cineseq.prediction.crossval.elastic_net_path.ALL_AT_ONCE", 0)
    x, y = example(0, 60, 400)
    problem = Problem(Sets(x, [np.arange(20)]), [0], y, 1e-9)
    largest = np.abs(problem.products).max() / 40
    penalties = np.geomspace(largest, 0.2 * largest, 10)
    *_, last = problem.walk(1.0, penalties)
    expected = plain(x[20:] - x[20:].mean(axis=0), y[20:] - y[20:].mean(), 1.0, penalties)[:, -1]
    found = np.zeros(400)
    found[last.chosen] = last.coefficients[0, :, -1]
    assert found == pytest.approx(expected, abs=1e-4)
    assert len(last.chosen) < 100


def test_nothing_is_computed_beyond_what_is_asked_for():
    x, y = example(1, 40, 30)
    problem = Problem(Sets(x, [np.empty(0, dtype=int)]), [0], y, 1e-6)
    largest = np.abs(problem.products).max() / 40
    first = next(problem.walk(1.0, np.geomspace(largest, 1e-6 * largest, 200)))
    assert first.at.start == 0
    assert first.at.stop < 10
    assert len(problem.chosen) < 30


@pytest.mark.parametrize("at_once", [0, 3000])
def test_agreement_is_a_longer_least_squares_problem(monkeypatch, at_once):
    monkeypatch.setattr("cineseq.prediction.crossval.elastic_net_path.ALL_AT_ONCE", at_once)
    x, y = example(3, 50, 40)
    kept, agreement = np.arange(12, 50), 0.5
    problem = Problem(Sets(x, [np.arange(12)], first=25), [0], y, 1e-10, agreement)
    largest = np.abs(problem.products).max() / len(kept)
    penalties = np.geomspace(largest, 0.05 * largest, 8)
    *_, last = problem.walk(1.0, penalties)
    found = np.zeros(40)
    found[last.chosen] = last.coefficients[0, :, -1]
    own, mine = x[kept] - x[kept].mean(axis=0), y[kept] - y[kept].mean()
    signs = np.repeat([-1.0, 1.0], [25, 15])
    longer = np.vstack([own, np.sqrt(agreement) * own * signs])
    # scikit-learn divides the squared error by the number of rows, of which there are now twice as many.
    expected = plain(longer, np.concatenate([mine, np.zeros(len(mine))]), 1.0, penalties / 2)[:, -1]
    assert found == pytest.approx(expected, abs=1e-4)
