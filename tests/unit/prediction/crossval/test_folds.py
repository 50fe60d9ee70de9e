"""Folds keep groups and families whole."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cineseq.config.prediction import Folds
from cineseq.errors import UserError
from cineseq.prediction.crossval.folds import NotEstimableError, exchange_notes, inner_splits, plan_folds
from cineseq.prediction.crossval.labels import joint_labels, merged

FEW = Folds(min_cells=10)


def table(samples: int, fovs: int, cells: int, families: list[str] | None = None) -> pd.DataFrame:
    number = np.arange(samples * fovs * cells)
    fov = number // cells
    family = [f"f{i}" for i in number] if families is None else families
    return pd.DataFrame(
        {
            "sample": [f"s{i // fovs}" for i in fov],
            "fov": [str(i % fovs) for i in fov],
            "family": family,
            "condition": "a",
        }
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 40)), min_size=10, max_size=80),
    st.integers(3, 6),
    st.integers(3, 6),
)
def test_no_group_is_in_training_and_testing(cells, outer, enough):
    obs = pd.DataFrame(cells, columns=["sample", "fov", "family"]).astype("string")
    try:
        plan = plan_folds(obs, Folds(outer=outer, outer_min_samples=enough, min_cells=10))
    except NotEstimableError:
        return
    tested = np.zeros(len(obs), dtype=int)
    for train, test in plan.splits():
        tested[test] += 1
        assert not set(obs["family"].iloc[train]) & set(obs["family"].iloc[test])
        place = obs["family"] if plan.level == ("family",) else obs["sample"] + "/" + obs["fov"]
        assert not set(place.iloc[train]) & set(place.iloc[test])
        for inner_train, inner_test in inner_splits(plan.units[train], 4):
            assert not set(place.iloc[train[inner_train]]) & set(place.iloc[train[inner_test]])
            assert not set(obs["family"].iloc[train[inner_train]]) & set(obs["family"].iloc[train[inner_test]])
    assert (tested == 1).all()
    again = plan_folds(obs, Folds(outer=outer, outer_min_samples=enough, min_cells=10))
    assert np.array_equal(plan.fold, again.fold)


def test_enough_samples_are_left_out_whole():
    plan = plan_folds(table(6, 2, 10), FEW)
    assert plan.level == ("sample",)
    assert (plan.groups, plan.folds) == (6, 5)


def test_few_samples_fall_back_to_fields_and_say_so():
    plan = plan_folds(table(4, 2, 10), FEW)
    assert plan.level == ("sample", "fov")
    assert (plan.groups, plan.folds) == (8, 5)
    assert any("4 groups by sample are fewer than folds.outer_min_samples = 6" in note for note in plan.notes)


def test_one_sample_is_split_by_field_with_a_note():
    plan = plan_folds(table(1, 6, 10), FEW)
    assert plan.level == ("sample", "fov")
    assert any("only one sample" in note for note in plan.notes)


def test_fewer_groups_than_folds_make_fewer_folds():
    plan = plan_folds(table(1, 3, 20), FEW)
    assert plan.folds == 3
    assert any("fewer groups than the configured 5 folds" in note for note in plan.notes)


@pytest.mark.parametrize(("groups", "few"), [(1, "only 1 group by sample"), (2, "only 2 groups by sample and fov")])
def test_one_or_two_fields_fall_back_to_families(groups, few):
    families = [f"f{i // 3}" for i in range(60 * groups)]
    plan = plan_folds(table(1, groups, 60, families), FEW)
    assert (plan.level, plan.grouped_by, plan.groups, plan.folds) == (("family",), "family", 20 * groups, 5)
    assert all(len(set(plan.fold[3 * i : 3 * i + 3])) == 1 for i in range(20 * groups))
    said = next(note for note in plan.notes if note.startswith(f"With {few}, families are held out instead"))
    assert "cells of one field are among both training and held-out cells" in said
    assert "that the result holds in another field or sample cannot be claimed" in said
    assert "unknown" not in said


def test_two_samples_named_alone_fall_back_to_their_fields():
    plan = plan_folds(table(2, 6, 10), Folds(groups=["sample"], min_cells=10))
    assert (plan.level, plan.groups) == (("sample", "fov"), 12)
    assert any(
        note == "With only 2 groups by sample, groups by sample and fov are held out instead: that the result holds in "
        "another sample cannot be claimed."
        for note in plan.notes
    )


@pytest.mark.parametrize(("known", "level"), [(0, "cell"), (20, "family")])
def test_unknown_families_in_one_field_are_held_out_one_by_one_and_said(known, level):
    obs = table(1, 1, 60, [f"f{i // 2}" for i in range(60)])
    obs.loc[known:, "family"] = None
    plan = plan_folds(obs, FEW)
    assert (plan.level, plan.groups) == ((level,), 60 - known // 2)
    said = f"The family of {60 - known} of 60 cells is unknown: relatives among them may be split"
    assert any(said in note for note in plan.notes)
    assert exchange_notes(plan, np.zeros(60, int)) == ()


def test_without_a_column_of_families_single_cells_are_held_out():
    plan = plan_folds(table(1, 1, 40).drop(columns=["family", "fov"]), Folds(groups=["sample"], min_cells=10))
    assert (plan.level, plan.groups) == (("cell",), 40)


def test_one_family_is_not_estimable():
    with pytest.raises(NotEstimableError, match=r"only 1 group by sample, but 3 are needed .* fields and families are"):
        plan_folds(table(1, 1, 60, ["f"] * 60), FEW)


@pytest.mark.parametrize(("cells", "share"), [(40, "19 %"), (80, "9.5 %"), (154, "5.1 %"), (200, None)])
def test_few_cells_are_said_to_carry_little(cells, share):
    said = [note for note in plan_folds(table(4, 1, cells // 4), FEW).notes if "carry little" in note]
    assert len(said) == (share is not None)
    assert share is None or f"only if it explains {share} of the variance or more" in said[0]


def test_few_cells_are_not_estimable():
    with pytest.raises(NotEstimableError, match=r"only 12 cells .* folds.min_cells = 30"):
        plan_folds(table(4, 3, 1), Folds())


def test_a_family_across_fields_joins_them():
    families = [f"f{i}" for i in range(60)]
    families[0] = families[10] = "wide"
    plan = plan_folds(table(1, 6, 10, families), FEW)
    assert plan.groups == 5
    assert len(set(plan.units[:20])) == 1


def test_unknown_families_are_families_of_their_own():
    obs = table(1, 4, 10).assign(family=pd.Series([None] * 20 + [""] * 20, dtype="string"))
    assert plan_folds(obs, FEW).groups == 4


def test_families_alone_may_be_the_groups():
    obs = table(1, 1, 40, [f"f{i // 2}" for i in range(40)])
    assert plan_folds(obs, Folds(groups=["family"], min_cells=10)).groups == 20


def test_groups_may_be_named_without_their_prefix():
    obs = table(1, 1, 40).assign(group_mouse=[f"m{i % 8}" for i in range(40)])
    assert plan_folds(obs, Folds(groups=["mouse"], min_cells=10)).level == ("group_mouse",)


def test_a_null_across_the_groups_is_said():
    obs = table(2, 1, 40).assign(group_mouse=[f"m{i % 8}" for i in range(80)])
    plan = plan_folds(obs, Folds(groups=["mouse"], min_cells=10))
    [note] = exchange_notes(plan, joint_labels(obs, ["sample"]))
    assert note.startswith("The permutation null exchanges cells between up to 8 groups by group_mouse, because")
    assert exchange_notes(plan, joint_labels(obs, ["group_mouse"])) == ()
    by_field = plan_folds(table(4, 2, 10), FEW)
    assert exchange_notes(by_field, joint_labels(table(4, 2, 10), ["sample", "fov"])) == ()
    families = plan_folds(obs.assign(family=[f"f{i // 2}" for i in range(80)]), Folds(groups=["family"], min_cells=10))
    assert exchange_notes(families, np.zeros(80, int)) == ()


def test_an_unknown_group_is_refused():
    with pytest.raises(UserError, match=r"folds.groups: 'mouse' is not a column"):
        plan_folds(table(4, 2, 10), Folds(groups=["mouse"]))


def test_a_dominating_group_is_said():
    obs = table(1, 4, 10)
    obs["fov"] = ["0"] * 31 + ["1"] * 3 + ["2"] * 3 + ["3"] * 3
    assert any("holds 78 % of the cells" in note for note in plan_folds(obs, FEW).notes)


def test_settings_refuse_a_column_named_twice():
    with pytest.raises(ValueError, match="groups: a column is named twice"):
        Folds(groups=["sample", "sample"])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=40))
def test_merging_keeps_every_group_whole(pairs):
    a, b = np.array(pairs).T
    units = merged(a, b)
    for labels in (a, b):
        assert all(len(set(units[labels == label])) == 1 for label in set(labels))
