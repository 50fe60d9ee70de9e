"""Readers of raw images: one module per file format, with a common interface."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from cineseq.errors import UserError
from cineseq.io.readers.name_patterns import CELLPOSE_MASKS, chosen_files, matches
from cineseq.io.readers.ome_tiff import COMPANION, check_one_image, is_tiff, neighbours
from cineseq.io.readers.png import SUFFIX as PNG_SUFFIX
from cineseq.io.readers.series import SUFFIXES, open_file, open_series
from cineseq.io.readers.sizes import check_frames, check_plane
from cineseq.io.readers.source import ReadOptions, Source, SourceInfo
from cineseq.io.readers.tiff import open_tiff
from cineseq.io.readers.zarr import is_zarr, open_zarr

__all__ = ["ReadOptions", "Source", "SourceInfo", "files_read", "open_source"]


@contextmanager
def open_source(
    paths: list[Path],
    channel_pattern: str | None = None,
    options: ReadOptions | None = None,
    missing_frames: str = "refuse",
) -> Iterator[Source]:
    """Open raw images: one OME-Zarr, TIFF or PNG, or a folder or list of TIFF or PNG files.

    Parameters
    ----------
    paths
        One path, or the files of a series in any order. Files of one OME-TIFF that is spread over several are read
        as their metadata say.
    channel_pattern, options, missing_frames
        Pattern of file names, what the user states, and what becomes of lost frames, see
        :func:`~cineseq.io.readers.series.open_series`. A pattern counts for masks only where it matches their names.

    Raises
    ------
    UserError
        When no file exists, the format is unknown, or the reader of the format raises it.
    """
    options = ReadOptions() if options is None else options
    files = chosen_files(_files(paths, channel_pattern), channel_pattern, masks=options.masks)
    if options.masks:
        channel_pattern = _of_masks(files, channel_pattern)
    opened: AbstractContextManager[Source]
    if len(files) == 1 and is_zarr(files[0]):
        opened = open_zarr(files[0], options)
    elif len(files) == 1 and files[0].name.endswith(COMPANION):
        opened = open_tiff(files[0], options)
    elif len(files) == 1:
        opened = open_file(_known(files[0]), options)
    elif neighbours(files[0], options.series):
        opened = open_tiff(files[0], options, files)
    else:
        if channel_pattern is None:
            check_one_image(files)
        opened = open_series([_known(f) for f in files], channel_pattern, options, missing_frames)
    with opened as source:
        check_plane(source.path, source.info.height, source.info.width)
        check_frames(source.path, source.info.frames)
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


def files_read(paths: list[Path], series: str = "", *, metadata: bool = True) -> list[Path]:
    """Return the files that are read for those that the user named: these, and the neighbours that hold their planes.

    Parameters
    ----------
    paths
        The files or folders that the user named.
    series
        Name or number of the image in a file of several.
    metadata
        Whether a file that holds metadata alone is among them.
    """
    one = len(paths) == 1 and paths[0].is_file() and (is_tiff(paths[0]) or paths[0].name.endswith(COMPANION))
    return [*paths, *neighbours(paths[0], series, metadata=metadata)] if one else paths


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
