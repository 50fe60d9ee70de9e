"""Numbers in names: times count as one number, with their value."""

import pytest

from cineseq.io.readers.name_numbers import parsed_numbers


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (["01d02h30m.tif", "02d00h05m.tif"], (95400, 173100)),
        (["x_02h30.tif", "x_12h05.tif"], (9000, 43500)),
        (["x_1.5h.tif", "x_10.0h.tif"], (1.5, 10.0)),
        (["2023-01-31_2330.tif", "2023-02-01_0030.tif"], (1675207800, 1675211400)),
        (["20230131T233005.tif", "20230201T003005.tif"], (1675207805, 1675211405)),
        (["2023y01m31d_23h30m.tif", "2023y02m01d_00h30m.tif"], (1675207800, 1675211400)),
        (["2301/31/2330/a.tif", "2302/01/0030/a.tif"], (1675207800, 1675211400)),
    ],
)
def test_a_time_is_one_number(names: list[str], values: tuple[float, float]) -> None:
    parsed = parsed_numbers(names)
    assert parsed is not None
    assert [(number.values, number.is_time) for number in parsed] == [(values, True)]


def test_counters_after_a_date_are_no_times_if_one_of_them_is_none() -> None:
    parsed = parsed_numbers([f"20230105_{n:04}.tif" for n in (58, 59, 60)])
    assert parsed is not None
    assert [(number.values, number.is_time) for number in parsed] == [((20230105,) * 3, False), ((58, 59, 60), False)]


def test_letters_before_a_number_say_what_it_is() -> None:
    parsed = parsed_numbers(["A_t1_ch2_s3z4-xy_5.tif"])
    assert parsed is not None
    assert [(n.letters, n.kind) for n in parsed] == [
        ("t", ""),
        ("ch", "channel"),
        ("s", "position"),
        ("z", "z"),
        ("xy", "position"),
    ]


def test_names_that_differ_in_words_have_no_common_numbers() -> None:
    assert parsed_numbers(["a1.tif", "b1.tif"]) is None
    assert parsed_numbers(["a1.tif", "b1.tif"], ["a", "b"]) is not None
