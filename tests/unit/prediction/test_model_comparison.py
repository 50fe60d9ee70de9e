"""Models of prediction and their folds: fitted to training cells alone, equal to known solvers, silent on null data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmarks.published_lasso import cross_validated_r2
from sklearn.linear_model import ElasticNetCV
from sklearn.model_selection import GroupKFold
from tests.unit.prediction.prediction_examples import SMALL, Planted, quick_scores, simulate

from cineseq.config.prediction import Folds, Prediction
from cineseq.prediction.crossval.elastic_net import NestedFit, PathGrid, least_squares, nested_elastic_net, stack
from cineseq.prediction.crossval.feature_blocks import Block, frame_block
from cineseq.prediction.crossval.folds import FoldPlan, cells_of, grouped_folds
from cineseq.prediction.crossval.out_of_fold import out_of_fold
from cineseq.prediction.crossval.transform import kept_genes, standardised
from cineseq.prediction.model_comparison import ModelFit, compare_models, quick_procedure, quick_r2
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
