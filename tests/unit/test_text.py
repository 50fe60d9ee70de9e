"""Numbers as words: how each kind of value is written, whatever it is."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cineseq.text import natural_order


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
