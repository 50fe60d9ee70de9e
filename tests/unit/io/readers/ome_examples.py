"""OME-TIFFs written page by page, with OME-XML of one's own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tifffile

NAMESPACE = 'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
HEIGHT, WIDTH = 6, 9


def identifier(name: str) -> str:
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name)}"


def movie_of(position: int, frames: int, channels: int, size: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    """Planes that say which they are, shape (frames, channels, height, width)."""
    number = 1000 * position + 10 * np.arange(frames)[:, None] + np.arange(channels)
    return np.broadcast_to(number[:, :, None, None], (frames, channels, *size)).astype(np.uint16)


def ome_xml(images: Sequence[str], name: str | None) -> str:
    own = f' UUID="{identifier(name)}"' if name else ""
    return f'<?xml version="1.0" encoding="UTF-8"?><OME {NAMESPACE}{own}>{"".join(images)}</OME>'


def image_xml(
    number: int,
    shape: tuple[int, ...],
    data: str,
    *,
    name: str = "",
    names: Sequence[str] = (),
    order: str = "XYCZT",
    extra: str = "",
    planes: str = "",
    slices: int = 1,
) -> str:
    """One image of the shape (frames, channels, height, width)."""
    frames, channels, height, width = shape
    listed = "".join(
        f'<Channel ID="Channel:{number}:{c}" SamplesPerPixel="1"' + (f' Name="{names[c]}"/>' if names else "/>")
        for c in range(len(names) or channels)
    )
    return (
        f'<Image ID="Image:{number}" Name="{name}"><Pixels ID="Pixels:{number}" DimensionOrder="{order}" '
        f'Type="uint16" SizeX="{width}" SizeY="{height}" SizeC="{channels}" SizeZ="{slices}" SizeT="{frames}" {extra}>'
        f"{listed}{data}{planes}</Pixels></Image>"
    )


def write_pages(path: Path, pages: Sequence[np.ndarray], xml: str) -> Path:
    with tifffile.TiffWriter(path) as tiff:
        for i, page in enumerate(pages):
            tiff.write(
                page, photometric="minisblack", metadata=None, contiguous=False, description=xml if i == 0 else None
            )
    return path


def write_set(
    folder: Path, movies: Sequence[np.ndarray], name_of: Callable[[int, int, int], str], names: Sequence[str] = ()
) -> list[Path]:
    """Write movies as one set of files that all describe it whole; ``name_of`` (position, frame, channel) is a file."""
    pages: dict[str, list[np.ndarray]] = {}
    images = []
    for position, movie in enumerate(movies):
        blocks = []
        for t, c in np.ndindex(*movie.shape[:2]):
            name = name_of(position, t, c)
            mine = pages.setdefault(name, [])
            blocks.append(
                f'<TiffData FirstC="{c}" FirstT="{t}" FirstZ="0" IFD="{len(mine)}" PlaneCount="1">'
                f'<UUID FileName="{name}">{identifier(name)}</UUID></TiffData>'
            )
            mine.append(movie[t, c])
        images.append(image_xml(position, movie.shape, "".join(blocks), name=f"pos{position}", names=names))
    return [write_pages(folder / name, planes, ome_xml(images, name)) for name, planes in pages.items()]
