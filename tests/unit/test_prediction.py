"""Prediction of function: planted truth is found, null data stay silent, what cannot be estimated says so."""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import ElasticNetCV, MultiTaskLasso
from sklearn.model_selection import GroupKFold
from tests.unit.prediction_examples import Planted, simulate

import predict
from cineseq import results
from cineseq.config.prediction import Folds, Prediction
from cineseq.errors import UserError
from cineseq.paired import PairedData, write_paired
from cineseq.prediction.blocks import Block, frame_block
from cineseq.prediction.folds import FoldPlan, grouped_folds
from cineseq.prediction.genes import complementary_halves, genes_per_half, modules, overlap_row
from cineseq.prediction.models import permuted_responses, quick_procedure, quick_r2
from cineseq.prediction.nets import NestedFit, PathGrid, least_squares, nested_elastic_net, stack
from cineseq.prediction.outer import out_of_fold
from cineseq.prediction.responses import angular_error, responses_of
from cineseq.prediction.study import Answer, Question, answer, cells_of
from cineseq.prediction.transform import kept_genes, standardised
from cineseq.tables import read_table

FAST = Prediction(permutations=19, half_samples=20, alphas=12, l1_ratios=[0.5], bootstraps=200)


def ask(data: PairedData, settings: Prediction = FAST, folds: Folds | None = None) -> Answer:
    return answer(Question(data, None, None, folds or Folds(inner=3), settings, seed=1), threads=1)


def by_model(found: Answer, function: str = "function_uptake") -> pd.DataFrame:
    rows = found.tables["performance"]
    return rows[rows["function"] == function].set_index("model")


@pytest.fixture(scope="module")
def planted() -> Answer:
    return ask(simulate(Planted(expression=0.3, morphology=0.35), seed=2))


def test_planted_signals_are_found_in_both_modalities(planted):
    rows = by_model(planted)
    assert rows.loc["expression", "r2"] > 0.1
    assert rows.loc["morphology", "r2"] > 0.15
    assert rows.loc["both", "r2"] > max(rows.loc["expression", "r2"], rows.loc["morphology", "r2"])
    assert rows.loc[["expression", "morphology", "both", "both_late"], "p_value"].to_list() == [0.05] * 4
    estimated = rows[rows["r2"].notna()]
    assert len(estimated) == 10
    assert estimated["r2"].between(estimated["r2_low"], estimated["r2_high"]).all()


def test_baselines_are_in_the_table(planted):
    rows = by_model(planted)
    assert rows.loc["mean", "r2"] == 0
    assert rows.loc["technical", "r2"] < 0.1
    assert set(rows.index) == set(results.MODELS)
    assert rows.loc["cycle", "note"].startswith("not estimable: no cell-cycle scores")
    assert rows.loc["embedding", "note"] == "not estimable: no embedding in the paired data"
    assert rows.loc["class", "note"].endswith("so it has no p-value")
    assert np.isnan(rows.loc["class", "p_value"])


def test_the_shuffled_control_loses_what_morphology_adds(planted):
    contrasts = planted.tables["contrasts"].set_index(["model_a", "model_b"])
    assert contrasts.loc[("both", "both_permuted"), "low"] > 0
    assert contrasts.loc[("both", "expression"), "delta_r2"] == pytest.approx(
        by_model(planted).loc["both", "r2"] - by_model(planted).loc["expression", "r2"]
    )


def test_selected_genes_are_planted_ones(planted):
    genes = planted.tables["genes"]
    selected = genes[genes["frequency"] >= 0.6]["gene"]
    assert len(selected)
    assert set(selected) <= {f"g{i}" for i in range(8)}
    assert (genes.set_index("gene").loc[list(selected), "sign"] == 1).all()


def test_predictions_are_out_of_fold_and_complete(planted):
    rows = planted.tables["predictions"]
    both = rows[rows["model"] == "both"]
    assert both["track_id"].is_unique
    assert len(both) == 240
    error = np.square(both["measured"] - both["predicted"]).sum()
    baseline = np.square(both["measured"] - both["baseline"]).sum()
    assert 1 - error / baseline == pytest.approx(by_model(planted).loc["both", "r2"])


