"""Relatives, and what became of the sister: literal families; unknown is never alive or dead."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.lineage.lineage_examples import LAST, as_cells, cell, family

from cineseq.config.lineage import Lineage
from cineseq.lineage.relatives import matching_note, relatives_of
from cineseq.lineage.sister_status import sister_status
from cineseq.lineage.trees import families_of, strata


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
        rows += family(f"f{number}", "death", "division", fov=fov, start_y_px=y, start_x_px=0.0)
    families = families_of(as_cells(rows))
    pairs = relatives_of(families, 5)["neighbours"]
    root_cells = families.cells["root_cell"].to_numpy()[pairs]
    assert len(pairs)
    assert (root_cells[:, 0] != root_cells[:, 1]).all()
    assert (families.cells["fov"].to_numpy()[pairs] == "1").all()
    of_first_two = np.isin(root_cells, [0, 1]).any(axis=1)
    assert (np.isin(root_cells[of_first_two], [0, 1]).all(axis=1)).sum() >= 2


def test_one_missing_position_costs_only_that_cell_its_match_in_space():
    """Two clumps born together: every cell finds its match in its own clump but the one that has no position."""
    rows = []
    for number in range(12):
        rows += family(f"f{number}", "death", "division", start_y_px=1000.0 * (number % 2) + number, start_x_px=0.0)
    whole, holed = (as_cells(rows), as_cells(rows).set_index("track_id"))
    holed.loc["f0.0", "start_y_px"] = np.nan
    for cells, without in ((whole, 0), (holed.reset_index(), 1)):
        families = families_of(cells)
        pairs = relatives_of(families, 5)["neighbours"]
        names = families.cells["track_id"].to_numpy()[pairs]
        placed = (names != "f0.0").all(axis=1)
        clump = np.char.partition(np.char.lstrip(names.astype(str), "f"), ".")[..., 0].astype(int) % 2
        assert (clump[placed, 0] == clump[placed, 1]).all()
        assert placed.sum() >= 12
        note = matching_note(families, "neighbours", pairs)
        assert (~placed).sum() >= without
        assert note == ("" if not without else f"{(~placed).sum()} of {len(pairs)} pairs matched by birth time only: "
                        "no position at birth")  # fmt: skip


def test_the_place_where_a_cell_ended_up_does_not_match_it():
    rows = [row for k in range(4) for row in family(f"f{k}", "death", "division", y_px=float(k), x_px=0.0)]
    families = families_of(as_cells(rows))
    pairs = relatives_of(families, 5)["neighbours"]
    assert matching_note(families, "neighbours", pairs).startswith(f"{len(pairs)} of {len(pairs)} pairs matched by")


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


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=1, max_size=60), st.integers(1, 6))
def test_strata_never_mix_fields_and_never_split_equal_birth_times(rows, bins):
    field, birth = np.array(rows).T
    code = strata(field, birth.astype(float), bins)
    table = pd.DataFrame({"field": field, "birth": birth, "code": code})
    assert table.groupby("code")["field"].nunique().max() == 1
    assert table.groupby(["field", "birth"])["code"].nunique().max() == 1
    assert code.max() + 1 == len(np.unique(code))
    assert (table.groupby("field")["code"].nunique() <= bins).all()


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


def test_a_movie_that_went_on_after_the_last_end_gave_its_daughters_time():
    rows = family("f", "death", "death", birth=80)
    for row in rows:
        row |= {"start_hours": row["start_frame"] / 2, "end_hours": row["end_frame"] / 2}
    known = as_cells([row | {"movie_end_frame": 120} for row in rows])
    for cells, frame, statuses in ((as_cells(rows), 100, "too_recent"), (known, 120, "died")):
        families = families_of(cells)
        assert set(families.cells["field_end_frame"]) == {frame}
        assert set(families.cells["field_end"]) == {frame / 2}
        for least in ({"min_coobserved_frames": 30}, {"min_coobserved_hours": 15.0}):
            assert list(sister_status(families, Lineage(**least))["status"]) == ["none", statuses, statuses]


def test_daughters_born_too_late_are_set_apart_in_both_arms():
    rows = family("f", "end_of_movie", "death", birth=90) + family("g", "end_of_movie", "end_of_movie", birth=90)
    rows[2]["end_frame"] = 95
    families = families_of(as_cells(rows))
    assert list(sister_status(families, Lineage(min_coobserved_frames=9))["status"]).count("too_recent") == 0
    late = sister_status(families, Lineage(min_coobserved_frames=10))["status"]
    assert list(late) == ["none", "too_recent", "too_recent"] * 2
