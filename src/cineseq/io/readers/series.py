"""Series of TIFF or PNG files: one file per frame, or per frame and channel, identified by file names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cineseq.errors import UserError
from cineseq.io.readers.png import SUFFIX as PNG_SUFFIX
from cineseq.io.readers.png import open_png
from cineseq.io.readers.source import Source, SourceInfo
from cineseq.io.readers.tiff import SUFFIXES as TIFF_SUFFIXES
from cineseq.io.readers.tiff import open_tiff
from cineseq.text import natural_order

SUFFIXES = (*TIFF_SUFFIXES, PNG_SUFFIX)


def open_file(path: Path, expected_channels: int | None = None) -> AbstractContextManager[Source]:
    """Open a TIFF (:func:`~cineseq.io.readers.tiff.open_tiff`) or a PNG (:func:`~cineseq.io.readers.png.open_png`)."""
    return open_png(path) if path.suffix.lower() == PNG_SUFFIX else open_tiff(path, expected_channels)


NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True)
class _Place:
    """Position of a file in the series: its channel ("" if the name has none) and the sort key of its frame."""

    path: Path
    channel: str
    frame: str


@contextmanager
def open_series(
    paths: list[Path], channel_pattern: str | None = None, expected_channels: int | None = None
) -> Iterator[Source]:
    """Open a series of TIFF or PNG files as one movie; one plane is in memory at a time.

    Parameters
    ----------
    paths
        The files, in any order; frames follow the numbers in their names (2 before 10).
    channel_pattern
        Regular expression that is searched in each file name, with a group ``channel`` and, if the rest of the name
        differs between the channels of a frame, a group ``frame``. With None, each file is one frame and its pages
        are its channels.
    expected_channels
        Number of channels that the user named, see :func:`~cineseq.io.readers.tiff.open_tiff`.

    Raises
    ------
    UserError
        When a name does not match the pattern, a frame lacks a channel, the numbering has a gap, a file has several
        frames, or files differ in shape; the message names the file.
    """
    places = [_place(path, channel_pattern) for path in paths]
    channels = list(dict.fromkeys(p.channel for p in sorted(places, key=lambda p: p.channel)))
    frames = natural_order({p.frame for p in places})
    table = _table(places, channels, frames)
    if len(frames) == 1 and channel_pattern is not None:
        with _whole_channels([table[frames[0], c] for c in channels], channels) as source:
            yield source
        return
    _check_gaps([table[f, channels[0]] for f in frames])
    pages = expected_channels if channel_pattern is None else None
    with open_file(table[frames[0], channels[0]], pages) as first:
        info = first.info
    if info.frames > 1:
        msg = (
            f"{first.path}: holds {info.frames} frames, but is one of {len(paths)} files that are taken as one frame "
            "each; join the files, or give inputs.channel_pattern if they are the channels."
        )
        raise UserError(msg)
    names = tuple(channels) if channel_pattern is not None else info.names
    count = len(channels) if channel_pattern is not None else info.channels
    whole = replace(info, frames=len(frames), channels=count, names=names)

    def plane(frame: int, channel: int) -> np.ndarray:
        path = table[frames[frame], channels[channel if channel_pattern is not None else 0]]
        with open_file(path, pages) as source:
            _check_same(source, info, frame)
            return source.plane(0, 0 if channel_pattern is not None else channel)

    files = tuple(table[f, channels[0]] for f in frames)
    yield Source(files[0], whole, plane, files)


def _place(path: Path, pattern: str | None) -> _Place:
    if pattern is None:
        return _Place(path, "", path.name)
    found = re.search(pattern, path.name)
    if found is None:
        msg = f"{path}: the name does not match inputs.channel_pattern '{pattern}'; correct it or leave the file out."
        raise UserError(msg)
    start, stop = found.span("channel")
    frame = found.groupdict().get("frame")
    return _Place(path, found["channel"], path.name[:start] + path.name[stop:] if frame is None else frame)


def _table(places: list[_Place], channels: list[str], frames: list[str]) -> dict[tuple[str, str], Path]:
    table: dict[tuple[str, str], Path] = {}
    for place in places:
        key = (place.frame, place.channel)
        if key in table:
            other = table[key].name
            msg = f"{place.path}: same frame and channel as {other}; inputs.channel_pattern must distinguish them."
            raise UserError(msg)
        table[key] = place.path
    for frame in frames:
        missing = [c for c in channels if (frame, c) not in table]
        if missing:
            there = next(table[frame, c] for c in channels if (frame, c) in table)
            msg = f"{there}: this frame has no file of channel {', '.join(missing)}; add it or leave the frame out."
            raise UserError(msg)
    return table


def _check_gaps(paths: list[Path]) -> None:
    """Refuse a series whose names differ in one number only and skip a value: a lost file would shift time."""
    numbers = [NUMBERS.findall(p.name) for p in paths]
    stems = {NUMBERS.sub("#", p.name) for p in paths}
    varying = [column for column in zip(*numbers, strict=False) if len(set(column)) > 1]
    if len(paths) < 3 or len(stems) > 1 or len(varying) != 1:
        return
    counts = np.array([int(n) for n in varying[0]])
    steps = np.diff(counts)
    usual = int(np.bincount(steps[steps > 0]).argmax())
    if (steps != usual).any():
        at = int(np.flatnonzero(steps != usual)[0])
        msg = (
            f"{paths[at + 1]}: follows {paths[at].name}, so the frame numbered {counts[at] + usual} is missing; "
            "add it, or make the frames after it a separate movie."
        )
        raise UserError(msg)


def _check_same(source: Source, first: SourceInfo, frame: int) -> None:
    here = source.info
    if (here.height, here.width, here.channels, here.frames) != (first.height, first.width, first.channels, 1):
        msg = (
            f"{source.path}: frame {frame} has the shape {here.height} x {here.width} px and "
            f"{here.frames * here.channels} page(s), frame 0 {first.height} x {first.width} px and {first.channels}; "
            "all frames of a movie must have the same shape."
        )
        raise UserError(msg)


@contextmanager
def _whole_channels(paths: list[Path], channels: list[str]) -> Iterator[Source]:
    """Open one stack per channel whose pages are the frames."""
    infos = []
    for path in paths:
        with open_file(path) as source:
            infos.append(source.info)
    for path, info in zip(paths, infos, strict=True):
        if (info.frames, info.height, info.width) != (infos[0].frames, infos[0].height, infos[0].width):
            msg = (
                f"{path}: {info.frames} frames of {info.height} x {info.width} px, unlike {paths[0].name}; correct it."
            )
            raise UserError(msg)

    def plane(frame: int, channel: int) -> np.ndarray:
        with open_file(paths[channel]) as source:
            return source.plane(frame, 0)

    yield Source(paths[0], replace(infos[0], channels=len(channels), names=tuple(channels)), plane)
