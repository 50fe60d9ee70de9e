"""Models without a block of training cells are those that a refit at the same penalty gives."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet

from cineseq.prediction.crossval.elastic_net import PathGrid, fitted_nets, least_squares, nested_elastic_net
from cineseq.prediction.crossval.folds import FoldPlan, inner_splits
from cineseq.prediction.crossval.left_out import MOST_BLOCKS, training_blocks
from cineseq.prediction.crossval.ridge import Tuning, predict, predict_without, ridge_folds

GROUPS, EACH, COLUMNS = 10, 20, 6
UNITS = np.repeat(np.arange(GROUPS), EACH)
PLAN = FoldPlan(UNITS, UNITS % 5, ("fov",), ())


@pytest.fixture
def study():
    rng = np.random.default_rng(3)
    columns = rng.normal(size=(GROUPS * EACH, COLUMNS))
    response = columns[:, :2] @ [[1.0], [0.6]] + rng.normal(size=(GROUPS * EACH, 1))
    return columns, response


def test_ridge_without_a_block_is_the_refit_at_the_same_penalty(study):
    columns, response = study
    folds = ridge_folds([columns] * 5, PLAN, Tuning(4, COLUMNS, 3))
    whole = predict(folds, response)
    for block, found in enumerate(predict_without(folds, response, UNITS)):
        for (train, test), fold in zip(PLAN.splits(), folds, strict=True):
            kept = train[UNITS[train] != block]
            centre, mean = columns[train].mean(axis=0), response[train].mean(axis=0)
            own = columns[kept] - centre
            grams = [own.T @ own + p * np.eye(COLUMNS) for p in fold.ridge.penalties[:-1]]
            refits = [
                mean + (columns[test] - centre) @ np.linalg.solve(g, own.T @ (response[kept] - mean)) for g in grams
            ]
            assert min(np.abs(found[test] - refit).max() for refit in refits) < 1e-4
            if block in UNITS[test]:
                np.testing.assert_allclose(found[test], whole[test], atol=1e-4)


def test_truncated_components_are_those_of_the_remaining_cells(study):
    columns, response = study
    folds = ridge_folds([columns * [5, 4, 3, 1, 1, 1]] * 5, PLAN, Tuning(4, 3, 3))
    first = next(predict_without(folds, response, UNITS))
    train, test = PLAN.splits()[1]
    kept = train[UNITS[train] != 0]
    scaled = columns * [5, 4, 3, 1, 1, 1]
    own = scaled[kept] - scaled[train].mean(axis=0)
    axes = np.linalg.svd(own, full_matrices=False)[2][:3].T
    mean = response[train].mean(axis=0)
    refits = []
    for penalty in folds[1].ridge.penalties[:-1]:
        weights = np.linalg.solve(
            axes.T @ own.T @ own @ axes + penalty * np.eye(3), axes.T @ own.T @ (response[kept] - mean)
        )
        refits.append(mean + (scaled[test] - scaled[train].mean(axis=0)) @ axes @ weights)
    assert min(np.abs(first[test] - refit).max() for refit in refits) < 1e-3


def test_elastic_net_without_a_block_is_close_to_the_refit(study):
    columns, response = study
    train, test = PLAN.splits()[0]
    inner, grid = inner_splits(UNITS[train], 4), PathGrid((0.5,), 20, tolerance=1e-8)
    fit = nested_elastic_net(columns[train], columns[test], response[train], inner, grid, blocks=UNITS[train])
    net = fitted_nets(columns[train], response[train], inner, grid)[0]
    centre, mean = columns[train].mean(axis=0), response[train].mean()
    assert fit.without is not None
    assert fit.without.shape == (8, len(test), 1)
    for number, block in enumerate(np.unique(UNITS[train])):
        kept = train[UNITS[train] != block]
        refit = ElasticNet(alpha=net.alpha, l1_ratio=net.ratio, fit_intercept=False, tol=1e-10)
        refit.fit(columns[kept] - centre, response[kept, 0] - mean)
        expected = mean + refit.predict(columns[test] - centre)
        # Columns that enter or leave are the only difference.
        assert np.abs(fit.without[number, :, 0] - expected).max() < 0.1 * response.std()
        assert np.abs(fit.without[number] - fit.test).max() > 1e-3


def test_least_squares_without_a_block_is_the_refit(study):
    columns, response = study
    train, test = PLAN.splits()[0]
    fit = least_squares(columns[train], columns[test], response[train], [], PathGrid((0.5,), 3), blocks=UNITS[train])
    centre, mean = columns[train].mean(axis=0), response[train].mean(axis=0)
    kept = UNITS[train] != UNITS[train][0]
    weights = np.linalg.lstsq((columns[train] - centre)[kept], (response[train] - mean)[kept])[0]
    assert fit.without is not None
    np.testing.assert_allclose(fit.without[0], mean + (columns[test] - centre) @ weights)


def test_a_block_holds_whole_groups_of_one_fold():
    units = np.repeat(np.arange(300), 2)
    plan = FoldPlan(units, units % 5, ("family",), ())
    blocks = training_blocks(plan)
    assert len(np.unique(blocks)) == MOST_BLOCKS == blocks.max() + 1
    for kind in (plan.fold, units):
        pairs = np.unique(np.column_stack([blocks, kind]), axis=0)
        assert len(pairs) == (MOST_BLOCKS if kind is plan.fold else 300)
