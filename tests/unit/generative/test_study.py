"""Both directions of a small planted study: what is judged, the model file, and cells that it generates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file
from scipy import sparse

import cineseq as cs
from cineseq.config.prediction import Folds
from cineseq.errors import UserError
from cineseq.generative.direction import Direction, Modality, held_out
from cineseq.generative.means import Learning
from cineseq.generative.model import DIRECTIONS, FORMAT, GenerativeModel, _digest, load, save
from cineseq.generative.samplers import BASELINES
from cineseq.generative.study import Generated, GenerateOptions, generate_study, report
from cineseq.io.adata import adata_of
from cineseq.io.paired import PairedData
from cineseq.prediction.crossval.folds import plan_folds

GENES = 60
OPTIONS = GenerateOptions(Folds(outer=3, inner=2), learning=Learning(("ridge", "kernel_ridge"), inner=2))


def study(cells: int, seed: int = 0) -> PairedData:
    """Return cells of 6 samples and two conditions whose first genes follow a state that shape shows."""
    rng = np.random.default_rng(seed)
    state = rng.normal(size=(cells, 2))
    names = pd.Index([f"cell{k}" for k in range(cells)], name="track_id")
    weights = np.zeros((2, GENES))
    weights[:, :20] = rng.normal(size=(2, 20))
    counts = rng.poisson(np.exp(1 + 0.4 * state @ weights) * rng.gamma(20, 1 / 20, (cells, 1)))
    shape = state @ rng.normal(size=(2, 5)) + 0.5 * rng.normal(size=(cells, 5))
    obs = pd.DataFrame(
        {
            "sample": [f"s{k % 6}" for k in range(cells)],
            "fov": "f1",
            "family": [f"family{k}" for k in range(cells)],
            "condition": np.where(state[:, 0] > 0, "treated", "control"),
            "replicate": "1",
        },
        index=names,
    )
    morphology = pd.DataFrame(shape, names, [f"morphology_{k}" for k in range(5)])
    genes = pd.Index([f"gene{k}" for k in range(GENES)])
    blank = pd.DataFrame(index=names)
    return PairedData(obs, sparse.csr_matrix(counts.astype(float)), genes, morphology, blank, blank)


@pytest.fixture(scope="module")
def data() -> PairedData:
    return study(240)


@pytest.fixture(scope="module")
def found(data: PairedData) -> Generated:
    return generate_study(data, OPTIONS)


def test_what_is_planted_is_found_in_both_directions(found: Generated) -> None:
    rows = found.directions.set_index("direction")
    assert rows.index.tolist() == list(DIRECTIONS)
    assert (rows["r2_low"] > 0).all()
    assert (rows["r2_within_class"] > 0.1).all()
    planted = found.genes["gene"].str.removeprefix("gene").astype(int) < 20
    assert found.genes.loc[planted, "r2"].mean() > 0.2
    assert found.genes.loc[~planted, "r2"].max() < 0.1


def test_every_direction_has_one_sampler_with_its_scores(found: Generated) -> None:
    assert found.samplers.groupby("direction")["chosen"].sum().tolist() == [1, 1]
    assert found.samplers["c2st"].between(0.4, 1).all()
    assert found.samplers["coverage_80"].between(0.6, 0.95).all()
    assert (found.samplers["coverage_95"] > found.samplers["coverage_80"]).all()


def test_the_sampler_of_a_fold_is_chosen_without_its_cells(data: PairedData) -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=(240, 4)) + data.morphology.to_numpy()[:, :1]
    plan = plan_folds(data.obs, OPTIONS.folds)
    names = (tuple("abcd"),)
    scores = []
    for held in (y, np.where((plan.fold == 0)[:, None], rng.exponential(9, y.shape), y)):
        sides = {
            "morphology": Modality((data.morphology.to_numpy(),), (tuple(data.morphology),), 5),
            "expression": Modality((held,), names, 4),
        }
        direction = Direction.of(DIRECTIONS[0], sides, plan, np.zeros(240), OPTIONS.learning)
        scores.append(held_out(direction, 0, BASELINES, 1))
    assert scores[0].inner == scores[1].inner
    assert scores[0].sampler == scores[1].sampler
    assert scores[1].scores[scores[1].sampler]["c2st"] > scores[0].scores[scores[0].sampler]["c2st"] + 0.2


def test_scores_of_the_choice_are_of_cells_that_did_not_choose(found: Generated) -> None:
    rows = found.samplers.set_index(["direction", "sampler"])
    for direction in DIRECTIONS:
        own = rows.loc[direction]
        assert own.drop(index="chosen").index[own.drop(index="chosen")["chosen"]].tolist()[0] in BASELINES
        assert own["c2st"].drop("chosen").min() <= own.loc["chosen", "c2st"] <= own["c2st"].drop("chosen").max()
        assert found.models[direction].card["c2st"] == own.loc["chosen", "c2st"]


def test_generated_cells_carry_their_class_and_their_pair_and_shuffled_ones_do_not(found: Generated) -> None:
    values = found.judged.set_index(["direction", "measure", "source"])["value"]
    for direction in DIRECTIONS:
        assert values[direction, "macro_f1", "generated"] > values[direction, "macro_f1", "shuffled"] + 0.1
        assert values[direction, "pair_match_rank", "generated"] < 0.4
        assert values[direction, "pair_match_rank", "shuffled"] == pytest.approx(0.5, abs=0.1)
        assert values[direction, "nearest_training", "generated"] > 0.5


def test_counts_have_the_variance_of_held_out_cells(found: Generated) -> None:
    assert found.genes["variance_ratio"].median() == pytest.approx(1, abs=0.15)


def test_confusion_counts_every_judged_cell_once_per_source(data: PairedData, found: Generated) -> None:
    per_source = found.confusion.groupby(["direction", "source"])["cells"].sum()
    assert per_source.tolist() == [len(data.obs)] * 8


def test_shuffled_pairs_have_nothing_in_common(data: PairedData) -> None:
    order = np.random.default_rng(1).permutation(len(data.obs))
    shuffled = replace(data, morphology=data.morphology.iloc[order].set_axis(data.obs.index))
    rows = generate_study(shuffled, OPTIONS).directions
    assert (rows["r2"] < 0.02).all()
    assert rows["note"].tolist() == ["none found"] * 2


def test_the_same_seed_gives_the_same_tables(data: PairedData, found: Generated) -> None:
    again = generate_study(data, OPTIONS)
    pd.testing.assert_frame_equal(again.samplers, found.samplers)
    pd.testing.assert_frame_equal(again.neighbours, found.neighbours)


def test_few_pairs_give_means_and_baselines_and_say_so() -> None:
    few = generate_study(study(120), OPTIONS)
    assert few.models == {}
    assert few.directions["r2"].notna().all()
    assert any("fewer than 200" in note for note in few.notes)


@pytest.mark.parametrize("lacking", ["counts", "morphology", "zero"])
def test_without_one_modality_nothing_is_estimable(data: PairedData, lacking: str) -> None:
    changed = {
        "counts": lambda: replace(data, counts=None),
        "morphology": lambda: replace(data, morphology=data.morphology * 0 + 1),
        "zero": lambda: replace(data, counts=sparse.csr_matrix(data.counts.shape)),
    }[lacking]()
    found = generate_study(changed, OPTIONS)
    assert not len(found.directions)
    assert found.notes[0].startswith("not estimable")
    assert report(found)["lines"] == list(found.notes)


def test_constant_and_missing_columns_and_a_class_of_one_cell_change_no_error(data: PairedData) -> None:
    morphology = data.morphology.assign(morphology_constant=1.0)
    morphology.iloc[::9, 0] = np.nan
    obs = data.obs.copy()
    obs.iloc[0, obs.columns.get_loc("condition")] = "rare"
    embedding = pd.DataFrame({"embedding_0": np.nan, "embedding_1": morphology.iloc[:, 1] ** 2}, index=obs.index)
    found = generate_study(replace(data, morphology=morphology, obs=obs, embedding=embedding), OPTIONS)
    assert np.isfinite(found.directions["r2"]).all()


def test_a_representation_of_other_cells_is_refused_with_a_cell_that_it_lacks(data: PairedData) -> None:
    other = pd.DataFrame(np.zeros((240, 3)), index=[f"x{k}" for k in range(240)])
    with pytest.raises(UserError, match=r"X_scVI: it has no row for 240 cells such as 'cell0'"):
        generate_study(data, replace(OPTIONS, latents=other, latents_name="X_scVI"))


def test_a_representation_of_the_user_is_generated_and_said_to_be_trained_elsewhere(data: PairedData) -> None:
    latents = pd.DataFrame(np.log1p(data.counts[:, :4].toarray()), index=data.obs.index)
    found = generate_study(data, replace(OPTIONS, latents=latents, latents_name="X_scVI"))
    assert found.directions["latents"].tolist() == [4, 5]
    assert any("X_scVI" in note and "elsewhere" in note for note in found.notes)


def test_a_model_file_gives_the_same_cells_as_the_model(data: PairedData, found: Generated, tmp_path: Path) -> None:
    for direction, model in found.models.items():
        save(model, tmp_path / direction)
        assert load(tmp_path / direction).card == model.card
        made, again = (
            cs.generate(m, adata_of(data), direction, samples=2, seed=5) for m in (model, tmp_path / direction)
        )
        np.testing.assert_array_equal(made.X, again.X)
        assert made.n_obs == 480
        assert (made.obs["source_cell"].to_numpy() == np.tile(data.obs.index, 2)).all()
        assert not np.array_equal(made.X[:240], made.X[240:])
    assert made.var_names.tolist() == list(data.morphology.columns)


def test_generated_counts_are_whole_and_correlate_with_the_measured_ones(data: PairedData, found: Generated) -> None:
    made = cs.generate(found.models[DIRECTIONS[0]], adata_of(data), DIRECTIONS[0])
    assert np.array_equal(made.X, np.rint(made.X))
    assert made.X.min() >= 0
    assert made.X.mean() == pytest.approx(data.counts.toarray().mean(), rel=0.1)


def test_cells_far_from_the_training_cells_are_not_applicable(data: PairedData, found: Generated) -> None:
    far = replace(data, morphology=data.morphology + 30)
    model = found.models[DIRECTIONS[0]]
    near, away = (cs.generate(model, adata_of(d), DIRECTIONS[0]).obs["applicability"] for d in (data, far))
    assert (near <= 1).mean() > 0.9
    assert away.min() > 5


def test_what_does_not_fit_a_model_is_refused_in_one_sentence(
    data: PairedData, found: Generated, tmp_path: Path
) -> None:
    model = found.models[DIRECTIONS[0]]
    with pytest.raises(UserError, match="the model generates morphology_to_expression, not 'expression_to_morphology'"):
        cs.generate(model, adata_of(data), DIRECTIONS[1])
    lacking = replace(data, morphology=data.morphology.drop(columns="morphology_2"))
    with pytest.raises(UserError, match="feature 'morphology_2' of the 5 of the model is missing"):
        cs.generate(model, adata_of(lacking), DIRECTIONS[0])
    with pytest.raises(UserError, match="samples: 0 should be a whole number from 1"):
        cs.generate(model, adata_of(data), DIRECTIONS[0], samples=0)


def test_foreign_old_and_changed_files_are_refused(found: Generated, tmp_path: Path) -> None:
    path = tmp_path / "model"
    with pytest.raises(UserError, match="there is no such file"):
        load(path)
    path.write_bytes(b"\x80\x04cpickle")
    with pytest.raises(UserError, match="not a generative model"):
        load(path)
    save(found.models[DIRECTIONS[0]], path)
    content = path.read_bytes()
    path.write_bytes(content.replace(FORMAT.encode(), FORMAT[:-1].encode() + b"9"))
    with pytest.raises(UserError, match=f"its format is 'cineseq generative model 9', but '{FORMAT}' is needed"):
        load(path)
    path.write_bytes(content[:-8] + bytes(8))
    with pytest.raises(UserError, match="was changed since it was written"):
        load(path)


def test_a_model_of_an_unknown_part_is_refused(tmp_path: Path) -> None:
    parts = '{"class": "Popen", "fields": {}}'
    metadata = {"format": FORMAT, "card": "{}", "parts": parts, "sha256": _digest("{}", parts, {})}
    save_file({}, tmp_path / "model", metadata=metadata)
    with pytest.raises(UserError, match="not a whole generative model"):
        load(tmp_path / "model")
    assert GenerativeModel({}, {}).directions == {}
