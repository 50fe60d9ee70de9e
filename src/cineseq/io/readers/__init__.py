"""Readers of raw images: one module per file format, with a common interface."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from cineseq.errors import UserError
from cineseq.io.readers.name_patterns import CELLPOSE_MASKS, chosen_files, matches
from cineseq.io.readers.png import SUFFIX as PNG_SUFFIX
from cineseq.io.readers.series import SUFFIXES, open_file, open_series
from cineseq.io.readers.source import Source, SourceInfo
from cineseq.io.readers.zarr import is_zarr, open_zarr

__all__ = ["Source", "SourceInfo", "open_source"]


@contextmanager
def open_source(
    paths: list[Path],
    channel_pattern: str | None = None,
    expected_channels: int | None = None,
    missing_frames: str = "refuse",
    *,
    masks: bool = False,
) -> Iterator[Source]:
    """Open raw images: one OME-Zarr, TIFF or PNG, or a folder or list of TIFF or PNG files.

    Parameters
    ----------
    paths
        One path, or the files of a series in any order.
    channel_pattern, expected_channels, missing_frames
        Pattern of file names, number of channels, and what becomes of lost frames, see
        :func:`~cineseq.io.readers.series.open_series`.
    masks
        Whether masks are opened: a pattern then counts only where it matches their names.

    Raises
    ------
    UserError
        When no file exists, the format is unknown, or the reader of the format raises it.
    """
    files = chosen_files(_files(paths, channel_pattern), channel_pattern, masks=masks)
    if masks:
        channel_pattern = _of_masks(files, channel_pattern)
    opened: AbstractContextManager[Source]
    if len(files) == 1 and is_zarr(files[0]):
        opened = open_zarr(files[0])
    elif len(files) == 1:
        opened = open_file(_known(files[0]), expected_channels)
    else:
        opened = open_series([_known(f) for f in files], channel_pattern, expected_channels, missing_frames)
    with opened as source:
        yield source


def _of_masks(files: list[Path], pattern: str | None) -> str | None:
    """Return the pattern of the images if the names of masks match it too, else None."""
    if pattern is None or pattern == CELLPOSE_MASKS:
        return pattern
    try:
        matches(files, pattern)
    except UserError:
        return None
    return pattern


def _files(paths: list[Path], pattern: str | None) -> list[Path]:
    """Replace a folder by its TIFF files, or by its PNG files if it has no TIFF files; hidden files are passed over.

    With a pattern, a folder without images is searched with the folders inside it.
    """
    if not paths:
        msg = "images: no file was named, or none matches the pattern in the sample sheet; correct the path there."
        raise UserError(msg)
    if len(paths) > 1 or not paths[0].is_dir() or is_zarr(paths[0]):
        return paths
    files = _images_in(paths[0].iterdir())
    if pattern is not None and not files:
        files = _images_in(paths[0].rglob("*"))
    # PNG files next to TIFF files are usually renderings of them.
    files = [p for p in files if p.suffix.lower() != PNG_SUFFIX] or files
    if not files:
        msg = f"{paths[0]}: a folder without TIFF or PNG files; give the path of the images."
        raise UserError(msg)
    return files


def _images_in(paths: Iterable[Path]) -> list[Path]:
    return sorted(p for p in paths if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))


OTHER_FORMATS = {
    ".npy": "an array of NumPy, as of cellpose's _seg.npy; save its masks as label images, in cellpose by 'save masks "
    "as PNG/TIF', or by tifffile.imwrite('masks.tif', numpy.load(path, allow_pickle=True).item()['masks'])",
    ".npz": "arrays of NumPy, as of Cell-ACDC; save them as label images, by tifffile.imwrite('masks.tif', "
    "next(iter(numpy.load(path).values())))",
    ".zip": "an archive, as of outlines of ImageJ (RoiSet.zip); save label images as TIFF, one number per object",
    ".roi": "an outline of ImageJ; save label images as TIFF, one number per object",
    ".jpg": "a JPEG, which changes grey levels and labels; export TIFF from the microscope, and label images as PNG",
}
OTHER_FORMATS[".jpeg"] = OTHER_FORMATS[".jpg"]
"""Formats that people give as images or masks, and what to do instead."""


def _known(path: Path) -> Path:
    if path.name.startswith("._"):
        msg = f"{path}: a hidden file of macOS (AppleDouble), which holds no image; leave the files named ._* out."
        raise UserError(msg)
    if path.suffix.lower() in OTHER_FORMATS:
        msg = f"{path}: {OTHER_FORMATS[path.suffix.lower()]}."
        raise UserError(msg)
    if path.suffix.lower() not in SUFFIXES:
        msg = (
            f"{path}: not a TIFF, a PNG or an OME-Zarr; convert it to OME-TIFF first (docs/converting-nd2-czi.md says "
            "how)."
        )
        raise UserError(msg)
    return path
