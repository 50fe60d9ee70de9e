"""Checks of Zarr folders and zip files before a library opens them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from cineseq.errors import UserError, reading

METADATA = ("zarr.json", ".zarray", ".zmetadata")
MOST_BYTES = 1 << 26
"""Metadata above this size are not read; those of a million arrays are smaller."""
RUNS_CODE = "pickle"
"""Codec that runs what is in a chunk as a program."""


def check_codecs(path: Path) -> None:
    """Refuse arrays that are stored with a codec that could run code when they are read.

    Raises
    ------
    UserError
        For such a codec, and for metadata that are no JSON.
    """
    for name, size, content in _metadata(path):
        if size > MOST_BYTES:
            msg = f"{path}: {name} has {size} bytes of metadata; write the Zarr again."
            raise UserError(msg)
        with reading(path, f"{name} is no readable metadata of Zarr", "copy the Zarr again"):
            codecs = set(_codecs(json.loads(content())))
        if any(RUNS_CODE in codec.lower() for codec in codecs):
            msg = (
                f"{path}: {name} names the codec 'pickle', which may run code when it is read; write the array again "
                "with another codec, such as zstd."
            )
            raise UserError(msg)


def _metadata(path: Path) -> Iterator[tuple[str, int, Any]]:
    """Yield name, size and a function that reads the content of every file of metadata."""
    if path.is_dir():
        for folder, _, names in os.walk(path):
            for file in (Path(folder) / name for name in names if name in METADATA):
                yield file.relative_to(path).as_posix(), file.stat().st_size, file.read_bytes
    elif path.is_file():
        with (
            reading(path, "not a readable OME-Zarr image", "copy the zip file again"),
            ZipFile(path) as archive,
        ):
            found = [(i.filename, i.file_size) for i in archive.infolist() if i.filename.endswith(METADATA)]
        for name, size in found:
            yield name, size, lambda name=name: _member(path, name)


def _member(path: Path, name: str) -> bytes:
    with ZipFile(path) as archive:
        return archive.read(name)


def _codecs(value: Any) -> Iterator[str]:
    """Yield the names of codecs in metadata of Zarr 2 and 3, at any depth."""
    if isinstance(value, dict):
        yield from (value[key] for key in ("id", "name", "object_codec_id") if isinstance(value.get(key), str))
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _codecs(item)
