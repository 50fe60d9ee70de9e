"""Variance of one modality in the other: a planted share is found, shuffled pairing and null data are silent."""

import json
from dataclasses import replace
from pathlib import Path

import explain_modalities
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge
from tests.unit.prediction.prediction_examples import Planted, simulate

from cineseq.config.prediction import Crossmodal, Folds
from cineseq.crossmodal.decompose import Decomposition, decompose, report
from cineseq.crossmodal.explain import ExplainOptions, explain
from cineseq.crossmodal.explained_values import Targets, errors_of, noise_ceiling
from cineseq.io.adata import write_paired
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.prediction.crossval.folds import FoldPlan, cells_of
from cineseq.prediction.crossval.ridge import SMALLEST_PENALTY, Tuning, predict, ridge_folds
from cineseq.statistics.position import Place
from cineseq.tables.contract import read_table
from cineseq.tables.crossmodal import DIRECTIONS, FEATURE_VARIANCE, GENE_VARIANCE, VARIANCE_BY_SAMPLE, VARIANCE_SUMMARY
from cineseq.text import percent

FAST = Crossmodal(genes=40, permutations=39, components=8, penalties=5, thinnings=2)


def ask(data: PairedData, settings: Crossmodal = FAST) -> Decomposition:
    return decompose(data, ExplainOptions(settings, Folds(), seed=1, threads=1))


def totals(found: Decomposition, estimand: str = "within") -> pd.DataFrame:
    rows = found.summary[found.summary["estimand"] == estimand]
    return rows.set_index("direction")


@pytest.fixture(scope="module")
def shared() -> Decomposition:
    return ask(simulate(Planted(shared=0.8, genes=60, cells_per_field=40), seed=0))


def test_shared_states_are_found_both_ways(shared):
    for estimand in ("within", "pooled"):
        summary = totals(shared, estimand)
        assert summary.index.tolist() == ["morphology_to_expression", "expression_to_morphology"]
        assert summary.loc["expression_to_morphology", "r2"] > 0.02
        assert (summary["r2_above_null"] == summary["r2"] - summary["r2_null"]).all()
        assert (summary["r2_above_null"] > 0).all()
        assert (summary["p_value"] == 1 / 40).all()
        assert (summary["q_value"] == 1 / 40).all()
        assert (summary["low"] > 0).all()
        assert (summary["share"] >= summary["r2"]).all()
        assert (summary["share_low"] > 0).all()


def following_a_bowl(seed: int, *, known: bool) -> tuple[float, np.ndarray]:
    """Return the p-values, in total and of each target, of shape and expression that follow one bowl of all fields."""
    rng, fov = np.random.default_rng(seed), np.repeat(np.arange(8), 20)
    position = rng.uniform(0, 500, (160, 2))
    bowl = np.square(position / 250 - 1).sum(axis=1)[:, None]
    shape, genes = 2 * bowl + rng.normal(size=(160, 4)), 2 * bowl + rng.normal(size=(160, 6))
    genes[::9, 2] = np.nan
    obs = pd.DataFrame(
        {"sample": "s", "fov": fov.astype(str), "condition": "one", "family": np.arange(160).astype(str)}
    )
    if known:
        obs[["y_px", "x_px"]] = position
    cells = cells_of(obs, np.zeros((160, 1)), Folds(outer=4, inner=2), "condition")
    options = ExplainOptions(FAST, Folds(inner=2), seed, threads=1)
    found = explain([Block(shape, tuple("abcd"))], Targets(genes.astype(np.float32), "variance"), cells, options)
    return float(found.total["within"]["p_value"]), found.within.p_value


def test_modalities_that_only_follow_the_position_do_not_explain_each_other():
    kept, lost = ([following_a_bowl(seed, known=known) for seed in range(10)] for known in (True, False))
    assert sum(p <= 0.05 for p, _ in kept) <= 2
    assert np.mean([each <= 0.05 for _, each in kept]) <= 0.15
    assert all(p <= 0.05 for p, _ in lost)


