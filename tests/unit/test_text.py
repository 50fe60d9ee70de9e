"""Numbers as words: how each kind of value is written, whatever it is."""

import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cineseq
from cineseq.text import (
    count,
    first_sentence,
    interval,
    natural_order,
    number,
    p_size,
    p_value,
    percent,
    quantity,
    ratio,
    share,
    significant,
    tie,
    unit_of,
)

SOURCES = sorted(Path(cineseq.__file__).parent.rglob("*.py"))
ABSENT = (None, math.nan, math.inf, -math.inf, pd.NA, "text")


@pytest.mark.parametrize("value", ABSENT)
@pytest.mark.parametrize("write", [number, significant, ratio, percent, p_size, lambda v: quantity(v, "h")])
def test_what_is_not_known_is_not_estimable(write, value) -> None:
    assert write(value) == "not estimable"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (number(1.005, 1), "1.0"),
        (number(-0.5), "−0.50"),
        (number(-0.001), "0.00"),
        (number(12345.6, 0), "12,346"),
        (number(0.25, signed=True), "+0.25"),
        (number(-0.25, signed=True), "−0.25"),
        (number(0.0, signed=True), "0.00"),
        (number(np.float32(2)), "2.00"),
        (ratio(4.234), "4.23"),
        (ratio(42.34), "42"),
        (ratio(-12), "−12"),
    ],
)
def test_numbers_have_fixed_decimals_and_a_true_minus_sign(written: str, text: str) -> None:
    assert written == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (-1.0, "−1"), (0.07, "0.07"), (0.00001, "1.00e−05"), (1234.5, "1,234"), (12.34, "12.3"),
        (0.99999, "1"), (-0.0312, "−0.0312"), (1234567, "1,234,567"), (100, "100"),
    ],
)  # fmt: skip
def test_significant_digits_end_with_the_last_that_tells_something(value: float, text: str) -> None:
    assert significant(value) == text


@given(st.floats(-1e9, 1e9), st.integers(1, 5))
def test_significant_digits_are_as_many_as_asked_for(value: float, digits: int) -> None:
    read = float(significant(value, digits).replace("−", "-").replace(",", ""))
    assert read == pytest.approx(value, rel=0.5001 * 10 ** (1 - digits), abs=0)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (count(1234), "1,234"),
        (count(1, "cell"), "1 cell"),
        (count(0, "cell"), "0 cells"),
        (count(2, "informative family", "informative families"), "2 informative families"),
        (count(1, "informative family", "informative families"), "1 informative family"),
        (count(math.nan, "cell"), "an unknown number of cells"),
        (share(3, 12, "cell"), "3 of 12 cells (25 %)"),
        (share(1, 1, "cell"), "1 of 1 cell (100 %)"),
        (share(0, 0), "0 of 0"),
        (percent(0.031), "3.1 %"),
        (percent(0.31), "31 %"),
        (percent(-0.0001), "0.0 %"),
        (percent(0.12345, 1), "12.3 %"),
        (percent(0.07, 0, signed=True), "+7 %"),
        (percent(-0.42, 0, signed=True), "−42 %"),
        (quantity(4.25, "h"), "4.25 h"),
        (quantity(2, "um2"), "2 µm²"),
        (quantity(12.0, None), "12"),
        (unit_of("px2"), "px²"),
        (unit_of("h"), "h"),
        (unit_of(""), ""),
    ],
)
def test_counts_parts_and_quantities(written: str, text: str) -> None:
    assert written == text


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        (0.02, "p", "p = 0.02"),
        (0.0234, "p", "p = 0.023"),
        (0.001, "q", "q = 0.001"),
        (0.0009, "q", "q < 0.001"),
        (1e-300, "p", "p < 0.001"),
        (0.0, "p", "p < 0.001"),
        (1.0, "p", "p = 1"),
        (None, "p", "p not estimable"),
        (math.nan, "q", "q not estimable"),
    ],
)
def test_p_values(value: float | None, name: str, text: str) -> None:
    assert p_value(value, name) == text


