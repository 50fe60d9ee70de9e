"""How far errors could move the odds ratio: literal bounds, and how they and a null result are worded."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.lineage.lineage_examples import as_cells, experiment, family

from cineseq.config.lineage import Lineage
from cineseq.lineage.detectable import at_level
from cineseq.lineage.report import nearest_state, state_lines
from cineseq.lineage.sensitivity import sensitivity_lines, sensitivity_table
from cineseq.lineage.sister_status import sister_status
from cineseq.lineage.state_by_sister import compare_states
from cineseq.lineage.states import states_of, survivors
from cineseq.lineage.trees import families_of
from cineseq.report.evidence import Evidence
from cineseq.report.sister_answer import sisters
from cineseq.tables.lineage import LINEAGE_SENSITIVITY


def literal(unknown=0):
    """20 families whose sister died, 12 of them on; 30 whose sister lived, 9 of them on; some unknown ones, all on."""
    rows = []
    counts = (("death", 12, "on"), ("death", 8, "off"), ("end_of_movie", 9, "on"), ("end_of_movie", 21, "off"))
    for other, number, state in (*counts, ("lost", unknown, "on")):
        for k in range(number):
            rows += family(f"{other}{state}{k}", "end_of_movie", other, state_x=state)
    return as_cells(rows)


def bounds(cells, pairs=None, **settings):
    settings = Lineage(**{"birth_time_bins": 1} | settings)
    families = families_of(cells)
    states = states_of(cells, None, None)
    status = sister_status(families, settings)
    status["sequenced"] = survivors(families, states, None)
    table = sensitivity_table(families, status, states, pairs, settings)
    LINEAGE_SENSITIVITY.check(table)
    return table


def of_state(table, error, state="state_x=on"):
    return table.set_index(["state", "error"]).loc[(state, error)]


@pytest.mark.parametrize(
    ("precision", "recall", "least", "most"),
    [
        (0.9, 1.0, 10 * 21 / (8 * 11), 12 * 23 / (6 * 9)),
        (1.0, 0.8, 12 * 16 / (13 * 9), 17 * 21 / (8 * 4)),
        (1.0, 1.0, 3.5, 3.5),
    ],
)
def test_bounds_of_death_calls(precision, recall, least, most):
    row = of_state(bounds(literal(), death_precision=precision, death_recall=recall), "death_calls")
    # Pairs of equal survivors count as little more than one, because the correlation of few pairs is shrunk.
    assert row["odds_ratio"] == pytest.approx(12 * 21 / (8 * 9), rel=0.03)
    assert (row["least"], row["most"]) == pytest.approx((least, most), rel=0.03)


def test_seven_false_deaths_or_nine_missed_ones_bring_an_odds_ratio_of_three_and_a_half_to_one():
    table = bounds(literal())
    assert of_state(table, "death_calls")["fewest_to_1"] == 7
    assert of_state(table, "death_calls", "state_x=off")["fewest_to_1"] == 7
    assert np.isnan(of_state(table, "pairing")["fewest_to_1"])
    assert (12 - 7) * 21 < 8 * (9 + 7)
    assert (12 - 6) * 21 > 8 * (9 + 6)
    assert "At least 7 wrong death calls would be needed" in sensitivity_lines(table, "state_x=on")[-1]


def test_bounds_of_unknown_fates():
    row = of_state(bounds(literal(unknown=10)), "unknown_fates")
    assert row["families"] == 10
    assert (row["least"], row["most"]) == pytest.approx((12 * 21 / (8 * 19), 22 * 21 / (8 * 9)), rel=0.03)
    none = of_state(bounds(literal()), "unknown_fates")
    assert (none["least"], none["most"]) == pytest.approx((3.5, 3.5))


def test_bounds_of_pairing():
    cells = literal()
    pairs = pd.DataFrame({"track_id": cells["track_id"], "status": "singlet", "posterior": 0.9})
    row = of_state(bounds(cells, pairs), "pairing")
    assert (row["least"], row["most"]) == pytest.approx((10 * 18 / (10 * 12), 14 * 24 / (6 * 6)))


def test_what_was_not_measured_has_no_number():
    table = bounds(literal())
    for error in ("death_calls", "pairing"):
        row = of_state(table, error)
        assert np.isnan(row["least"])
        assert row["note"].startswith("not measured")
    assert "wrong death calls: not measured" in sensitivity_lines(table, "state_x=on")[0]


def test_bounds_enclose_the_odds_ratio_and_are_worded():
    cells = experiment(2, founders=200)
    pairs = pd.DataFrame({"track_id": cells["track_id"], "status": "singlet", "posterior": 0.95})
    table = bounds(cells, pairs, death_precision=0.9, death_recall=0.9)
    assert (table["least"] <= table["odds_ratio"] + 1e-9).all()
    assert (table["most"] >= table["odds_ratio"] - 1e-9).all()
    line = sensitivity_lines(table, "state_x=on")[0]
    assert line.startswith("At worst, the odds ratio of 'state_x=on'")
    assert ", which includes 1" in line


FAMILIES = st.lists(
    st.tuples(st.sampled_from(["death", "end_of_movie", "lost"]), st.integers(10, 30), st.booleans(), st.booleans()),
    min_size=12, max_size=60,
)  # fmt: skip


@given(FAMILIES)
@settings(max_examples=60, deadline=None)
def test_unknown_fates_bound_the_odds_ratio_whatever_the_births_of_lost_sisters(rows):
    """Births of families with a lost sister must not move the strata of the others."""
    cells = []
    for k, (other, birth, on, fov) in enumerate(rows):
        shift = 40 if other == "lost" else 0
        cells += family(f"f{k}", "end_of_movie", other, birth=birth + shift, state_x=("off", "on")[on], fov=str(fov))
    table = bounds(as_cells(cells), birth_time_bins=5)
    for row in table[(table["error"] == "unknown_fates") & table["odds_ratio"].notna()].itertuples():
        assert not row.least > row.odds_ratio + 1e-9
        assert not row.most < row.odds_ratio - 1e-9


def compared_states(number):
    """Compare states that have nothing to do with the sister."""
    rng = np.random.default_rng(4)
    cells = experiment(4, founders=200)
    extra = {f"state_{k}": np.where(cells["alive_at_end"].astype(bool), rng.choice(["a", "b"], len(cells)), None)
             for k in range(number)}  # fmt: skip
    cells = as_cells(cells.drop(columns="state_x").assign(**extra))
    settings = Lineage(permutations=199)
    families = families_of(cells)
    states = states_of(cells, None, None)
    status = sister_status(families, settings)
    status["sequenced"] = survivors(families, states, None)
    return compare_states(families, status, states, settings)


def test_a_null_result_is_worded_with_what_could_have_been_seen_and_q_over_all_states():
    compared = compared_states(4)
    first = state_lines(compared)[1]
    row = compared[compared["state"] == nearest_state(compared)].iloc[0]
    assert "over 8 states" in first
    alone, rate = row["detectable_odds_ratio"], row["state_rate"]
    assert f"An odds ratio of {at_level(alone, rate, 0.05 / 8):.2f} or more is detectable with 80 % power" in first
    assert f"({alone:.2f} or more if it were the only state)" in first


def test_the_report_names_the_power_of_the_contrast_that_it_answers_with():
    states = pd.DataFrame(
        {"state": "x", "contrast": ["no_sister_vs_survived", "sister_died_vs_survived"], "families": 40,
         "informative": 40, "odds_ratio": 1.1, "low": 0.5, "high": 2.0, "p_value": 0.8, "note": ""}
    )  # fmt: skip
    power = states[["state", "contrast"]].assign(detectable_odds_ratio=[1.5, 4.0], state_rate=0.3)
    found = sisters(Evidence(states=states, power=power))
    assert found.verdict == "unresolved"
    assert "An odds ratio of 4.0" in found.lead
