"""The pages of one TIFF file, checked when it is opened."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import tifffile

from cineseq.errors import reading

SUFFIXES = (".tif", ".tiff", ".btf", ".tf2", ".tf8", ".stk")
"""Endings of the names of TIFF files."""
OPEN_FILES = 16
"""Most files of one movie that are open at a time."""
DAMAGE = ("invalid page offset", "invalid value offset", "corrupted")
DAMAGED = ("not a whole TIFF file", "copy it again from the microscope")
"""What a TIFF that cannot be read is, and what to do."""


@contextmanager
def logged_errors() -> Iterator[list[str]]:
    """Collect the errors that tifffile logs: it reads a truncated file as far as possible and only logs the error."""
    logged: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    log = tifffile.logger()
    before = log.propagate
    log.addHandler(handler)
    log.propagate = False
    try:
        yield logged
    finally:
        log.propagate = before
        log.removeHandler(handler)


def check_complaints(complaints: list[str]) -> None:
    """Raise a TiffFileError if tifffile logged that the file is damaged."""
    damage = [c for c in complaints if any(word in c for word in DAMAGE)]
    if damage:
        raise tifffile.TiffFileError(damage[0])


def description_of(path: Path) -> str | None:
    """Return the OME-XML in the first page of a TIFF; None if it has none."""
    with logged_errors(), tifffile.TiffFile(path) as tiff:
        return tiff.ome_metadata


def is_auxiliary(page: tifffile.TiffPage | tifffile.TiffFrame) -> bool:
    """Whether a page is a reduced copy or a mask of another."""
    return bool(getattr(page, "is_reduced", False)) or bool(getattr(page, "is_mask", False))


@dataclass(frozen=True)
class PageKind:
    """Shape of a page, and whether its samples are colours or transparency."""

    shape: tuple[int, ...]
    colour: bool


def has_colour(page: tifffile.TiffPage) -> bool:
    """Whether the samples of a page are those of a colour or of transparency, and not channels."""
    grey = page.photometric in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE)
    return not grey or any(int(sample) in (1, 2) for sample in page.extrasamples)


class Pages:
    """The pages of a TIFF file.

    Raises
    ------
    UserError
        When the file is not a TIFF, or is truncated.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with reading(path, *DAMAGED), ExitStack() as opened:
            with logged_errors() as complaints:
                self._tiff = opened.enter_context(tifffile.TiffFile(path))
                self._count = len(self._tiff.pages)
            check_complaints(complaints)
            self._check_ends()
            opened.pop_all()

    def _check_ends(self) -> None:
        """Check that no page has data beyond the end of the file."""
        pages = self._tiff.pages
        pages.useframes = True
        pages.set_keyframe(0)
        size = self._tiff.filehandle.size
        for number in range(self._count):
            try:
                page = pages[number]
            except RuntimeError:  # of another width than the first
                page = pages.get(number)
            ends = [o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
            if max(ends, default=0) > size:
                msg = "image data are missing"
                raise tifffile.TiffFileError(msg)
        pages.useframes = False

    def __len__(self) -> int:
        return self._count

    @property
    def uuid(self) -> str:
        """Identifier that the file's own OME-XML states; empty if it states none."""
        text = self._tiff.ome_metadata or ""
        head = text[: text.find(">", text.find("<OME")) + 1]
        _, found, rest = head.partition(' UUID="')
        return rest.split('"')[0] if found else ""

    def kind(self, page: int) -> PageKind:
        """Return what is known of a page without reading it."""
        found = self._page(page)
        return PageKind(found.shape, found.samplesperpixel > 1 and has_colour(found))

    def has_images(self, pages: list[int]) -> bool:
        """Whether any of the pages is more than a reduced copy or a mask."""
        first = self._page(0).shape
        return any(not is_auxiliary(found) and found.shape == first for found in map(self._page, pages))

    def read(self, page: int) -> np.ndarray:
        """Read one page."""
        with reading(self.path, *DAMAGED):
            return self._page(page).asarray()

    def _page(self, page: int) -> tifffile.TiffPage:
        return cast("tifffile.TiffPage", self._tiff.pages.get(page, cache=False, aspage=True))

    def close(self) -> None:
        """Close the file."""
        self._tiff.close()


class OpenFiles:
    """The files of an image, a few of which are open at a time."""

    def __init__(self, stack: ExitStack) -> None:
        self._open: dict[Path, Pages] = {}
        self.lengths: dict[Path, int] = {}
        stack.callback(self._close)

    def pages(self, file: Path) -> Pages:
        """Return the pages of a file, which are checked when it is first opened."""
        found = self._open.pop(file, None)
        if found is None:
            if len(self._open) >= OPEN_FILES:
                self._open.pop(next(iter(self._open))).close()
            found = Pages(file)
            self.lengths[file] = len(found)
        self._open[file] = found
        return found

    def _close(self) -> None:
        for pages in self._open.values():
            pages.close()
