"""How much of a function goes with each principal component of expression."""

import numpy as np
import pandas as pd
import pytest

from cineseq.expression.clusters_by_sample import function_by_sample
from cineseq.expression.exchange import Exchange
from cineseq.expression.function_variance import (
    component_lines,
    stratum_word,
    variance_along_components,
    variance_between_clusters,
)
from cineseq.tables.expression import FUNCTION_BY_CLUSTER, FUNCTION_BY_COMPONENT, FUNCTION_BY_SAMPLE


def exchange(strata, permutations=199, seed=0, families=None, **settings):
    strata = np.asarray(strata)
    families = np.arange(len(strata)) if families is None else families
    return Exchange(strata, families, permutations, seed, **settings)


def along(function, components, strata=None, permutations=199, seed=0):
    frame = pd.DataFrame(components, columns=[f"pc_{k + 1}" for k in range(components.shape[1])])
    null = exchange(["s"] * len(frame) if strata is None else strata, permutations, seed)
    table = FUNCTION_BY_COMPONENT.check(variance_along_components(pd.DataFrame({"function_x": function}), frame, null))
    return table.set_index("component"), component_lines(table)


def study(seed, share=0.0, *, functions=1, cells=390, fields=12, field_sd=1.0):
    """Return functions, clusters and fields; function has a share between clusters within fields.

    Function and the frequencies of clusters differ between fields.
    """
    rng = np.random.default_rng(seed)
    field = rng.integers(0, fields, cells)
    frequency = rng.dirichlet(np.full(6, 1.5), fields)
    cluster = (rng.random(cells)[:, None] > frequency[field].cumsum(axis=1)).sum(axis=1).clip(0, 5)
    means = np.linspace(-1, 1, 6) - frequency @ np.linspace(-1, 1, 6)[:, None]
    means /= np.sqrt((frequency * means**2).sum(axis=1).mean())
    noise = rng.normal(size=(functions, cells)) + field_sd * rng.normal(size=(functions, fields))[:, field]
    values = np.sqrt(share) * means[field, cluster] + np.sqrt(1 - share) * noise
    return pd.DataFrame(values.T).add_prefix("function_"), pd.Series(cluster.astype(str)), field


def between(seed, permutations=199, families=None, **design):
    function, clusters, field = study(seed, **design)
    null = exchange(field, permutations, seed, families)
    return FUNCTION_BY_CLUSTER.check(variance_between_clusters(function, clusters, null))


def test_what_was_planted_on_the_first_component_is_found_there_alone():
    rng = np.random.default_rng(0)
    components = rng.normal(size=(400, 6)) * np.arange(6, 0, -1)
    function = 0.5 * components[:, 0] / 6 + np.sqrt(0.75) * rng.normal(size=400)
    table, lines = along(function, components)
    assert table.loc["pc_1", "r2"] == pytest.approx(np.corrcoef(function, components[:, 0])[0, 1] ** 2)
    assert table.loc["pc_1", "r2"] == pytest.approx(0.25, abs=0.08)
    assert table.index[table["q_value"] <= 0.05].to_list() == ["pc_1"]
    assert table["r2_null"].max() < 0.01
    assert table.loc["pc_1", "epsilon2"] == pytest.approx(1 - (1 - table.loc["pc_1", "r2"]) * 399 / 398)
    assert table["verdict"].to_list() == ["shown", *["unresolved"] * 5]
    assert "is associated with 1 of 6 principal components" in lines[0]
    assert "component 1: 2" in lines[0]


def test_components_are_silent_on_null_data_that_differ_between_samples():
    """Samples shift function and components: across all cells they correlate, within samples they do not."""
    rng = np.random.default_rng(1)
    samples = np.repeat(np.arange(4), 25)
    p, naive = [], []
    for seed in range(60):
        components = rng.normal(size=(100, 3)) + samples[:, None]
        function = samples + rng.normal(size=100)
        p.append(along(function, components, samples, 99, seed)[0]["p_value"])
        naive.append(along(function, components, None, 99, seed)[0]["p_value"])
    assert 0.01 <= (np.array(p) <= 0.05).mean() <= 0.10
    assert (np.array(naive) <= 0.05).mean() > 0.9


@pytest.mark.parametrize(
    ("function", "reason"),
    [(np.r_[np.arange(9.0), np.full(21, np.nan)], "measured in 9 clustered cells, 10 are required"),
     (np.full(30, 0.3), "same in every cell")],
)  # fmt: skip
def test_components_of_too_few_cells_are_not_estimable_with_the_reason(function, reason):
    table, lines = along(function, np.random.default_rng(0).normal(size=(30, 2)))
    assert table[["r2", "r2_null", "epsilon2", "p_value", "q_value"]].isna().all(axis=None)
    assert (table["verdict"] == "not_estimable").all()
    assert table["note"].str.startswith("not estimable").all()
    assert reason in table["note"].iloc[0]
    assert reason in lines[0]


