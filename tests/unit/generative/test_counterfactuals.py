"""Cells generated under another class change where the class changes cells, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import cineseq as cs
from cineseq.config.prediction import Crossmodal, Folds
from cineseq.errors import UserError
from cineseq.generative.counterfactuals import MODELS_OWN, beside_observed, counterfactual_rows, report
from cineseq.generative.means import Learning
from cineseq.generative.model import DIRECTIONS, load, save
from cineseq.generative.responders import separate
from cineseq.generative.shares import SharesOptions
from cineseq.generative.study import Generated, GenerateOptions, generate_study
from cineseq.io.adata import adata_of
from cineseq.io.paired import PairedData

TO_EXPRESSION, TO_MORPHOLOGY = DIRECTIONS
OPTIONS = GenerateOptions(
    Folds(outer=3, inner=2), learning=Learning(("ridge",), inner=2), conditions=("condition",), min_pairs=200
)
EFFECT = 0.6


def study(effect: float, seed: int = 0) -> PairedData:
    """Return cells of which a class raises five genes and lowers five, whatever their shape, and lowers a feature."""
    rng = np.random.default_rng(seed)
    cells, genes = 360, 40
    treated, state = rng.random(cells) < 0.5, rng.normal(size=cells)
    rates = np.exp(2 + 0.5 * state[:, None] * ((np.arange(genes) >= 10) & (np.arange(genes) < 20)))
    rates[:, :10] *= np.exp(effect * treated[:, None] * np.where(np.arange(10) < 5, 1, -2.85))
    names = pd.Index([f"cell{k}" for k in range(cells)], name="track_id")
    obs = pd.DataFrame({"sample": [f"s{k % 6}" for k in range(cells)], "fov": "1"}, names)
    obs["condition"] = np.where(treated, "drug", "control")
    shape = pd.DataFrame({"morphology_a": state + 0.5 * rng.normal(size=cells)}, names)
    shape["morphology_b"] = rng.normal(size=cells) - 2 * effect * treated
    counts = sparse.csr_matrix(rng.poisson(rates).astype(float))
    blank = pd.DataFrame(index=names)
    return PairedData(obs, counts, pd.Index([f"gene{k}" for k in range(genes)]), shape, blank, blank)


@pytest.fixture(scope="module")
def found() -> Generated:
    return generate_study(study(EFFECT), OPTIONS)


def changes(made: Generated, direction: str) -> pd.DataFrame:
    own = made.counterfactuals
    return own[(own["direction"] == direction) & (own["class_from"] == "control")].set_index("name")


def test_the_change_is_that_of_the_class_at_the_same_shape(found: Generated) -> None:
    own = changes(found, TO_EXPRESSION)
    raised, lowered, others = (own.loc[[f"gene{k}" for k in range(*ends)]] for ends in ((5,), (5, 10), (10, 40)))
    assert (raised["change"] > 0.2).all()
    assert (lowered["change"] < -0.2).all()
    assert others["change"].abs().max() < 0.45
    assert others["change"].abs().mean() < 0.3 * raised["change"].mean()
    of_shape = changes(found, TO_MORPHOLOGY)
    assert of_shape.loc["morphology_b", "change"] < -0.5
    assert abs(of_shape.loc["morphology_a", "change"]) < 0.3


def test_both_ways_are_opposite_and_cells_are_counted_once(found: Generated) -> None:
    own = found.counterfactuals.set_index(["direction", "class_from", "name"])["change"]
    there, back = own.xs("control", level=1), own.xs("drug", level=1)
    assert np.corrcoef(there, back)[0, 1] < -0.9
    cells = found.counterfactuals.groupby(["direction", "class_from"])["cells"].max()
    assert cells.groupby("direction").sum().tolist() == [360, 360]


def test_without_an_effect_nothing_changes() -> None:
    own = changes(generate_study(study(0.0, seed=1), OPTIONS), TO_EXPRESSION)
    assert own["change"].abs().max() < 0.35
    assert own["change"].abs().mean() < 0.12


def test_without_the_class_among_the_conditions_there_are_none() -> None:
    made = generate_study(study(EFFECT), replace(OPTIONS, conditions=()))
    assert made.counterfactuals.empty
    assert report(made.counterfactuals, made.changed) == {"lines": [], "numbers": {}}


def test_changes_stand_beside_observed_differences_and_say_that_they_are_the_models(found: Generated) -> None:
    apart = separate(study(EFFECT), "condition", SharesOptions(Crossmodal(genes=40))).differences
    table = beside_observed(found.counterfactuals, apart)
    assert set(table["note"]) == {MODELS_OWN}
    assert len(table) == 2 * (40 + 2)
    there = table[table["class_from"] == "control"].set_index("name")["observed"]
    assert there["gene0"] > 0 > there["morphology_b"]
    said = report(table, found.changed)
    assert said["lines"][-1] == MODELS_OWN
    assert said["lines"][0].startswith("Counterfactuals, control to drug: ")
    separate_genes = said["numbers"][f"{TO_EXPRESSION}.control.drug.separate"]
    assert said["numbers"][f"{TO_EXPRESSION}.control.drug.same_direction"] >= 0.9 * separate_genes >= 8
    chance = report(table.assign(separates=False), found.changed)["lines"][0]
    assert chance.startswith("Counterfactuals, control to drug: no gene of 40 separates the classes, so that")
    nothing = beside_observed(found.counterfactuals, apart.iloc[:0])
    assert report(nothing, "condition")["lines"][0].startswith("Counterfactuals are not estimable: ")


def test_a_gene_that_some_folds_left_out_has_no_change() -> None:
    names = ["class_from", "class_to", "unit", "cells"]
    index = pd.MultiIndex.from_tuples([("a", "b", 0, 5), ("a", "b", 1, 7)], names=names)
    rows = counterfactual_rows({"x": [pd.DataFrame({"g": [1.0, 3.0], "absent": [1.0, np.nan]}, index)]})
    assert rows[["name", "change", "cells"]].to_numpy().tolist() == [["g", 2.0, 12]]


def test_a_model_file_generates_cells_of_another_class_and_refuses_an_unknown_one(
    found: Generated, tmp_path: Path
) -> None:
    save(found.models[TO_EXPRESSION], tmp_path / "m.safetensors")
    model, adata = load(tmp_path / "m.safetensors"), adata_of(study(EFFECT))
    adata.obs["condition"] = "control"
    first = cs.generate(model, adata, TO_EXPRESSION).layers["expected"]
    adata.obs["condition"] = "drug"
    second = cs.generate(model, adata, TO_EXPRESSION).layers["expected"]
    assert (second - first)[:, :5].mean() > 0.3
    adata.obs["condition"] = "other"
    with pytest.raises(
        UserError, match="'condition' of cell 'cell0' is 'other', but the model knows one of control and drug"
    ):
        cs.generate(model, adata, TO_EXPRESSION)