def test_missing_targets_stay_missing_with_their_cells():
    values, position = np.arange(24.0).reshape(12, 2), np.column_stack([np.arange(12), np.arange(12) % 5])
    values[3, 0] = np.nan
    targets = Targets(values, "variance").along_position(Place(position, np.zeros(12)))
    order = np.roll(np.arange(12), 1)
    assert np.isnan(targets.rows(order).values).nonzero() == (np.array([4]), np.array([0]))


def test_every_sample_has_a_row_and_one_more_sample_an_interval(shared):
    rows = VARIANCE_BY_SAMPLE.check(shared.by_sample).set_index(["direction", "part"]).sort_index()
    for direction in ("morphology_to_expression", "expression_to_morphology"):
        each = rows.loc[(direction, "sample")]
        assert list(each["sample"]) == ["s0", "s1", "s2", "s3"]
        assert (each["r2"] > 0).all()
        new = rows.loc[(direction, "new_sample")].iloc[0]
        assert new["r2_low"] < each["r2"].mean() < new["r2_high"]


def test_the_right_genes_and_features_are_explained(shared):
    genes = shared.genes.set_index("gene")
    carriers = [f"g{i}" for i in range(6) if f"g{i}" in genes.index]
    assert len(carriers) >= 3
    assert genes.loc[carriers, "r2"].mean() > 0.05
    assert abs(genes.drop(carriers)["r2"].mean()) < 0.02
    assert genes.loc[carriers, "r2_within"].mean() > 0.05
    assert abs(genes.drop(carriers)["r2_within"].mean()) < 0.02
    for column in ("r2", "r2_within"):
        features = shared.features.set_index("feature")[column]
        assert features.nlargest(3).index.isin([*features.index[:3]]).all()


def test_external_features_are_explained_too():
    data = simulate(Planted(genes=30, cells_per_field=15), seed=0)
    own = pd.DataFrame({"features_x": np.log1p(data.counts.toarray()[:, :3]).mean(axis=1)}, index=data.obs.index)
    found = ask(replace(data, features=own)).features.set_index("feature")
    assert found.loc["features_x", "r2"] > 0.3


def test_null_data_are_silent():
    p, explained = [], []
    for seed in range(6):
        found = ask(simulate(Planted(genes=30, cells_per_field=15), seed))
        p += [*found.genes["p_value"], *found.features["p_value"]]
        p += [*found.genes["p_within"], *found.features["p_within"]]
        explained += [*found.summary.loc[found.summary["estimand"] != "between", "r2"]]
    p = np.array(p)
    assert (p <= 0.1).mean() < 0.17
    assert 0.4 < p.mean() < 0.75
    assert np.abs(explained).max() < 0.03


def test_what_classes_share_is_in_the_null_and_not_within_class():
    data = simulate(Planted(genes=30, cells_per_field=30), seed=1)
    treated = (data.obs["condition"] == "b").to_numpy()
    counts = data.counts.toarray()
    counts[treated, :15] *= 4
    shape = data.morphology + 2.0 * treated[:, None]
    fields = data.obs.assign(fov=[str(int(i) % 4) for i in range(len(data.obs))], sample="s", family="")
    found = ask(replace(data, obs=fields, counts=sparse.csr_matrix(counts), morphology=shape))
    total, in_class = (totals(found, name).loc["expression_to_morphology"] for name in ("pooled", "within_class"))
    assert total["r2"] > 0.3
    assert total["r2_null"] > 0.3
    assert total["r2_class"] > 0.3
    assert total["r2_within_class"] == in_class["r2"] < 0.05
    assert in_class["p_value"] > 0.05
    assert in_class["share_low"] < 0.02
    assert (found.features["q_value"] <= 0.05).mean() < 0.2


def batches(shift: float, embedding: int = 0, noise: int = 0) -> PairedData:
    """Return cells that share a state of little effect, and fields that differ in all they measure."""
    rng = np.random.default_rng(3)
    data = simulate(Planted(shared=0.8, genes=40, cells_per_field=40, embedding=embedding), seed=0)
    field = np.repeat(rng.normal(size=(8, 1)), 40, axis=0)
    counts = np.round(data.counts.toarray() * np.exp(0.2 * shift * field * np.sign(rng.normal(size=40))))
    columns = [f"embedding_noise{i}" for i in range(noise)]
    blank = pd.DataFrame(rng.normal(size=(320, noise)), index=data.obs.index, columns=columns)
    shapes = {name: getattr(data, name) + shift * field for name in ("morphology", "embedding")}
    shapes["embedding"] = pd.concat([shapes["embedding"], blank], axis=1)
    return replace(data, counts=sparse.csr_matrix(counts), **shapes)


