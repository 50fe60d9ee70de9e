"""R2 within class has a null of its own: silent when only the class predicts, not when more does."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from tests.unit.prediction_examples import FAST, Planted, ask, by_model, simulate

from cineseq.config.prediction import Folds
from cineseq.paired import PairedData
from cineseq.prediction.answers import report
from cineseq.prediction.blocks import Block
from cineseq.prediction.models import ModelFit, fit_ladder, quick_r2
from cineseq.prediction.study import cells_of
from cineseq.statistics.permutation import p_value

SMALL = FAST.model_copy(update={"class_permutations": 19, "null_alphas": 4, "alphas": 6})


def of_two_classes(seed: int, beyond: float, cells: int = 12) -> PairedData:
    """Return cells of two classes within every field; class shifts function and six genes, a state the rest."""
    data = simulate(Planted(expression=beyond, genes=30, cells_per_field=cells), seed)
    second = np.random.default_rng(seed).random(len(data.obs)) < 0.5
    counts = data.counts.toarray()
    counts[:, 12:18] *= 1 + 2 * second[:, None]
    function = data.function + 3 * second[:, None]
    obs = data.obs.assign(type=np.where(second, "b", "a"))
    return replace(data, obs=obs, counts=sparse.csr_matrix(counts), function=function)


def expression_fit(seed: int) -> ModelFit:
    data = of_two_classes(seed, 0.0)
    folds = Folds(inner=2, outer=4)
    cells = cells_of(data.obs, data.function.to_numpy(), folds, "type")
    block = Block(np.log1p(data.counts.toarray()), tuple(data.genes), "genes")
    return fit_ladder({"expression": block}, cells, settings=SMALL, folds=folds, seed=seed, threads=1)["expression"]


def test_nothing_is_left_within_class_when_only_the_class_predicts():
    fits = [expression_fit(seed) for seed in range(8)]
    assert np.mean([fit.quick for fit in fits]) > 0.3
    assert [p_value(fit.quick, fit.null) for fit in fits] == [0.05] * 8
    p = np.array([p_value(fit.quick_within, fit.null_within) for fit in fits])
    assert (p <= 0.05).sum() <= 2
    assert np.median(p) > 0.2


@pytest.fixture(scope="module")
def beyond() -> pd.DataFrame:
    settings = SMALL.model_copy(update={"class_column": "type"})
    found = ask(of_two_classes(3, 0.9, cells=24), settings)
    return by_model(found).assign(lines="\n".join(report(found.tables, {}, ())["lines"]))


def test_what_predicts_within_class_is_found(beyond):
    assert beyond.loc["expression", "p_within_class"] == 0.05
    assert beyond.loc["expression", "q_within_class"] <= 0.2
    assert beyond.loc["class", "r2"] > 0.4
    assert np.isnan(beyond.loc["class", "p_within_class"])
    assert np.isnan(beyond.loc["mean", "p_within_class"])


def test_the_report_says_how_much_is_class(beyond):
    r2 = beyond.loc["class", "r2"]
    said = f"uptake: most of it is the class of a cell: class means alone reach R2 {r2:.2f}, "
    assert said in beyond["lines"].iloc[0]
    assert "p 0.05 when permuted within class." in beyond["lines"].iloc[0]


def test_strata_of_one_class_each_need_no_second_null():
    found = by_model(ask(simulate(Planted(expression=0.4, genes=20, cells_per_field=12), 1), SMALL))
    assert found.loc["expression", "p_within_class"] == found.loc["expression", "p_value"] == 0.05


def test_r2_within_class_of_the_class_means_is_zero():
    values = np.array([1.0, 2, 5, 6, 1, 2, 5, 6])[:, None, None]
    classes = np.array(list("aabbaabb"))
    plan = cells_of(
        pd.DataFrame({"sample": "s", "fov": list("00112233"), "condition": "c"}),
        values[:, 0],
        Folds(min_cells=10).model_copy(update={"min_cells": 8, "outer_min_samples": 3}),
        "type",
    ).plan
    means = np.array([1.5, 1.5, 5.5, 5.5] * 2)[:, None]
    assert quick_r2(means, values, plan)[0] > 0.9
    assert quick_r2(means, values, plan, classes)[0] == pytest.approx(0)
