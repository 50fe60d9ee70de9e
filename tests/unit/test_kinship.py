"""Relatives, shared fates, and states against the sister's fate: literal cases, planted truth, silence on null data."""

import json
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from cineseq import contracts, results
from cineseq.config.lineage import Lineage
from cineseq.errors import UserError
from cineseq.kinship.concordance import concordance_table, times_table
from cineseq.kinship.contrast import Units, family_weights, gee_p, mantel_haenszel, permutation_p
from cineseq.kinship.correlation import pair_correlation
from cineseq.kinship.families import families_of, strata
from cineseq.kinship.figures import draw_forest, draw_trees
from cineseq.kinship.power import detectable_odds_ratio
from cineseq.kinship.relatives import relatives_of
from cineseq.kinship.selection import lineage_warnings
from cineseq.kinship.state_by_sister import compare_states, power_table, state_table
from cineseq.kinship.states import states_of, survivors
from cineseq.kinship.status import sister_status
from cineseq.kinship.wording import concordance_lines, state_lines
from cineseq.tables import empty, read_table, write_table
from compare_sisters import Settings, main

LAST = 99
TESTED = "sister_died_vs_survived"


def as_cells(rows):
    """Complete a table of cells to its contract."""
    given_rows = pd.DataFrame(rows).reset_index(drop=True)
    defaults = {
        "sample": "s", "fov": "1", "condition": "drug", "replicate": "1", "sister_id": None, "generation": 0,
        "start_hours": np.nan, "end_hours": np.nan, "y_px": np.nan, "x_px": np.nan, "start_confidence": np.nan,
        "end_confidence": np.nan, "feature_frame": None,
    }  # fmt: skip
    for name, value in defaults.items():
        if name not in given_rows:
            given_rows[name] = value
    return contracts.CELLS.check(given_rows)


def cell(name, founder, start, end, end_kind, parent=None, **more):  # noqa: PLR0917
    known = end_kind in {"division", "death"}
    return {
        "track_id": name, "founder_id": founder, "parent_id": parent, "start_frame": start, "end_frame": end,
        "start_kind": "division" if parent else "first_frame", "end_kind": end_kind,
        "fate": end_kind if known else "unknown", "fate_known": known,
        "alive_at_end": True if end_kind == "end_of_movie" else None if end_kind in {"lost", "left_fov"} else False,
        "generation": int(parent is not None), **more,
    }  # fmt: skip


def family(name, one, other, birth=10, **more):
    """A founder that divides, and two daughters with given ends."""
    ends = {"death": birth + 20, "division": birth + 30, "end_of_movie": LAST, "lost": birth + 5}
    return [
        cell(name, name, 0, birth - 1, "division", **more),
        *(cell(f"{name}.{k}", name, birth, ends[e], e, name, **more) for k, e in enumerate((one, other))),
    ]


def experiment(seed, founders=300, fields=12, log_odds=0.0):
    """Families whose field and birth time drive both the state and death; the sister's death adds ``log_odds``."""
    rng = np.random.default_rng(seed)
    field, birth = rng.integers(0, fields, founders), rng.integers(10, 60, founders)
    stress = rng.normal(0, 1, fields)[field] + (birth - 35) / 25
    risk = 1 / (1 + np.exp(0.7 - stress - rng.normal(0, 1, founders)))
    dead = rng.random((founders, 2)) < risk[:, None]
    rate = 1 / (1 + np.exp(1 - stress[:, None] - log_odds * dead[:, ::-1]))
    state = rng.random((founders, 2)) < rate
    names = np.array([f"s/{f}/{k}" for k, f in enumerate(field)], dtype=object)
    shared = {"fov": field.astype(str), "founder_id": names}
    mothers = {
        "track_id": names, "parent_id": None, "start_frame": 0, "end_frame": birth - 1, "start_kind": "first_frame",
        "end_kind": "division", "fate": "division", "fate_known": True, "alive_at_end": False, "state_x": None,
    }  # fmt: skip
    tables = [pd.DataFrame(shared | mothers)]
    for k in (0, 1):
        gone = dead[:, k]
        daughters = {
            "track_id": names + f".{k}", "parent_id": names, "generation": 1, "start_frame": birth,
            "end_frame": np.where(gone, birth + 5, LAST), "start_kind": "division",
            "end_kind": np.where(gone, "death", "end_of_movie"), "fate": np.where(gone, "death", "unknown"),
            "fate_known": gone, "alive_at_end": ~gone,
            "state_x": np.where(gone, None, np.where(state[:, k], "on", "off")),
        }  # fmt: skip
        tables.append(pd.DataFrame(shared | daughters))
    joined = pd.concat(tables, ignore_index=True)
    return as_cells(joined.assign(generation=joined["generation"].fillna(0).astype(int)))