def test_differences_between_fields_move_the_pooled_result_and_not_the_one_within_fields():
    settings = FAST.model_copy(update={"permutations": 19})
    without, found = (ask(batches(shift), settings) for shift in (0.0, 3.0))
    direction = "expression_to_morphology"
    before, after = (totals(f).loc[direction] for f in (without, found))
    pooled = totals(found, "pooled").loc[direction]
    assert pooled["r2"] > 0.5
    assert pooled["r2_null"] > 0.5
    assert after["r2"] == pytest.approx(before["r2"], abs=0.03)
    assert after["share"] == pytest.approx(before["share"], abs=0.1)
    assert abs(after["r2_null"]) < 0.02
    line = next(line for line in report(found)["lines"] if line.startswith("expression to morphology"))
    assert f"within fields {percent(after['r2'])}" in line
    assert f"pooled over fields {percent(pooled['r2'])} ({percent(pooled['r2_null'])} with pairing shuffled" in line


def test_noise_in_the_embedding_leaves_shape_as_it_is():
    settings = FAST.model_copy(update={"permutations": 0})
    clean, noisy = (ask(batches(0.0, noise=noise), settings) for noise in (0, 60))
    direction = "expression_to_morphology"
    for estimand in ("within", "pooled"):
        assert totals(noisy, estimand).loc[direction, "r2"] == totals(clean, estimand).loc[direction, "r2"]
    assert set(noisy.summary["direction"]) == set(DIRECTIONS)
    assert abs(totals(noisy).loc["expression_to_embedding", "r2"]) < 0.03
    assert set(noisy.features["feature"]) > set(clean.features["feature"])


def test_the_embedding_counts_by_the_variance_of_its_components():
    data = batches(0.0, embedding=6, noise=60)
    state = data.morphology.to_numpy()[:, :3].mean(axis=1, keepdims=True)
    data = replace(data, embedding=data.embedding + 3 * state * data.embedding.columns.str.match(r"embedding_\d"))
    settings = FAST.model_copy(update={"permutations": 0})
    found = ask(data, settings)
    of_features = found.features[found.features["feature"].str.match(r"embedding_\d")]["r2_within"].mean()
    total = totals(found).loc["expression_to_embedding", "r2"]
    assert of_features > 0.1
    assert total > 0.4 * of_features, "sixty columns of noise beside six that tell"


def test_an_embedding_alone_has_its_own_directions():
    data = batches(0.0, embedding=6)
    found = ask(replace(data, morphology=data.morphology.iloc[:, :0]), FAST.model_copy(update={"permutations": 0}))
    rows = totals(found)
    assert (
        rows.loc["expression_to_morphology", "note"] == "not estimable: neither morphology nor features were measured"
    )
    assert np.isfinite(rows.loc["embedding_to_expression", "r2"])
    assert len(found.genes) == 40


def test_means_of_few_samples_are_described_and_not_tested():
    rows = totals(ask(batches(3.0), FAST.model_copy(update={"permutations": 19})), "between")
    assert set(rows["n"]) == {4}
    assert rows["note"].str.contains("descriptive: 4 samples, fewer than 20").all()
    assert rows["p_value"].isna().all()
    assert (rows["r2"] > 0).all()


def test_classes_of_whole_samples_are_pointed_to_the_means_of_samples(shared):
    assert totals(shared, "within_class")["note"].str.contains("every sample holds one class only").all()


def test_single_cells_per_field_leave_nothing_within_fields():
    data = simulate(Planted(genes=12, cells_per_field=12), seed=0)
    alone = data.obs.assign(fov=[str(i) for i in range(len(data.obs))])
    found = ask(replace(data, obs=alone), FAST.model_copy(update={"permutations": 0}))
    assert totals(found)["note"].str.startswith("not estimable: no field has two cells").all()
    assert totals(found, "pooled")["r2"].notna().all()
    assert "within fields not estimable: no field has two cells" in " ".join(report(found)["lines"])


