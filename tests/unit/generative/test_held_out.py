"""Planted parts of variance are found held out, none is found where none was planted, and intervals cover."""

import numpy as np
import pytest
from generative.parts import SharedCells, draw, explained
from hypothesis import given, settings
from hypothesis import strategies as st

from cineseq.generative.held_out import Covariates, error_sums
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.left_out import retrained_of, training_blocks
from cineseq.prediction.crossval.ridge import Chosen, Tuning, predict, predict_without, ridge_folds
from cineseq.statistics.metrics import r2_jackknife, sums_jackknife


def in_total(planted: SharedCells, seed: int) -> dict[str, tuple[float, float]]:
    """Return the share of each part over all genes, and the lower end of its interval."""
    fitted, _ = explained(planted, seed)
    weights = np.ones((planted.genes, 1))
    found = {name: sums_jackknife(gain @ weights, fitted.total @ weights) for name, gain in fitted.parts().items()}
    return {name: (float(own.estimate[0]), float(own.interval()[0][0])) for name, own in found.items()}


def test_unique_and_common_parts_are_the_planted_ones_whatever_differs_between_fields():
    found = in_total(SharedCells(unique=0.2, common=0.3, cells=1200, genes=6), seed=1)
    planted = {"linear": 0.5, "size": 0.3, "covariates": 0.3, "joint": 0.5, "unique": 0.2, "common": 0.3}
    assert {name: found[name][0] for name in planted} == pytest.approx(planted, abs=0.05)
    assert found["unique"][1] > 0
    assert found["common"][1] > 0


def test_nothing_is_found_where_nothing_was_planted():
    ends = [in_total(SharedCells(cells=160, genes=3), seed) for seed in range(20)]
    for part in ("linear", "size", "unique"):
        assert sum(found[part][1] > 0 for found in ends) <= 2


def test_nothing_is_unique_to_shape_where_size_alone_counts():
    ends = [in_total(SharedCells(common=0.3, cells=160, genes=3), seed)["unique"][1] for seed in range(12)]
    assert sum(end > 0 for end in ends) <= 2


def test_the_other_modality_is_the_sum_of_its_unique_and_its_common_part():
    fitted, _ = explained(SharedCells(unique=0.1, common=0.1, cells=120, fields=8), seed=3)
    parts = fitted.parts()
    np.testing.assert_allclose(parts["linear"].groups, parts["unique"].groups + parts["common"].groups)


def test_sums_give_the_intervals_of_cells():
    drawn = draw(SharedCells(unique=0.3, cells=160, fields=8), seed=5)
    plan = drawn.within().plan
    folds = ridge_folds([drawn.shapes] * plan.folds, plan, Tuning(3, 8, 5))
    values = drawn.genes - drawn.genes.mean(axis=0)
    sums = error_sums([Chosen.of((fold,), values) for fold in folds], values, plan)
    total, blocks = np.square(values), training_blocks(plan)
    without = [np.square(values - left) for left in predict_without(folds, values, blocks)]
    own = np.square(values - predict(folds, values))
    for gene in range(values.shape[1]):
        gain = total[:, gene] - own[:, gene]
        again = np.array([total[:, gene] - left[:, gene] for left in without])
        expected = r2_jackknife(gain, total[:, gene], plan.units, retrained_of(plan, again))
        cells = np.zeros((values.shape[1], 1))
        cells[gene] = 1
        of_total = type(sums)(*(_sums(total, labels) for labels in (plan.units, blocks)))
        of_total = type(sums)(of_total.groups, of_total.blocks, of_total.blocks.sum(axis=0) - of_total.blocks)
        found = sums_jackknife((of_total - sums) @ cells, of_total @ cells)
        assert found.estimate[0] == pytest.approx(float(expected.estimate))
        assert found.error[0] == pytest.approx(float(expected.error))


def _sums(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.array([values[labels == label].sum(axis=0) for label in range(labels.max() + 1)])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.sets(st.integers(0, 11)), st.booleans())
def test_every_target_has_covariates_once(targets, apart, two):
    own = np.array(sorted(place for place in apart if place < targets), int)
    halves = [own[::2], own[1::2]] if two else [own]
    block = Block(np.zeros((3, 1)), ("s_score",))
    known = Covariates({"cycle": block}, {"cycle": tuple((half, block) for half in halves if len(half))})
    columns = np.concatenate([part for part, _ in known.by_targets(["cycle"], targets)])
    assert sorted(columns) == list(range(targets))
