"""Readers of raw images: one module per file format, with a common interface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from cineseq.errors import UserError
from cineseq.io.readers.png import SUFFIX as PNG_SUFFIX
from cineseq.io.readers.series import SUFFIXES, open_file, open_series
from cineseq.io.readers.source import Source, SourceInfo
from cineseq.io.readers.zarr import is_zarr, open_zarr

__all__ = ["Source", "SourceInfo", "open_source"]


@contextmanager
def open_source(
    paths: list[Path], channel_pattern: str | None = None, expected_channels: int | None = None
) -> Iterator[Source]:
    """Open raw images: one OME-Zarr, TIFF or PNG, or a folder or list of TIFF or PNG files.

    Parameters
    ----------
    paths
        One path, or the files of a series in any order.
    channel_pattern, expected_channels
        Pattern of file names and number of channels, see :func:`~cineseq.io.readers.series.open_series`.

    Raises
    ------
    UserError
        When no file exists, the format is unknown, or the reader of the format raises it.
    """
    files = _files(paths)
    opened: AbstractContextManager[Source]
    if len(files) == 1 and is_zarr(files[0]):
        opened = open_zarr(files[0])
    elif len(files) == 1:
        opened = open_file(_known(files[0]), expected_channels)
    else:
        opened = open_series([_known(f) for f in files], channel_pattern, expected_channels)
    with opened as source:
        yield source


def _files(paths: list[Path]) -> list[Path]:
    """Replace a folder by its TIFF files, or by its PNG files if it has no TIFF files."""
    if not paths:
        msg = "images: no file was named, or none matches the pattern in the sample sheet; correct the path there."
        raise UserError(msg)
    if len(paths) > 1 or not paths[0].is_dir() or is_zarr(paths[0]):
        return paths
    files = sorted(p for p in paths[0].iterdir() if p.suffix.lower() in SUFFIXES)
    # PNG files next to TIFF files are usually renderings of them.
    files = [p for p in files if p.suffix.lower() != PNG_SUFFIX] or files
    if not files:
        msg = f"{paths[0]}: a folder without TIFF or PNG files; give the path of the images."
        raise UserError(msg)
    return files


def _known(path: Path) -> Path:
    if path.suffix.lower() not in SUFFIXES:
        msg = (
            f"{path}: not a TIFF, a PNG or an OME-Zarr; convert it to OME-TIFF first (docs/converting-nd2-czi.md says "
            "how)."
        )
        raise UserError(msg)
    return path
