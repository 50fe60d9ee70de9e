"""The chain of pages in a TIFF file, followed to its end: tifffile takes a page that was cut off for the end."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value by the type of a tag."""


def check_chain(path: Path) -> None:
    """Follow the pages of a TIFF file to the end of their chain.

    Raises
    ------
    ValueError
        When a page, or the value of one of its tags, lies beyond the end of the file, or pages form a circle.
    struct.error
        When the file ends inside a page.
    """
    with path.open("rb") as stream:
        order = {b"II": "<", b"MM": ">"}.get(stream.read(2))
        if order is None:
            return  # tifffile says what it is instead
        big = struct.unpack(f"{order}H", stream.read(2))[0] == 43
        stream.seek(8 if big else 4)
        offset = struct.unpack(f"{order}{'Q' if big else 'I'}", stream.read(8 if big else 4))[0]
        size, seen = path.stat().st_size, set[int]()
        while offset:
            if offset >= size:
                msg = f"page {len(seen)} is missing, the file was cut off"
                raise ValueError(msg)
            if offset in seen:
                msg = f"page {len(seen)} is an earlier page"
                raise ValueError(msg)
            seen.add(offset)
            offset = _next(stream, offset, size, order, big=big)


def _next(stream: BinaryIO, offset: int, size: int, order: str, *, big: bool) -> int:
    """Check the tags of a page and return the place of the next one, 0 after the last."""
    stream.seek(offset)
    tags = struct.unpack(f"{order}{'Q' if big else 'H'}", stream.read(8 if big else 2))[0]
    length, kind, inline = (20, "HHQQ", 8) if big else (12, "HHII", 4)
    if tags * length > size:
        msg = "a page has more tags than the file can hold"
        raise ValueError(msg)
    table = stream.read(tags * length)
    for code, type_, number, value in struct.iter_unpack(f"{order}{kind}", table):
        needed = SIZES.get(type_, 1) * number
        if needed > inline and value + needed > size:
            msg = f"the value of tag {code} is missing, the file was cut off"
            raise ValueError(msg)
    following: int = struct.unpack(f"{order}{'Q' if big else 'I'}", stream.read(8 if big else 4))[0]
    return following
