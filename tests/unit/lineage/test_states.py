"""States against the sister's fate: exact cases, planted odds ratios, error rates on null experiments."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.stats import fisher_exact
from tests.unit.lineage.lineage_examples import LAST, TESTED, analyse, as_cells, cell, experiment, family

from cineseq.errors import UserError
from cineseq.expression.cell_cycle import gene_set_scores
from cineseq.expression.normalise import expression_from
from cineseq.lineage.report import state_lines
from cineseq.lineage.selection_bias import lineage_warnings
from cineseq.lineage.sister_test import (
    gee_p,
)
from cineseq.lineage.state_by_sister import detectable_odds_ratio, power_table, state_table
from cineseq.lineage.states import states_of
from cineseq.tables.contract import empty
from cineseq.tables.imaging import CELLS
from cineseq.tables.lineage import LINEAGE_POWER, STATE_BY_SISTER


def pooled_fisher(families, status, cells):
    both = families.cells.assign(status=status["status"]).merge(cells[["track_id", "state_x"]], on="track_id")
    both = both[status["sequenced"] & both["status"].isin(["died", "survived"])]
    table = pd.crosstab(both["status"], both["state_x"]).reindex(index=["died", "survived"], columns=["on", "off"])
    return fisher_exact(table.fillna(0)).pvalue


def test_no_cells_at_all():
    families, _, compared = analyse(empty(CELLS))
    assert len(families.cells) == 0
    assert compared.empty


def test_lost_sisters_change_no_estimate():
    cells = experiment(0)
    _, _, before = analyse(cells)
    extra = [row for k in range(50) for row in family(f"x{k}", "end_of_movie", "lost", state_x="on")]
    _, status, after = analyse(pd.concat([cells, as_cells(extra)], ignore_index=True))
    assert (status["status"] == "unknown").sum() == 50
    columns = ["families", "informative", "odds_ratio", "p_permutation"]
    pd.testing.assert_frame_equal(before[before.contrast == TESTED][columns], after[after.contrast == TESTED][columns])


def test_the_survivors_with_a_state_are_counted_in_strata_with_both_arms():
    rows = [row for k in range(8) for row in family(f"d{k}", "end_of_movie", "death", state_x="on" if k < 3 else "off")]
    rows += [
        row for k in range(9) for row in family(f"a{k}", "end_of_movie", "end_of_movie", state_x=["on", "off"][k % 2])
    ]
    _, _, compared = analyse(as_cells(rows))
    found = compared[(compared["contrast"] == TESTED) & (compared["state"] == "state_x=on")].iloc[0]
    counts = found[["died_cells", "died_with_state", "survived_cells", "survived_with_state"]].tolist()
    assert counts == [8, 3, 18, 10]


def test_unknown_sisters_are_a_row_of_their_own_and_pooled_with_nobody():
    rows = []
    for other, on, off in (("death", 10, 10), ("end_of_movie", 10, 20), ("lost", 15, 5)):
        for k in range(on + off):
            rows += family(f"{other}{k}", "end_of_movie", other, state_x=("off", "on")[k < on])
    compared = analyse(as_cells(rows), states=["state_x=on"])[2].set_index("contrast")
    STATE_BY_SISTER.check(state_table(compared.reset_index()))
    assert compared.loc["unknown_vs_survived", "odds_ratio"] == pytest.approx(15 * 20 / (5 * 10))
    assert compared.loc[TESTED, "odds_ratio"] == pytest.approx(10 * 20 / (10 * 10))
    assert "descriptive" in compared.loc["unknown_vs_survived", "note"]
    assert (compared.loc[["unknown_vs_survived", TESTED], "families"] == 50).all()


def repeated_families():
    rows = []
    for k in range(60):
        other = ("death", "end_of_movie")[k % 2]
        pair = family(f"f{k}", "end_of_movie", other, state_x="ab"[k % 3 == 0])
        rows += [row | {"founder_id": f"g{k // 3}"} for row in pair]
    return as_cells(rows)


def test_a_contrast_of_repeated_root_cells_counts_them_once_and_says_so():
    compared = analyse(repeated_families(), states=["state_x=a"])[2]
    row = compared[compared.contrast == TESTED].iloc[0]
    assert row["low"] < row["odds_ratio"] < row["high"]
    assert row["note"].endswith("p and interval allow for 20 root cells with several pairs of sisters")
    assert row["power_note"].endswith("allows for 20 root cells with several pairs of sisters")


def test_strata_of_one_root_cell_each_are_compared_within_the_root_cell():
    cells = repeated_families()
    cells["fov"] = cells["founder_id"]
    row = analyse(cells, states=["state_x=a"])[2].set_index("contrast").loc[TESTED]
    assert 0 < row["p_value"] <= 1


def test_cells_without_a_sister_are_not_called_pairs_of_sisters():
    alone = [cell(f"a{k}", f"h{k // 2}", 0, LAST, "end_of_movie", state_x="ab"[k % 3 == 0]) for k in range(20)]
    cells = pd.concat([repeated_families(), as_cells(alone)], ignore_index=True)
    notes = analyse(cells, states=["state_x=a"])[2].set_index("contrast")["note"]
    assert "with several families" in notes["no_sister_vs_survived"]
    assert "with several pairs of sisters" in notes[TESTED]


def test_planted_odds_ratio_is_recovered_and_worded_as_association():
    _, _, compared = analyse(experiment(5, founders=1500, fields=20, log_odds=np.log(3)), states=["state_x=on"])
    row = compared[compared.contrast == TESTED].iloc[0]
    assert row["low"] < 3 < row["high"]
    assert row["low"] > 1.5
    assert row["p_value"] == row["p_permutation"] < 1e-6
    assert row["estimand"] == "odds ratio within field and birth time"
    assert 1 < row["e_value_interval"] < row["e_value"]
    assert row["p_gee"] < 1e-4
    text = " ".join(state_lines(compared))
    assert "associations" in text
    assert "argues against a protective state that both sisters inherit" in text
    assert "drive" not in text


def null_rejections(runs):
    found = []
    for seed in range(runs):
        cells = experiment(1000 + seed)
        families, status, compared = analyse(cells, states=["state_x=on"])
        row = compared[compared.contrast == TESTED].iloc[0]
        found.append((row["p_value"], pooled_fisher(families, status, cells), row["low"] <= 1 <= row["high"]))
    p, fisher, covers = np.array(found, dtype=float).T
    return (p <= 0.05).mean(), (fisher <= 0.05).mean(), covers.mean()


def test_type_one_error_under_shared_stress_holds_where_pooled_fisher_fails():
    score, fisher, covers = null_rejections(40)
    assert score <= 0.15
    assert fisher >= 0.35
    assert covers >= 0.85


@pytest.mark.slow
def test_type_one_error_over_300_experiments():
    score, fisher, covers = null_rejections(300)
    assert 0.02 <= score <= 0.08
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
        assert main_rows[["p_value", "p_permutation"]].isna().all(axis=None)
        assert main_rows["note"].str.startswith("not estimable").all()
        STATE_BY_SISTER.check(state_table(compared))
        LINEAGE_POWER.check(power_table(compared))
        warned = lineage_warnings(families, status, None)
        assert "no_deaths" in set(warned["warning"])


def test_gee_is_guarded():
    few = pd.DataFrame(
        {"state": [0.0, 1], "exposed": [True, False], "field": 0, "birth": [0.0, 1], "root_cell": [0, 1]}
    )
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


def measured_cells():
    rows = [
        cell(f"c{k}", f"c{k}", 0, LAST, "end_of_movie", sample="ab"[k % 2], state_stage="xy"[k // 4],
             function_lipid=k + 100.0 * (k % 2), morphology_area_um2=5.0)
        for k in range(8)
    ]  # fmt: skip
    return as_cells(rows)


def test_any_measured_column_is_a_state_by_its_upper_half_within_the_sample():
    states = states_of(measured_cells(), None, ["function_lipid"])
    assert list(states) == ["function_lipid_high"]
    assert states["function_lipid_high"].to_dict() == {f"c{k}": float(k >= 4) for k in range(8)}
    assert set(states_of(measured_cells(), None, None)) == {"state_stage=x", "state_stage=y"}


def test_a_gene_set_is_a_state_by_its_upper_half_within_the_sample():
    scores = pd.DataFrame({"stress": [0.0, 9, 1, 10, 2, 11]}, index=[f"c{k}" for k in range(6)])
    states = states_of(measured_cells(), None, ["stress"], scores)
    assert list(states) == ["stress_high"]
    assert states["stress_high"].dropna().tolist() == [0, 0, 0, 0, 1, 1]
    with pytest.raises(UserError, match=r"lineage\.gene_sets: 'state_stage' is the name of another state"):
        states_of(measured_cells(), None, None, scores.rename(columns={"stress": "state_stage"}))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("function_lipids", "there is no state 'function_lipids'; did you mean 'function_lipid'?"),
        ("stage", "there is no state 'stage'; did you mean 'state_stage'?"),
        ("qqq", "there is no state 'qqq'; the data have ['state_stage=x', 'state_stage=y']"),
        ("generation", "'generation' is not a state of cells (it is a name, position or lineage)"),
        ("morphology_area_um2", "the column 'morphology_area_um2' has fewer than two values"),
    ],
)
def test_a_state_that_is_not_there_is_refused_with_the_nearest_name(name, said):
    with pytest.raises(UserError, match=re.escape(said)):
        states_of(measured_cells(), None, [name])


def expressed():
    rng = np.random.default_rng(0)
    mean = np.ones((60, 200))
    mean[:30, :10] = 5
    return expression_from(
        sparse.csr_matrix(rng.poisson(mean).astype(float)), pd.Index([f"Gene{k}" for k in range(200)]), "counts"
    )


def test_gene_sets_are_scored_as_the_cell_cycle_is():
    scores = gene_set_scores(expressed(), {"up": [f"Gene{k}" for k in range(10)], "flat": ["Gene50", "Gene51"]}, seed=1)
    assert scores["up"][:30].min() > scores["up"][30:].max()
    assert abs(scores["flat"][:30].mean() - scores["flat"][30:].mean()) < 0.3
    lone = gene_set_scores(expressed().columns(np.arange(200) < 2), {"all": ["Gene0", "Gene1"]}, seed=1)
    assert lone["all"].isna().all()


def test_an_unknown_gene_is_refused_with_the_nearest_name():
    said = (
        "lineage.gene_sets: gene 'GENE19x' of 'stress' is not among the 200 genes of the counts; did you mean 'Gene19"
    )
    with pytest.raises(UserError, match=re.escape(said)):
        gene_set_scores(expressed(), {"stress": ["Gene1", "GENE19x"]}, seed=1)
