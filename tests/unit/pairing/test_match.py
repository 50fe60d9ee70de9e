"""Cells, compartments and barcodes into pairs: every status, and what must always hold."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.pairing.pairing_examples import make_barcodes, make_cells, make_compartments

from cineseq.config.pairing import Pairing
from cineseq.errors import UserError
from cineseq.pairing.match import match
from cineseq.pairing.report import pairs_report
from cineseq.tables.imaging import PAIRS

SIX = make_compartments([(0, 50 * i) for i in range(6)])


def statuses(cells: pd.DataFrame, barcodes: dict[str, str | None], compartments: pd.DataFrame = SIX) -> dict[str, str]:
    """Return the status of every cell, and of barcodes without one, by name."""
    pairs = PAIRS.check(match(cells, compartments, make_barcodes(barcodes), Pairing()).pairs)
    return dict(zip(pairs["track_id"].fillna(pairs["barcode"]), pairs["status"], strict=True))


def test_every_status() -> None:
    cells = make_cells(9, x_px=[0, 50, 55, 100, 150, 25, 210.5, 200, 250], y_px=0)
    barcodes = {"B0": "c0", "B1": "c1", "B2": "c2", "B2b": "c2", "B4": "c4", "B5": "c5", "B9": "c9"}
    assert statuses(cells, barcodes) == {
        "s/1/1": "singlet",
        "s/1/2": "multi_cell",
        "s/1/3": "multi_cell",
        "s/1/4": "multi_barcode",
        "s/1/5": "no_barcode",  # its compartment has none
        "s/1/6": "no_barcode",  # outside every compartment
        "s/1/7": "ambiguous",  # on the wall of c4
        "s/1/8": "ambiguous",  # inside c4, which may hold the other too
        "s/1/9": "singlet",
        "B9": "ambiguous",  # a compartment that is not on the map
    }


def test_barcode_of_an_empty_compartment_has_no_cell() -> None:
    assert statuses(make_cells(1), {"B0": "c0", "B1": "c1"}) == {"s/1/1": "singlet", "B1": "no_cell"}


def test_barcodes_of_one_cell_are_joined() -> None:
    pairs = match(make_cells(1), SIX, make_barcodes({"B1": "c0", "B0": "c0"}), Pairing()).pairs
    assert pairs[["barcode", "status", "occupancy", "barcodes"]].to_numpy().tolist() == [
        ["B0;B1", "multi_barcode", 1, 2]
    ]


def test_dead_and_unknown_cells_are_not_matched_and_do_not_count() -> None:
    cells = make_cells(3, alive_at_end=[True, False, pd.NA], end_kind=["end_of_movie", "death", "lost"])
    assert statuses(cells, {"B0": "c0"}) == {"s/1/1": "singlet"}


def test_cell_lost_in_a_closed_compartment_makes_it_ambiguous() -> None:
    cells = make_cells(2, alive_at_end=[True, pd.NA], end_kind=["end_of_movie", "lost"], end_frame=[9, 6])
    assert statuses(cells, {"B0": "c0"}, SIX.assign(closed_frame=5)) == {"s/1/1": "ambiguous"}
    assert statuses(cells, {"B0": "c0"}, SIX.assign(closed_frame=8)) == {"s/1/1": "singlet"}


def test_a_track_that_goes_on_later_was_not_lost() -> None:
    cells = make_cells(
        2,
        alive_at_end=[True, pd.NA],
        end_kind=["end_of_movie", "lost"],
        end_frame=[9, 6],
        start_kind=["appeared", "first_frame"],
        start_frame=[8, 0],
    )
    assert statuses(cells, {"B0": "c0"}, SIX.assign(closed_frame=5)) == {"s/1/1": "singlet"}


def test_barcodes_by_position_after_a_shift() -> None:
    compartments = make_compartments([(50 * i, 50 * j) for i in range(4) for j in range(4)])
    barcodes = make_barcodes({f"B{i:02d}": None for i in range(16)}).assign(
        fov="1", y_px=compartments["y_px"] + 6, x_px=compartments["x_px"] - 4
    )
    cells = make_cells(16, y_px=compartments["y_px"].tolist(), x_px=compartments["x_px"].tolist())
    found = match(cells, compartments, barcodes, Pairing(max_shift=0.5))
    assert found.alignments[["aligned", "trusted"]].to_numpy().tolist() == [[1.0, True]]
    singlets = found.pairs[found.pairs["status"] == "singlet"].set_index("compartment_id")["barcode"]
    assert singlets.to_dict() == {f"c{i}": f"B{i:02d}" for i in range(16)}
    assert found.pairs["posterior"].min() > 0.999


def shifted_map() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return a cell in each of 36 compartments, and barcodes one pitch further along x than they are."""
    compartments = make_compartments([(100 + 50 * i, 100 + 50 * j) for i in range(6) for j in range(6)])
    barcodes = make_barcodes({f"B{i:02d}": None for i in range(36)}).assign(
        fov="1", y_px=compartments["y_px"], x_px=compartments["x_px"] + 50
    )
    return (
        make_cells(36, y_px=compartments["y_px"].tolist(), x_px=compartments["x_px"].tolist()),
        compartments,
        barcodes,
    )


