"""Choice of one image in a file: copies of another resolution are none, whatever the number of images."""

from pathlib import Path

import pytest

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