def test_function_and_clusters_that_differ_between_fields_only_are_not_associated():
    """Within samples of three fields the same cells reject in a third of the runs; within fields they do not."""
    p, naive = [], []
    for seed in range(100):
        function, clusters, field = study(seed)
        for strata, found in ((field, p), (field // 3, naive)):
            found.append(variance_between_clusters(function, clusters, exchange(strata, 99, seed))["p_value"][0])
    assert np.mean(np.array(p) <= 0.05) <= 0.10
    assert np.mean(np.array(naive) <= 0.05) >= 0.20


def test_the_effect_is_the_planted_share_within_fields_whatever_their_level():
    for share in (0.0, 0.1):
        found = [between(seed, 0, share=share, field_sd=2.0)["epsilon2"][0] for seed in range(60)]
        assert np.mean(found) == pytest.approx(share, abs=0.02)
    function, clusters, field = study(0, 0.1)
    rows = [
        variance_between_clusters(f, clusters, exchange(field, 0))
        for f in (function, function.add(9.0 * field, axis=0))
    ]
    assert rows[1]["epsilon2"][0] == pytest.approx(rows[0]["epsilon2"][0])
    assert abs(rows[1]["eta2"][0] - rows[0]["eta2"][0]) > 0.01


def test_absence_is_said_where_it_is_true_and_rarely_at_the_margin():
    said = {share: [between(s, 99, share=share)["verdict"][0] for s in range(60)] for share in (0.0, 0.05, 0.1)}
    assert np.mean([v == "shown_absent" for v in said[0.0]]) >= 0.75
    assert np.mean([v == "shown_absent" for v in said[0.05]]) <= 0.2
    assert "shown_absent" not in said[0.1]
    assert np.mean([v == "shown" for v in said[0.1]]) >= 0.8


def test_the_best_of_twenty_null_functions_is_judged_by_its_q_value():
    tables = [between(seed, 499, functions=20, cells=200) for seed in range(12)]
    assert sum((table["p_value"] <= 0.05).any() for table in tables) >= 4
    assert sum((table["verdict"] == "shown").any() for table in tables) <= 3
    table = tables[0]
    assert (table["q_value"] >= table["p_value"]).all()


def test_families_are_permuted_whole():
    """Families of four in one cluster with one value: single cells would seem to be many."""
    p, naive = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        family, field = np.arange(160) // 4, np.arange(160) // 20
        clusters = pd.Series(rng.integers(0, 3, 40).astype(str)[family])
        function = pd.DataFrame({"function_x": rng.normal(size=40)[family]})
        p.append(variance_between_clusters(function, clusters, exchange(field, 99, seed, family))["p_value"][0])
        naive.append(variance_between_clusters(function, clusters, exchange(field, 99, seed))["p_value"][0])
    assert np.mean(np.array(p) <= 0.05) <= 0.15
    assert np.mean(np.array(naive) <= 0.05) >= 0.4


def test_five_fields_give_a_test_but_no_interval_and_no_absence():
    for seed in range(20):
        row = between(seed, 99, fields=5).iloc[0]
        assert np.isfinite([row["epsilon2"], row["p_value"]]).all()
        assert np.isnan([row["epsilon2_low"], row["epsilon2_high"], row["epsilon2_upper"]]).all()
        assert row["verdict"] in {"shown", "unresolved"}
        assert row["note"] == "no interval: 5 fields with two cells or more, 6 are required"


@pytest.mark.parametrize(
    ("strata", "clusters", "function", "reason"),
    [
        (np.arange(30), np.arange(30) % 2, np.arange(30.0), "cells exceed fields by 0, 10 are required"),
        (np.arange(30) // 10, np.arange(30) // 10, np.arange(30.0) ** 2, "no field has cells of two clusters"),
        (np.arange(30) // 10, np.arange(30) % 2, np.arange(30) // 10, "it is the same in all cells of a field"),
        (np.arange(30) // 2, np.arange(30), np.arange(30.0) ** 2, "cells are too few for so many clusters"),
    ],
)
def test_what_does_not_vary_within_fields_is_not_estimable_but_keeps_its_share_between_them(
    strata, clusters, function, reason
):
    table = variance_between_clusters(
        pd.DataFrame({"function_x": function}), pd.Series(clusters).astype(str), exchange(strata)
    )
    row = FUNCTION_BY_CLUSTER.check(table).iloc[0]
    assert row["note"] == f"not estimable: {reason}"
    assert row["verdict"] == "not_estimable"
    assert np.isnan([row["epsilon2"], row["p_value"], row["eta2_null"]]).all()
    assert 0 <= row["eta2"] <= 1


@pytest.mark.parametrize(
    ("within", "word"), [(("sample", "fov"), "field"), (["sample"], "sample"), ((), "group"), ("sample, fov", "field")]
)
def test_a_stratum_is_called_what_it_is(within, word):
    assert stratum_word(within) == word


def test_without_permutations_there_is_an_effect_but_nothing_is_shown():
    row = between(0, 0, share=0.3).iloc[0]
    assert row["epsilon2"] > 0.1
    assert np.isnan(row["p_value"])
    assert (row["verdict"], row["note"]) == ("unresolved", "permutations are switched off")


def test_a_sample_in_which_clusters_differ_is_told_from_one_in_which_they_do_not():
    function, clusters, field = study(3, share=0.4, cells=900, fields=24)
    samples = pd.Series([f"s{f % 3}" for f in field])
    last = (samples == "s2").to_numpy()
    function.loc[last, "function_0"] = np.random.default_rng(0).normal(size=last.sum())
    table = FUNCTION_BY_SAMPLE.check(function_by_sample(function, clusters, samples, exchange(field)))
    each = table[table["part"] == "sample"].set_index("sample")
    assert (each["groups"] == 8).all()
    assert (each.loc[["s0", "s1"], "epsilon2_low"] > 0.1).all()
    assert each.loc["s2", "epsilon2_low"] < 0 < each.loc["s2", "epsilon2_high"] < 0.2
    new = table[table["part"] == "new_sample"].iloc[0]
    assert new["epsilon2_low"] < each["epsilon2"].min()
    assert new["epsilon2_high"] > each["epsilon2"].max()


def test_samples_of_few_fields_have_no_interval_and_say_so():
    function, clusters, field = study(3, share=0.4, fields=4)
    samples = pd.Series([f"s{f % 2}" for f in field])
    table = FUNCTION_BY_SAMPLE.check(function_by_sample(function, clusters, samples, exchange(field)))
    each = table[table["part"] == "sample"]
    assert each["epsilon2"].notna().all()
    assert set(each["note"]) == {"no interval: 2 fields, 6 are required"}
    over = table[table["part"] != "sample"]
    assert set(over["note"]) == {"not estimable: 0 samples with an interval, and at least 3 are needed"}


def test_one_real_function_among_twenty_is_shown_though_the_first_permutations_are_too_few():
    rng = np.random.default_rng(3)
    clusters, field = pd.Series(rng.integers(0, 3, 240).astype(str)), np.arange(240) % 12
    values = rng.normal(size=(240, 20))
    values[:, 0] += 1.5 * (clusters == "1")
    function = pd.DataFrame(values, columns=[f"function_{number}" for number in range(20)])
    table, fixed = (variance_between_clusters(function, clusters, exchange(field, 39, most=m)) for m in (9999, 0))
    assert (table["verdict"] == "shown").tolist() == [True] + [False] * 19
    assert (table["p_value"][0], table["permutations"][0]) == (1 / 800, 799)
    assert table["eta2_null"].tolist() == fixed["eta2_null"].tolist()
    assert (fixed["permutations"] == 39).all()
    assert fixed["verdict"][0] == "unresolved"
    assert fixed["note"][0].startswith("floor of 39 permutations: none reached the observed value")
    ended = table["permutations"] == 39
    assert ended.sum() > 10
    assert table["p_value"][ended].tolist() == fixed["p_value"][ended].tolist()


def test_the_null_of_a_function_does_not_depend_on_the_order_of_functions():
    rng = np.random.default_rng(3)
    clusters, field = pd.Series(rng.integers(0, 3, 120).astype(str)), np.arange(120) % 6
    function = pd.DataFrame(rng.normal(size=(120, 2)), columns=["function_a", "function_b"])
    components = pd.DataFrame(rng.normal(size=(120, 2)), columns=["pc_1", "pc_2"])
    for measure, against in ((variance_between_clusters, clusters), (variance_along_components, components)):
        first, second = (
            measure(function[order], against, exchange(field, 39, most=0)).set_index("function").drop(columns="q_value")
            for order in (["function_a", "function_b"], ["function_b", "function_a"])
        )
        pd.testing.assert_frame_equal(first.sort_index(kind="stable"), second.sort_index(kind="stable"))


def test_clusters_and_function_that_follow_position_are_not_associated_beyond_it():
    found = {True: [], False: []}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        field, position = np.arange(240) % 8, rng.uniform(0, 500, (240, 2))
        x = position[:, 1] / 250 - 1
        function = pd.DataFrame({"function_x": x + rng.normal(size=240)})
        clusters = pd.Series(np.where(x + rng.normal(size=240) > 0, "a", "b"), dtype="string")
        for known, rows in found.items():
            null = exchange(field, 99, seed, position=position if known else None)
            rows.append(variance_between_clusters(function, clusters, null).iloc[0])
    by_position, alone = (pd.DataFrame(found[known]) for known in (True, False))
    assert (by_position["p_value"] <= 0.05).mean() <= 0.15
    assert (alone["p_value"] <= 0.05).mean() >= 0.8
    assert by_position["position_share"].between(0.05, 0.5).all()
    assert alone["position_share"].isna().all()
    assert (by_position["epsilon2"] == alone["epsilon2"]).all()