def test_a_map_that_is_off_by_a_pitch_is_moved_back_and_said() -> None:
    image = pd.DataFrame({"sample": ["s"], "fov": ["1"], "height_px": 450.0, "width_px": 450.0})
    found = match(*shifted_map(), Pairing(), image)
    singlets = found.pairs[found.pairs["status"] == "singlet"]
    assert len(singlets) == 36
    assert (singlets["compartment_id"].str[1:].astype(int) == singlets["barcode"].str[1:].astype(int)).all()
    assert singlets["posterior"].between(0.95, 1).all()
    report = pairs_report(found, known=36, sequenced=36, imaged=36)
    assert [(n["level"], "s/1 by (0.0, \N{MINUS SIGN}1.0) pitches" in n["text"]) for n in report["notices"]] == [
        ("warning", True)
    ]
    assert report["numbers"]["shift_x_s_1"] == pytest.approx(-1, abs=0.01)


def test_a_full_array_without_edges_is_ambiguous_and_the_reason_is_said() -> None:
    cells, compartments, barcodes = shifted_map()
    found = match(cells, compartments, barcodes.assign(x_px=barcodes["x_px"] - 50), Pairing())
    assert found.pairs["status"].value_counts().to_dict() == {"no_barcode": 36, "ambiguous": 36}
    report = pairs_report(found, known=36, sequenced=36, imaged=36)
    assert any("which shift of the map of barcodes is right cannot be told" in line for line in report["lines"])
    assert [notice["level"] for notice in report["notices"]] == ["serious"]


def test_barcodes_that_fit_no_compartments_are_left_out() -> None:
    compartments = make_compartments([(60 * i, 60 * j) for i in range(5) for j in range(5)], radius=8)
    points = np.random.default_rng(2).uniform(0, 240, (30, 2))
    barcodes = make_barcodes({f"B{i:02d}": None for i in range(30)}).assign(
        fov="1", y_px=points[:, 0], x_px=points[:, 1]
    )
    found = match(make_cells(1), compartments, barcodes, Pairing())
    assert not found.alignments["trusted"].any()
    assert set(found.pairs["status"]) == {"no_barcode", "ambiguous"}
    lines = pairs_report(found, known=30, sequenced=30, imaged=1)["lines"]
    assert any("barcodes do not fit the compartments" in line for line in lines)


def test_without_compartments_barcodes_name_cells_or_are_near_them() -> None:
    cells = make_cells(3, x_px=[0, 40, 90], y_px=0)
    barcodes = make_barcodes({"B0": "s/1/1", "B1": None, "B2": None}).assign(
        fov="1", y_px=[np.nan, 1, 0], x_px=[np.nan, 41, 88]
    )
    pairs = match(cells, SIX.iloc[:0], barcodes, Pairing()).pairs
    assert pairs[["track_id", "barcode", "status"]].to_numpy().tolist() == [
        ["s/1/1", "B0", "singlet"],
        ["s/1/2", "B1", "singlet"],
        ["s/1/3", "B2", "singlet"],
    ]
    assert pairs["compartment_id"].isna().all()


def test_names_and_positions_of_barcodes_are_compared() -> None:
    named = {f"B{i}": f"c{i}" for i in range(6)}
    right = make_barcodes(named).assign(fov="1", y_px=1.0, x_px=[50.0 * i for i in range(6)])
    off_by_one = right.assign(x_px=right["x_px"] + 50)
    for barcodes, agreeing, doubted in ((right, 6, False), (off_by_one, 0, True), (make_barcodes(named), 0, False)):
        found = match(make_cells(1), SIX, barcodes, Pairing())
        report = pairs_report(found, known=6, sequenced=6, imaged=1)
        assert report["numbers"]["barcodes_in_their_compartment"] == agreeing
        assert any("may be shifted or mixed up" in line for line in report["lines"]) == doubted


