"""The values that the glossary lists are those of the contracts."""

import re
from pathlib import Path

import pytest

from cineseq.tables.imaging import END_KINDS, FATES, PAIR_STATUSES, START_KINDS

PAGE = (Path(__file__).resolve().parents[3] / "docs/glossary.md").read_text(encoding="utf-8")
LISTED = {"start kind": START_KINDS, "end kind": END_KINDS, "fate": FATES, "pair status": PAIR_STATUSES}


@pytest.mark.parametrize("word", LISTED)
def test_a_word_that_lists_values_lists_all_of_them(word: str) -> None:
    meaning = re.search(rf"^\| \*\*{word}\*\* \|(.*)\|$", PAGE, re.MULTILINE)[1]
    assert sorted(set(re.findall(r"`(\w+)`", meaning))) == sorted(LISTED[word])


def test_no_word_is_explained_twice() -> None:
    words = re.findall(r"^\| \*\*([^*]+)\*\*", PAGE, re.MULTILINE)
    assert len(words) > 50
    assert len(words) == len(set(words))
