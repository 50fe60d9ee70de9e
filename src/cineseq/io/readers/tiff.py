"""OME-TIFF, ImageJ, MetaMorph (STK) and plain multi-page TIFF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from cineseq.errors import UserError, reading
from cineseq.io.readers.choice import NamedImage, choose
from cineseq.io.readers.grid import SAMPLES, UNNAMED, PlaneGrid, layout_of
from cineseq.io.readers.ome_tiff import COMPANION, open_ome
from cineseq.io.readers.pages import (
    DAMAGED,
    check_complaints,
    description_of,
    has_colour,
    is_auxiliary,
    logged_errors,
)
from cineseq.io.readers.source import (
    MICROMETRES,
    MINUTES,
    ReadOptions,
    Source,
    SourceInfo,
    pixel_shape,
    scaled,
    unknown_unit,
)
from cineseq.io.readers.tiff_chain import check_chain
from cineseq.text import count

UNKNOWN_AXES = ("I", "Q")
"""Letters of tifffile for a sequence of pages and for an unnamed axis."""


@contextmanager
def open_tiff(path: Path, options: ReadOptions | None = None, files: Sequence[Path] = ()) -> Iterator[Source]:
    """Open one TIFF file, or the companion file of OME-TIFFs; planes are read on demand.

    Parameters
    ----------
    path
        The file. An OME-TIFF may describe planes in its neighbours, which are read as well.
    options
        What the user states. Pages of a plain stack, which has no axes, are read as the channels of frame 0, of frame
        1 and so on if the user named several; otherwise each page is a frame.
    files
        All files that the user listed; empty for ``path`` alone.

    Raises
    ------
    UserError
        When the file is missing, truncated, not a TIFF, in colour, a z-stack, or its pages differ in shape; when it
        holds several images and ``options.series`` names none; when pages and metadata disagree; or when unnamed axes
        can be read in two ways.
    """
    options = ReadOptions() if options is None else options
    if not path.is_file():
        msg = f"{path}: there is no such file; correct the path in the sample sheet."
        raise UserError(msg)
    with reading(path, *DAMAGED):
        text = None if path.name.endswith(COMPANION) else description_of(path)
        if options.masks and not path.name.endswith(COMPANION):
            _check_lossless(path)
    if text is not None or path.name.endswith(COMPANION):
        with open_ome(path, text, options, files) as source:
            yield source
        return
    with ExitStack() as stack:
        # Only what tifffile does is in blocks of reading(), so that a mistake of our own is not one of the file.
        with logged_errors() as complaints:
            with reading(path, *DAMAGED):
                check_chain(path)
                tiff = stack.enter_context(tifffile.TiffFile(path))
            stored = _stored(path, tiff, options)
        # Pages that ImageJ does not describe are counted, those of a single block of data are not.
        counted = stored.is_counted
        with reading(path, *DAMAGED):
            check_complaints([c for c in complaints if not (counted and "ImageJ series metadata" in c)])
        layout = layout_of(path, stored.grid, options)
        info = SourceInfo(layout.frames, layout.channels, layout.grid.length("Y"), layout.grid.length("X"))
        notices = (*stored.notices, *layout.notices)
        yield Source(path, _with_scales(path, tiff, info, layout.notes, notices), layout.plane)


def _check_lossless(path: Path) -> None:
    """Refuse labels that a JPEG has changed: around every border there are labels of no cell."""
    with tifffile.TiffFile(path) as tiff:
        compression = tiff.pages.first.compression
    if compression in (tifffile.COMPRESSION.OJPEG, tifffile.COMPRESSION.JPEG):
        msg = (
            f"{path}: these masks are compressed as JPEG, which changes labels; save them again from where they were "
            "made without loss, as tifffile.imwrite(path, labels, compression='zlib') does."
        )
        raise UserError(msg)


@dataclass(frozen=True)
class _Stored:
    """The array in a file, notices on it, and whether its pages were counted against the metadata of ImageJ."""

    grid: PlaneGrid
    notices: tuple[str, ...] = ()
    is_counted: bool = False


def _stored(path: Path, tiff: tifffile.TiffFile, options: ReadOptions) -> _Stored:
    """Check all pages of a file that is not an OME-TIFF, and return its array."""
    with reading(path, *DAMAGED):
        pages = len(tiff.pages)
        found = tiff.series
        _check_ends(tiff, found)
        shapes = [page.shape for page in tiff.pages if not is_auxiliary(page)] if pages > 1 else []
        metadata = tiff.imagej_metadata or {}
    _check_shapes(path, shapes)
    stated = _of_imagej(path, tiff, pages, metadata)
    if stated is not None:
        return stated
    if len(found) > 1 and all(s.shape == found[0].shape and len(s.shape) == 2 for s in found) and not options.series:
        return _Stored(_of_pages(path, tiff, (UNNAMED,), (len(found),), [s.keyframe.index for s in found]))
    named = [NamedImage(i, s.name, (s.shape[-2], s.shape[-1]), (s.size, 1)) for i, s in enumerate(found)]
    chosen = found[choose(path, named, options)]
    import zarr  # noqa: PLC0415 - planning imports the readers, and zarr is slow to import

    with reading(path, *DAMAGED):
        array: Any = zarr.open(chosen.aszarr(level=0), mode="r")
    unnamed = (*UNKNOWN_AXES, SAMPLES) if _is_guessed(tiff, chosen) else UNKNOWN_AXES
    axes = "".join(UNNAMED if axis in unnamed else axis for axis in chosen.axes)

    def read(index: tuple[Any, ...]) -> np.ndarray:
        with reading(path, *DAMAGED):
            return np.asarray(array[index])

    said = (
        f"{path.name}: the file states colours, as tifffile does for any array with 3 or 4 places before its rows "
        f"{tuple(chosen.shape)}; they are read as frames or channels. inputs.axes states the axes."
    )
    notices = (said,) if len(unnamed) > len(UNKNOWN_AXES) and options.axes is None else ()
    return _Stored(PlaneGrid(axes, tuple(chosen.shape), read, has_colour(chosen.keyframe)), notices)


def _is_guessed(tiff: tifffile.TiffFile, chosen: tifffile.TiffPageSeries) -> bool:
    """Whether colours are stated by tifffile alone, which takes 3 or 4 planes of any array for those of a colour.

    Colour images are interleaved as a rule: red, green and blue of one pixel lie together.
    """
    planar = chosen.keyframe.planarconfig == tifffile.PLANARCONFIG.SEPARATE
    return tiff.is_shaped and planar and SAMPLES in chosen.axes and has_colour(chosen.keyframe)


def _check_ends(tiff: tifffile.TiffFile, series: Sequence[tifffile.TiffPageSeries]) -> None:
    """Check that all pages are there and none has data beyond the end of the file."""
    for one in series:
        pages = list(one.pages)
        ends = [o + n for page in pages if page for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if tiff.is_stk:  # All planes follow the first without a gap.
            ends = [one.keyframe.dataoffsets[0] + one.size * one.dtype.itemsize]
        if None in pages or max(ends, default=0) > tiff.filehandle.size:
            msg = "image data are missing"
            raise tifffile.TiffFileError(msg)


def _check_shapes(path: Path, shapes: list[tuple[int, ...]]) -> None:
    odd = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    if odd is not None:
        msg = (
            f"{path}: page {odd} has the shape {shapes[odd]}, page 0 {shapes[0]}; "
            "all frames of a movie must have one shape."
        )
        raise UserError(msg)


def _of_imagej(path: Path, tiff: tifffile.TiffFile, pages: int, metadata: dict[str, Any]) -> _Stored | None:
    """Return the array of an ImageJ file whose pages are not as many as it states; None for any other file.

    Raises
    ------
    UserError
        When there are more pages than stated, or fewer that do not end on a whole time point.
    """
    with reading(path, *DAMAGED):
        channels, slices, frames, stated = (int(metadata.get(n, 1)) for n in ("channels", "slices", "frames", "images"))
    each = channels * slices if frames > 1 else channels
    if not tiff.is_imagej or pages < 2 or pages == stated:
        return None
    if pages > stated or pages % each:
        msg = (
            f"{path}: holds {count(pages, 'page')}, but its ImageJ metadata state {count(stated, 'image')} "
            f"({each} for each time point); the metadata belong to another version of the file. Save it again from "
            "ImageJ."
        )
        raise UserError(msg)
    whole, last = pages // each, "TZC" if each > channels or slices == 1 else "ZTC"
    said = (
        f"{path.name}: its metadata state {count(stated // each, 'time point')}, but it holds {count(whole)}, as after "
        "an acquisition that was stopped; these are used."
    )
    lengths = {"T": whole, "Z": slices, "C": channels} if last == "TZC" else {"Z": whole, "T": 1, "C": channels}
    grid = _of_pages(path, tiff, tuple(last), tuple(lengths[axis] for axis in last), list(range(pages)))
    return _Stored(grid, (said,), is_counted=True)


def _of_pages(
    path: Path, tiff: tifffile.TiffFile, axes: tuple[str, ...], shape: tuple[int, ...], pages: list[int]
) -> PlaneGrid:
    """Return an array whose planes are whole pages, in the order of its axes."""

    def read(index: tuple[Any, ...]) -> np.ndarray:
        with reading(path, *DAMAGED):
            return tiff.pages.get(pages[int(np.ravel_multi_index(index[: len(shape)], shape))], cache=False).asarray()

    return PlaneGrid("".join(axes) + "YX", (*shape, *tiff.pages.first.shape[:2]), read)


def _with_scales(
    path: Path, tiff: tifffile.TiffFile, info: SourceInfo, notes: tuple[str, ...], notices: tuple[str, ...]
) -> SourceInfo:
    """Add the scales of a file of ImageJ or MetaMorph; a plain TIFF has none."""
    if tiff.is_stk:
        return _with_scales_of_metamorph(tiff, replace(info, notes=notes, notices=notices))
    metadata = (tiff.imagej_metadata or {}) if tiff.is_imagej else {}
    interval, its_unit = metadata.get("finterval"), metadata.get("tunit", "s")
    unit = metadata.get("unit", "")
    across, down = tiff.pages.first.resolution[:2]
    x = scaled(1 / across, unit, MICROMETRES) if unit and across else None
    y = scaled(1 / down, metadata.get("yunit", unit), MICROMETRES) if unit and down else None
    size, aspect = pixel_shape(x, y)
    unknown = unknown_unit(path, "frame interval", interval or None, its_unit, MINUTES)
    if across and unit not in ("", "pixel", "pixels", "inch"):
        unknown += unknown_unit(path, "pixel size", 1 / across, unit, MICROMETRES)
    return SourceInfo(
        info.frames,
        info.channels,
        info.height,
        info.width,
        pixel_size_um=size,
        frame_interval_min=scaled(interval, its_unit, MINUTES),
        notes=(*notes, *unknown),
        notices=notices,
        pixel_aspect=aspect,
    )


def _with_scales_of_metamorph(tiff: tifffile.TiffFile, info: SourceInfo) -> SourceInfo:
    """Add the calibration of an STK file, and the times of its planes where each is a frame."""
    metadata = tiff.stk_metadata or {}
    unit = metadata.get("CalibrationUnits") if metadata.get("SpatialCalibration") else None
    x, y = (scaled(metadata.get(f"{axis}Calibration"), unit, MICROMETRES) if unit else None for axis in "XY")
    size, aspect = pixel_shape(x, y)
    created = metadata.get("DatetimeCreated")
    times: tuple[float, ...] = ()
    if created is not None and len(created) == info.frames > 1:
        times = tuple(((created - created[0]) / np.timedelta64(1, "m")).tolist())
    return replace(info, pixel_size_um=size, pixel_aspect=aspect, times_min=times)