def test_cells_are_placed_where_their_tracks_end() -> None:
    cells = make_cells(2, x_px=[0, 50]).assign(end_y_px=0.0, end_x_px=[100, np.nan])
    pairs = match(cells, SIX, make_barcodes({"B1": "c1"}), Pairing()).pairs
    assert pairs["compartment_id"].tolist() == ["c2", "c1"]


def test_maps_that_name_compartments_differently_are_refused() -> None:
    with pytest.raises(UserError, match=r"none of the 1 compartments that barcodes name .* \(the first is 'k7'"):
        match(make_cells(1), SIX, make_barcodes({"B0": "k7"}), Pairing())


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 25), st.integers(0, 40))
@settings(max_examples=30, deadline=None)
def test_what_always_holds(seed: int, cells: int, compartments: int, barcodes: int) -> None:
    """Every live cell is in one row; no barcode and no compartment in two singlets; every barcode is somewhere."""
    rng = np.random.default_rng(seed)
    where = make_compartments(list(map(tuple, rng.uniform(0, 150, (compartments, 2)))), radius=12)
    alive = rng.choice([True, False, pd.NA], cells, p=[0.8, 0.1, 0.1])
    imaged = make_cells(
        cells, y_px=rng.uniform(0, 150, cells), x_px=rng.uniform(0, 150, cells), alive_at_end=alive, end_kind="lost"
    )
    named = {f"B{i}": f"c{rng.integers(compartments)}" for i in range(barcodes)}
    pairs = PAIRS.check(match(imaged, where, make_barcodes(named), Pairing()).pairs)
    live = imaged.loc[imaged["alive_at_end"].fillna(value=False), "track_id"]
    assert sorted(pairs["track_id"].dropna()) == sorted(live)
    singlets = pairs[pairs["status"] == "singlet"]
    assert singlets["barcode"].is_unique
    assert singlets["compartment_id"].is_unique
    assert (singlets[["occupancy", "barcodes"]] == 1).all(axis=None)
    shown = {name for joined in pairs["barcode"].dropna() for name in joined.split(";")}
    assert shown == set(named)


def test_planted_pairs_are_found_and_no_other() -> None:
    """Cells seen a pixel off, barcodes two pixels off on a shifted map, 0 to 2 cells and barcodes a compartment."""
    rng = np.random.default_rng(5)
    where = make_compartments([(45 * i, 45 * j) for i in range(12) for j in range(12)], radius=18)
    centres = where[["y_px", "x_px"]].to_numpy()
    homes, owners = (np.repeat(np.arange(144), rng.choice(3, 144, p=[0.1, 0.7, 0.2])) for _ in range(2))
    angle, reach = rng.uniform(0, 2 * np.pi, len(homes)), rng.uniform(0, 10, len(homes))
    cells = (
        centres[homes]
        + reach[:, None] * np.stack([np.sin(angle), np.cos(angle)], 1)
        + rng.normal(0, 1, (len(homes), 2))
    )
    places = centres[owners] + [9.0, -7.0] + rng.normal(0, 2, (len(owners), 2))
    names = [f"B{i:03d}" for i in range(len(owners))]
    barcodes = make_barcodes(dict.fromkeys(names)).assign(fov="1", y_px=places[:, 0], x_px=places[:, 1])
    image = pd.DataFrame({"sample": ["s"], "fov": ["1"], "height_px": 600.0, "width_px": 600.0})
    imaged = make_cells(len(homes), y_px=cells[:, 0] + 60, x_px=cells[:, 1] + 60)
    where, barcodes = (t.assign(y_px=t["y_px"] + 60, x_px=t["x_px"] + 60) for t in (where, barcodes))
    pairs = match(imaged, where, barcodes, Pairing(), image).pairs
    found = pairs[pairs["status"] == "singlet"]
    alone = [c for c in range(144) if (homes == c).sum() == 1 and (owners == c).sum() == 1]
    planted = {(f"s/1/{homes.tolist().index(c) + 1}", names[owners.tolist().index(c)]) for c in alone}
    assert set(zip(found["track_id"], found["barcode"], strict=True)) == planted
    assert len(planted) > 50


def test_barcodes_of_compartments_that_are_on_no_map_are_said() -> None:
    cells = make_cells(1, y_px=0.0, x_px=0.0)
    found = match(cells, make_compartments([(0, 0)]), make_barcodes({"A": "c0", "B": "c7", "C": None}), Pairing())
    assert found.nowhere["barcode"].tolist() == ["B"]
    said = pairs_report(found, known=3, sequenced=3, imaged=1)
    assert said["numbers"]["barcodes_not_on_the_map"] == 1
    assert any("(the first: 'B' in 'c7' of sample 's')" in line for line in said["lines"])