def analyse(cells, **settings):
    settings = Lineage(**{"permutations": 499, **settings})
    families = families_of(cells)
    states = states_of(cells, None, settings.states)
    status = sister_status(families, settings)
    status["sequenced"] = survivors(families, states, None)
    return families, status, compare_states(families, status, states, settings, seed=1)


def pooled_fisher(families, status, cells):
    both = families.cells.assign(status=status["status"]).merge(cells[["track_id", "state_x"]], on="track_id")
    both = both[status["sequenced"] & both["status"].isin(["died", "survived"])]
    table = pd.crosstab(both["status"], both["state_x"]).reindex(index=["died", "survived"], columns=["on", "off"])
    return fisher_exact(table.fillna(0)).pvalue


# --- families and relatives -----------------------------------------------------------------------------------------


def test_sisters_cousins_and_generations_of_a_literal_tree():
    rows = [
        cell("f", "f", 0, 9, "division"),
        cell("a", "f", 10, 19, "division", "f"),
        cell("b", "f", 10, 19, "division", "f"),
        *(cell(n, "f", 20, 60, "death", p) for n, p in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("b2", "b"))),
    ]
    families = families_of(as_cells(rows))
    names = families.cells["track_id"].to_numpy()
    relatives = relatives_of(families, 5)
    assert {frozenset(p) for p in names[relatives["sisters"]]} == {
        frozenset("ab"), frozenset(("a1", "a2")), frozenset(("b1", "b2"))
    }  # fmt: skip
    cousins = {frozenset(p) for p in names[relatives["cousins"]]}
    assert cousins == {frozenset(p) for p in product(("a1", "a2"), ("b1", "b2"))}
    assert not len(relatives["neighbours"])


def test_neighbours_are_unrelated_close_in_space_and_in_the_same_field():
    rows = []
    for number, (fov, y) in enumerate((("1", 0.0), ("1", 1.0), ("1", 500.0), ("2", 0.0))):
        rows += family(f"f{number}", "death", "division", fov=fov, y_px=y, x_px=0.0)
    families = families_of(as_cells(rows))
    pairs = relatives_of(families, 5)["neighbours"]
    founders = families.cells["founder"].to_numpy()[pairs]
    assert len(pairs)
    assert (founders[:, 0] != founders[:, 1]).all()
    assert (families.cells["fov"].to_numpy()[pairs] == "1").all()
    of_first_two = np.isin(founders, [0, 1]).any(axis=1)
    assert (np.isin(founders[of_first_two], [0, 1]).all(axis=1)).sum() >= 2


def test_three_sisters_make_no_pairs_and_are_counted():
    rows = [*family("f", "death", "death"), cell("f.2", "f", 10, 30, "death", "f")]
    families = families_of(as_cells(rows))
    assert len(families.sisters) == 0
    assert families.problems["three_sisters"] == 3


def test_a_family_in_two_fields_makes_no_pairs_and_is_counted():
    rows = family("f", "death", "death", fov="1")
    rows[2]["fov"] = "2"
    families = families_of(as_cells(rows))
    assert len(families.sisters) == 0
    assert families.problems["family_in_two_fields"] == 3


@pytest.mark.parametrize(
    ("row", "change"),
    [(0, {"end_kind": "death", "fate": "death"}), (0, {"end_frame": 40}), (1, {"end_frame": 5})],
)
def test_a_fate_that_contradicts_the_tree_becomes_unknown(row, change):
    rows = family("f", "death", "division")
    rows[row].update(change)
    families = families_of(as_cells(rows))
    assert families.problems["fate_contradicted"] == 1
    assert families.cells["fate"][row] == "unknown"
    assert np.isnan(families.cells["died"][row])


