"""The test of what is added to covariates keeps the likeness of families, and leaves nothing of a curve."""

import numpy as np
import pytest

from cineseq.prediction.crossval.covariates import cubic_curves
from cineseq.prediction.crossval.folds import CrossvalCells, FoldPlan, grouped_folds
from cineseq.prediction.crossval.ridge import Tuning
from cineseq.prediction.residual_test import ResidualTest
from cineseq.statistics.jackknife import group_sums

FIELD, FAMILY = np.repeat(np.arange(8), 20), np.arange(160) // 4


def alike(rng: np.random.Generator, columns: int) -> np.ndarray:
    """Return noise of which cells of a family share half."""
    return np.sqrt(0.5) * (rng.normal(size=(160, columns)) + rng.normal(size=(40, columns))[FAMILY])


def residual_test(
    values: np.ndarray, covariates: np.ndarray, families: np.ndarray = FAMILY, position: np.ndarray | None = None
) -> ResidualTest | None:
    plan = FoldPlan(FIELD, grouped_folds(FIELD, 4), ("fov",), ())
    cells = CrossvalCells(values, plan, FIELD, families, np.full(160, ""), position=position)
    return ResidualTest.of(cells, np.column_stack([np.eye(8)[FIELD], covariates]))


def likeness(values: np.ndarray) -> float:
    return float(np.square(group_sums(values, FAMILY)).sum() / np.square(values).sum())


def test_permuted_residuals_are_as_alike_within_families_as_the_residuals():
    """Twelve covariates take a third of what differs between families; permuted without care, they take it twice."""
    ratios = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        test = residual_test(alike(rng, 1), alike(rng, 12))
        assert test is not None
        ratios.append(likeness(test.own) / likeness(test.permuted(40, rng)[:, :, 0]))
    assert np.mean(ratios) == pytest.approx(1, abs=0.05)


def test_added_columns_that_share_families_explain_nothing_of_the_function():
    """The mean rank of the function among its permutations is one half; without care for families it is above .6."""
    ranks = []
    for seed in range(60):
        rng = np.random.default_rng(100 + seed)
        test = residual_test(alike(rng, 1), alike(rng, 12))
        assert test is not None
        stage = test.second_stage(alike(rng, 20), Tuning(3, 20, 5))
        assert stage is not None
        observed, drawn = (test.explained([stage], part) for part in (test.own[:, None], test.permuted(20, rng)))
        ranks.append(np.mean(observed > drawn))
    assert np.mean(ranks) == pytest.approx(0.5, abs=0.1)


def test_nothing_is_left_of_a_cubic_up_to_its_ends():
    size = np.random.default_rng(1).normal(size=(160, 1))
    curves = np.column_stack([np.ones(160), cubic_curves(size)])
    cubic = size - 0.7 * size**2 + 0.2 * size**3
    assert curves @ np.linalg.lstsq(curves, cubic)[0] == pytest.approx(cubic)
    assert cubic_curves(np.repeat([[0.0], [1.0]], 80, axis=0)).shape == (160, 1)
    assert cubic_curves(np.random.default_rng(2).normal(size=(160, 20))).shape == (160, 40)


def test_there_is_no_test_where_covariates_leave_nothing():
    rng = np.random.default_rng(2)
    values, covariates = alike(rng, 1), alike(rng, 3)
    assert residual_test(values, rng.normal(size=(160, 145))) is None
    test = residual_test(values, covariates)
    assert test is not None
    assert test.second_stage(covariates, Tuning(3, 3, 5)) is None


def test_added_columns_that_only_share_a_surface_with_the_function_explain_nothing():
    """Both follow a bowl that fields share; without positions the function ranks above all its permutations."""
    ranks: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(25):
        rng = np.random.default_rng(200 + seed)
        position = rng.uniform(-1, 1, (160, 2))
        bowl = np.square(position).sum(axis=1)[:, None]
        for known in (True, False):
            function, covariates, added = (rng.normal(size=(160, columns)) for columns in (1, 3, 5))
            test = residual_test(function + 2 * bowl, covariates, np.arange(160), position if known else None)
            assert test is not None
            stage = test.second_stage(added + bowl, Tuning(3, 20, 5))
            assert stage is not None
            observed, drawn = (test.explained([stage], part) for part in (test.own[:, None], test.permuted(20, rng)))
            ranks[known].append(np.mean(observed > drawn))
    assert np.mean(ranks[True]) < 0.7
    assert np.mean(ranks[False]) > 0.9
