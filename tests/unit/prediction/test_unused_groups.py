"""Groups that are in neither folds nor strata: what is tested, what is left of R² within them, and what is said."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from tests.unit.prediction.prediction_examples import SMALL, Planted, ask, by_model, simulate

from cineseq.config.prediction import Folds
from cineseq.errors import UserError
from cineseq.prediction.crossval.folds import CrossvalCells, FoldPlan, grouped_folds
from cineseq.prediction.crossval.labels import joint_labels
from cineseq.prediction.group_claims import explained_by_group, unresolved_by_group
from cineseq.prediction.group_sentences import group_sentences, lost_within_groups
from cineseq.prediction.report import report
from cineseq.prediction.unused_groups import columns_to_test, difference
from cineseq.tables.prediction import UNUSED_GROUPS

LONE = {"sensitivity": [], "half_samples": 10, "permutations": 39, "class_permutations": 39}
SETTINGS = SMALL.model_copy(update=LONE)
TWELVE = {"fields": 12, "cells_per_field": 20}


def on_plates(planted: Planted, seed: int):
    """Two plates in every field, which differ by 1.3 standard deviations of function and in a quarter of the genes."""
    data = simulate(planted, seed)
    rng = np.random.default_rng(seed + 1)
    # Families are whole; plates are in other proportions in each field.
    fields = joint_labels(data.obs, ["sample", "fov"])
    share = np.resize([0.3, 0.7, 0.4, 0.6, 0.5], fields.max() + 1)[fields]
    plate = (rng.random(len(fields))[pd.factorize(data.obs["family"])[0]] < share).astype(int)
    dose = np.where(np.arange(data.counts.shape[1]) % 4 == 3, 4.0, 1.0)
    counts = data.counts.toarray()
    counts = np.where(plate[:, None] == 1, rng.poisson(counts * dose), counts)
    function = data.function + 1.3 * plate[:, None]
    obs = data.obs.assign(group_plate=pd.array((plate + 1).astype(str), dtype="string"))
    return replace(data, counts=sparse.csr_matrix(counts.astype(float)), function=function, obs=obs)


@pytest.fixture(scope="module")
def of_plates():
    """Plates are all that function and expression share."""
    data = on_plates(Planted(genes=40, features=3, **TWELVE), seed=3)
    return data, ask(replace(data, morphology=data.morphology.iloc[:, :0]), SETTINGS)


def test_what_plates_explain_is_found_and_said(of_plates):
    _, found = of_plates
    claimed = by_model(found, estimand="within").loc["expression"]
    assert claimed["r2_low"] > claimed["r2_null"]
    table = UNUSED_GROUPS.check(found.tables["unused_groups"])
    (row,) = table.to_dict("records")
    assert (row["group"], row["model"], row["levels"], row["within"]) == (
        "plate",
        "expression",
        2,
        "sample, fov, condition",
    )
    assert row["p_value"] == row["q_value"] == row["expression_p_value"] == 0.001
    assert row["epsilon2_low"] < 0.28 < row["epsilon2_high"]
    assert row["expression_epsilon2"] > 0.05
    assert row["r2"] == pytest.approx(claimed["r2"])
    assert row["r2"] > 0.12
    assert row["r2_within_group"] < 0.04
    assert explained_by_group(table, "function_uptake", "expression") == ("plate",)
    (text,) = group_sentences(table)
    assert text.startswith("plate is in neither folds.groups nor folds.null_strata, and uptake differs by it (")
    assert "expression is not shown to predict there" in text
    assert text.endswith("set folds.null_strata: [sample, fov, condition, plate].")
    assert text in report(found.tables, {}, ())["lines"]


def test_the_advice_takes_the_claim_back(of_plates):
    data, _ = of_plates
    followed = ask(
        replace(data, morphology=data.morphology.iloc[:, :0]),
        SETTINGS,
        Folds(inner=3, null_strata=["sample", "fov", "condition", "plate"]),
    )
    row = by_model(followed, estimand="within").loc["expression"]
    assert row["p_value"] > 0.05
    assert row["r2_null"] > 0.1
    assert followed.tables["unused_groups"].empty


def test_what_is_left_within_plates_is_not_taken_for_a_difference_between_them():
    data = on_plates(Planted(expression=0.6, genes=40, features=3, **TWELVE), seed=3)
    found = ask(replace(data, morphology=data.morphology.iloc[:, :0]), SETTINGS)
    row = found.tables["unused_groups"].iloc[0]
    assert row["q_value"] <= 0.05
    assert row["r2_within_group_low"] > 0.1
    assert explained_by_group(found.tables["unused_groups"], "function_uptake", "expression") == ()
    (text,) = group_sentences(found.tables["unused_groups"])
    assert "not shown" not in text


def test_only_groups_that_nothing_else_knows_are_tested():
    obs = on_plates(Planted(genes=4, features=3), seed=0).obs
    n = len(obs)
    obs = obs.assign(
        run=np.arange(n) % 3,
        temperature=np.linspace(36, 38, n),
        well=[f"well {k}" for k in range(n)],
        group_day=obs["fov"],
        group_kind="a",
        group_class=np.array(["x", "y"])[np.arange(n) % 2],
        leiden=np.array(["0", "1"])[np.arange(n) % 2],
        sister_fate=np.array(["death", "division"])[np.arange(n) % 2],
        generation=np.arange(n) % 3,
    )
    found = columns_to_test(obs, Folds(), "class")
    assert found.tested == ("group_plate", "run")
    assert found.left_out == {
        "sample": "it is in folds.groups",
        "fov": "it is in folds.groups",
        "condition": "it is in folds.null_strata",
        "replicate": "it has one value",
        "temperature": "it holds numbers with fractions",
        "well": "it names 240 groups in 240 rows, fewer than 2 of each",
        "group_day": "all cells of a stratum of the null have the same",
        "group_kind": "it has one value",
        "group_class": "it is prediction.class_column, see the rows within_class",
        "leiden": "by its name it is made from the expression; name it in folds.check_groups to test it",
    }
    assert columns_to_test(obs, Folds(check_groups=[]), "class").tested == ()
    assert columns_to_test(obs, Folds(check_groups=["leiden", "plate"]), "class").tested == ("leiden", "group_plate")
    known = columns_to_test(obs, Folds(groups=["sample", "run"]), "class")
    assert known.tested == ("group_plate",)
    with pytest.raises(UserError, match=r"folds\.check_groups: 'plat' is not a column"):
        columns_to_test(obs, Folds(check_groups=["plat"]), "class")


def test_without_differences_a_test_is_significant_as_often_as_it_says():
    """A null that exchanged cells of different fields, or single cells of families, would reject in most studies."""
    rng = np.random.default_rng(0)
    field, family = np.repeat(np.arange(6), 16), np.repeat(np.arange(48), 2)
    rejected = []
    for seed in range(200):
        plate = (rng.random(48)[family] < np.linspace(0.1, 0.9, 6)[field]).astype(int)
        values = rng.normal(size=48)[family] + 0.3 * rng.normal(size=96) + 2.0 * field
        found = difference(values[:, None], plate, of_cells(field, family), np.random.default_rng(seed))
        rejected.append(found.p_value <= 0.05)
    assert np.mean(rejected) <= 0.1


@pytest.mark.parametrize("columns", [1, 4])
def test_levels_that_follow_the_position_are_no_difference(columns):
    """Function and plate both follow a bowl that fields share; without positions nearly all studies reject."""
    field, rejected = np.repeat(np.arange(8), 30), {True: [], False: []}
    for seed in range(30):
        rng = np.random.default_rng(seed)
        position = rng.uniform(-1, 1, (240, 2))
        bowl = np.square(position).sum(axis=1)
        plate = (bowl + rng.normal(size=240) > 0.7).astype(int)
        values = rng.normal(size=(240, columns)) + 1.5 * bowl[:, None]
        for known in (True, False):
            cells = of_cells(field, np.arange(240), position if known else None)
            found = difference(values, plate, cells, rng, cells.nulls_of(values))
            rejected[known].append(found.p_value <= 0.05)
    assert np.mean(rejected[True]) <= 0.17
    assert np.mean(rejected[False]) >= 0.8


def of_cells(field: np.ndarray, family: np.ndarray, position: np.ndarray | None = None) -> CrossvalCells:
    plan = FoldPlan(field, grouped_folds(field, 4), ("fov",), ())
    blank = np.zeros((len(field), 1))
    return CrossvalCells(blank, plan, field, family, np.full(len(field), ""), position=position)


def test_a_difference_is_found_whatever_other_columns_there_are():
    """The p-value of a group decides, which further columns without effect do not change; q-values they do."""
    table = pd.concat([rows(), rows(group=[f"column {k}" for k in range(55)], p_value=0.5)]).assign(q_value=0.056)
    (text,) = group_sentences(table, "function_a")
    assert text.startswith("plate is in neither folds.groups nor folds.null_strata, and a differs by it (")
    assert "p = 0.001, one of 56 groups that were tested)" in text
    assert explained_by_group(table, "function_a", "expression") == ("plate",)


def rows(**columns) -> pd.DataFrame:
    values = {"function": "function_a", "group": ["plate"], "model": "expression", "within": "sample", "n": 100}
    values |= {"levels": 2, "epsilon2": 0.28, "p_value": 0.001, "q_value": 0.001, "r2": 0.23, "permutations": 39}
    values |= {"r2_within_group": 0.01, "r2_within_group_low": -0.04, "r2_within_group_high": 0.06}
    values |= {"r2_within_group_null": -0.01, "p_within_group": 0.3}
    return pd.DataFrame(values | columns).reindex(columns=[c.name for c in UNUSED_GROUPS.columns])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({}, ("plate",)),
        ({"p_value": 0.06}, ()),
        ({"p_value": np.nan}, ()),
        ({"q_value": 0.06}, ("plate",)),
        ({"r2_within_group_low": 0.02, "p_within_group": 0.025}, ()),
        ({"r2_within_group_low": 0.02, "p_within_group": 0.06}, ("plate",)),
        ({"r2_within_group_low": -0.02, "p_within_group": 0.025}, ("plate",)),
        ({"r2_within_group_low": np.nan, "p_within_group": np.nan, "r2_within_group": np.nan}, ()),
    ],
)
def test_a_group_explains_a_claim_that_is_lost_within_it(columns, expected):
    table = rows(**columns)
    assert explained_by_group(table, "function_a", "expression") == expected
    assert explained_by_group(table, "function_a", "morphology") == ()
    assert explained_by_group(None, "function_a", "expression") == ()


def test_sentences_say_what_could_not_be_measured():
    note = "not estimable: cells exceed fields and levels by 3, 20 are required"
    nothing = dict.fromkeys(
        ("r2_within_group", "r2_within_group_low", "r2_within_group_null", "p_within_group"), np.nan
    )
    table = rows(**nothing, note=note)
    assert group_sentences(table, "function_a") == (
        "plate is in neither folds.groups nor folds.null_strata, and a differs by it (28 % of the variance within "
        f"sample, p = 0.001). R² within each plate is {note}. To keep these differences in the null, set "
        "folds.null_strata: [sample, plate].",
    )
    lost = "Whether expression predicts a within the levels of plate is not estimable"
    assert lost_within_groups(table, "function_a", "expression") == lost
    assert explained_by_group(table, "function_a", "expression") == ()
    assert unresolved_by_group(table, "function_a", "expression") == ("plate",)
    assert unresolved_by_group(rows(), "function_a", "expression") == ()
    assert group_sentences(table, "function_b") == ()
    assert group_sentences(None) == ()