def test_no_cells_at_all():
    families, _, compared = analyse(empty(contracts.CELLS))
    assert len(families.cells) == 0
    assert compared.empty


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=1, max_size=60), st.integers(1, 6))
def test_strata_never_mix_fields_and_never_split_equal_birth_times(rows, bins):
    field, birth = np.array(rows).T
    code = strata(field, birth.astype(float), bins)
    table = pd.DataFrame({"field": field, "birth": birth, "code": code})
    assert table.groupby("code")["field"].nunique().max() == 1
    assert table.groupby(["field", "birth"])["code"].nunique().max() == 1
    assert code.max() + 1 == len(np.unique(code))
    assert (table.groupby("field")["code"].nunique() <= bins).all()


# --- status: unknown is never alive or dead -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "expected"),
    [("death", "died"), ("end_of_movie", "survived"), ("division", "divided"), ("lost", "unknown")],
)
def test_status_says_what_became_of_the_sister(end, expected):
    families = families_of(as_cells(family("f", "end_of_movie", end)))
    status = sister_status(families, Lineage())["status"]
    assert list(status) == ["none", expected, "survived"]


def test_an_unseen_sister_is_unknown_and_an_undivided_cell_has_none():
    rows = [*family("f", "end_of_movie", "death")[:2], cell("g", "g", 0, LAST, "end_of_movie")]
    rows.append(cell("h", "h", 50, LAST, "end_of_movie", start_kind="appeared"))
    assert list(sister_status(families_of(as_cells(rows)), Lineage())["status"]) == [
        "none",
        "unknown",
        "none",
        "unknown",
    ]


def test_daughters_born_too_late_are_set_apart_in_both_arms():
    rows = family("f", "end_of_movie", "death", birth=90) + family("g", "end_of_movie", "end_of_movie", birth=90)
    rows[2]["end_frame"] = 95
    families = families_of(as_cells(rows))
    assert list(sister_status(families, Lineage(min_coobserved_frames=9))["status"]).count("too_recent") == 0
    late = sister_status(families, Lineage(min_coobserved_frames=10))["status"]
    assert list(late) == ["none", "too_recent", "too_recent"] * 2


def test_lost_sisters_change_no_estimate():
    cells = experiment(0)
    _, _, before = analyse(cells)
    extra = [row for k in range(50) for row in family(f"x{k}", "end_of_movie", "lost", state_x="on")]
    _, status, after = analyse(pd.concat([cells, as_cells(extra)], ignore_index=True))
    assert (status["status"] == "unknown").sum() == 50
    columns = ["families", "informative", "odds_ratio", "p_permutation"]
    pd.testing.assert_frame_equal(before[before.contrast == TESTED][columns], after[after.contrast == TESTED][columns])


# --- concordance ----------------------------------------------------------------------------------------------------


def test_phi_is_kappa_and_its_interval_brackets_it():
    x, y = np.repeat([1.0, 1, 0, 0], [30, 5, 5, 60]), np.repeat([1.0, 0, 1, 0], [30, 5, 5, 60])
    found = pair_correlation(x, y, np.arange(100))
    expected = 0.35**2 + 0.65**2
    assert found.value == pytest.approx((0.9 - expected) / (1 - expected))
    assert found.low < found.value < found.high <= 1


def test_interval_widens_when_pairs_come_from_few_families():
    rng = np.random.default_rng(0)
    shared = np.repeat(rng.normal(size=20), 10)
    x, y = shared + rng.normal(size=200), shared + rng.normal(size=200)
    apart, together = (pair_correlation(x, y, f) for f in (np.arange(200), np.repeat(np.arange(20), 10)))
    assert apart.value == together.value
    assert together.high - together.low > 1.3 * (apart.high - apart.low)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_correlation_is_symmetric_and_within_bounds(pairs):
    x, y = np.array(pairs, dtype=float).T
    one, other = (pair_correlation(a, b, np.arange(len(x))) for a, b in ((x, y), (y, x)))
    assert np.isnan(one.value) == np.isnan(other.value)
    if np.isfinite(one.value):
        assert one.value == pytest.approx(other.value)
        assert -1 - 1e-9 <= one.value <= 1 + 1e-9
    else:
        assert "not estimable" in one.note


