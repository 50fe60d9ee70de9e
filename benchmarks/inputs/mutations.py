"""How an input is spoilt: cut off, bits flipped, parts of its header exchanged, sizes made huge."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np

HEADER = 256
"""Bytes in which parts are exchanged."""
SIZES = 4096
"""Bytes in which numbers are made huge."""
HUGE = (2**31 - 1, 2**32 - 1, 1_000_000_000, 40_000, 2**40, 2**62)
NUMBER = re.compile(rb"(?<![\w.])\d+(?![\w.])")
METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")
PNG = b"\x89PNG\r\n\x1a\n"
TRIES = 99
"""Draws of a change until one changes the bytes."""
KINDS = ("cut off", "bits flipped", "header exchanged", "huge size")


def spoil(path: Path, kind: str, random: np.random.Generator) -> str:
    """Spoil one file of an input in place, in the way that ``kind`` names, and return which file it was."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    metadata = [file for file in files if file.name in METADATA]
    if metadata and random.random() < (0.7 if kind == "huge size" else 0.3):
        files = metadata
    file = files[random.integers(len(files))]
    content = file.read_bytes()
    drawn = (_spoilt(content, kind, random) for _ in range(TRIES))
    file.write_bytes(next((new for new in drawn if new != content), content))
    return file.relative_to(path).as_posix() if path.is_dir() else file.name


def _spoilt(content: bytes, kind: str, random: np.random.Generator) -> bytes:
    """Return spoilt bytes; half of the time what is inside a zip or gzip is spoilt, with checksums that fit."""
    inside = random.random() < 0.5
    if inside and content.startswith(b"\x1f\x8b"):
        return gzip.compress(_CHANGES[kind](gzip.decompress(content), random), mtime=0)
    if inside and content.startswith(b"PK\x03\x04"):
        return _member_spoilt(content, kind, random)
    return _CHANGES[kind](content, random)


def _member_spoilt(content: bytes, kind: str, random: np.random.Generator) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    names = [name for name in members if members[name]]
    metadata = [name for name in names if name.endswith(METADATA)]
    names = metadata if metadata and random.random() < 0.5 else names
    name = names[random.integers(len(names))]
    members[name] = _CHANGES[kind](members[name], random)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for member, values in members.items():
            archive.writestr(member, values)
    return stream.getvalue()


def _cut(content: bytes, random: np.random.Generator) -> bytes:
    return content[: random.integers(len(content))] if content else content


def _flipped(content: bytes, random: np.random.Generator) -> bytes:
    values = np.frombuffer(content, np.uint8).copy()
    for _ in range(random.integers(1, 9) if len(values) else 0):
        values[random.integers(len(values))] ^= 1 << int(random.integers(8))
    return values.tobytes()


def _exchanged(content: bytes, random: np.random.Generator) -> bytes:
    """Exchange two pieces of equal length in the header that do not overlap."""
    size = int(random.integers(2, 17))
    end = min(len(content), HEADER)
    if end < 2 * size + 1:
        return content[::-1]
    a = int(random.integers(0, end - 2 * size))
    b = int(random.integers(a + size, end - size + 1))
    return content[:a] + content[b : b + size] + content[a + size : b] + content[a : a + size] + content[b + size :]


def _huge(content: bytes, random: np.random.Generator) -> bytes:
    """Make one number huge: in text a number as text, in a PNG its size, else any four or eight bytes."""
    size = HUGE[random.integers(len(HUGE))]
    if content.startswith(PNG):
        header = content[12:16] + int(random.integers(20_000, 60_000)).to_bytes(4, "big") * 2 + content[24:29]
        return content[:12] + header + zlib.crc32(header).to_bytes(4, "big") + content[33:]
    numbers = list(NUMBER.finditer(content))
    text = _is_text(content)
    if numbers and (text or random.random() < 0.5):
        found = numbers[random.integers(len(numbers))]
        # In text that is part of a binary file, the length stays.
        new = str(size).encode() if text else b"9" * len(found[0])
        return content[: found.start()] + new + content[found.end() :]
    width = 8 if size > 2**32 - 1 or random.random() < 0.5 else 4
    at = int(random.integers(max(1, min(len(content), SIZES) - width)))
    order = "little" if random.random() < 0.8 else "big"
    return content[:at] + size.to_bytes(width, order) + content[at + width :]


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode("utf-8")
    except UnicodeDecodeError:
        return False


_CHANGES = {"cut off": _cut, "bits flipped": _flipped, "header exchanged": _exchanged, "huge size": _huge}
