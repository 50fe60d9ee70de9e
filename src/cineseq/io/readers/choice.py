"""Choice of one image in a file that holds several: positions, not copies of another resolution or overviews."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from cineseq.errors import UserError
from cineseq.io.readers.source import ReadOptions
from cineseq.text import count, listed

OVERVIEW = re.compile(r"(^|[^a-z])(label|macro|thumbnail|overview|preview)([ _]image)?([ _#]*\d*)$", re.IGNORECASE)
"""Names of pictures of the slide or the plate, which scanners save beside the images."""
LEVEL = re.compile(r"[\s_.#\[(-]*(res(olution)?|level|pyramid)?[\s_.#-]*\d*[\])]?$", re.IGNORECASE)
"""What the names of the levels of a pyramid differ in: a number at the end."""
Shape = tuple[tuple[int, int], tuple[int, int]]
"""Size and lengths of an image."""
MOST_SHOWN = 12
"""Most images that a message lists."""
NUMBER = "number "
"""Before a number that is not a name."""


@dataclass(frozen=True)
class NamedImage:
    """An image in a file.

    Attributes
    ----------
    number
        Its number from 0, by which it is chosen.
    name
        Its name; empty if it has none.
    size
        Height and width.
    lengths
        Number of frames and of channels.
    """

    number: int
    name: str
    size: tuple[int, int]
    lengths: tuple[int, int]

    @property
    def label(self) -> str:
        """Number and name, for messages."""
        return f"{self.number} ('{self.name}')" if self.name else str(self.number)


def choose(path: Path, images: Sequence[NamedImage], options: ReadOptions, here: Collection[int] | None = None) -> int:
    """Return the position of one image among several.

    Parameters
    ----------
    path
        The file.
    images
        All images that the file describes.
    options
        ``series``, name or number of the one to read; empty to take the only one. ``number 1`` is never a name.
    here
        Numbers of those that lie in the file, among which the only one is taken; None for all.

    Raises
    ------
    UserError
        When there are several and none is named, none or two have the name, or one has it as its name and another as
        its number.
    """
    found = [k for k, image in enumerate(images) if here is None or image.number in here]
    main = _without_copies(images, found)
    if options.series and not (options.masks and len(main) == 1):
        return _stated(path, images, options.series)
    if len(main) == 1:
        return main[0]
    msg = (
        f"{path}: holds {count(len(main), 'image')} (series, positions): {_shown(images, main)}; give the number or "
        "the name of one in the column series of the sample sheet (series= in Python), in a row for each."
    )
    raise UserError(msg)


def _stated(path: Path, images: Sequence[NamedImage], series: str) -> int:
    by_name = [k for k, image in enumerate(images) if image.name == series]
    by_number = [k for k, image in enumerate(images) if str(image.number) == series.removeprefix(NUMBER)]
    if len(by_name) == 1 and by_number not in ([], by_name):
        one, other = images[by_name[0]].number, images[by_number[0]].number
        msg = (
            f"{path}: series '{series}': it is the name of image {one} and the number of image {other}, counted from "
            f"0; write '{NUMBER}{one}' or '{NUMBER}{other}' in the column series."
        )
        raise UserError(msg)
    if len(by_name) == 1 or (not by_name and by_number):
        return (by_name or by_number)[0]
    if len(by_name) > 1 and by_number:
        return by_number[0]
    every = list(range(len(images)))
    what = "images of the same name are chosen by their number" if by_name else "there is no such series"
    msg = f"{path}: series '{series}': {what}; the file has {_shown(images, every)}. Correct the column series."
    raise UserError(msg)


def _shown(images: Sequence[NamedImage], chosen: list[int]) -> str:
    more = f" and {count(len(chosen) - MOST_SHOWN)} more" if len(chosen) > MOST_SHOWN else ""
    names = [images[k].label for k in chosen[:MOST_SHOWN]]
    return ", ".join(names) + more if more else listed(names)


def _without_copies(images: Sequence[NamedImage], found: list[int]) -> list[int]:
    """Leave out overviews, thumbnails and levels of a pyramid, which are smaller images of what another shows."""
    largest = max((images[k].size for k in found), key=lambda size: size[0] * size[1], default=(0, 0))
    kept = [k for k in found if images[k].size == largest or not OVERVIEW.search(images[k].name)]
    main: list[int] = []
    # Sizes and lengths of the images so far, by name without a number at the end, and of all of them (None): a plate
    # has thousands of images of one size.
    shapes: dict[str | None, set[Shape]] = {None: set()}
    for k in kept:
        name, shape = LEVEL.sub("", images[k].name), (images[k].size, images[k].lengths)
        if not any(_is_level(shape, full) for full in shapes.get(name if images[k].name else None, ())):
            main.append(k)
            shapes.setdefault(name, set()).add(shape)
            shapes[None].add(shape)
    return main


def _is_level(shape: Shape, full: Shape) -> bool:
    """Whether an image is another one at half, a third or a quarter of its resolution, or less."""
    if shape[1] != full[1]:
        return False
    return any(
        all(abs(n - f / factor) < 1 for n, f in zip(shape[0], full[0], strict=True))
        for factor in (2, 3, 4, 8, 16, 32, 64, 128, 256)
    )