def concordance_of(rows, permutations=999):
    families = families_of(as_cells(rows))
    return concordance_table(families, relatives_of(families, 5), 2, permutations, 1).set_index("relation")


def test_concordant_sisters_are_found_and_unknown_fates_do_not_count():
    rows = []
    for k in range(40):
        end = "death" if k % 2 else "division"
        rows += family(f"f{k}", end, end, birth=10 + k // 4)
    for k in range(30):
        rows += family(f"u{k}", "death", ("lost", "end_of_movie")[k % 2])
    sisters = concordance_of(rows).loc["sisters"]
    assert (sisters["pairs"], sisters["concordance"], sisters["expected_independent"]) == (40, 1.0, 0.5)
    assert sisters["p_value"] == pytest.approx(0.001)
    assert sisters["phi_high"] == 1.0
    assert 0.7 < sisters["phi_low"] < 1


def test_all_fates_unknown_is_not_estimable():
    rows = [row for k in range(20) for row in family(f"f{k}", "lost", "end_of_movie")]
    families = families_of(as_cells(rows))
    table = concordance_table(families, relatives_of(families, 5), 5, 99, 1)
    assert table["concordance"].isna().all()
    assert table["note"].str.startswith("not estimable").all()
    assert "not estimable" in concordance_lines(table)[0]


def test_concordance_by_shared_stress_alone_is_not_called_kinship():
    """Field and time make independent sisters look alike; the permutation within strata must not be fooled."""
    rng = np.random.default_rng(3)
    rejected, naive = 0, 0
    for _ in range(60):
        field = rng.integers(0, 6, 120)
        dead = rng.random((120, 2)) < 1 / (1 + np.exp(-3 * rng.normal(size=6)[field]))[:, None]
        rows = []
        for k in range(120):
            rows += family(f"f{k}", *np.where(dead[k], "death", "division"), fov=str(field[k]))
        table = concordance_of(rows, 199).loc["sisters"]
        rejected += table["p_value"] <= 0.05
        naive += table["phi_low"] > 0
    assert rejected <= 8
    assert naive >= 30


def test_times_of_sisters_correlate_as_planted():
    rng = np.random.default_rng(0)
    rows = []
    for k in range(300):
        rows += family(f"f{k}", "division", "division")
        lived = (30 + 5 * rng.normal() + 5 * rng.normal(size=2)).round().astype(int)
        rows[-2]["end_frame"], rows[-1]["end_frame"] = 10 + lived
    families = families_of(as_cells(rows))
    times = times_table(families, relatives_of(families, 5)).set_index(["relation", "quantity"])
    sisters = times.loc["sisters", "division_time"]
    assert sisters["pairs"] == 300
    assert sisters["low"] < 0.5 < sisters["high"]
    assert abs(times.loc["neighbours", "division_time"]["r"]) < 0.2
    assert "not estimable" in times.loc["sisters", "death_time"]["note"]


# --- state by sister's fate -----------------------------------------------------------------------------------------


def test_mantel_haenszel_of_one_stratum_is_the_cross_product():
    units = Units(
        np.repeat([True, False], [30, 40]), np.repeat([1.0, 0, 1, 0], [20, 10, 10, 30]), np.zeros(70, int), np.ones(70)
    )
    ratio, low, high, note = mantel_haenszel(units)
    assert ratio == pytest.approx(20 * 30 / (10 * 10))
    assert low < ratio < high
    assert note == ""


def test_an_empty_cell_gives_no_number():
    units = Units(np.repeat([True, False], [10, 10]), np.repeat([0.0, 1.0], [10, 10]), np.zeros(20, int), np.ones(20))
    ratio, _, _, note = mantel_haenszel(units)
    assert np.isnan(ratio)
    assert "0 of 10 exposed families" in note


def test_permutation_p_equals_the_exact_hypergeometric_tail():
    units = Units(
        np.repeat([True, False], [8, 12]), np.repeat([1.0, 0, 1, 0], [7, 1, 3, 9]), np.zeros(20, int), np.ones(20)
    )
    exact = fisher_exact([[7, 1], [3, 9]]).pvalue
    found = permutation_p(units, 40_000, np.random.default_rng(0))
    assert found == pytest.approx(exact, abs=0.003)


@pytest.mark.parametrize(("alike", "weight"), [(0.0, 2.0), (0.5, 1.333), (1.0, 1.0)])
def test_a_pair_is_worth_two_survivors_when_sisters_are_unlike_and_one_when_alike(alike, weight):
    rng = np.random.default_rng(0)
    stratum = np.repeat(np.arange(400), 5)
    rate = rng.uniform(0.2, 0.8, 400)[stratum]
    one, other = rng.random((2, 2000)) < rate
    other = np.where(rng.random(2000) < alike, one, other)
    found = family_weights(np.full(2000, 2), (one + other.astype(float)) / 2, stratum)
    assert found[0] == pytest.approx(weight, abs=0.1)
    assert list(family_weights(np.ones(3), np.ones(3), np.arange(3))) == [1, 1, 1]


def test_only_strata_with_both_arms_inform():
    units = Units(np.array([True, True, True, False, False]), np.ones(5), np.array([0, 0, 1, 1, 2]), np.ones(5))
    assert list(units.informative) == [False, False, True, True, False]
    assert units.only(units.informative).effective == 0.5


def test_planted_odds_ratio_is_recovered_and_worded_as_association():
    _, _, compared = analyse(experiment(5, founders=1500, fields=20, log_odds=np.log(3)), states=["state_x=on"])
    row = compared[compared.contrast == TESTED].iloc[0]
    assert row["low"] < 3 < row["high"]
    assert row["low"] > 1.5
    assert row["p_permutation"] == pytest.approx(1 / 500)
    assert row["p_gee"] < 1e-4
    text = " ".join(state_lines(compared))
    assert "associations" in text
    assert "does not refute protection" in text
    assert "drive" not in text


def null_rejections(runs, permutations=499):
    found = []
    for seed in range(runs):
        cells = experiment(1000 + seed)
        families, status, compared = analyse(cells, states=["state_x=on"], permutations=permutations)
        row = compared[compared.contrast == TESTED].iloc[0]
        found.append((row["p_permutation"], pooled_fisher(families, status, cells), row["low"] <= 1 <= row["high"]))
    p, fisher, covers = np.array(found, dtype=float).T
    return (p <= 0.05).mean(), (fisher <= 0.05).mean(), covers.mean()


def test_type_one_error_under_shared_stress_holds_where_pooled_fisher_fails():
    permutation, fisher, covers = null_rejections(40)
    assert permutation <= 0.15
    assert fisher >= 0.35
    assert covers >= 0.85


@pytest.mark.slow
def test_type_one_error_over_300_experiments():
    permutation, fisher, covers = null_rejections(300)
    assert 0.02 <= permutation <= 0.08
    assert fisher >= 0.4
    assert 0.92 <= covers <= 0.98


@pytest.mark.slow
def test_interval_coverage_of_a_planted_odds_ratio_over_300_experiments():
    covered = []
    for seed in range(300):
        row = analyse(experiment(seed, log_odds=np.log(3)), states=["state_x=on"])[2].iloc[0]
        covered.append(row["low"] <= 3 <= row["high"])
    assert 0.92 <= np.mean(covered) <= 0.985


def test_no_deaths_no_sisters_one_arm_are_not_estimable():
    alive = [row for k in range(20) for row in family(f"f{k}", "end_of_movie", "end_of_movie", state_x="ab"[k % 2])]
    alone = [cell(f"a{k}", f"a{k}", 0, LAST, "end_of_movie", state_x="ab"[k % 2]) for k in range(20)]
    for rows in (alive, alone):
        families, status, compared = analyse(as_cells(rows))
        main_rows = compared[compared.contrast == TESTED]
        assert main_rows["odds_ratio"].isna().all()
        assert main_rows["p_permutation"].isna().all()
        assert main_rows["note"].str.startswith("not estimable").all()
        results.STATE_BY_SISTER.check(state_table(compared))
        results.LINEAGE_POWER.check(power_table(compared))
        warned = lineage_warnings(families, status, None)
        assert "no_deaths" in set(warned["warning"])


def test_gee_is_guarded():
    few = pd.DataFrame({"state": [0.0, 1], "exposed": [True, False], "field": 0, "birth": [0.0, 1], "founder": [0, 1]})
    p, note = gee_p(few)
    assert np.isnan(p)
    assert "too few" in note


def test_power_agrees_with_the_planned_sample_sizes():
    """94 families with a dead sister against three times as many detect OR 2 at a base rate of .3 (arcsine formula)."""
    assert detectable_odds_ratio(94 * 282 / 376, 0.3) == pytest.approx(2.0, abs=0.02)
    assert detectable_odds_ratio(36 * 108 / 144, 0.3) == pytest.approx(3.0, abs=0.06)
    assert np.isnan(detectable_odds_ratio(0.5, 0.9))
    assert np.isnan(detectable_odds_ratio(50, 0.0))


def test_states_from_scores_texts_and_clusters():
    cells = as_cells(
        [cell(f"c{k}", f"c{k}", 0, LAST, "end_of_movie", state_stage="xy"[k % 2], state_index=k) for k in range(8)]
    )
    clusters = pd.DataFrame(
        {
            "track_id": [f"c{k}" for k in range(8)],
            "cluster": list("00011122"),
            "s_score": np.arange(8.0),
            "g2m_score": np.nan,
        }
    )
    states = states_of(cells, clusters, None)
    assert set(states) == {
        "state_stage=x", "state_stage=y", "state_index_high", "cluster=0", "cluster=1", "cluster=2", "s_score_high"
    }  # fmt: skip
    assert states.loc["c7", "s_score_high"] == 1
    assert states["cluster=0"].sum() == 3
    assert list(states_of(cells, clusters, ["s_score", "cluster=1"])) == ["cluster=1", "s_score_high"]
    with pytest.raises(UserError, match=r"lineage\.states: there is no state 'cluster=9'"):
        states_of(cells, clusters, ["cluster=9"])


# --- selection ------------------------------------------------------------------------------------------------------


def caged(seed, together):
    """Sequence only compartments with one live cell; sisters share a compartment, or each has its own."""
    cells = experiment(seed, founders=80)
    families = families_of(cells)
    born = cells[cells["parent_id"].notna()]
    compartment = born["parent_id"] if together else born["track_id"]
    pairs = pd.DataFrame({"track_id": born["track_id"], "compartment_id": compartment})
    alive = born["alive_at_end"].astype(bool)
    live = alive.groupby(compartment).transform("sum")
    captured = np.random.default_rng(seed).random(len(born)) < 0.7
    chosen = set(born.loc[alive & (live == 1) & captured, "track_id"])
    status = sister_status(families, Lineage())
    status["sequenced"] = families.cells["track_id"].isin(chosen)
    return families, status, pairs


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("with_pairs", [True, False])
def test_the_one_cell_compartment_trap_is_named_when_it_is_there_and_only_then(seed, with_pairs):
    for together in (True, False):
        families, status, pairs = caged(seed, together)
        warned = lineage_warnings(families, status, pairs if with_pairs else None)
        results.LINEAGE_WARNINGS.check(warned)
        named = warned[warned["warning"] == "one_cell_compartments"]
        assert len(named) == int(together)
        if together:
            assert named["severity"].iloc[0] == "serious"
            assert named["share"].iloc[0] == 1.0


def test_losses_and_unknown_sisters_are_listed():
    rows = [row for k in range(10) for row in family(f"f{k}", "end_of_movie", "lost", state_x="ab"[k % 2])]
    families, status, _ = analyse(as_cells(rows))
    warned = lineage_warnings(families, status, None).set_index("warning")
    assert warned.loc["tracks_lost", "cells"] == 10
    assert warned.loc["sister_unknown", "share"] == 1.0
    assert warned.loc["ambient_not_measured", "severity"] == "info"


# --- the step -------------------------------------------------------------------------------------------------------

OUTPUTS = {
    "concordance": results.CONCORDANCE,
    "times": results.TIMES,
    "states": results.STATE_BY_SISTER,
    "power": results.LINEAGE_POWER,
    "warnings": results.LINEAGE_WARNINGS,
}


def run_step(folder, cells):
    write_table(cells, folder / "cells.parquet", contracts.CELLS)
    files = {name: folder / f"{name}.tsv" for name in OUTPUTS}
    figures = {name: folder / f"{name}.svg" for name in ("trees", "forest")}
    settings = Settings(lineage=Lineage(permutations=199))
    main(cells=folder / "cells.parquet", **files, **figures, report=folder / "report.json", settings=settings)
    return {name: read_table(path, OUTPUTS[name]) for name, path in files.items()}


def test_the_step_writes_every_table_and_twice_the_same(tmp_path):
    cells = experiment(0, founders=120)
    first, second = (run_step(tmp_path / name, cells) for name in ("one", "two"))
    for name, table in first.items():
        assert len(table)
        assert (tmp_path / "one" / f"{name}.tsv").read_bytes() == (tmp_path / "two" / f"{name}.tsv").read_bytes()
        pd.testing.assert_frame_equal(table, second[name])
    for name in ("trees", "forest"):
        assert (tmp_path / "one" / f"{name}.svg").read_bytes() == (tmp_path / "two" / f"{name}.svg").read_bytes()
    assert json.loads((tmp_path / "one" / "report.json").read_text())["numbers"]["families"] == 120


def test_the_step_survives_a_table_without_lineage(tmp_path):
    table = pd.DataFrame({"track_id": ["a"], "sample": "s", "fov": "1"})
    for column in contracts.CELLS.columns:
        if not (column.is_family or column.optional or column.name in table):
            table[column.name] = None
    found = run_step(tmp_path, contracts.CELLS.check(table))
    assert all(found[name].empty for name in ("concordance", "times", "states", "power"))


def test_figures_say_when_there_is_nothing_to_draw(tmp_path):
    families = families_of(as_cells([cell("a", "a", 0, LAST, "end_of_movie")]))
    draw_trees(families, 40, tmp_path / "trees.svg")
    draw_forest(pd.DataFrame(), tmp_path / "forest.svg")
    assert (tmp_path / "trees.svg").stat().st_size > 0
    assert (tmp_path / "forest.svg").stat().st_size > 0


@pytest.mark.data
def test_au565_reproduces_the_measured_concordance(data_folder):
    table = pd.read_csv(data_folder / "au565_lineages" / "lineages.csv")
    name = table["file"] + "/" + table["lineage"].astype(str)
    censored = table["fate"] == "censored"
    rows = pd.DataFrame(
        {
            "track_id": name + "/" + table["cell"].astype(str),
            "sample": table["file"],
            "condition": table["condition"],
            "parent_id": (name + "/" + table["parent"].astype(str)).where(table["parent"] > 0),
            "founder_id": name,
            "generation": table["generation"],
            "start_frame": table["birth"].astype(int),
            "end_frame": table["end"].astype(int),
            "start_hours": table["birth"] / 2,
            "end_hours": table["end"] / 2,
            "start_kind": np.where(table["parent"] > 0, "division", "first_frame"),
            "end_kind": table["fate"].replace("censored", "end_of_movie"),
            "fate": table["fate"].replace("censored", "unknown"),
            "fate_known": ~censored,
            "alive_at_end": censored,
        }
    )
    families = families_of(as_cells(rows))
    fates = families.cells["fate"].value_counts()
    assert (fates["division"], fates["death"], fates["unknown"]) == (1477, 387, 1989)
    assert not any(families.problems.values())
    relatives = relatives_of(families, 5)
    shared = concordance_table(families, relatives, 5, 999, 1).set_index(["condition", "relation"])
    ten = shared.loc["GEMCITABINE 10 uMolars", "sisters"]
    assert ten["pairs"] == 96
    assert ten["concordance"] == pytest.approx(0.958, abs=5e-4)
    assert ten["expected_independent"] == pytest.approx(0.514, abs=5e-4)
    assert ten["p_value"] == pytest.approx(0.001)
    times = times_table(families, relatives).set_index(["condition", "relation", "quantity"])
    control = times.loc["Gemcitabine control", "sisters", "division_time"]
    assert control["low"] > 0
