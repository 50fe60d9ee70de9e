"""OME-XML: the images that it describes, the files and pages of their planes, and their scales."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from cineseq.errors import UserError
from cineseq.io.readers.source import MICROMETRES, MINUTES, factor_of, scaled, unknown_unit
from cineseq.io.xml_text import check_entities


def named_channels(stated: Sequence[str]) -> tuple[str, ...]:
    """Return the names of channels, with C0, C1, ... for those without one; empty if none has a name."""
    if not any(name.strip() for name in stated):
        return ()
    return tuple(name if name.strip() else f"C{number}" for number, name in enumerate(stated))


@dataclass(frozen=True)
class PageRun:
    """Consecutive pages of one file that hold consecutive planes of an image.

    Attributes
    ----------
    file, uuid
        Name and identifier of the file; empty for the file that holds the description.
    page
        First page.
    planes
        Number of planes; None for all pages of the file.
    first
        Index of the first plane along the axes of :attr:`OmeImage.order`.
    """

    file: str
    uuid: str
    page: int
    planes: int | None
    first: tuple[int, ...]


@dataclass(frozen=True)
class OmeImage:
    """One image (series, position) of OME-XML.

    Attributes
    ----------
    number, name
        Place in the description, from 0, and name; empty if it has none.
    order
        Axes of the planes, the slowest first, such as "TZC".
    sizes
        Length of the axes T, C, Z, Y and X; samples of a pixel are not counted as channels.
    channels
        Names of the channels, see :func:`named_channels`; empty also where they are not as many as the channels.
    blocks
        Where the planes are.
    split
        Axes that hold more than one quantity ("modulo"), such as a lifetime within T.
    x_um, y_um, interval_min
        Width and height of a pixel and time per frame; None if unknown.
    times_min
        Time of each frame; empty if some frames have none.
    notes
        Sentences on what was not understood.
    """

    number: int
    name: str
    order: str
    sizes: dict[str, int]
    channels: tuple[str, ...]
    blocks: tuple[PageRun, ...]
    split: str
    x_um: float | None
    y_um: float | None
    interval_min: float | None
    times_min: tuple[float, ...]
    notes: tuple[str, ...] = ()

    @property
    def grid(self) -> tuple[int, ...]:
        """Length of each axis of the planes."""
        return tuple(self.sizes[axis] for axis in self.order)

    @property
    def planes(self) -> int:
        """Number of planes."""
        return prod(self.grid)

    @property
    def label(self) -> str:
        """Number and name, for messages."""
        return f"{self.number} ('{self.name}')" if self.name else str(self.number)


@dataclass(frozen=True)
class OmeDescription:
    """What one OME-XML says: its own identifier, its images, and the file with the metadata if that is another."""

    uuid: str
    images: tuple[OmeImage, ...]
    elsewhere: str


def parse_ome(text: str, path: Path) -> OmeDescription:
    """Read OME-XML; ``path`` is the file that holds it.

    Raises
    ------
    UserError
        When the text is not OME-XML, defines entities, or a number in it is not one.
    """
    check_entities(path, text)
    try:
        root = ET.fromstring(text)  # noqa: S314 - without entities
        pointer = root.find("{*}BinaryOnly")
        elsewhere = "" if pointer is None else _base_name(pointer.attrib.get("MetadataFile", ""))
        split = {
            axis
            for axis in "TCZ"
            for along in root.iterfind(f".//{{*}}ModuloAlong{axis}")
            if along.attrib.get("Type", "other") != "other" or len(along)
        }
        found = ((image, image.find("{*}Pixels")) for image in root.iterfind("{*}Image"))
        images = tuple(
            _image(i, image, pixels, "".join(sorted(split)), path)
            for i, (image, pixels) in enumerate(found)
            if pixels is not None
        )
    except (ET.ParseError, ValueError, KeyError, OverflowError) as error:
        msg = f"{path}: its OME-XML is not readable ({error}); write the file again, as OME-TIFF."
        raise UserError(msg) from error
    return OmeDescription(root.attrib.get("UUID", ""), images, elsewhere)


def _base_name(name: str) -> str:
    """Return the name of a file without its folder, which was that of another machine."""
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def _image(number: int, image: ET.Element, pixels: ET.Element, split: str, path: Path) -> OmeImage:
    channels = pixels.findall("{*}Channel")
    samples = max((int(c.attrib.get("SamplesPerPixel", 1)) for c in channels), default=1)
    sizes = {axis: int(pixels.attrib[f"Size{axis}"]) for axis in "TCZYX"}
    if min(sizes.values()) < 1:
        msg = f"an axis has the length {min(sizes.values())}"
        raise ValueError(msg)
    if samples > 1 and sizes["C"] % samples == 0:
        sizes["C"] //= samples
    order = pixels.attrib["DimensionOrder"]
    if sorted(order) != sorted("XYZCT") or order[:2] != "XY":
        msg = f"the order of dimensions is '{order}'"
        raise ValueError(msg)
    axes = order[:1:-1]
    names = named_channels([c.attrib.get("Name", "") for c in channels])
    blocks = tuple(_block(data, axes) for data in pixels.iterfind("{*}TiffData"))
    scales = pixels.attrib
    return OmeImage(
        number,
        image.attrib.get("Name", ""),
        axes,
        sizes,
        names if len(names) == len(channels) == sizes["C"] else (),
        blocks or (PageRun("", "", 0, None, (0, 0, 0)),),
        split,
        scaled(scales.get("PhysicalSizeX"), scales.get("PhysicalSizeXUnit", "um"), MICROMETRES),
        scaled(scales.get("PhysicalSizeY"), scales.get("PhysicalSizeYUnit", "um"), MICROMETRES),
        scaled(scales.get("TimeIncrement"), scales.get("TimeIncrementUnit", "s"), MINUTES),
        _times(pixels, sizes["T"]),
        (
            *unknown_unit(
                path, "pixel size", scales.get("PhysicalSizeX"), scales.get("PhysicalSizeXUnit", "um"), MICROMETRES
            ),
            *unknown_unit(
                path, "frame interval", scales.get("TimeIncrement"), scales.get("TimeIncrementUnit", "s"), MINUTES
            ),
        ),
    )


def _block(data: ET.Element, axes: str) -> PageRun:
    at, owner = data.attrib, data.find("{*}UUID")
    stated = at.get("PlaneCount", at.get("NumPlanes", "1" if "IFD" in at else None))
    return PageRun(
        "" if owner is None else _base_name(owner.attrib.get("FileName", "")),
        "" if owner is None else (owner.text or "").strip(),
        int(at.get("IFD", 0)),
        None if stated is None or int(stated) == 0 else int(stated),
        tuple(int(at.get(f"First{axis}", 0)) for axis in axes),
    )


def _times(pixels: ET.Element, frames: int) -> tuple[float, ...]:
    """Return the time of the first plane of each frame in minutes; empty if a frame has none or a unit is unknown."""
    first: dict[int, tuple[tuple[int, int], float]] = {}
    for plane in pixels.iterfind("{*}Plane"):
        at = plane.attrib
        factor = factor_of(at.get("DeltaTUnit", "s"), MINUTES)
        if "DeltaT" not in at or factor is None:
            continue
        place = (int(at.get("TheC", 0)), int(at.get("TheZ", 0)))
        frame, minutes = int(at.get("TheT", 0)), float(at["DeltaT"]) * factor
        if frame not in first or place < first[frame][0]:
            first[frame] = (place, minutes)
    # A time is comparable only with those of the same channel.
    places = {place for place, _ in first.values()}
    times = [first[t][1] for t in range(frames) if t in first]
    return tuple(times) if len(times) == frames and len(places) == 1 and np.isfinite(times).all() else ()
