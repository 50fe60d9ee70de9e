"""Choice of one image in a file: copies of another resolution are none, whatever the number of images."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cineseq.errors import UserError
from cineseq.io.readers.choice import NamedImage, choose
from cineseq.io.readers.source import ReadOptions

FRAMES = (5, 2)


def images(*named: tuple[str, int]) -> list[NamedImage]:
    return [NamedImage(i, name, (size, size), FRAMES) for i, (name, size) in enumerate(named)]


@pytest.mark.parametrize(
    ("named", "main"),
    [
        ([("a", 512), ("a #1", 256), ("a #2", 128)], 1),
        ([("a", 512), ("", 256), ("label image", 100)], 1),
        ([("a", 512), ("level 1", 256)], 2),
        ([("", 512), ("level 1", 256)], 1),
        ([("a", 512), ("b", 256)], 2),
        ([("a", 512), ("a 1", 500)], 2),
        ([("a", 256), ("a 1", 512)], 2),
    ],
)
def test_levels_of_a_pyramid_are_no_images(named: list[tuple[str, int]], main: int) -> None:
    if main == 1:
        assert choose(Path("m.tif"), images(*named), ReadOptions()) == 0
        return
    with pytest.raises(UserError, match=f"m.tif: holds {main} images"):
        choose(Path("m.tif"), images(*named), ReadOptions())


def test_a_plate_of_thousands_of_images() -> None:
    plate = images(*((f"well {i}, field 1", 512) for i in range(5000)))
    with pytest.raises(UserError, match="holds 5,000 images"):
        choose(Path("plate.zarr"), plate, ReadOptions())


@given(names=st.lists(st.integers(0, 9), min_size=2, max_size=8, unique=True), chosen=st.integers(0, 9))
def test_a_name_that_is_the_number_of_another_image_is_not_guessed(names: list[int], chosen: int) -> None:
    several = images(*((str(name), 512) for name in names))
    places = {names.index(chosen)} if chosen in names else set()
    places |= {chosen} if chosen < len(names) else set()
    if len(places) == 1:
        assert {choose(Path("m.tif"), several, ReadOptions(series=str(chosen)))} == places
        return
    with pytest.raises(UserError) as raised:
        choose(Path("m.tif"), several, ReadOptions(series=str(chosen)))
    advised = re.findall(r"'(number \d)'", str(raised.value))
    assert {choose(Path("m.tif"), several, ReadOptions(series=one)) for one in advised} == places
