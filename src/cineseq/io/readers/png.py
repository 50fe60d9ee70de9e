"""PNG files: one grey plane, or one plane of labels, per file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from cineseq.errors import UserError, reading
from cineseq.io.readers.source import Source, SourceInfo

# A stitched plane may be large; it is the user's own file, not a decompression bomb.
Image.MAX_IMAGE_PIXELS = None
SUFFIX = ".png"
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


def _reader(path: Path, image: Image.Image) -> Callable[[int, int], np.ndarray]:
    def plane(frame: int, channel: int) -> np.ndarray:  # noqa: ARG001 - there is one of each
        with reading(path, *DAMAGED):
            values = np.array(image)
        # Pillow reads some 16-bit files as 32 bits.
        return values.astype(np.uint16) if values.dtype == np.int32 else values

    return plane
