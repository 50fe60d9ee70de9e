"""Sisters that share a compartment are read only where one died: what is then compared, and what is said."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.lineage.lineage_examples import TESTED, as_cells, family

from cineseq.config.lineage import Lineage
from cineseq.lineage.capture import capture
from cineseq.lineage.detectable import Detectable, at_level
from cineseq.lineage.separated_pairs import eligible, sharing, together
from cineseq.lineage.sister_comparison import compare_survivors, sequenced_of_compartments
from cineseq.lineage.sister_status import sister_status
from cineseq.lineage.trees import families_of

ALIVE, DEAD = "end_of_movie", "death"


def study(apart, shared, sample="s"):
    """Families of which one sister died (first number of a pair) or none did, in compartments apart or shared.

    Returns trees, cells with their compartments, and the cells that are alone in theirs.
    """
    rows, cage, read = [], {}, []
    for where, (bereaved, both) in (("a", apart), ("t", shared)):
        for k in range(bereaved + both):
            name = f"{sample}{where}{k}"
            rows += family(name, ALIVE, DEAD if k < bereaved else ALIVE, sample=sample)
            cage |= {f"{name}.{n}": name if where == "t" else f"{name}.{n}" for n in (0, 1)}
            alone = [0] if k < bereaved else [0, 1] if where == "a" else []
            read += [f"{name}.{n}" for n in alone]
    cells = as_cells(rows)
    families = families_of(cells)
    placed = pd.DataFrame({"track_id": families.cells["track_id"], "sample": sample})
    return families, placed.assign(compartment_id=placed["track_id"].map(cage).astype(object)), pd.Index(read)


def compared(families, placed, read, rate_apart=0.5):
    """Compare a state that half of the survivors of separated families have, and none of the others."""
    names = families.cells["track_id"]
    on = names.str.contains("a") & (names.str.extract(r"(\d+)\.")[0].astype(float) % 2 < 2 * rate_apart)
    states = pd.DataFrame({"state_x": on.astype(float).to_numpy()}, index=names)
    known = sequenced_of_compartments(families, placed, read)
    return compare_survivors(families, states, known, Lineage(permutations=99, birth_time_bins=1))


def test_only_pairs_in_different_compartments_are_compared_where_others_share_one():
    found = compared(*study(apart=(20, 20), shared=(10, 15)))
    row = found.compared.set_index("contrast").loc[TESTED]
    assert (row["died"], row["survived"]) == (20, 20)
    assert row["odds_ratio"] == pytest.approx(1.0)
    assert row["note"].startswith("25 of 65 pairs of sisters in known compartments share one")
    assert "10 families are left out" in row["note"]
    warned = found.warnings.set_index("warning").loc["one_cell_compartments"]
    assert warned["severity"] == "serious"
    assert warned["message"].startswith("25 of 65 pairs of sisters in known compartments share one")
    assert found.sensitivity["odds_ratio"].to_numpy() == pytest.approx([1.0, 1.0, 1.0])


def test_without_sharing_nothing_is_left_out():
    found = compared(*study(apart=(20, 20), shared=(2, 0)))
    row = found.compared.set_index("contrast").loc[TESTED]
    assert (row["died"], row["survived"]) == (20, 20)
    assert row["note"] == "2 families are left out, whose sisters share a compartment"
    assert "one_cell_compartments" not in set(found.warnings["warning"])
    row = compared(*study(apart=(20, 20), shared=(0, 2))).compared.set_index("contrast").loc[TESTED]
    assert row["note"] == ""


def test_where_all_sisters_share_a_compartment_the_reason_says_so():
    row = compared(*study(apart=(0, 0), shared=(20, 20))).compared.set_index("contrast").loc[TESTED]
    assert np.isnan(row["p_value"])
    assert row["note"].startswith("not estimable: all 40 pairs of sisters in known compartments share one")


def test_dead_sisters_that_are_not_placed_are_not_taken_for_separated():
    families, placed, read = study(apart=(20, 20), shared=(10, 15))
    died = families.cells["died"] == 1
    row = compared(families, placed.assign(compartment_id=placed["compartment_id"].where(~died)), read)
    note = row.compared.set_index("contrast").loc[TESTED, "note"]
    assert note.startswith("not estimable: 15 of 35 pairs")
    assert "the compartments of dead sisters are not known: supply the table of compartments" in note


def test_pairs_that_share_a_compartment_count_where_they_were_read_as_often():
    families, placed, _ = study(apart=(20, 20), shared=(10, 15))
    status = sister_status(families, Lineage())
    status["sequenced"] = families.cells["alive_at_end"] == 1
    shared = together(families, status, placed)
    assert np.nansum(shared) == 50
    assert eligible(families, status, shared).cells.all()


@given(st.integers(0, 12), st.integers(1, 60))
def test_sisters_share_compartments_from_three_pairs_and_eight_percent(pairs, apart):
    cells = pd.DataFrame({"together": np.repeat([1.0, 0.0], [2 * pairs, 2 * apart]), "status": "survived"})
    cells = cells.assign(alive_at_end=1.0, sequenced=cells["together"] == 0)
    found = sharing(cells)
    assert (found.pairs, found.placed) == (pairs, pairs + apart)
    assert found.selects == (pairs >= 3 and pairs / (pairs + apart) >= 0.08)


def unmapped(families, died, unread):
    """Survivors of one stratum: both survivors of ``unread`` living pairs, and no others, were not read."""
    dead = np.r_[np.ones(died), np.zeros(2 * (families - died))].astype(bool)
    read = ~dead | True
    read[len(dead) - 2 * unread :] = False
    return pd.DataFrame({"field": 0, "birth": 1.0, "dead": dead, "read": read})


@pytest.mark.parametrize(
    ("families", "died", "unread", "selects", "excludes"),
    [
        (1000, 180, 164, True, False),
        (300, 54, 49, False, False),
        (100, 18, 82, True, False),
        (300, 54, 0, False, False),
    ],
)
def test_selection_is_found_without_a_map_where_enough_families_show_it(families, died, unread, selects, excludes):
    found = capture(unmapped(families, died, unread))
    assert (found.selects, found.excludes) == (selects, excludes)


def test_selection_is_excluded_only_where_it_would_have_been_found():
    rng = np.random.default_rng(0)
    for families, excluded in ((4000, True), (300, False)):
        cells = unmapped(families, families // 5, 0)
        found = capture(cells.assign(read=rng.random(len(cells)) < 0.7))
        assert not found.selects
        assert found.excludes == excluded


@given(st.floats(1.2, 8), st.floats(0.05, 0.6))
def test_more_states_need_a_stronger_association(odds_ratio, rate):
    assert at_level(odds_ratio, rate, 0.05) == pytest.approx(odds_ratio)
    several = at_level(odds_ratio, rate, 0.005)
    assert np.isnan(several) or several > odds_ratio


def test_the_detectable_odds_ratio_is_that_of_the_verdict():
    said = Detectable.of(3.0, 0.3, 10).sentence()
    assert said == (
        "An odds ratio of 4.18 or more is detectable with 80 % power over 10 states (3.00 or more if it were the only "
        "state); a smaller one is not excluded."
    )
    assert Detectable.of(3.0, 0.3, 1).sentence().startswith("An odds ratio of 3.00 or more is detectable")
    assert Detectable.of(np.nan, 0.3, 4).sentence().startswith("No odds ratio is detectable with these families")