def test_the_same_seed_gives_the_same_tables():
    data = simulate(Planted(expression=0.2, genes=20, cells_per_field=12), seed=0)
    first, second = (ask(data, FAST.model_copy(update={"permutations": 3})) for _ in range(2))
    for name in first.tables:
        pd.testing.assert_frame_equal(first.tables[name], second.tables[name])


def quick_scores(seed: int, planted: Planted, permutations: int) -> np.ndarray:
    """Return the quick R2 of expression: observed first, then permuted; grouped folds."""
    data = simulate(planted, seed)
    cells = cells_of(data.obs, data.function.to_numpy(), Folds(inner=2, outer=4), "condition")
    block = {"expression": (Block(np.log1p(data.counts.toarray()), tuple(data.genes), "genes"),)}
    permuted = permuted_responses(cells, permutations, np.random.default_rng(seed))
    procedure = quick_procedure(Prediction(null_alphas=4), Folds(inner=2))
    predicted = out_of_fold(block, permuted.reshape(len(permuted), -1), cells.plan, procedure, 1)
    return quick_r2(predicted["expression"], permuted, cells.plan)


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
    assert np.mean(grouped) < 0.05
    assert np.mean(random) > 0.1


def test_missing_values_leave_cells_out():
    data = simulate(Planted(morphology=0.4, genes=20), seed=0)
    function = data.function.copy()
    function.iloc[::3] = np.nan
    rows = by_model(ask(replace(data, function=function), FAST.model_copy(update={"permutations": 0})))
    assert rows.loc["morphology", "n"] == 160
    assert rows.loc["morphology", "r2"] > 0.1
    assert np.isnan(rows.loc["morphology", "p_value"])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.nan, "the function was measured in no paired cell"),
        (3.0, "the function has the same value in all 240 cells"),
    ],
)
def test_nothing_is_estimated_of_a_missing_or_constant_function(values, reason):
    data = simulate(Planted(genes=10), seed=0)
    found = ask(replace(data, function=data.function.assign(function_uptake=values)))
    rows = by_model(found)
    assert rows["r2"].isna().all()
    assert set(rows["note"]) == {f"not estimable: {reason}"}
    assert not len(found.tables["predictions"])


def test_one_function_may_fail_while_another_is_estimated():
    data = simulate(Planted(morphology=0.4, genes=20), seed=0)
    data = replace(data, function=data.function.assign(function_flat=1.0))
    found = ask(data, FAST.model_copy(update={"permutations": 0}))
    assert by_model(found, "function_flat")["r2"].isna().all()
    assert by_model(found)["r2"].notna().any()


def test_two_fields_are_not_estimable():
    data = simulate(Planted(genes=10, fields=2, cells_per_field=40), seed=0)
    assert "only 2 groups by sample and fov" in by_model(ask(data)).loc["expression", "note"]


def test_without_counts_shape_is_still_judged():
    data = replace(simulate(Planted(morphology=0.4, genes=10), seed=0), counts=None, genes=pd.Index([]))
    rows = by_model(ask(data, FAST.model_copy(update={"permutations": 0})))
    assert rows.loc["morphology", "r2"] > 0.1
    assert rows.loc["both", "note"] == "not estimable: needs counts and morphology or an embedding"


def test_an_angle_is_judged_by_its_error():
    data = simulate(Planted(genes=10), seed=0)
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, len(data.obs))
    shape = data.morphology.assign(
        morphology_c=np.cos(angle) + 0.1 * data.morphology.iloc[:, 5], morphology_s=np.sin(angle)
    )
    function = pd.DataFrame({"function_t_cos": np.cos(angle), "function_t_sin": np.sin(angle)}, index=data.obs.index)
    found = ask(replace(data, morphology=shape, function=function), FAST.model_copy(update={"permutations": 0}))
    rows = by_model(found, "function_t")
    assert rows.loc["morphology", "circular_error"] < 0.05
    assert 0.2 < rows.loc["mean", "circular_error"] < 0.3
    assert set(found.tables["genes"]["function"]) == {"function_t_cos", "function_t_sin"}


def test_angular_error_is_in_turns():
    quarter = np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]])
    assert angular_error(*quarter) == pytest.approx(0.25)


