"""Which columns group cells, and their values as text."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.unit.pairing.pairing_examples import make_cells, make_compartments, write

from cineseq.config.pairing import Pairing
from cineseq.io.group_columns import why_no_group
from cineseq.io.maps import read_barcode_tables
from cineseq.pairing.match import match

GROUPS = {
    "plates as numbers": [1, 2, 3] * 10,
    "plates with a missing one": [1.0, 2.0, np.nan] * 10,
    "plates as text": ["1", "2"] * 15,
    "names": ["a", "b"] * 15,
    "known or not": ["a", None] * 15,
    "truth": [True, False] * 15,
    "days": [20240105, 20240106, 20240107] * 10,
}
NO_GROUPS = {
    "it has one value": ["a"] * 30,
    "it has no value": [None] * 30,
    "it holds numbers with fractions": list(np.linspace(0, 1, 30)),
    "it holds 30 different numbers in 30 rows": list(range(30)),
    "it names 30 groups in 30 rows, fewer than 2 of each": [f"cell {k}" for k in range(30)],
}


@pytest.mark.parametrize("values", GROUPS.values(), ids=GROUPS.keys())
def test_categories_are_groups(values: list) -> None:
    assert why_no_group(pd.Series(values)) == ""


@pytest.mark.parametrize("reason", NO_GROUPS)
def test_measurements_and_names_of_cells_are_none(reason: str) -> None:
    assert why_no_group(pd.Series(NO_GROUPS[reason])) == reason


def test_numbers_that_were_written_as_text_are_judged_as_numbers() -> None:
    assert why_no_group(pd.Series([f"{k}.5" for k in range(5)] * 6)) == "it holds numbers with fractions"
    assert why_no_group(pd.Series([str(k) for k in range(30)] * 3)) == "it holds 30 different numbers in 90 rows"


def test_plates_of_barcodes_reach_their_pairs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [f"s,B{k},c{k},{1 + k % 2},{k},{k / 7:.3f},day 1" for k in range(10)]
    text = "\n".join(["sample,barcode,compartment_id,plate,reads,quality,group_date", *rows])
    with caplog.at_level("INFO"):
        barcodes = read_barcode_tables([write(tmp_path / "b.csv", text)])
    assert [c for c in barcodes if c.startswith("group_")] == ["group_plate", "group_date"]
    assert "column 'reads' is not used as a group of barcodes: it holds 10 different numbers in 10 rows" in caplog.text
    compartments = make_compartments([(30.0 * k, 0.0) for k in range(10)])
    cells = make_cells(10, y_px=[30.0 * k for k in range(10)])
    pairs = match(cells, compartments, barcodes, Pairing()).pairs.set_index("barcode")
    assert list(pairs["status"]) == ["singlet"] * 10
    assert pairs["group_plate"].to_dict() == {f"B{k}": str(1 + k % 2) for k in range(10)}
    assert set(pairs["group_date"]) == {"day 1"}
