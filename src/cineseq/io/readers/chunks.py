"""Which chunks of a Zarr array are stored: one that is not stored reads as zeros, whether it was empty or was lost."""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from cineseq.errors import UserError, reading
from cineseq.io.readers.grid import AxisLayout
from cineseq.io.readers.sizes import check_chunk, check_frames, check_plane
from cineseq.io.readers.source import ReadOptions, Source, SourceInfo
from cineseq.text import count

NOT_STORED = 2**64 - 1
"""Offset and length of a chunk that a shard does not hold."""
CHECKSUM_BYTES = 4
DAMAGED = ("not a whole zip file", "copy the OME-Zarr again")
ALL_CHUNKS = "zarr.config.set({'array.write_empty_chunks': True})"
"""What makes the zarr library write chunks of zeros too."""


@dataclass(frozen=True)
class Chunks:
    """The chunks of one array.

    Attributes
    ----------
    path
        The OME-Zarr, a folder or a zip file.
    array
        An array in it.
    """

    path: Path
    array: Any
    _indices: dict[str, np.ndarray | None] = field(default_factory=dict, compare=False)

    def missing(self, index: tuple[int | slice, ...]) -> tuple[list[tuple[slice, ...]], int]:
        """Return the parts of a plane whose chunks are not stored, and of how many chunks the plane is made.

        Parameters
        ----------
        index
            The plane: a number or the whole of each axis.

        Returns
        -------
        tuple
            For each missing chunk its part of the plane, a slice of each axis of the plane; the number of chunks.
        """
        outer = self.array.shards or self.array.chunks
        inner = self.array.chunks
        ranges = [
            (i // n,) if isinstance(i, int) else range(math.ceil(size / n))
            for i, size, n in zip(index, self.array.shape, inner, strict=True)
        ]
        per_outer = [o // i for o, i in zip(outer, inner, strict=True)]
        lost = [at for at in product(*ranges) if not self._is_stored(at, per_outer)]
        kept = [axis for axis, i in enumerate(index) if not isinstance(i, int)]
        return [
            tuple(slice(at[a] * inner[a], min((at[a] + 1) * inner[a], self.array.shape[a])) for a in kept)
            for at in lost
        ], math.prod(map(len, ranges))

    @property
    def files(self) -> int:
        """Number of stored files, those of metadata included."""
        return len(self._keys)

    def _is_stored(self, at: tuple[int, ...], per_outer: list[int]) -> bool:
        key = self.array.metadata.encode_chunk_key(tuple(a // n for a, n in zip(at, per_outer, strict=True)))
        if key not in self._keys:
            return False
        if self.array.shards is None:
            return True
        index = self._shard_index(key, tuple(per_outer))
        within = tuple(a % n for a, n in zip(at, per_outer, strict=True))
        return index is None or int(index[(*within, 0)]) != NOT_STORED

    @cached_property
    def _keys(self) -> frozenset[str]:
        """The files below the array, as keys of its chunks."""
        prefix = f"{self.array.path}/" if self.array.path else ""
        if not self.path.is_dir():
            with reading(self.path, *DAMAGED), ZipFile(self.path) as archive:
                return frozenset(n.removeprefix(prefix) for n in archive.namelist() if n.startswith(prefix))
        root = self.path / self.array.path
        found = ((Path(folder), names) for folder, _, names in os.walk(root))
        return frozenset(
            (f"{folder.relative_to(root).as_posix()}/" if folder != root else "") + name
            for folder, names in found
            for name in names
        )

    def _shard_index(self, key: str, shape: tuple[int, ...]) -> np.ndarray | None:
        """Return offset and length of each chunk in a shard, None if its index is stored in an unusual way."""
        if key not in self._indices:
            with reading(self.path, f"the shard {key} cannot be read", DAMAGED[1]):
                self._indices[key] = self._read_index(key, shape)
        return self._indices[key]

    def _read_index(self, key: str, shape: tuple[int, ...]) -> np.ndarray | None:
        configuration = self.array.metadata.to_dict()["codecs"][0].get("configuration", {})
        codecs = [codec["name"] for codec in configuration.get("index_codecs", ())]
        if codecs not in (["bytes"], ["bytes", "crc32c"]):
            return None
        size = 16 * math.prod(shape) + CHECKSUM_BYTES * ("crc32c" in codecs)
        content = self._end_of(key, size, at_start=configuration.get("index_location") == "start")
        if len(content) < size:
            msg = f"the shard {key} is cut off"
            raise struct.error(msg)
        return np.frombuffer(content[: 16 * math.prod(shape)], "<u8").reshape(*shape, 2)

    def _end_of(self, key: str, size: int, *, at_start: bool) -> bytes:
        name = f"{self.array.path}/{key}" if self.array.path else key
        if not self.path.is_dir():
            with ZipFile(self.path) as archive:
                content = archive.read(name)  # whole, so that its checksum is verified
            return content[:size] if at_start else content[-size:]
        with (self.path / name).open("rb") as stream:
            stream.seek(0 if at_start else -min(size, (self.path / name).stat().st_size), 0 if at_start else 2)
            return stream.read(size)


def checked(source: Source, layout: AxisLayout, chunks: Chunks, options: ReadOptions) -> Source:
    """Return images of which no plane lacks chunks in silence.

    Raises
    ------
    UserError
        When a plane has none of its chunks, or lacks some and ``options.missing_chunks`` is ``refuse``.
    """
    frames: dict[int, int] = {}
    for frame, channel in product(range(source.info.frames), range(source.info.channels)):
        missing, of = chunks.missing(layout.index(frame, channel))
        if len(missing) == of:
            msg = (
                f"{source.path}: none of the chunks of frame {frame}, channel {channel} is stored: it was lost or is "
                f"empty; copy the OME-Zarr again, or write it again after {ALL_CHUNKS} if the camera saw nothing there."
            )
            raise UserError(msg)
        if missing and options.missing_chunks == "refuse":
            msg = (
                f"{source.path}: {len(missing)} of the {count(of, 'chunk')} of frame {frame}, channel {channel} are "
                "not stored: lost, or empty; copy the OME-Zarr again, or set inputs.missing_chunks to mask "
                "(a frame that lacks a chunk is left out) or to fill (missing chunks are empty)."
            )
            raise UserError(msg)
        if missing:
            frames[frame] = frames.get(frame, 0) + len(missing)
    return _without(source, frames, chunks, options) if frames else source


def _without(source: Source, frames: dict[int, int], chunks: Chunks, options: ReadOptions) -> Source:
    """Return images that lack chunks as ``options.missing_chunks`` says, with a notice for the report."""
    lost = f"{source.path.name}: {count(sum(frames.values()), 'chunk')} in {count(len(frames), 'frame')} are not stored"
    if options.missing_chunks == "fill":
        note = f"{lost} and read as empty, as configured (inputs.missing_chunks): light that was lost counts as none."
        return replace(source, info=replace(source.info, notices=(*source.info.notices, note)))
    note = f"{lost}; these frames are left out, as configured (inputs.missing_chunks): no cell is found in them."

    def plane(frame: int, channel: int) -> np.ndarray:
        if frame in frames:
            return np.zeros((source.info.height, source.info.width), chunks.array.dtype.newbyteorder("="))
        return source.plane(frame, channel)

    info = replace(source.info, notices=(*source.info.notices, note))
    return replace(source, info=info, plane=plane, missing=tuple(sorted({*source.missing, *frames})))


def with_empty(source: Source, layout: AxisLayout, chunks: Chunks) -> Source:
    """Return masks in which chunks that are not stored are background: writers leave out empty ones.

    Where the array states another value for them, one label may have filled them, and a notice says so.
    """
    if not chunks.array.fill_value:
        return source
    upright = layout.grid.axes.index("Y") < layout.grid.axes.index("X")
    parts = {frame: chunks.missing(layout.index(frame, 0))[0] for frame in range(source.info.frames)}
    lost = sum(map(len, parts.values()))
    if not lost:
        return source

    def plane(frame: int, channel: int) -> np.ndarray:
        labels = np.array(source.plane(frame, channel))
        for part in parts[frame]:
            labels[part if upright else part[::-1]] = 0
        return labels

    note = (
        f"{source.path.name}: {count(lost, 'chunk')} of these masks {'is' if lost == 1 else 'are'} not stored and read "
        f"as background, although the array states {chunks.array.fill_value} for them; write masks with fill_value 0."
    )
    return replace(source, info=replace(source.info, notices=(*source.info.notices, note)), plane=plane)


def check_size(chunks: Chunks, info: SourceInfo, *, masks: bool) -> None:
    """Refuse planes and chunks that do not fit into memory, and images of more planes than the stored files can hold.

    Raises
    ------
    UserError
        The message says which.
    """
    frames, channels = info.frames, info.channels
    check_frames(chunks.path, frames)
    check_plane(chunks.path, info.height, info.width)
    check_chunk(chunks.path, chunks.array.chunks, chunks.array.dtype.itemsize)
    most = chunks.files * math.prod(chunks.array.shards or chunks.array.chunks)
    if not masks and frames * channels > most:
        msg = (
            f"{chunks.path}: it states {frames} frames and {channels} channels, but only {count(chunks.files, 'file')} "
            "of it are there; copy the OME-Zarr again."
        )
        raise UserError(msg)
