"""PNG files: one grey plane, or one plane of labels, per file."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from cineseq.errors import UserError, reading
from cineseq.io.readers.sizes import check_deflated, check_plane
from cineseq.io.readers.source import Source, SourceInfo

# A stitched plane may be large; it is the user's own file, not a decompression bomb.
Image.MAX_IMAGE_PIXELS = None
SUFFIX = ".png"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
DAMAGED = ("not a whole PNG file", "copy it again from where it was made")
GREY = ("1", "L", "I", "I;16", "I;16B")
PALETTE = "P"
"""Mode of a file whose pixels are palette indices; in masks these indices are the labels."""


@contextmanager
def open_png(path: Path) -> Iterator[Source]:
    """Open one PNG file; its plane is read on demand.

    Raises
    ------
    UserError
        When the file is missing, damaged, in colour, or an animation.
    """
    if not path.is_file():
        msg = f"{path}: there is no such file; correct the path in the sample sheet."
        raise UserError(msg)
    _check_parts(path)
    with reading(path, *DAMAGED):
        image = Image.open(path, formats=["PNG"])
    with image:
        if image.mode not in (*GREY, PALETTE):
            why = f"an image with colours or transparency (mode {image.mode})"
            msg = f"{path}: {why}; save each channel as a grey image of its own."
            raise UserError(msg)
        pictures = getattr(image, "n_frames", 1)
        if pictures > 1:
            msg = f"{path}: an animation of {pictures} pictures; save each frame as a file of its own."
            raise UserError(msg)
        notes = (f"{path.name}: its palette indices are used as values.",) if image.mode == PALETTE else ()
        yield Source(path, SourceInfo(1, 1, image.height, image.width, notes=notes), _reader(path, image))


def _check_parts(path: Path) -> None:
    """Check the checksum of every part of the file, that it ends, and that it can hold the size that it states.

    Raises
    ------
    UserError
        When one of them fails.
    """
    with reading(path, *DAMAGED), path.open("rb") as stream:
        if stream.read(len(SIGNATURE)) != SIGNATURE:
            msg = "it does not begin as a PNG file"
            raise ValueError(msg)
        kind, stored, header = b"", 0, b""
        while kind != b"IEND":
            length, kind = struct.unpack(">I4s", stream.read(8))
            content = stream.read(length)
            if struct.unpack(">I", stream.read(4))[0] != zlib.crc32(content, zlib.crc32(kind)):
                msg = f"the checksum of its part {kind!r} is wrong"
                raise ValueError(msg)
            stored += length if kind == b"IDAT" else 0
            header = content if kind == b"IHDR" else header
        width, height, bits = struct.unpack(">IIB", header[:9])
    check_plane(path, height, width)
    check_deflated(path, height * width * bits // 8, stored)


def _reader(path: Path, image: Image.Image) -> Callable[[int, int], np.ndarray]:
    def plane(frame: int, channel: int) -> np.ndarray:  # noqa: ARG001 - there is one of each
        with reading(path, *DAMAGED):
            values = np.array(image)
        # Pillow reads some 16-bit files as 32 bits.
        return values.astype(np.uint16) if values.dtype == np.int32 else values

    return plane