def test_an_unknown_function_is_refused():
    frame = pd.DataFrame({"function_uptake": [1.0, 2.0]})
    with pytest.raises(UserError, match=r"prediction.functions: there is no function 'lipid'"):
        responses_of(frame, ["lipid"])
    with pytest.raises(UserError, match="no column 'function_"):
        responses_of(pd.DataFrame(index=[0]), [])


def test_an_unknown_technical_column_is_refused():
    with pytest.raises(UserError, match=r"prediction.technical_columns: 'focus' is not a column"):
        ask(simulate(Planted(genes=10), seed=0), Prediction(technical_columns=["focus"]))


def test_functions_are_named_with_or_without_their_prefix():
    frame = pd.DataFrame({"function_lipid": [1.0, 2.0], "function_dye": [0.0, 1.0]})
    assert [r.name for r in responses_of(frame, ["lipid"])] == ["function_lipid"]
    assert [r.name for r in responses_of(frame, ["function_dye"])] == ["function_dye"]


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
    assert stack([good, bad], y)[0, 0] == pytest.approx(1.0)


def test_stability_bound_sets_genes_per_half():
    assert genes_per_half(1000, 0.6, 1.0) == 14
    assert genes_per_half(3, 0.6, 0.1) == 1


def test_halves_are_complementary_and_keep_groups_whole():
    units = np.repeat(np.arange(7), 5)
    halves = complementary_halves(units, 3, np.random.default_rng(0))
    for first, second in zip(halves[::2], halves[1::2], strict=True):
        assert sorted([*first, *second]) == list(range(35))
        assert not set(units[first]) & set(units[second])


def test_null_genes_are_rarely_selected():
    selected = 0
    for seed in range(4):
        genes = ask(simulate(Planted(genes=60), seed), FAST.model_copy(update={"permutations": 0})).tables["genes"]
        selected += int((genes["frequency"] >= 0.6).sum())
    assert selected / 4 <= 1.0


def test_correlated_genes_share_a_module():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(100, 2))
    values = np.column_stack([hidden[:, [0, 0, 1, 1]] + 0.2 * rng.normal(size=(100, 4)), rng.normal(size=100)])
    found = modules(values, 0.5)
    assert found[0] == found[1] != found[2] == found[3]
    assert len(set(found)) == 3


def test_overlap_has_the_hypergeometric_tails():
    rows = pd.DataFrame(
        {"frequency": [1.0, 1.0, 0, 0, 0, 0], "is_marker": pd.array([True, True, True, False, False, False], "boolean")}
    )
    row = overlap_row("f", rows, 0.6)
    assert (row["selected"], row["markers"], row["shared"]) == (2, 3, 2)
    assert row["jaccard"] == pytest.approx(2 / 3)
    assert row["expected"] == pytest.approx(1.0)
    assert row["p_value"] == pytest.approx(3 / 15)
    assert row["p_fewer"] == pytest.approx(1.0)


def test_overlap_without_selected_genes_is_not_estimable():
    rows = pd.DataFrame({"frequency": [0.1], "is_marker": pd.array([True], "boolean")})
    assert overlap_row("f", rows, 0.6)["note"] == "not estimable: no gene was selected"


def test_the_step_writes_its_tables_and_figures(tmp_path: Path):
    data = simulate(Planted(morphology=0.4, genes=20, cells_per_field=15, embedding=5), seed=0)
    write_paired(data, tmp_path / "paired.h5mu")
    clusters, markers = given_tables(data)
    clusters.to_parquet(tmp_path / "clusters.parquet")
    markers.to_csv(tmp_path / "markers.tsv", sep="\t", index=False)
    tables = ("performance", "samples", "contrasts", "genes", "overlap")
    files = {name: tmp_path / f"{name}.tsv" for name in tables}
    pictures = {name: tmp_path / f"{name}.svg" for name in ("ladder", "scatter", "selection")}
    settings = predict.Settings(prediction=FAST.model_copy(update={"permutations": 2}))
    predict.main(
        paired=tmp_path / "paired.h5mu",
        clusters=tmp_path / "clusters.parquet",
        markers=tmp_path / "markers.tsv",
        **files,
        **pictures,
        predictions=tmp_path / "predictions.parquet",
        report=tmp_path / "report.json",
        settings=settings,
        threads=1,
    )
    performance = read_table(files["performance"], results.PERFORMANCE).set_index("model")
    assert performance.loc["both", "n"] == 119
    assert np.isfinite(performance.loc[["cycle", "embedding", "both_late"], "r2"].astype(float)).all()
    assert read_table(files["genes"], results.GENES)["is_marker"].sum() == 4
    assert read_table(tmp_path / "predictions.parquet", results.PREDICTIONS)["model"].nunique() == 12
    assert all(picture.read_text().startswith("<?xml") for picture in pictures.values())
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["numbers"]["function_uptake.morphology.r2"] > 0.05