def test_ridge_equals_scikit_learn_at_one_penalty():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 5)), rng.normal(size=(60, 2))
    y += x[:, :2] * 5
    plan = FoldPlan(np.arange(60) // 10, np.arange(60) // 20, ("group",), ())
    folds = ridge_folds([x, x, x], plan, Tuning(inner=2, components=5, penalties=1))
    predicted = predict(folds, y)
    for train, test in plan.splits():
        scale = np.square(np.linalg.svd(x[train] - x[train].mean(axis=0))[1]).mean()
        expected = Ridge(alpha=SMALLEST_PENALTY * scale).fit(x[train], y[train]).predict(x[test])
        assert predicted[test] == pytest.approx(expected, abs=1e-4)


def test_ridge_predicts_the_mean_of_noise():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(80, 30)), rng.normal(size=(80, 40))
    plan = FoldPlan(np.arange(80) // 10, np.arange(80) // 20, ("group",), ())
    predicted = predict(ridge_folds([x] * 4, plan, Tuning(3, 20, 5)), y)
    assert np.square(y - predicted).sum() < 1.1 * np.square(y).sum()


def folded(rng: np.random.Generator) -> tuple[list, np.ndarray, FoldPlan]:
    """Return prepared folds, two targets of which the first has gaps, and the plan."""
    x = rng.normal(size=(60, 5))
    y = x[:, :2] + rng.normal(size=(60, 2))
    y[::20, 0] = np.nan
    plan = FoldPlan(np.arange(60) // 10, np.arange(60) // 20, ("group",), ())
    return ridge_folds([x] * 3, plan, Tuning(2, 5, 3)), y, plan


def test_a_missing_target_counts_nowhere():
    by_fold, y, plan = folded(np.random.default_rng(0))
    errors = errors_of(by_fold, Targets(y, "equal"), plan)
    assert (errors.residual[::20, 0] == 0).all()
    assert (errors.baseline[::20, 0] == 0).all()
    assert errors.known.sum(axis=0).tolist() == [57, 60]
    train = np.delete(np.arange(20, 60), [0, 20])
    assert errors.baseline[1, 0] == pytest.approx(y[1, 0] - y[train, 0].mean())
    assert errors.weight[1, 0] == pytest.approx(1 / y[train, 0].std())


def test_targets_of_held_out_cells_change_nothing_that_is_learnt():
    by_fold, y, plan = folded(np.random.default_rng(1))
    changed = y.copy()
    changed[:20] *= 1000
    before, after = (errors_of(by_fold, Targets(v, "equal"), plan) for v in (y, changed))
    assert (y - before.residual)[1:20] == pytest.approx((changed - after.residual)[1:20])
    assert before.weight[:20] == pytest.approx(after.weight[:20])


def test_gaps_at_random_cost_little():
    data = simulate(Planted(shared=0.8, genes=40, cells_per_field=30), seed=0)
    gaps = data.morphology.mask(np.random.default_rng(0).random(data.morphology.shape) < 0.03)
    whole, lacking = (
        ask(replace(data, morphology=m), FAST.model_copy(update={"permutations": 5})) for m in (data.morphology, gaps)
    )
    for estimand in ("within", "pooled"):
        r2 = [totals(found, estimand).loc["expression_to_morphology", "r2"] for found in (whole, lacking)]
        assert r2[1] == pytest.approx(r2[0], rel=0.2)
    assert any("features are missing in some cells" in note for note in lacking.notes)
    assert "without regard to shape" in whole.summary["note"][0]


def test_noise_ceiling_is_reliability():
    rng = np.random.default_rng(0)
    n = 4000
    signal = np.exp(0.5 * rng.normal(size=n))
    rates = np.column_stack([20 * signal, np.full(n, 20.0), np.full(n, 2000.0)])
    ceiling = noise_ceiling(sparse.csr_matrix(rng.poisson(rates).astype(float)), np.array([0, 1]), 3, seed=0)
    assert ceiling[0] > 0.7
    assert abs(ceiling[1]) < 0.1


def test_values_that_are_not_counts_have_no_ceiling():
    data = simulate(Planted(genes=12, cells_per_field=12), seed=0)
    logged = replace(data, counts=sparse.csr_matrix(np.log1p(data.counts.toarray())))
    found = ask(logged, FAST.model_copy(update={"permutations": 0}))
    assert found.genes["noise_ceiling"].isna().all()
    assert any("noise ceiling is not estimable" in note for note in found.notes)
    assert found.genes["p_value"].isna().all()


@pytest.mark.parametrize(
    ("lacking", "reason"),
    [("counts", "there are no counts"), ("morphology", "there is neither morphology nor an embedding")],
)
def test_one_modality_alone_is_not_estimable(lacking, reason):
    data = simulate(Planted(genes=10, cells_per_field=10), seed=0)
    empty = {"counts": None, "morphology": data.morphology.iloc[:, :0]}[lacking]
    found = ask(replace(data, **{lacking: empty}))
    assert set(found.summary["note"]) == {f"not estimable: {reason}"}
    assert found.summary["r2"].isna().all()
    assert not len(found.genes)


def test_no_cell_of_sufficient_quality_is_the_reason_that_is_said():
    data = simulate(Planted(genes=10, cells_per_field=10), seed=0)
    found = ask(data.subset(np.zeros(len(data.obs), bool)), FAST)
    assert found.genes.empty
    assert "no paired cell passed quality control" in found.summary["note"].iloc[0]


def test_two_fields_are_explained_from_their_families():
    found = ask(simulate(Planted(genes=10, fields=2, cells_per_field=30), seed=0))
    assert np.isfinite(found.summary.loc[found.summary["estimand"] != "between", "r2"]).all()
    assert set(found.summary["grouped_by"]) == {"family"}
    assert any(note.startswith("With only 2 groups by sample and fov, families are") for note in found.notes)


def test_the_step_writes_its_tables(tmp_path: Path):
    data = simulate(Planted(genes=15, cells_per_field=10, embedding=4), seed=0)
    shapes = data.morphology.mask(np.random.default_rng(0).random(data.morphology.shape) < 0.01)
    shapes.iloc[::2, 0] = np.nan
    data = replace(data, morphology=shapes)
    write_paired(data, tmp_path / "paired.h5ad")
    explain_modalities.main(
        paired=tmp_path / "paired.h5ad",
        crossmodal_genes=tmp_path / "genes.tsv",
        crossmodal_features=tmp_path / "features.tsv",
        crossmodal_summary=tmp_path / "summary.tsv",
        crossmodal_by_sample=tmp_path / "by_sample.tsv",
        variance=tmp_path / "variance.svg",
        report=tmp_path / "report.json",
        settings=explain_modalities.Settings(crossmodal=FAST.model_copy(update={"permutations": 3})),
        threads=1,
    )
    assert len(read_table(tmp_path / "genes.tsv", GENE_VARIANCE)) == 15
    assert len(read_table(tmp_path / "features.tsv", FEATURE_VARIANCE)) == 15, "half measured is not explained"
    summary = read_table(tmp_path / "summary.tsv", VARIANCE_SUMMARY)
    assert summary["direction"].value_counts().to_dict() == dict.fromkeys(DIRECTIONS, 4)
    assert set(summary["permutations"]) == {3}
    assert "svg" in (tmp_path / "variance.svg").read_text()
    numbers = json.loads((tmp_path / "report.json").read_text())["numbers"]
    assert numbers["genes.tested"] == 15


def test_features_that_many_cells_lack_are_not_explained():
    data = simulate(Planted(genes=15, cells_per_field=10), seed=0)
    shapes = data.morphology.mask(np.random.default_rng(0).random(data.morphology.shape) < 0.5)
    found = ask(replace(data, morphology=shapes), FAST)
    assert found.features.empty
    assert found.summary["note"].str.contains("every feature is missing").all()


def test_the_same_seed_gives_the_same_tables():
    data = simulate(Planted(genes=15, cells_per_field=10), seed=0)
    first, second = (ask(data, FAST.model_copy(update={"permutations": 5})) for _ in range(2))
    pd.testing.assert_frame_equal(first.genes, second.genes)
    pd.testing.assert_frame_equal(first.summary, second.summary)