def beside(cells: pd.DataFrame, compartments: pd.DataFrame, barcodes: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the pairs of sample t, paired beside sample s, whose six pairs are as ever; and lines of the report."""
    named = make_barcodes({f"B{i}": f"c{i}" for i in range(6)})
    ordinary = (make_cells(6, x_px=[50.0 * i for i in range(6)]), SIX, named)
    odd = [
        table.assign(sample="t") for table in (cells.assign(track_id="t" + cells["track_id"]), compartments, barcodes)
    ]
    both = zip(ordinary, odd, strict=True)
    tables = [pd.concat([part for part in parts if len(part)], ignore_index=True) for parts in both]
    found = match(*tables, Pairing())
    pairs = PAIRS.check(found.pairs)
    assert (pairs.loc[pairs["sample"] == "s", "status"] == "singlet").sum() == 6
    report = pairs_report(found, known=len(tables[2]), sequenced=len(tables[2]), imaged=len(tables[0]))
    json.dumps(report, allow_nan=False)
    return pairs[pairs["sample"] == "t"], report["lines"]


def at(points: list[tuple[float, float]]) -> pd.DataFrame:
    """Return barcodes A, B, ... at these positions."""
    y, x = np.array(points, float).reshape(-1, 2).T
    return make_barcodes(dict.fromkeys("ABCDEFGHIJKL"[: len(points)])).assign(fov="1", y_px=y, x_px=x)


def test_the_only_cell_of_an_open_culture_is_paired_by_name_and_not_by_position() -> None:
    pairs, lines = beside(make_cells(1), SIX[:0], at([(1, 1)]))
    assert pairs["status"].tolist() == ["no_barcode", "ambiguous"]
    [said] = [line for line in lines if line.startswith("Field t/1")]
    assert "name it in the column compartment_id" in said
    pairs, _ = beside(make_cells(1), SIX[:0], make_barcodes({"A": "ts/1/1"}))
    assert pairs[["barcode", "status"]].to_numpy().tolist() == [["A", "singlet"]]


def test_cells_at_one_place_are_ambiguous_and_stop_nothing() -> None:
    pairs, lines = beside(make_cells(3), SIX[:0], at([(1, 1)]))
    assert pairs["status"].tolist() == ["ambiguous"] * 4
    assert any("where all are at one place, check their positions" in line for line in lines)
    # A cell elsewhere has a neighbour, whose distance says how far its barcode may lie.
    pairs, _ = beside(make_cells(4, x_px=[0, 0, 90, 200]), SIX[:0], at([(0, 91), (0, 199)]))
    assert pairs["status"].value_counts().to_dict() == {"ambiguous": 2, "singlet": 2}


ARRAY = make_compartments([(100 + 60 * i, 100 + 60 * j) for i in range(4) for j in range(4)])
NO_BARCODES = make_barcodes({"A": None})[:0]
PLACED = {"y_px": ARRAY["y_px"].tolist(), "x_px": ARRAY["x_px"].tolist()}


@pytest.mark.parametrize(
    ("cells", "compartments", "barcodes", "statuses"),
    [
        (make_cells(2), make_compartments([(0, 0)] * 12), at([(1, 0)] * 12), {"ambiguous": 14}),
        (make_cells(1), make_compartments([(0, 0)]), at([(1, 0)]), {"singlet": 1}),
        (make_cells(1), make_compartments([(0, 0)], radius=0), at([(1, 0)]), {"ambiguous": 1, "no_barcode": 1}),
        (make_cells(16, **PLACED), ARRAY, NO_BARCODES, {"no_barcode": 16}),
        (make_cells(16, **PLACED), ARRAY, at([(160, 160)] * 12), {"no_barcode": 16, "ambiguous": 12}),
        (make_cells(2, y_px=np.nan, x_px=np.nan), ARRAY, NO_BARCODES, {"no_barcode": 2}),
        (make_cells(2, y_px=np.nan, x_px=np.nan), SIX[:0], at([(1, 1)]), {"no_barcode": 2, "ambiguous": 1}),
        (make_cells(1)[:0], ARRAY, at([(100, 100)]), {"ambiguous": 1}),
    ],
    ids=["one_place", "one", "no_size", "no_barcodes", "barcodes_at_one_place", "nowhere", "open_nowhere", "no_cells"],
)
def test_odd_fields_have_a_status_and_stop_no_other(
    cells: pd.DataFrame, compartments: pd.DataFrame, barcodes: pd.DataFrame, statuses: dict[str, int]
) -> None:
    pairs, _ = beside(cells, compartments, barcodes)
    assert pairs["status"].value_counts().to_dict() == statuses