@pytest.mark.slow
def test_a_thousand_genes_with_their_null_take_less_than_two_cores_for_90_seconds():
    data = simulate(Planted(genes=1000, features=45, embedding=192, cells_per_field=40), seed=0)
    started = time.process_time()
    rows = by_model(ask(data, Prediction()))
    assert time.process_time() - started < 180
    assert rows.loc["both", "permutations"] == 99


def given_tables(data: PairedData) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return tables of clusters (the first cell failed quality control) and of marker genes."""
    n = len(data.obs)
    rng = np.random.default_rng(0)
    clusters = pd.DataFrame(
        {
            "track_id": data.obs.index,
            "cluster": [None, *(str(i % 2) for i in range(1, n))],
            "umap_1": 0.0,
            "umap_2": 0.0,
            "s_score": rng.normal(size=n),
            "g2m_score": rng.normal(size=n),
            "phase": "G1",
            "total_counts": 100.0,
            "genes_detected": 10,
            "mitochondrial_fraction": np.nan,
            "passes_qc": [False] + [True] * (n - 1),
            "qc_reason": None,
        }
    )
    markers = pd.DataFrame(
        {
            "comparison": "cluster",
            "group": "0",
            "gene": data.genes,
            "auc": 0.5,
            "log2_fold_change": 0.0,
            "p_value": 0.5,
            "q_value": 0.5,
            "is_marker": [i < 4 for i in range(len(data.genes))],
            "note": None,
        }
    )
    return results.CLUSTERS.check(clusters), results.MARKERS.check(markers)


@pytest.mark.data
def test_published_multi_task_lasso_is_reproduced(data_folder: Path):
    """Bernaerts et al.'s group lasso on patch-seq cells: cross-validated R2 .45275 at lambda .1."""
    response = pd.read_csv(data_folder / "patchseq_m1/ephys_values.csv", index_col=0).to_numpy()
    counts = pd.read_csv(data_folder / "patchseq_m1/gene_counts.csv", index_col="gene").to_numpy(float).T
    totals = counts.sum(axis=1, keepdims=True)
    x = np.log2(counts / totals * np.median(totals) + 1)
    x, y = ((v - v.mean(axis=0)) / v.std(axis=0) for v in (x, response))
    order = np.random.RandomState(42).permutation(len(x))
    x, y = x[order].astype("float32").astype(float), y[order].astype("float32").astype(float)
    size, scores = len(x) // 10, []
    for k in range(10):
        test = np.arange(k * size, (k + 1) * size)
        train = np.setdiff1d(np.arange(len(x)), test)
        mean_x, mean_y = x[train].mean(axis=0), y[train].mean(axis=0)
        model = MultiTaskLasso(alpha=0.1, fit_intercept=False, max_iter=2000, tol=1e-4)
        model.fit(x[train] - mean_x, y[train] - mean_y)
        error = y[test] - mean_y - model.predict(x[test] - mean_x)
        scores.append(1 - np.square(error).sum() / np.square(y[test] - mean_y).sum())
    assert np.mean(scores) == pytest.approx(0.45275, abs=1e-3)


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
    honest = out_of_fold({"technical": (Block(x, tuple(map(str, range(300))), "genes"),)}, y, plan, procedure, 1)
    leaky_r2, honest_r2 = (quick_r2(p, y[:, None, :], plan)[0] for p in (leaky, honest["technical"]))
    assert leaky_r2 - honest_r2 > 0.2
