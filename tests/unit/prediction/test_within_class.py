"""R² within class has a null of its own: silent when only the class predicts, not when more does."""

import numpy as np
import pandas as pd
import pytest
from tests.unit.prediction.prediction_examples import (
    SMALL,
    Planted,
    ask,
    by_model,
    expression_within_class,
    of_two_classes,
    simulate,
)

from cineseq.config.prediction import Folds
from cineseq.prediction.crossval.folds import cells_of
from cineseq.prediction.model_comparison import quick_r2
from cineseq.prediction.report import report


def test_nothing_is_left_within_class_when_only_the_class_predicts():
    fits = [expression_within_class(seed, 19) for seed in range(8)]
    assert np.mean([fit.test.quick for fit in fits]) > 0.3
    assert [fit.test.p_value for fit in fits] == [0.05] * 8
    p = np.array([fit.test_within.p_value for fit in fits])
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
    said = "uptake: pooled over fields, most of R² is explained by the class of a cell: class means alone have R² = "
    assert f"{said}{r2:.2f}, " in beyond["lines"].iloc[0]
    assert " over functions when permuted within class." in beyond["lines"].iloc[0]
    assert set(beyond["class_permutations"]) == {19, 0}


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
        "condition",
    ).plan
    means = np.array([1.5, 1.5, 5.5, 5.5] * 2)[:, None]
    assert quick_r2(means, values, plan)[0] > 0.9
    assert quick_r2(means, values, plan, classes)[0] == pytest.approx(0)
