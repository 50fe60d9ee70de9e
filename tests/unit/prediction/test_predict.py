"""Prediction of function: planted truth is found, null data stay silent, what cannot be estimated says so."""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import predict
import pytest
from tests.unit.prediction.prediction_examples import FAST, Planted, ask, by_model, by_pair, simulate

from cineseq.config.prediction import Folds, Prediction
from cineseq.errors import UserError
from cineseq.io.adata import write_paired
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval.feature_blocks import Block, class_labels
from cineseq.prediction.predict import PredictionResult, compared_rows, predict_functions
from cineseq.prediction.report import report
from cineseq.prediction.responses import angular_error, responses_of
from cineseq.prediction.task import PredictionTask
from cineseq.report.answers import answer_all
from cineseq.report.evidence import Evidence
from cineseq.tables.contract import ESTIMANDS, read_table
from cineseq.tables.expression import CLUSTERS, MARKERS
from cineseq.tables.prediction import GENES, MODELS, PERFORMANCE, PREDICTIONS, UNUSED_GROUPS

PICTURES = ("ladder", "scatter", "selection", "selected_genes", "overlap_figure")


@pytest.fixture(scope="module")
def planted() -> PredictionResult:
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
    assert set(rows.index) == set(MODELS) - {"features", "nonlinear"}
    assert rows.loc["cycle", "note"].startswith("not estimable: no cell-cycle scores")
    assert rows.loc["embedding", "note"] == "not estimable: no embedding in the paired data"
    assert rows.loc["class", "note"].startswith(
        "constant within every stratum of the null, so it has no p-value; interval from 8 groups"
    )
    assert np.isnan(rows.loc["class", "p_value"])


def test_the_shuffled_control_loses_what_morphology_adds(planted):
    contrasts = by_pair(planted)
    assert contrasts.loc[("both", "both_permuted"), "low"] > 0
    assert contrasts.loc[("both", "expression"), "delta_r2"] == pytest.approx(
        by_model(planted).loc["both", "r2"] - by_model(planted).loc["expression", "r2"]
    )


def test_shapes_that_complement_each_other_are_no_gain_of_expression():
    """One state is in morphology, another in the embedding, none in expression: both beats each alone all the same."""
    data = simulate(Planted(morphology=0.4, genes=20, embedding=4), seed=3)
    rng = np.random.default_rng(3)
    state = rng.normal(size=len(data.obs))
    embedding = data.embedding + 1.5 * state[:, None]
    function = data.function.add(0.6 * state, axis=0)
    found = ask(replace(data, embedding=embedding, function=function), FAST.model_copy(update={"permutations": 0}))
    contrasts = by_pair(found)
    alone = [("both", model) for model in ("expression", "morphology", "embedding", "both_permuted")]
    assert (contrasts.loc[alone, "low"] > 0).all()
    assert contrasts.loc[("both", "all_morphology"), "low"] < 0
    assert contrasts.loc[("all_morphology", "expression"), "low"] > 0
    said = " ".join(report(found.tables, {}, ())["lines"])
    assert "expression and shape together are not shown to predict better than the better of them" in said
    assert "over all morphology" in said
    evidence = Evidence(
        performance=found.tables["performance"].assign(q_value=0.01, r2_null=-0.01), contrasts=found.tables["contrasts"]
    )
    [answer] = [a for a in answer_all(evidence) if a.id == "modalities"]
    assert "Expression was not shown to add to morphology and embedding together" in answer.answer


def test_the_users_features_are_a_block_and_a_model_of_their_own():
    data = simulate(Planted(genes=20, cells_per_field=12), seed=4)
    state = np.random.default_rng(4).normal(size=len(data.obs))
    own = pd.DataFrame({"features_x": state, "features_same": 1.0}, index=data.obs.index)
    function = data.function.add(2 * state, axis=0)
    found = ask(replace(data, features=own, function=function), FAST.model_copy(update={"permutations": 19}))
    rows = by_model(found)
    assert list(rows.index) == [model for model in MODELS if model != "nonlinear"]
    assert rows.loc["features", "r2"] > 0.5
    assert rows.loc["features", "p_value"] == 0.05
    assert rows.loc["both_permuted", "note"].startswith("control: morphology, embedding and features rows shuffled")
    contrasts = by_pair(found)
    assert contrasts.loc[("features", "morphology"), "low"] > 0
    assert "external features" in found_lines(found)


def found_lines(found: PredictionResult) -> str:
    return " ".join(report(found.tables, {}, ())["lines"])


def test_features_that_do_not_vary_say_so():
    data = simulate(Planted(genes=20, cells_per_field=12), seed=4)
    own = pd.DataFrame({"features_same": 1.0}, index=data.obs.index)
    rows = by_model(ask(replace(data, features=own), FAST.model_copy(update={"permutations": 0})))
    assert rows.loc["features", "note"] == "not estimable: the external features do not vary among these cells"


