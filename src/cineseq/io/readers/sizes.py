"""Sizes that a file states are believed only if the file, and the memory of this machine, can hold them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import psutil

from cineseq.errors import UserError
from cineseq.text import significant

GIB = 2**30
BYTES_PER_PIXEL = 32
"""What measuring a frame takes per pixel: grey levels, labels, distances and their copies."""
MOST_FRAMES = 1_000_000
LARGEST_COMPRESSION = 1_032
"""No stream of deflate (PNG, zip, gzip) unpacks to more times its size."""
PART_FOR_A_CHUNK = 8
"""A chunk may take one part of so many of the memory: it is unpacked anew for every plane that it holds."""


def check_plane(path: Path, height: int, width: int) -> None:
    """Refuse planes that this machine cannot process.

    Raises
    ------
    UserError
        The message says how much memory is needed and how much there is.
    """
    needed, there = height * width * BYTES_PER_PIXEL, psutil.virtual_memory().total
    if height < 1 or width < 1 or needed > there:
        msg = (
            f"{path}: it states planes of {height} x {width} px, which need {significant(needed / GIB)} GiB of memory, "
            f"and this machine has {significant(there / GIB)}; copy the file again if its cells do not fill such "
            "planes, or cut it into fields of view."
        )
        raise UserError(msg)


def check_frames(path: Path, frames: int) -> None:
    """Refuse more frames than any movie has."""
    if not 1 <= frames <= MOST_FRAMES:
        msg = f"{path}: it states {frames} frames, and a movie has 1 to {MOST_FRAMES}; copy the file again."
        raise UserError(msg)


def check_deflated(path: Path, unpacked: int, stored: int) -> None:
    """Refuse sizes that no deflate stream of ``stored`` bytes unpacks to."""
    if unpacked > LARGEST_COMPRESSION * max(stored, 1):
        msg = f"{path}: {stored} bytes cannot hold the {unpacked} bytes that it states; copy it again."
        raise UserError(msg)


def check_chunk(path: Path, chunk: Sequence[int], item: int) -> None:
    """Refuse chunks that do not fit into memory beside everything else."""
    size, most = math.prod(chunk) * item, psutil.virtual_memory().total // PART_FOR_A_CHUNK
    if size > most:
        msg = (
            f"{path}: its chunks of {' x '.join(map(str, chunk))} take {significant(size / GIB)} GiB each, and this "
            f"machine can unpack {significant(most / GIB)}; save it with a chunk for each plane."
        )
        raise UserError(msg)
