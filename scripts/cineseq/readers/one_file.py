"""One file of images, whichever format it has."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from cineseq.readers.png import SUFFIX as PNG_SUFFIX
from cineseq.readers.png import open_png
from cineseq.readers.source import Source
from cineseq.readers.tiff import SUFFIXES as TIFF_SUFFIXES
from cineseq.readers.tiff import open_tiff

SUFFIXES = (*TIFF_SUFFIXES, PNG_SUFFIX)


def open_file(path: Path, expected_channels: int | None = None) -> AbstractContextManager[Source]:
    """Open a TIFF, see :func:`~cineseq.readers.tiff.open_tiff`, or a PNG, see :func:`~cineseq.readers.png.open_png`."""
    return open_png(path) if path.suffix.lower() == PNG_SUFFIX else open_tiff(path, expected_channels)
