"""Lineages that cannot answer: every analysis gives a reason and no number, and the warnings name what is wrong."""

import re

import numpy as np
import pandas as pd
import pytest
from tests.unit.lineage.lineage_examples import LAST, TESTED, analyse, as_cells, cell, family

from cineseq.config.lineage import Lineage
from cineseq.lineage.concordance import concordance_table, times_table
from cineseq.lineage.discordant_sisters import (
    discordant_pairs,
    measured_before_fate,
    which_dies_lines,
    which_sister_dies,
)
from cineseq.lineage.fate_correlation import decay_lines, decay_table, fate_odds_lines, fate_odds_table
from cineseq.lineage.relatives import relatives_of
from cineseq.lineage.report import (
    concordance_lines,
    control_lines,
    family_lines,
    nearest_state,
    negative_control_lines,
    serious_lines,
    state_lines,
)
from cineseq.lineage.selection_bias import lineage_warnings
from cineseq.lineage.sensitivity import sensitivity_lines, sensitivity_table
from cineseq.lineage.states import states_of
from cineseq.lineage.time_to_event import incidence_lines, incidence_table, survival_lines, survival_table
from cineseq.lineage.trees import families_of
from cineseq.report.answers import answer_all
from cineseq.report.evidence import Evidence
from cineseq.tables.contract import empty, write_table
from cineseq.tables.imaging import COMPARTMENTS, OBJECTS
from cineseq.tables.lineage import CONCORDANCE, LINEAGE_POWER, STATE_BY_SISTER, TIMES


def pairs_with(*ends, count=20):
    return [row for k in range(count) for row in family(f"f{k}", *ends, state_x="ab"[k % 2])]


def spoilt(case):
    """Families that would answer were it not for one fault in each of them."""
    rows = [row | {"fov": "1"} for row in pairs_with("end_of_movie", "death")]
    if case == "three_sisters":
        third = {"state_x": "a", "fov": "1"}
        rows += [cell(f"f{k}.2", f"f{k}", 10, LAST, "end_of_movie", f"f{k}", **third) for k in range(20)]
    fault = {"family_in_two_fields": {"fov": "2"}, "fate_contradicted": {"end_frame": 2}}.get(case, {})
    return [row | fault if row["end_kind"] == "death" else row for row in rows]


CASES = {
    "no_deaths": pairs_with("end_of_movie", "end_of_movie"),
    "no_divisions": [cell(f"a{k}", f"a{k}", 0, LAST, "end_of_movie", state_x="ab"[k % 2]) for k in range(20)],
    "fates_unknown": [cell(f"a{k}", f"a{k}", 0, 9, "lost", state_x="ab"[k % 2]) for k in range(20)],
    **{case: spoilt(case) for case in ("three_sisters", "family_in_two_fields", "fate_contradicted")},
}
DIVIDE_ONLY = pairs_with("division", "division")
ONE_FAMILY = [cell(f"a{k}", "a", 0, 9 + k, "death", start_kind="division", state_x="ab"[k % 2]) for k in range(12)]


def of_relatives(families, states, status):
    """Return every table that compares relatives, or follows cells from their birth."""
    relatives = relatives_of(families, 5)
    return {
        "fate_odds": fate_odds_table(families, relatives).query("relation == 'sisters'"),
        "concordance": concordance_table(families, relatives, 5, 199, 1),
        "times": times_table(families, relatives),
        "fading": decay_table(families, relatives["neighbours"]),
        "which_dies": of_fates(families),
        "sensitivity": sensitivity_table(families, status, states, None, Lineage()),
        "incidence": incidence_table(families, 1),
    }


NUMBERS = ("concordance", "p_value", "p_permutation", "phi", "r", "odds_ratio", "least", "most", "incidence", "low")
REASONS = ("not estimable: ", "not measured: ", "all unknown")
SURE = {"concordance": "sisters", "times": "sisters", "fading": 1}
"""Where a fault in the pairs of sisters must leave no number; neighbours and parents may have theirs."""


def of_fates(families):
    """Compare the sisters of every pair before a death, in objects of every cell in every frame of its life."""
    cells = families.cells
    life = (cells["end_frame"] - cells["start_frame"] + 1).clip(lower=0).to_numpy()
    seen = cells.loc[np.repeat(cells.index, life), ["sample", "fov", "track_id", "start_frame"]]
    objects = seen.assign(
        frame=seen.pop("start_frame") + np.concatenate([np.arange(n) for n in life]), label=seen.index + 1,
        y_px=1.0, x_px=1.0, touches_border=False, area_px=np.random.default_rng(0).uniform(50, 90, len(seen)),
    )  # fmt: skip
    pairs = discordant_pairs(families, 3)
    measured = measured_before_fate(pairs, OBJECTS.check(objects), empty(COMPARTMENTS))
    return which_sister_dies(measured, len(pairs), 199, 1)