@given(st.floats(0, 1))
def test_no_p_value_is_written_as_nothing(value: float) -> None:
    found = re.fullmatch(r"p ([=<]) (\d.*)", p_value(value))
    assert found is not None
    assert float(found[2]) > 0
    assert value < float(found[2]) if found[1] == "<" else float(found[2]) == pytest.approx(value, rel=0.06)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (interval(0.1, 0.2), "[0.10, 0.20]"),
        (interval(-0.1, 0.2, named=True), "95 % interval [−0.10, 0.20]"),
        (interval(3.2, 21.4, ratio), "[3.20, 21]"),
        (interval(0.1, 0.25, percent), "[10 %, 25 %]"),
        (interval(2.0, math.inf), "[2.00, ∞)"),
        (interval(-math.inf, 2.0), "(−∞, 2.00]"),
        (interval(-math.inf, math.inf, named=True), "95 % interval (−∞, ∞)"),
        (interval(math.nan, 2.0), "no interval"),
        (interval(0.1, None, named=True), "no interval"),
        (interval(pd.NA, pd.NA), "no interval"),
    ],
)
def test_intervals(written: str, text: str) -> None:
    assert written == text


def test_the_first_sentence_ends_where_the_next_begins() -> None:
    assert first_sentence("R² = 0.1 (p = 0.2). Next one.") == "R² = 0.1 (p = 0.2)."


def test_the_ends_of_an_interval_stay_on_one_line() -> None:
    assert tie("0.3 [0.2, 0.4], (2.0, ∞) (1, a b)") == "0.3 [0.2,\u00a00.4], (2.0,\u00a0∞) (1, a b)"


BY_HAND = {
    "a p-value": re.compile(r"""\b[pq](?:-value)?(?: = | < | |=)\{(?!p_value|p_size|note\b)|[\"' ]p \.\d"""),
    "R2 for R²": re.compile(r"""["'][^"'\n]*\bR2\b"""),
}


@pytest.mark.parametrize("what", BY_HAND)
def test_only_the_module_for_it_writes(what: str) -> None:
    found = [
        f"{path.name}:{at}: {line.strip()}"
        for path in SOURCES
        if path.name != "text.py"
        for at, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if BY_HAND[what].search(line)
    ]
    assert not found, f"{what} is written by hand; use cineseq.text:\n" + "\n".join(found)


@pytest.mark.parametrize("line", ['f"p = {p:.2g}"', "f'q = {q}'", 'f"p {row.p:.2g}"', 'f"p < {p}"', '"p .02"'])
def test_a_p_value_written_by_hand_is_found(line: str) -> None:
    assert BY_HAND["a p-value"].search(line)


@pytest.mark.parametrize(
    "names",
    [
        ["00d09h30m", "00d10h00m", "t1b", "t9", "t10"],
        ["T2.tif", "T10.tif", "t01.tif", "t1.tif", "t2.tif"],
        ["run2/t10.tif", "run2/t11.tif", "run10/t1.tif"],
        ["1.tif", "2.tif", "10.tif", "a.tif"],
        ["a1.tif", "a1_b.tif", "a1b.tif", "a.tif"],
    ],
)
def test_numbers_in_names_count_as_numbers(names: list[str]) -> None:
    assert natural_order(reversed(names)) == names


@given(st.lists(st.text("ab10/_", max_size=6), max_size=6), st.randoms())
def test_the_natural_order_of_names_is_one(names: list[str], random) -> None:
    drawn = random.sample(names, len(names))
    assert natural_order(drawn) == natural_order(names)


@given(st.sampled_from(["t", "Img_", "a/b-", ""]), st.sets(st.integers(0, 10**6), min_size=2))
def test_names_that_differ_in_a_number_are_in_its_order(stem: str, numbers: set[int]) -> None:
    found = natural_order(f"{stem}{number}.tif" for number in numbers)
    counted = [int(re.findall(r"\d+", name)[-1]) for name in found]
    assert all(first < second for first, second in pairwise(counted))
