"""Words for ends and truths: those that are known, and a refusal for all others."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cineseq.errors import UserError
from cineseq.io.end_words import ENDS, FALSE, MISSING, TRUE, deaths, ends_of, truths

ADVICE = "correct it"


@st.composite
def written(draw: st.DrawFn, words: list[str]) -> tuple[str, str]:
    """Draw a word, and the same as somebody may write it."""
    word = draw(st.sampled_from(words))
    style = draw(st.sampled_from([str, str.upper, str.title]))
    joint = draw(st.sampled_from([" ", "_", "-", "  "]))
    return word, f"{draw(st.sampled_from(['', ' ']))}{style(word).replace(' ', joint)} "


@given(words=st.lists(written([*ENDS]), min_size=1))
def test_ends_are_read_however_they_are_written(words: list[tuple[str, str]]) -> None:
    values = pd.Series([text for _, text in words])
    assert ends_of(values, "t.csv", ADVICE).tolist() == [ENDS[word] for word, _ in words]
    assert deaths(values, "t.csv", ADVICE).tolist() == [ENDS[word] == "death" for word, _ in words]


@given(words=st.lists(written([*TRUE, *FALSE, *MISSING]), min_size=1))
def test_truths_are_read_however_they_are_written(words: list[tuple[str, str]]) -> None:
    values = pd.Series([text for _, text in words])
    expected = [word in TRUE for word, _ in words]
    assert truths(values, "t.csv", ADVICE).tolist() == expected
    assert deaths(values, "t.csv", ADVICE).tolist() == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pd.Series([True, False]), [True, False]),
        (pd.Series([1, 0]), [True, False]),
        (pd.Series([1.0, None, 0.0]), [True, False, False]),
        (pd.Series(["1.0", "0.00", None]), [True, False, False]),
        (pd.Series([True, None], dtype="boolean"), [True, False]),
    ],
)
def test_truths_of_any_type(values: pd.Series, expected: list[bool]) -> None:
    assert truths(values, "t.csv", ADVICE).tolist() == expected


KNOWN = {*TRUE, *FALSE, *MISSING, *ENDS}


@given(
    word=st.text("abcdefghijklmnopqrstuvwxyz23456789", min_size=1, max_size=9).filter(lambda word: word not in KNOWN)
)
def test_a_word_that_is_not_known_is_refused_and_is_not_false(word: str) -> None:
    values = pd.Series(["1", word, "0"], index=[2, 3, 4])
    for read in (deaths, truths):
        with pytest.raises(UserError, match=rf"t\.csv, column 'dies', row 3: '{word}' is not known; expected true or"):
            read(values, "t.csv, column 'dies'", ADVICE)
    with pytest.raises(UserError, match=rf"row 3: '{word}' is not known; expected one of death, dead, .*; correct it"):
        ends_of(values.replace({"1": "death", "0": "lost"}), "t.csv", ADVICE)


def test_an_end_is_no_truth() -> None:
    with pytest.raises(UserError, match="row 0: 'lost' is not known; expected true or false"):
        truths(pd.Series(["lost"]), "t.csv", ADVICE)
