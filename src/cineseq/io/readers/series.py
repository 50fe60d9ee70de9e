"""Series of TIFF or PNG files: one file per frame, or per frame and channel, identified by file names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from math import isclose
from pathlib import Path

import numpy as np

from cineseq.errors import UserError
from cineseq.io.readers.file_names import Series, arrange
from cineseq.io.readers.pages import OPEN_FILES
from cineseq.io.readers.pages import SUFFIXES as TIFF_SUFFIXES
from cineseq.io.readers.png import SUFFIX as PNG_SUFFIX
from cineseq.io.readers.png import open_png
from cineseq.io.readers.source import ReadOptions, Source, SourceInfo
from cineseq.io.readers.tiff import open_tiff
from cineseq.text import count, significant

SUFFIXES = (*TIFF_SUFFIXES, PNG_SUFFIX)
SAME_SIZE = 0.01
"""Pixel sizes that differ by less are those of one movie."""


def open_file(path: Path, options: ReadOptions | None = None) -> AbstractContextManager[Source]:
    """Open a TIFF (:func:`~cineseq.io.readers.tiff.open_tiff`) or a PNG (:func:`~cineseq.io.readers.png.open_png`)."""
    return open_png(path) if path.suffix.lower() == PNG_SUFFIX else open_tiff(path, options)


@contextmanager
def open_series(
    paths: list[Path],
    channel_pattern: str | None = None,
    options: ReadOptions | None = None,
    missing_frames: str = "refuse",
) -> Iterator[Source]:
    """Open a series of TIFF or PNG files as one movie; one plane is in memory at a time.

    Parameters
    ----------
    paths
        The files, in any order.
    channel_pattern, missing_frames
        How paths tell frames and channels, see :func:`~cineseq.io.readers.file_names.arrange`. Where they tell no
        channels, each file is one frame and its pages are its channels.
    options
        What the user states on each file, see :func:`~cineseq.io.readers.tiff.open_tiff`.

    Raises
    ------
    UserError
        When names cannot be told apart by time and channel, a frame lacks a channel, a frame is missing, a file has
        several frames, or files differ in shape, channels or scale; the message names the file.
    """
    options = ReadOptions() if options is None else options
    series = arrange(paths, channel_pattern, missing_frames)
    if len(series.frames) == 1 and series.by_channel:
        with _whole_channels(_of(series, 0), list(series.channels), options) as source:
            yield source
        return
    pages = replace(options, channels=None) if series.by_channel else options
    first_files = _of(series, 0)
    infos = []
    for path in first_files:
        with open_file(path, pages) as source:
            infos.append(source.info)
            kind = source.plane(0, 0).dtype
    info = infos[0]
    if info.frames > 1:
        msg = (
            f"{first_files[0]}: holds {info.frames} frames, but is one of {len(paths)} files that are taken as one "
            "frame each; join the files, or give inputs.channel_pattern if they are the channels."
        )
        raise UserError(msg)
    channels = [(file, page) for file, one in enumerate(infos) for page in range(one.channels)]
    names = _names(series, infos)
    missing = tuple(i for i, files in enumerate(series.frames) if files is None)
    notes = (*info.notes, *_notes(missing))
    whole = replace(
        info,
        frames=len(series.frames),
        channels=len(channels),
        names=names,
        notes=notes,
        notices=(*info.notices, *series.notices),
        composed=_composed(series, infos),
    )

    def plane(frame: int, channel: int) -> np.ndarray:
        file, page = channels[channel]
        if frame in missing:
            return np.zeros((info.height, info.width), kind)
        with open_file(_of(series, frame)[file], pages) as source:
            _check_same(source, infos[file], frame)
            return source.plane(0, page)

    files = tuple(first_files[0] if of is None else of[0] for of in series.frames)
    yield Source(first_files[0], whole, plane, files, missing)


def _of(series: Series, frame: int) -> tuple[Path, ...]:
    """Return the files of a frame; none where it is missing, which the first never is."""
    return series.frames[frame] or ()


def _names(series: Series, infos: list[SourceInfo]) -> tuple[str, ...]:
    """Return the channel names: those of the file names, or of the pages where files have several."""
    if not series.by_channel:
        return infos[0].names
    if all(info.channels == 1 for info in infos):
        return series.channels
    pages = [info.names or tuple(map(str, range(info.channels))) for info in infos]
    own = [name for of in pages for name in of]
    if all(info.names for info in infos) and len(set(own)) == len(own):
        return tuple(own)
    return tuple(f"{file} {page}" for file, of in zip(series.channels, pages, strict=True) for page in of)


def _composed(series: Series, infos: list[SourceInfo]) -> str:
    """Return how many channels each file has, for messages on names; empty where it is one."""
    if not series.by_channel or all(info.channels == 1 for info in infos):
        return ""
    each = (
        f"{count(info.channels, 'channel')} in each file of {c}" for c, info in zip(series.channels, infos, strict=True)
    )
    return ", ".join(each)


def _notes(missing: tuple[int, ...]) -> tuple[str, ...]:
    if not missing:
        return ()
    shown = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")
    return (f"{count(len(missing), 'frame')} of the series has no file and is kept without cells: frame {shown}.",)


def _check_same(source: Source, first: SourceInfo, frame: int) -> None:
    here = source.info
    if (here.height, here.width, here.channels, here.frames) != (first.height, first.width, first.channels, 1):
        msg = (
            f"{source.path}: frame {frame} has the shape {here.height} x {here.width} px and "
            f"{here.frames * here.channels} page(s), frame 0 {first.height} x {first.width} px and {first.channels}; "
            "all frames of a movie must have the same shape."
        )
        raise UserError(msg)
    if here.names and first.names and here.names != first.names:
        msg = (
            f"{source.path}: frame {frame} has the channels {', '.join(here.names)}, frame 0 {', '.join(first.names)}; "
            "all frames of a movie must have the same channels in the same order."
        )
        raise UserError(msg)
    size, usual = here.pixel_size_um, first.pixel_size_um
    if size is not None and usual is not None and not isclose(size, usual, rel_tol=SAME_SIZE):
        msg = (
            f"{source.path}: frame {frame} has pixels of {significant(size, 4)} µm, frame 0 of {significant(usual, 4)} "
            "µm; all frames of a movie must have the same scale."
        )
        raise UserError(msg)


@contextmanager
def _whole_channels(paths: tuple[Path, ...], channels: list[str], options: ReadOptions) -> Iterator[Source]:
    """Open one stack per channel, or per camera with several channels, whose pages are the frames."""
    options = replace(options, channels=None)
    # Opening a stack looks at all of its pages, so the first few stay open.
    infos: list[SourceInfo] = []
    held: dict[Path, Source] = {}
    with ExitStack() as opened:
        for path in paths:
            with ExitStack() as here:
                source = here.enter_context(open_file(path, options))
                infos.append(source.info)
                if len(held) < OPEN_FILES:
                    held[path] = source
                    opened.push(here.pop_all())
        yield _joined_channels(dict(zip(paths, infos, strict=True)), channels, held, options)


def _joined_channels(
    infos: dict[Path, SourceInfo], channels: list[str], held: dict[Path, Source], options: ReadOptions
) -> Source:
    """Return one source of all files; those that are not held are opened for each plane."""
    paths, each = tuple(infos), list(infos.values())
    first = each[0]
    for path, info in infos.items():
        if (info.frames, info.height, info.width) != (first.frames, first.height, first.width):
            msg = (
                f"{path}: {info.frames} frames of {info.height} x {info.width} px, but {paths[0].name} has "
                f"{first.frames} of {first.height} x {first.width} px; give files of the same frames."
            )
            raise UserError(msg)
    planes = [(path, page) for path, info in infos.items() for page in range(info.channels)]

    def plane(frame: int, channel: int) -> np.ndarray:
        path, page = planes[channel]
        if path in held:
            return held[path].plane(frame, page)
        with open_file(path, options) as source:
            return source.plane(frame, page)

    series = Series(tuple(channels), (paths,))
    info = replace(first, channels=len(planes), names=_names(series, each), composed=_composed(series, each))
    return Source(paths[0], info, plane)
