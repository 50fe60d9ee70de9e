"""Models of prediction and their folds: fitted to training cells alone, equal to known solvers, silent on null data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmarks.published_lasso import cross_validated_r2
from sklearn.linear_model import ElasticNetCV
from sklearn.model_selection import GroupKFold
from tests.unit.prediction.prediction_examples import (
    SMALL,
    Planted,
    ask,
    by_model,
    expression_within_class,
    of_two_classes,
    quick_scores,
    simulate,
)

from cineseq.config.prediction import Folds, Prediction
from cineseq.prediction.crossval.elastic_net import NestedFit, PathGrid, least_squares, nested_elastic_net, stack
from cineseq.prediction.crossval.feature_blocks import Block, frame_block
from cineseq.prediction.crossval.folds import CrossvalCells, FoldPlan, cells_of, grouped_folds
from cineseq.prediction.crossval.labels import known_positions
from cineseq.prediction.crossval.out_of_fold import out_of_fold
from cineseq.prediction.crossval.transform import kept_genes, standardised
from cineseq.prediction.model_comparison import ModelFit, compare_models, permuted_responses, quick_procedure, quick_r2
from cineseq.prediction.report import report
from cineseq.prediction.responses import angular_error


def test_p_values_are_uniform_on_null_data():
    small = Planted(genes=30, cells_per_field=10)
    runs = np.array([quick_scores(seed, small, 19) for seed in range(40)])
    p = (1 + (runs[:, 1:] >= runs[:, :1]).sum(axis=1)) / 20
    for level in (0.05, 0.1, 0.2):
        assert (p <= level).mean() <= level + 2 * np.sqrt(level * (1 - level) / len(p))
    assert abs(runs[:, 0].mean()) < 0.03


def test_a_field_confounder_fools_random_folds_only():
    grouped, random = [], []
    for seed in range(6):
        data = simulate(Planted(field=0.6, genes=40, cells_per_field=20), seed)
        block = {"expression": (Block(np.log1p(data.counts.toarray()), tuple(data.genes), "genes"),)}
        cells = cells_of(data.obs, data.function.to_numpy(), Folds(), "condition")
        alone = np.random.default_rng(seed).permutation(len(data.obs))
        procedure = quick_procedure(Prediction(), Folds())
        for plan, scores in ((cells.plan, grouped), (FoldPlan(alone, grouped_folds(alone, 5), ("cell",), ()), random)):
            predicted = out_of_fold(block, cells.values, plan, procedure, 1)["expression"]
            scores.append(quick_r2(predicted, cells.values[:, None, :], plan)[0])
    assert abs(np.mean(grouped)) < 0.05
    assert np.mean(random) > 0.1


def test_ratios_out_of_range_are_refused():
    with pytest.raises(ValueError, match="l1_ratios: every ratio"):
        Prediction(l1_ratios=[0.0])


def test_transforms_are_fitted_to_training_cells_alone():
    rng = np.random.default_rng(0)
    block = Block(rng.normal(size=(40, 3)), ("a", "b", "c"))
    block.values[3, 1] = np.nan
    train = np.arange(20)
    changed = Block(block.values.copy(), block.names)
    changed.values[20:] *= 1000
    first = standardised(block, train, 0, None).values[train]
    assert np.array_equal(first, standardised(changed, train, 0, None).values[train])
    assert first.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-12)


def test_missing_features_become_the_training_median():
    block = Block(np.array([[1.0], [2.0], [30.0], [np.nan]]), ("a",))
    scaled = standardised(block, np.arange(3), 0, None).values[:, 0]
    assert scaled[3] == pytest.approx(scaled[1])


def test_genes_are_kept_by_detection_and_variability():
    values = np.array([[0, 1, 5.0, 1], [0, 1, 0, 2], [0, 1, 9, 1], [1, 1, 0, 2]])
    assert kept_genes(values, 0.5, None).tolist() == [False, False, True, True]
    assert kept_genes(values, 0.0, 1).tolist() == [False, False, True, False]


def test_constant_columns_make_no_block():
    assert frame_block(pd.DataFrame({"a": [1.0, 1.0]})) is None
    assert frame_block(pd.DataFrame({"a": [1.0, 2.0], "b": [np.inf, 1.0]})).names == ("a",)


def test_nested_net_equals_scikit_learn():
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(6), 20)
    x = rng.normal(size=(120, 30))
    y = x[:, :3].sum(axis=1) + rng.normal(size=120)
    train, test = np.arange(100), np.arange(100, 120)
    inner = list(GroupKFold(5).split(train, groups=units[train]))
    grid = PathGrid((0.2, 0.9), 15, tolerance=1e-8)
    own = nested_elastic_net(x[train], x[test], y[train, None], inner, grid).test[:, 0]
    options = {"l1_ratio": [0.2, 0.9], "alphas": 15, "eps": 1e-2, "cv": inner, "tol": 1e-8, "max_iter": 5000}
    expected = ElasticNetCV(**options).fit(x[train], y[train]).predict(x[test])
    assert own == pytest.approx(expected, abs=1e-3)


def test_least_squares_predicts_a_line():
    x = np.linspace(0, 1, 10)[:, None]
    fit = least_squares(x[:8], x[8:], 3 * x[:8] + 1, [], PathGrid((0.5,), 3))
    assert fit.test[:, 0] == pytest.approx(3 * x[8:, 0] + 1)


def test_stacking_ignores_a_useless_model():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(200, 1))
    good, bad = NestedFit(np.ones((1, 1)), y.copy()), NestedFit(np.full((1, 1), 99.0), -y)
    assert stack([good, bad], y).test[0, 0] == pytest.approx(1.0)


@pytest.mark.data
def test_published_multi_task_lasso_is_reproduced(data_folder: Path):
    assert cross_validated_r2(data_folder / "patchseq_m1", 0.2) == pytest.approx(0.41088, abs=1e-3)


@pytest.mark.data
def test_cell_cycle_angle_is_predicted_in_a_new_individual(data_folder: Path):
    """Leave-one-individual-out error of the FUCCI angle from expression (constant: .238 of a turn)."""
    cells = pd.read_csv(data_folder / "fucci_ipsc/cells.csv", index_col=0)
    counts = pd.read_csv(data_folder / "fucci_ipsc/counts_888x101.csv", index_col=0).loc[cells.index].to_numpy(float)
    totals = counts.sum(axis=1, keepdims=True)
    block = Block(np.log1p(counts / totals * np.median(totals)), tuple(map(str, range(101))), "genes")
    values = np.column_stack([np.cos(cells["theta"]), np.sin(cells["theta"])])
    units = pd.factorize(cells["chip_id"])[0]
    plan = FoldPlan(units, units, ("individual",), ())
    procedure = quick_procedure(Prediction(null_alphas=12), Folds())
    predicted = out_of_fold({"expression": (block,)}, values, plan, procedure, 1)["expression"]
    assert angular_error(predicted, values) <= 0.13


@pytest.mark.data
def test_fitting_on_test_cells_is_seen(data_folder: Path):
    """A published table fitted least squares on its test cells; the same features honestly held out say less."""
    ephys = pd.read_csv(data_folder / "patchseq_m1/ephys_values.csv", index_col=0)
    counts = (
        pd.read_csv(data_folder / "patchseq_m1/gene_counts.csv", index_col="gene").T.loc[ephys.index].to_numpy(float)
    )
    x = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    x = x[:, np.argsort(-x.var(axis=0))[:300]]
    y = ephys["Rheobase"].to_numpy()[:, None]
    known = np.isfinite(y[:, 0])
    x, y = x[known], y[known]
    mice = pd.factorize(ephys.index[known].str[:8])[0]
    plan = FoldPlan(mice, grouped_folds(mice, 5), ("mouse",), ())
    leaky = least_squares(x, x, y, [], PathGrid((0.5,), 3)).test
    procedure = quick_procedure(Prediction(max_genes=None), Folds())
    honest = out_of_fold({"expression": (Block(x, tuple(map(str, range(300))), "genes"),)}, y, plan, procedure, 1)
    leaky_r2, honest_r2 = (quick_r2(p, y[:, None, :], plan)[0] for p in (leaky, honest["expression"]))
    assert leaky_r2 - honest_r2 > 0.2


def of_expression(
    seed: int, functions: int, *, expression: float = 0.6, with_shape: bool = False
) -> dict[str, ModelFit]:
    """Fit expression of 120 cells to one of several functions, with 19 permutations at first and 79 at most."""
    data = simulate(Planted(expression=0.6, genes=12, features=4, cells_per_field=10), seed)
    folds = Folds(inner=2, outer=3)
    cells = cells_of(data.obs, data.function.to_numpy(), folds, "condition").within_fields()
    blocks: dict[str, Block | None] = {"expression": Block(np.log1p(data.counts.toarray()), tuple(data.genes), "genes")}
    if with_shape:
        blocks["morphology"] = Block(data.morphology.to_numpy(), tuple(data.morphology))
    settings = SMALL.model_copy(update={"most_permutations": 79})
    return compare_models(blocks, cells, settings=settings, folds=folds, seed=1, threads=1, functions=functions)


def test_permutations_go_on_until_one_function_of_several_is_significant_whatever_the_others_are():
    alone, of_two = (of_expression(0, functions)["expression"].test for functions in (1, 2))
    assert (alone.p_value, alone.permutations) == (1 / 20, 19)
    assert (of_two.p_value, of_two.permutations) == (1 / 80, 79)
    # The null of the figure and its mean are of the first permutations in both.
    assert np.array_equal(alone.null, of_two.null)
    assert alone.null.shape == (19,)


def test_permutations_of_a_model_do_not_depend_on_which_others_are_open():
    alone, beside = (of_expression(0, 2, with_shape=with_shape) for with_shape in (False, True))
    assert beside["morphology"].test.permutations < 79
    assert beside["expression"].test.permutations == 79
    assert beside["both_late"].test.permutations == 79
    assert alone["expression"].test.p_value == beside["expression"].test.p_value


# permuted functions vary with position in the field as the measured one does


def with_gradient(slope: float, seed: int = 0, *, known: bool = True) -> CrossvalCells:
    """Return cells whose function rises along x of every field."""
    data = simulate(Planted(fields=6, cells_per_field=40), seed)
    values = data.function + slope * (data.obs[["x_px"]].to_numpy() / 250 - 1)
    obs = data.obs if known else data.obs.drop(columns=["x_px", "y_px"])
    return cells_of(obs, values.to_numpy(), Folds(inner=2), "condition").within_fields()


def slopes(cells: CrossvalCells, x: np.ndarray) -> np.ndarray:
    """Return the slope along x of the measured and of each permuted function."""
    permuted = permuted_responses(cells, 40, np.random.default_rng(1))[:, :, 0]
    return (x - x.mean()) @ permuted / np.square(x - x.mean()).sum()


def test_permuted_functions_keep_the_gradient_where_positions_are_known():
    x = simulate(Planted(fields=6, cells_per_field=40), 0).obs["x_px"].to_numpy() / 250
    kept, lost = (slopes(with_gradient(2.0, known=known), x) for known in (True, False))
    assert kept[0] == lost[0]
    assert abs(kept[1:].mean() / kept[0] - 1) < 0.1
    assert np.abs(lost[1:]).max() < 0.5 * lost[0]


def test_families_move_together_along_a_gradient():
    cells = with_gradient(2.0)
    same = np.repeat(np.arange(len(cells.values) // 2), 2)
    null = cells.null_by_position()
    assert null is not None
    permuted = permuted_responses(cells, 5, np.random.default_rng(1))
    # What position does not tell of a family is what it does not tell of another family, in the same order.
    white, drawn = null.whitened(cells.values)[:, 0], null.whitened(permuted[:, 3])[:, 0]
    where = np.array([np.abs(white - value).argmin() for value in drawn])
    assert np.abs(white[where] - drawn).max() < 1e-6
    assert (same[where[::2]] == same[where[1::2]]).all()
    assert not (where == np.arange(len(where))).all()


def test_without_a_gradient_permuted_functions_are_as_without_positions():
    cells, unknown = (with_gradient(0.0, seed=2, known=known) for known in (True, False))
    null = cells.null_by_position()
    assert null is not None
    assert null.share == 0
    drawn = [permuted_responses(c, 5, np.random.default_rng(3)) for c in (cells, unknown)]
    assert np.array_equal(*drawn)


def test_positions_are_used_only_where_they_are_known_and_asked_for():
    obs = pd.DataFrame({"y_px": ["1.5", None], "x_px": [2.0, 3.0]})
    assert np.array_equal(known_positions(obs), [[1.5, 2.0], [np.nan, 3.0]], equal_nan=True)
    assert known_positions(obs.assign(y_px=None)) is None
    assert known_positions(obs[["x_px"]]) is None
    data = simulate(Planted(), 0)
    cells = cells_of(data.obs, data.function.to_numpy(), Folds(position_null=False), "condition")
    assert cells.position is None
    assert cells.null_by_position() is None


def test_the_table_says_which_share_follows_position():
    data = simulate(Planted(expression=0.3, genes=20, features=3), 1)
    data.function["function_uptake"] += 2 * data.obs["y_px"] / 250
    used, not_used = (ask(data, SMALL, Folds(inner=2, outer=4, position_null=on)) for on in (True, False))
    share = by_model(used, estimand="within")["position_share"]
    assert (share == share.iloc[0]).all()
    assert 0.4 < share.iloc[0] < 0.8
    assert by_model(used, estimand="between")["position_share"].isna().all()
    assert by_model(not_used, estimand="within")["position_share"].isna().all()


# R² within class has a null of its own


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
