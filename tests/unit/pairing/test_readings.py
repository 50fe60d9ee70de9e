"""Maps that are read wrongly: axes, sides, turns and units, named with the pairs that the better reading gives."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.pairing.pairing_examples import make_barcodes, make_cells, make_compartments

from cineseq.config.pairing import Pairing
from cineseq.pairing.match import match
from cineseq.pairing.readings import Doubt, Maps, check_maps
from cineseq.pairing.report import pairs_report

SIZE = 560.0
PIXEL = 0.5


def maps(*, named: bool, seed: int = 0) -> Maps:
    """Return 64 compartments of an irregular array, 0 to 2 cells in each, and barcodes whose counts follow them."""
    rng = np.random.default_rng(seed)
    centres = np.stack(np.meshgrid(np.arange(8), np.arange(8), indexing="ij"), -1).reshape(-1, 2) * 60.0 + 70
    centres += rng.normal(0, 5, centres.shape)
    occupancy = rng.choice(3, 64, p=[0.2, 0.6, 0.2])
    where = np.repeat(centres, occupancy, axis=0) + rng.uniform(-6, 6, (occupancy.sum(), 2))
    barcodes = make_barcodes({f"B{i:02d}": f"c{i}" if named else None for i in range(64)})
    barcodes["counts"] = 50 + np.round(occupancy * np.exp(rng.normal(8, 0.5, 64)))
    if not named:
        barcodes = barcodes.assign(
            fov="1", y_px=centres[:, 0] + rng.normal(0, 3, 64), x_px=centres[:, 1] + rng.normal(0, 3, 64)
        )
    sizes = pd.DataFrame({"sample": ["s"], "fov": ["1"], "height_px": SIZE, "width_px": SIZE, "pixel_size_um": PIXEL})
    cells = make_cells(len(where), y_px=where[:, 0], x_px=where[:, 1])
    return Maps(cells, make_compartments(list(map(tuple, centres)), 20.0), barcodes, Pairing(), sizes)


def doubts(given: Maps) -> list[Doubt]:
    found = match(given.cells, given.compartments, given.barcodes, given.settings, given.sizes)
    return check_maps(given, found.alignments)


def swapped(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(y_px=table["x_px"], x_px=table["y_px"])


def mirrored(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(x_px=SIZE - table["x_px"])


def turned(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(y_px=table["x_px"], x_px=SIZE - table["y_px"])


def half_turned(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(y_px=SIZE - table["y_px"], x_px=SIZE - table["x_px"])


def in_micrometres(table: pd.DataFrame) -> pd.DataFrame:
    lengths = [c for c in ("y_px", "x_px", "radius_px") if c in table]
    return table.assign(**{c: table[c] * PIXEL for c in lengths})


MISTAKES = pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (swapped, "its axes swapped"),
        (mirrored, "its columns mirrored"),
        (half_turned, "a rotation by 180 degrees"),
        (turned, "a rotation by 90 degrees"),
        (in_micrometres, "micrometres taken for pixels"),
    ],
)


@MISTAKES
def test_a_misread_map_of_compartments_is_doubted(mistake: Callable, words: str) -> None:
    right = maps(named=True)
    [doubt] = doubts(Maps(right.cells, mistake(right.compartments), right.barcodes, right.settings, right.sizes))
    assert words in doubt.text
    assert (doubt.table, doubt.better) == ("compartments", right.singlets)
    assert f"gives {right.singlets} singlets instead of {doubt.singlets}" in doubt.text


@MISTAKES
def test_a_misread_map_of_barcodes_is_doubted(mistake: Callable, words: str) -> None:
    right = maps(named=False)
    [doubt] = doubts(Maps(right.cells, right.compartments, mistake(right.barcodes), right.settings, right.sizes))
    assert words in doubt.text
    assert doubt.table == "barcodes"
    assert doubt.better == pytest.approx(right.singlets, abs=2)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_right_map_is_not_doubted(*, named: bool, seed: int) -> None:
    assert doubts(maps(named=named, seed=seed)) == []


def test_names_of_compartments_that_are_off_by_a_row_are_doubted() -> None:
    right = maps(named=True)
    barcodes = right.barcodes[8:].copy()
    barcodes["compartment_id"] = [f"c{i - 8}" for i in range(8, 64)]
    [doubt] = doubts(Maps(right.cells, right.compartments, barcodes, right.settings, right.sizes))
    assert "the compartments that barcodes name moved by (1, 0) pitches" in doubt.text
    whole = Maps(right.cells, right.compartments, right.barcodes[8:], Pairing(), right.sizes)
    assert doubt.better == whole.singlets


def test_a_doubt_is_a_serious_notice() -> None:
    right = maps(named=True)
    wrong = Maps(right.cells, swapped(right.compartments), right.barcodes, right.settings, right.sizes)
    found = match(wrong.cells, wrong.compartments, wrong.barcodes, wrong.settings, wrong.sizes)
    report = pairs_report(found, known=64, sequenced=64, imaged=64, doubts=doubts(wrong))
    assert [notice["level"] for notice in report["notices"]] == ["serious"]
    assert report["notices"][0]["text"] in report["lines"]


def test_samples_that_are_misread_alike_are_one_notice() -> None:
    right = maps(named=True)
    two = [
        pd.concat([table, table.assign(sample="t", **({"track_id": "t" + table["track_id"]} if cells else {}))])
        for table, cells in ((right.cells, True), (swapped(right.compartments), False), (right.barcodes, False))
    ]
    sizes = pd.concat([right.sizes, right.sizes.assign(sample="t")])
    tables = [table.reset_index(drop=True) for table in two]
    [doubt] = doubts(Maps(*tables, right.settings, sizes))
    assert "of sample s and sample t looks wrong" in doubt.text
    assert doubt.better == 2 * right.singlets


def test_few_cells_or_compartments_are_not_judged() -> None:
    small = Maps(make_cells(2), make_compartments([(0, 0), (50, 0)]), make_barcodes({"A": "c0"}), Pairing())
    assert doubts(small) == []


def test_a_sample_whose_barcodes_name_no_compartment_stops_no_other_one() -> None:
    right = maps(named=True)
    misspelt = right.barcodes.assign(sample="a", compartment_id=right.barcodes["compartment_id"].str.upper())
    cells = [right.cells.assign(sample="a", track_id="a" + right.cells["track_id"]), right.cells]
    compartments = [swapped(right.compartments).assign(sample="a"), right.compartments]
    tables = [pd.concat(parts, ignore_index=True) for parts in (cells, compartments, [misspelt, right.barcodes])]
    sizes = pd.concat([right.sizes.assign(sample="a"), right.sizes], ignore_index=True)
    both = Maps(*tables, right.settings, sizes)
    assert both.singlets == right.singlets > 0
    [doubt] = doubts(both)
    assert "The map of compartments of sample a looks wrong. With its axes swapped" in doubt.text
    assert (doubt.singlets, doubt.better) == (0, 0)
    assert "it fits far better. Check the table" in doubt.text


def open_culture(rng: np.random.Generator, *, cells: int, scatter: float) -> Maps:
    """Return cells in rows and columns, without compartments, and a barcode at each of them."""
    side = int(np.ceil(np.sqrt(cells)))
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2)[:cells]
    where = grid * 60.0 + 70 + rng.normal(0, scatter, (cells, 2))
    there = where + rng.normal(0, 0.3, where.shape)
    barcodes = make_barcodes({f"B{i:03d}": None for i in range(cells)})
    barcodes = barcodes.assign(fov="1", y_px=there[:, 0], x_px=there[:, 1])
    return Maps(
        make_cells(cells, y_px=where[:, 0], x_px=where[:, 1]), make_compartments([(0, 0)])[:0], barcodes, Pairing()
    )


@given(seed=st.integers(0, 2**32 - 1), cells=st.integers(16, 49), scatter=st.floats(3.0, 6.0))
@settings(max_examples=20, deadline=None)
def test_barcodes_of_cells_without_compartments_are_doubted_where_their_axes_are_swapped(
    seed: int, cells: int, scatter: float
) -> None:
    right = open_culture(np.random.default_rng(seed), cells=cells, scatter=scatter)
    assert doubts(right) == []
    wrong = Maps(right.cells, right.compartments, swapped(right.barcodes), right.settings)
    [doubt] = doubts(wrong)
    assert "The map of barcodes of field s/1 looks wrong. With its axes swapped" in doubt.text
    assert doubt.better >= cells - 2