@pytest.mark.parametrize("case", CASES)
def test_a_lineage_that_cannot_answer_gives_reasons_and_no_number(case):
    cells = as_cells(CASES[case])
    families, status, compared = analyse(cells)
    numbers = ["odds_ratio", "low", "high", "p_permutation", "p_gee", "detectable_odds_ratio"]
    main = compared[compared["contrast"] == TESTED]
    assert main[numbers].isna().all(axis=None)
    assert (main["note"].str.startswith("not estimable") & (main["note"].str.len() > 30)).all()
    assert "not estimable" in state_lines(compared)[0]
    for name, table in of_relatives(families, states_of(cells, None, None), status).items():
        values = table[[c for c in NUMBERS if c in table]]
        without = values.isna().all(axis=1)
        assert table["note"][without].str.startswith(REASONS).all(), name
        assert (table["note"][without].str.len() > 20).all(), name
        assert not table["note"][~without].str.contains("not estimable").any(), name
        relation = table.get("relation", table.get("generations", pd.Series("", table.index)))
        fate = table.get("quantity", pd.Series("fate", table.index)).isin(["fate", "death_time"])
        if name != "incidence":
            assert without[(relation == SURE.get(name, "")) & fate].all(), name
    assert case in set(lineage_warnings(families, status, None)["warning"])


def test_the_same_lineage_without_a_fault_is_compared():
    found = of_fates(families_of(as_cells(spoilt(None)))).set_index("feature").loc["area"]
    assert found["discordant"] == found["pairs"] == 20
    assert np.isfinite(found[["odds_ratio", "p_permutation"]].astype(float)).all()


def test_nothing_is_said_of_fates_that_nobody_saw():
    families = families_of(as_cells(CASES["fates_unknown"]))
    assert incidence_table(families, 1).empty
    warned = lineage_warnings(
        families, pd.DataFrame({"status": "none", "sequenced": False, "sister": -1}, range(20)), None
    )
    assert warned.set_index("warning").loc["fates_unknown", ["cells", "severity"]].tolist() == [20, "warning"]


def test_one_stratum_is_tested_as_one_and_one_arm_is_not():
    counts = (("death", 12, "on"), ("death", 8, "off"), ("end_of_movie", 9, "on"), ("end_of_movie", 21, "off"))
    rows = [
        row
        for end, count, state in counts
        for k in range(count)
        for row in family(f"{end}{state}{k}", "end_of_movie", end, state_x=state)
    ]
    compared = analyse(as_cells(rows), states=["state_x=on"])[2].iloc[0]
    assert compared["odds_ratio"] == pytest.approx(12 * 21 / (8 * 9))
    assert np.isfinite(compared["p_permutation"])
    apart = [row | {"fov": row["founder_id"][0]} for row in rows]
    apart = analyse(as_cells(apart), states=["state_x=on"])[2].iloc[0]
    assert apart["note"] == "not estimable: 0 and 0 families in strata with both arms, 5 of each are needed"


@pytest.mark.parametrize("case", [*CASES, "divide_only", "one_family"])
def test_no_sentence_holds_a_number_that_is_none(case):
    cells = as_cells({"divide_only": DIVIDE_ONLY, "one_family": ONE_FAMILY, **CASES}[case])
    families, status, compared = analyse(cells)
    shared = concordance_table(families, relatives_of(families, 5), 5, 199, 1)
    measured, warned = states_of(cells, None, None), lineage_warnings(families, status, None)
    lines = [
        *family_lines(families, status), *state_lines(compared), *control_lines(compared, nearest_state(compared)),
        *negative_control_lines(warned), *serious_lines(warned),
        *concordance_lines(shared), *fate_odds_lines(fate_odds_table(families, relatives_of(families, 5))),
        *incidence_lines(incidence_table(families, 1)),
        *survival_lines(survival_table(families, 1)),
        *decay_lines(decay_table(families, relatives_of(families, 5)["neighbours"])),
        *which_dies_lines(of_fates(families), 0),
        *sensitivity_lines(sensitivity_table(families, status, measured, None, Lineage()), nearest_state(compared)),
        by_question(Evidence(concordance=CONCORDANCE.check(shared)))["sisters"],
    ]  # fmt: skip
    assert not [line for line in lines if re.search(r"\b(nan|none|inf|<NA>)\b", line, re.IGNORECASE)]


def by_question(evidence):
    return {answer.id: answer.answer for answer in answer_all(evidence)}


def test_sisters_that_all_divide_agree_no_more_than_chance():
    families = families_of(as_cells(DIVIDE_ONLY))
    shared = concordance_table(families, relatives_of(families, 5), 5, 199, 1)
    sisters = shared.set_index("relation").loc["sisters"]
    assert sisters[["concordance", "expected_independent"]].tolist() == [1, 1]
    assert sisters[["phi", "p_value"]].isna().all()
    assert concordance_lines(shared) == [
        "drug: sisters have the same fate in 100 % of 20 pairs with both fates known, 100 % if independent (phi and p "
        "are not estimable: the pairs do not differ from each other)."
    ]


HEADERS = {
    "concordance": "condition relation pairs concordance expected_independent phi phi_low phi_high p_value "
    "hazard_correlation p_hazard note",
    "times": "condition relation quantity pairs r low high note",
    "state_by_sister": "state contrast families informative odds_ratio low high p_permutation p_gee estimand p_value "
    "e_value e_value_interval died_cells died_with_state survived_cells survived_with_state note",
    "lineage_power": "state contrast died survived state_rate detectable_odds_ratio note",
}


@pytest.mark.parametrize("table", [CONCORDANCE, TIMES, STATE_BY_SISTER, LINEAGE_POWER])
def test_columns_that_others_read_keep_their_names_and_order(tmp_path, table):
    write_table(empty(table), tmp_path / "t.tsv", table)
    assert (tmp_path / "t.tsv").read_text() == "\t".join(HEADERS[table.name].split()) + "\n"
