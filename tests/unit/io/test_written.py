"""Names are what is written; words for nothing are missing among numbers and references only."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cineseq.io.written import (
    NOTHING,
    as_named,
    as_numbers,
    as_parents,
    as_references,
    as_text,
    says_nothing,
    why_no_number,
)

WORDS = ["NA", "nan", "None", "null", "#N/A", "n/a", "NULL"]
ODD = ["001", "01", "1", "1.0", "1.10", "1.1", "1e5", "1E-3", "0.001", "True", "2020-01-05", "12127037390359512345"]
NAMES = st.lists(st.sampled_from(ODD + WORDS) | st.text("abc0.E-", min_size=1, max_size=4), min_size=1, unique=True)


def column(*values: object) -> pd.Series:
    return pd.Series(list(values), dtype="string", name="c")


@given(NAMES)
def test_names_stay_as_they_are_written(names: list[str]) -> None:
    assert as_text(column(*names)).tolist() == names


@given(NAMES)
def test_a_reference_to_any_name_is_that_name(names: list[str]) -> None:
    assert as_references(column(*names), names).tolist() == names


@given(st.sampled_from(sorted(NOTHING) + WORDS + ["0", "-1", "0.0", "-1.0", "000", " NA "]), st.booleans())
def test_words_for_nothing_refer_to_nothing(word: str, scoped: bool) -> None:
    scope = column("a", "a") if scoped else None
    names = ["a/x", "b/NA", "b/0"] if scoped else ["x"]
    found = as_references(column(word, "x"), names, scope=scope)
    assert found.isna().tolist() == [True, False]
    assert found[1] == names[0]


@given(st.sampled_from(sorted(NOTHING - {""}) + WORDS))
def test_words_for_nothing_are_missing_numbers(word: str) -> None:
    numbers, wrong = as_numbers(column("1.5", word, "-2e3"))
    assert numbers.isna().tolist() == [False, True, False]
    assert (numbers[0], numbers[2], wrong.any()) == (1.5, -2000.0, False)


@pytest.mark.parametrize("value", ["1,5", "high", "12.5%", "9007199254740993", "0x1A", "-", "#DIV/0!"])
def test_what_is_no_number_is_wrong(value: str) -> None:
    assert as_numbers(column("1", value))[1].tolist() == [False, True]


def test_hints_on_what_is_no_number() -> None:
    assert "decimal point" in why_no_number("2,5")
    assert "is it a name" in why_no_number("9007199254740993")
    assert why_no_number("high") == ""


@pytest.mark.parametrize(
    ("stated", "names", "read"),
    [
        (["1.0", "2.0"], ["1", "2"], ["1", "2"]),
        (["1", "2"], ["1.0", "2.0"], ["1.0", "2.0"]),
        (["1.0"], ["1.0", "1"], ["1.0"]),
        (["1.0"], ["1", "1.10"], ["1.0"]),  # endings count where names have fractions
        (["01"], ["1"], ["01"]),
    ],
)
def test_whole_numbers_with_a_point_are_the_same_names(stated: list[str], names: list[str], read: list[str]) -> None:
    assert as_named(column(*stated), names).tolist() == read


def test_further_values_that_mean_nothing() -> None:
    assert as_references(column("x", "9"), ["x"], none=["9"]).isna().tolist() == [False, True]


def test_own_names_as_unknown_parents() -> None:
    own = column("1", "2", "3", "4")
    assert as_parents(column("1", "1", "1", "4"), own).fillna("").tolist() == ["", "1", "1", ""]
    assert as_parents(column("1", "1", "1", ""), own).fillna("").tolist() == ["", "1", "1", ""]


def test_zero_is_a_cell_or_nothing() -> None:
    own = column("0", "1", "2", "3", "4")
    assert as_parents(column("", "0", "0", "1", "1"), own).fillna("").tolist() == ["", "0", "0", "1", "1"]
    assert as_parents(column("0", "0", "0", "0", "1"), own).fillna("").tolist() == ["", "", "", "", "1"]
    assert as_parents(column("0", "0", "0", "3", "4"), own).fillna("").tolist() == ["", "0", "0", "", ""]


def test_columns_that_are_numbers_already() -> None:
    numbers, wrong = as_numbers(pd.Series([1, 2, None], dtype="Int64"))
    assert numbers.fillna(-1).tolist() == [1, 2, -1]
    assert not wrong.any()
    assert says_nothing(pd.Series([1.0, float("nan")])).tolist() == [False, True]
    assert as_text(pd.Series([1.0, float("nan")])).fillna("?").tolist() == ["1", "?"]