def test_all_morphology_is_what_there_is_of_it(planted):
    contrasts = by_pair(planted)["delta_r2"]
    assert contrasts["both", "all_morphology"] == contrasts["both", "morphology"]
    rows = planted.tables["sensitivity"].set_index(["variant", "model"])["r2"]
    assert rows["headline", "all_morphology"] == rows["headline", "morphology"]
    assert "all_morphology" not in set(planted.tables["performance"]["model"])
    said = " ".join(report(planted.tables, {}, ())["lines"])
    assert "expression and shape together are shown to predict better than the better of them" in said


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
    first, second = (ask(data, FAST.model_copy(update={"permutations": 3, "most_permutations": 5})) for _ in range(2))
    for name in first.tables:
        pd.testing.assert_frame_equal(first.tables[name], second.tables[name])


def test_the_numbers_of_a_function_do_not_depend_on_the_other_functions():
    data = simulate(Planted(genes=12, features=3, cells_per_field=12), seed=0)
    function = data.function.assign(function_other=np.random.default_rng(1).normal(size=len(data.function)))
    few = FAST.model_copy(update={"permutations": 3, "most_permutations": 0, "sensitivity": []})
    both, turned = (ask(replace(data, function=function[list(o)]), few) for o in (function, function.columns[::-1]))
    for name in ("performance", "beyond_covariates", "overlap"):
        tables = [
            found.tables[name].set_index("function").drop(columns="q_value", errors="ignore")
            for found in (both, turned)
        ]
        for column in function:
            pd.testing.assert_frame_equal(*(table.loc[[column]] for table in tables))
    nulls = [c.within.fits["expression"].test.null for c in both.comparisons]
    assert not np.isclose(*nulls).any()


def test_missing_values_leave_cells_out():
    data = simulate(Planted(morphology=0.4, genes=20), seed=0)
    function = data.function.copy()
    function.iloc[::3] = np.nan
    rows = by_model(ask(replace(data, function=function), FAST.model_copy(update={"permutations": 0})))
    assert rows.loc["morphology", "n"] == 160
    assert rows.loc["morphology", "r2"] > 0.1
    assert np.isnan(rows.loc["morphology", "p_value"])


def test_a_sample_of_few_cells_says_why_it_has_no_r2():
    data = simulate(Planted(morphology=0.4, genes=20), seed=0)
    sample = data.obs["sample"]
    few = (sample == sample.iloc[0]) & (sample.groupby(sample).cumcount() % 20 > 0)
    found = ask(replace(data, function=data.function.mask(few)), FAST.model_copy(update={"permutations": 0}))
    rows = found.tables["samples"].set_index(["model", "sample"]).loc["morphology"]
    assert rows.loc[sample.iloc[0], "note"] == f"not estimable: {rows.loc[sample.iloc[0], 'n']} of at least 5 cells"
    assert np.isnan(rows.loc[sample.iloc[0], "r2"])
    others = rows.drop(index=sample.iloc[0])
    assert others["r2"].notna().all()
    assert others["note"].isna().all()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.nan, "the function was measured in no paired cell"),
        (3.0, "the function has the same value in all 240 cells"),
        ([1.0, 2, 3] + [np.nan] * 237, "only 3 cells with a value, fewer than folds.min_cells = 30"),
    ],
)
def test_nothing_is_estimated_of_a_missing_constant_or_rare_function(values, reason):
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


def test_two_fields_are_predicted_from_their_families():
    data = simulate(Planted(expression=0.4, genes=10, fields=2, cells_per_field=40), seed=0)
    found = ask(data, FAST.model_copy(update={"permutations": 0}))
    assert by_model(found).loc["expression", ["groups", "grouped_by"]].tolist() == [40, "family"]
    assert by_model(found).loc["expression", "r2"] > 0
    assert any("that the result holds in another field or sample cannot be claimed" in note for note in found.notes)


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


def test_an_unknown_class_column_is_refused():
    data = simulate(Planted(genes=10), seed=0)
    named = r"\['condition', 'family', 'fov', 'sample'\]"
    with pytest.raises(UserError, match=rf"class_column .*'clas' is not a column .* {named}"):
        ask(data, Prediction(class_column="clas"))
    assert set(class_labels(data.obs.drop(columns="condition"), "condition")) == {""}
    assert set(class_labels(data.obs.rename(columns={"condition": "group_type"}), "type")) == {"a", "b"}


def test_functions_are_named_with_or_without_their_prefix():
    frame = pd.DataFrame({"function_lipid": [1.0, 2.0], "function_dye": [0.0, 1.0]})
    assert [r.name for r in responses_of(frame, ["lipid"])] == ["function_lipid"]
    assert [r.name for r in responses_of(frame, ["function_dye"])] == ["function_dye"]


