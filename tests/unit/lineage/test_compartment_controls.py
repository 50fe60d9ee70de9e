"""What sequencing in compartments adds to the answer: sums, dead cage-mates and ambient RNA, measured or said not."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.unit.lineage.lineage_examples import LAST, analyse, as_cells, cell, experiment, family

from cineseq.config.lineage import Lineage
from cineseq.lineage.compartment_controls import dead_cage_mates, dead_cells, two_survivor_control
from cineseq.lineage.report import control_lines, negative_control_lines
from cineseq.lineage.selection_bias import lineage_warnings
from cineseq.lineage.sister_score import Summaries
from cineseq.lineage.sister_status import sister_status
from cineseq.lineage.sister_test import associate
from cineseq.lineage.state_by_sister import compare_states, state_table
from cineseq.lineage.states import states_of
from cineseq.lineage.tree_figures import NOT_MEASURED, colour_by_state
from cineseq.lineage.trees import families_of
from cineseq.tables.contract import empty
from cineseq.tables.imaging import CELLS, COMPARTMENTS, PAIRS
from cineseq.tables.lineage import LINEAGE_WARNINGS, STATE_BY_SISTER
from cineseq.text import percent

MATE = "mate_died_vs_none"


def placed(rows, cages):
    """End every cell in the middle of its cage, of radius 5 and 20 px apart, and pair the live ones with it."""
    cells = as_cells(rows)
    cage = cells["track_id"].map(cages)
    cells = CELLS.check(cells.assign(end_y_px=cage * 20.0, end_x_px=1.0))
    live = cells["alive_at_end"].fillna(value=False).to_numpy(bool) & cage.notna().to_numpy()
    named = "c" + cage[live].astype(int).astype(str)
    pairs = pd.DataFrame({"track_id": cells["track_id"][live], "sample": "s", "compartment_id": named})
    columns = empty(PAIRS).columns
    pairs = PAIRS.check(pairs.assign(status="singlet").reindex(columns=columns))
    numbers = sorted(set(cages.values()))
    compartments = pd.DataFrame({"sample": "s", "fov": "1", "compartment_id": [f"c{n}" for n in numbers], "x_px": 0.0})
    compartments = compartments.assign(y_px=[n * 20.0 for n in numbers], radius_px=5.0)
    return cells, pairs, COMPARTMENTS.check(compartments)


def test_dead_cells_of_a_compartment_count_but_the_sister_does_not():
    rows = [
        *family("a", "end_of_movie", "death"), *family("b", "end_of_movie", "death"),
        cell("c", "c", 0, LAST, "end_of_movie"), cell("d", "d", 0, 40, "death"),
        cell("e", "e", 0, LAST, "end_of_movie"),
    ]  # fmt: skip
    cages = {"a.0": 1, "a.1": 1, "b.0": 2, "b.1": 3, "c": 3, "d": 1}
    cells, pairs, compartments = placed(rows, cages)
    families = families_of(cells)
    dead = dead_cells(families, cells, compartments)
    found = pd.Series(dead_cage_mates(families, pairs, dead), families.cells["track_id"])
    assert found[["a.0", "b.0", "c"]].tolist() == [1, 0, 1]
    assert found[["a.1", "d", "e"]].isna().all()
    closed = compartments.assign(closed_frame=[35, 35, 35])
    later = dead_cage_mates(families, pairs, dead_cells(families, cells, closed))
    assert pd.Series(later, found.index)[["a.0", "c"]].tolist() == [1, 0]
    assert np.isnan(dead_cage_mates(families, None, dead)).all()
    assert np.isnan(dead_cage_mates(families, pairs, dead_cells(families, cells, compartments.iloc[:0]))).all()


def test_the_control_of_dead_cage_mates_finds_a_mark_of_death_itself_and_only_then():
    rng = np.random.default_rng(0)
    for mark in (0.0, 0.5):
        beside = np.arange(200) < 60
        on = rng.random(200) < 0.2 + mark * beside
        rows = [cell(f"f{k}", f"f{k}", 0, LAST, "end_of_movie", state_x=("off", "on")[int(on[k])]) for k in range(200)]
        families = families_of(as_cells(rows))
        status = sister_status(families, Lineage()).assign(sequenced=True, dead_cage_mates=beside.astype(float))
        states = states_of(as_cells(rows), None, ["state_x=on"])
        compared = compare_states(families, status, states, Lineage())
        STATE_BY_SISTER.check(state_table(compared))
        row = compared.set_index("contrast").loc[MATE]
        assert (row["died"], row["survived"]) == (60, 140)
        assert (row["p_value"] <= 0.01) == (mark > 0)
        assert control_lines(compared, "state_x=on")[0].startswith(
            "Negative control, 'state_x=on' with a dead cage-mate"
        )


@pytest.mark.parametrize(
    ("status", "families"),
    [("died", 0), ("unknown", 0), ("too_recent", 0), ("survived", 6), ("divided", 6), ("none", 6)],
)
def test_only_survivors_known_to_have_lost_no_sister_are_controls(status, families):
    rows = [cell(f"f{k}", f"f{k}", 0, LAST, "end_of_movie", state_x="ab"[k % 2]) for k in range(6)]
    trees = families_of(as_cells(rows))
    told = sister_status(trees, Lineage()).assign(sequenced=True, dead_cage_mates=1.0, status=status)
    compared = compare_states(trees, told, states_of(as_cells(rows), None, None), Lineage())
    assert compared.set_index("contrast").loc[MATE, "families"].eq(families).all()
    warned = lineage_warnings(trees, told, None).set_index("warning")
    assert warned.loc["dead_cage_mates", "cells"] == families


def warnings_of(ambient=None, **columns):
    cells = experiment(3, founders=120)
    families, status, _ = analyse(cells)
    status = status.assign(**columns)
    score = None if ambient is None else pd.Series(ambient(status), families.cells["track_id"])
    found = lineage_warnings(families, status, None, score)
    LINEAGE_WARNINGS.check(found)
    return found.set_index("warning")


def test_ambient_rna_is_compared_between_arms_where_it_was_measured():
    rng = np.random.default_rng(0)
    same = warnings_of(lambda status: rng.uniform(0.05, 0.1, len(status))).loc["ambient_score"]
    assert same["severity"] == "info"
    more = warnings_of(lambda status: 0.05 + 0.2 * (status["status"] == "died").to_numpy()).loc["ambient_score"]
    assert more["severity"] == "warning"
    assert "25.0 % where the sister died, 5.0 % where it survived" in more["message"]


def test_what_was_not_measured_is_said_in_those_words():
    found = warnings_of()
    for name in ("ambient_not_measured", "dead_cage_mates", "two_survivor_compartments"):
        assert "not measured" in found.loc[name, "message"]
    assert len(negative_control_lines(found.reset_index())) == 4
    assert found.loc["time_since_sister_death", "message"].startswith("The sister died ")


@pytest.mark.parametrize("sequenced", [False, True])
def test_negative_controls_without_data_say_so(sequenced):
    rows = [row for k in range(4) for row in family(f"f{k}", "end_of_movie", "end_of_movie")]
    trees = families_of(as_cells(rows))
    alive = (trees.cells["alive_at_end"] == 1) & sequenced
    status = sister_status(trees, Lineage()).assign(sequenced=alive, dead_cage_mates=0.0)
    found = lineage_warnings(trees, status, None).set_index("warning")
    LINEAGE_WARNINGS.check(found.reset_index())
    since = found.loc["time_since_sister_death"]
    assert since["message"].startswith("Time since the sister's death: not measured, no survivor ")
    assert since["message"].endswith("lost its sister." if sequenced else "has a measured state.")
    names = ("two_survivor_compartments", "dead_cage_mates", "ambient_not_measured")
    for name in names if not sequenced else names[::2]:
        assert "not measured" in found.loc[name, "message"]
        assert sequenced or found.loc[name, "cells"] == 0


def test_two_survivors_of_a_compartment_are_counted_as_a_sum():
    rows = [row for k in range(8) for row in family(f"f{k}", "end_of_movie", "end_of_movie", state_x="ab"[k % 2])]
    cells = as_cells(rows)
    families, status, _ = analyse(cells)
    born = cells[cells["parent_id"].notna()]
    shared = born["parent_id"].where(born["parent_id"].isin(["f0", "f1", "f2"]), born["track_id"])
    pairs = pd.DataFrame({"track_id": born["track_id"], "compartment_id": shared})
    row = lineage_warnings(families, status, pairs).set_index("warning").loc["two_survivor_compartments"]
    assert row["cells"] == 6
    assert "the sum of two cells, so they enter no comparison of single cells" in row["message"]


@pytest.mark.parametrize(
    ("state", "first", "second"),
    [("state_x=b", "state_x=a", "state_x=b"), ("state_n", "not state_n", "state_n"), (None, "state_x=a", "state_x=b")],
)
def test_trees_by_state_show_every_value_of_the_column(state, first, second):
    ends = ("end_of_movie", "end_of_movie")
    rows = [row for k in range(2) for row in family(f"f{k}", *ends, state_x="ab"[k], state_n=k)]
    for row in (rows[0], rows[3]):
        row |= {"state_x": None, "state_n": None}
    cells = as_cells(rows)
    colouring = colour_by_state(families_of(cells), states_of(cells, None, None), state)
    assert list(colouring.names) == [NOT_MEASURED, first, first, NOT_MEASURED, second, second]
    assert set(colouring.names) <= set(colouring.colours)


def compartments_of_two(sisters, others, on_sisters, on_others, end="end_of_movie"):
    """Compartments with two living sisters and with two living cells of two families, and a state of their cells."""
    rows = [row for k in range(sisters) for row in family(f"k{k}", "end_of_movie", "end_of_movie")]
    rows += [row for k in range(2 * others) for row in family(f"o{k}", "end_of_movie", end)]
    families = families_of(as_cells(rows))
    names = [f"k{k}.{n}" for k in range(sisters) for n in (0, 1)] + [f"o{k}.0" for k in range(2 * others)]
    compartments = [f"k{k}" for k in range(sisters) for _ in (0, 1)] + [f"o{k // 2}" for k in range(2 * others)]
    pairs = pd.DataFrame({"track_id": names, "sample": "s", "compartment_id": compartments, "status": "multi_cell"})
    pairs = PAIRS.check(pairs.assign(occupancy=2).reindex(columns=empty(PAIRS).columns))
    rng = np.random.default_rng(0)
    rate = np.repeat([on_sisters, on_others], [2 * sisters, 2 * others])
    state = pd.Series((rng.random(len(names)) < rate).astype(float), names, name="stress_high")
    return families, sister_status(families, Lineage()), pairs, state


def written_p(message):
    return float(re.search(r"p [=<≤] ([\d.e-]+\d)", message)[1])


@pytest.mark.parametrize(("rate", "differs"), [(0.3, False), (0.9, True)])
def test_compartments_with_two_sisters_are_compared_with_compartments_of_two_others(rate, differs):
    families, status, pairs, state = compartments_of_two(40, 40, rate, 0.3)
    row = two_survivor_control(families, status, pairs, state, Lineage())
    kin = state[:80].mean()
    assert f"'stress_high' in {percent(kin, 1)} of the cells of 40 and " in row[-1]
    assert (written_p(row[-1]) <= 0.01) == differs
    assert row[2] == 160


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda pairs, state: (None, state), "no pairs table"),
        (lambda pairs, state: (pairs.iloc[:12], state), "6 with sisters and 0 with others"),
        (lambda pairs, state: (pairs.assign(occupancy=3), state), "0 with sisters and 0 with others"),
        (lambda pairs, state: (pairs, None), "no state was tested"),
        (lambda pairs, state: (pairs, state[:3]), "barcodes of two cells enter no paired data"),
    ],
)
def test_compartments_of_two_that_cannot_be_compared_say_why(spoil, why):
    families, status, pairs, state = compartments_of_two(6, 6, 0.5, 0.5)
    row = two_survivor_control(families, status, *spoil(pairs, state), Lineage())
    assert "not measured, " in row[-1]
    assert why in row[-1]


def test_compartments_that_share_root_cells_prove_no_more_than_one_of_them():
    families, status, pairs, state = compartments_of_two(40, 40, 0.7, 0.4)
    state[:] = np.tile(state.to_numpy().reshape(-1, 8)[:, :2], 4).ravel()  # four compartments in a row are copies
    told = [two_survivor_control(families, status, pairs, state, Lineage())]
    cells = families.cells
    of_sister = cells["track_id"].str.extract(r"^k(\d+)", expand=False).astype(float) // 4
    of_other = cells["track_id"].str.extract(r"^o(\d+)", expand=False).astype(float) // 8 + 100
    kin = replace(families, cells=cells.assign(root_cell=of_sister.fillna(of_other).astype(int)))
    told.append(two_survivor_control(kin, status, pairs, state, Lineage()))
    alone, together = (written_p(row[-1]) for row in told)
    assert alone <= 0.01
    assert together >= 0.03


def test_sisters_alike_in_few_compartments_are_not_called_different():
    """The mean of two alike sisters varies more than that of two others."""
    called = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        sisters, state = np.arange(100) < 15, (rng.random((100, 2)) < 0.3).astype(float)
        state[sisters, 1] = state[sisters, 0]
        arrays = (sisters, state.mean(axis=1), np.full(100, 2), np.zeros(100, int), np.arange(100))
        called.append(associate(Summaries.of_state(*arrays), 5, kind=sisters).p_value <= 0.05)
    assert np.mean(called) <= 0.085


def test_strangers_that_lost_a_sister_are_no_control_of_two_sisters():
    families, status, pairs, state = compartments_of_two(6, 6, 0.5, 0.5, end="death")
    assert "6 with sisters and 0 with others" in two_survivor_control(families, status, pairs, state, Lineage())[-1]