def test_the_step_writes_its_tables_and_figures(tmp_path: Path):
    data = simulate(Planted(morphology=0.4, genes=20, cells_per_field=15, embedding=5), seed=0)
    data = replace(data, obs=data.obs.assign(plate=np.arange(len(data.obs)) // 2 % 2))
    write_paired(data, tmp_path / "paired.h5ad")
    clusters, markers = given_tables(data)
    clusters.to_parquet(tmp_path / "clusters.parquet")
    markers.to_csv(tmp_path / "markers.tsv", sep="\t", index=False)
    tables = (
        *("performance", "samples", "by_sample", "contrasts", "beyond_covariates", "covariates"),
        *("unused_groups", "genes", "overlap", "model_sensitivity"),
    )
    files = {name: tmp_path / f"{name}.tsv" for name in tables}
    pictures = {name: tmp_path / f"{name}.svg" for name in PICTURES}
    settings = predict.Settings(prediction=FAST.model_copy(update={"permutations": 2, "most_permutations": 2}))
    predict.main(
        paired=tmp_path / "paired.h5ad",
        clusters=tmp_path / "clusters.parquet",
        markers=tmp_path / "markers.tsv",
        **files,
        **pictures,
        predictions=tmp_path / "predictions.parquet",
        report=tmp_path / "report.json",
        settings=settings,
        threads=1,
    )
    whole = read_table(files["performance"], PERFORMANCE)
    assert whole["estimand"].value_counts().to_dict() == dict.fromkeys(ESTIMANDS, 12)
    performance = whole[whole["estimand"] == "within"].set_index("model")
    assert performance.loc["both", "n"] == 119
    assert np.isfinite(performance.loc[["cycle", "embedding", "both_late"], "r2"].astype(float)).all()
    assert read_table(files["genes"], GENES)["is_marker"].sum() == 4
    groups = read_table(files["unused_groups"], UNUSED_GROUPS)
    assert set(groups["group"]) == {"plate"}
    assert set(groups["model"]) == {"expression", "morphology", "embedding", "both"}
    assert read_table(tmp_path / "predictions.parquet", PREDICTIONS)["model"].nunique() == 12
    assert all(picture.read_text().startswith("<?xml") for picture in pictures.values())
    # The null is of the quick procedure, whose own R² stands on it.
    assert 'id="quick-function_uptake-both"' in pictures["ladder"].read_text()
    assert 'id="pooled-function_uptake-both"' in pictures["ladder"].read_text()
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["numbers"]["function_uptake.morphology.r2"] > 0.05
    assert report["numbers"]["function_uptake.morphology.within.share"] > 0.05


@pytest.mark.slow
def test_a_thousand_genes_with_their_null_take_less_than_two_cores_for_90_seconds():
    data = simulate(Planted(genes=1000, features=45, embedding=192, cells_per_field=40), seed=0)
    started = time.process_time()
    found = ask(data, Prediction())
    assert time.process_time() - started < 180
    drawn = {name: by_model(found, estimand=name).loc["both", "permutations"] for name in ("within", "pooled")}
    assert drawn == {"within": Prediction().permutations, "pooled": Prediction().class_permutations}


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
            "multiplet": False,
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
    return CLUSTERS.check(clusters), MARKERS.check(markers)


SMALL = Prediction(permutations=0, half_samples=10, alphas=8, l1_ratios=[0.5])


def blocks(missing: list[int]) -> dict[str, Block | None]:
    shape = np.arange(20.0).reshape(10, 2)
    shape[missing] = np.nan
    return {"expression": Block(np.ones((10, 1)), ("g",)), "morphology": Block(shape, ("a", "b")), "embedding": None}


def test_a_cell_without_any_shape_is_left_out():
    rows, notes = compared_rows(blocks([2, 7]), np.array([0, 1, 2, 5, 9]), 3)
    assert rows.tolist() == [0, 1, 5, 9]
    assert notes == (
        "1 of 5 cells have no morphology: models are compared on the 4 cells with all of them; genes use all cells.",
    )


def test_a_cell_with_some_shape_stays():
    given = blocks([])
    given["morphology"].values[3, 1] = np.nan
    rows, notes = compared_rows(given, np.arange(10), 3)
    assert rows.tolist() == list(range(10))
    assert notes == ()


def test_too_few_complete_cells_leave_out_none():
    rows, notes = compared_rows(blocks([0, 1, 2, 3, 4, 5, 6]), np.arange(10), 4)
    assert len(rows) == 10
    assert notes[0].startswith("7 of 10 cells have no morphology; too few cells have all of them")


def test_models_are_compared_on_complete_cells_and_genes_use_all():
    data = simulate(Planted(expression=0.4, morphology=0.3, genes=20), seed=0)
    shape = data.morphology.copy()
    shape.iloc[::2] = np.nan
    found = predict_functions(
        PredictionTask(replace(data, morphology=shape), None, None, Folds(inner=3), SMALL, seed=1), threads=1
    )
    rows = by_model(found)
    assert set(rows["n"]) == {120}
    assert rows.loc["morphology", "r2"] > 0.1
    assert len(found.tables["predictions"]["track_id"].unique()) == 120
    whole = predict_functions(PredictionTask(data, None, None, Folds(inner=3), SMALL, seed=1), threads=1)
    given = ["rho_given_covariates", "p_given_covariates", "q_given_covariates"]
    assert found.tables["genes"].drop(columns=given).equals(whole.tables["genes"].drop(columns=given))
