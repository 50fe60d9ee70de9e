"""Label stacks and corrected movies as compressed OME-TIFF, read and written one page at a time."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import tifffile

from cineseq.errors import UserError, reading
from cineseq.files import replacing
from cineseq.io.square_pixels import pixel_sides

DAMAGED = ("not a readable OME-TIFF", "delete it and run the workflow again")


@dataclass(frozen=True)
class MovieInfo:
    """Metadata of a movie.

    Attributes
    ----------
    frames, height, width
        Size in frames and pixels.
    channels
        Channel names in order; empty for a label stack.
    pixel_size_um
        Micrometres per pixel; None if unknown. Of pixels that are not square, the side of a square of the same area.
    frame_interval_min
        Minutes per frame, the median of irregular ones; None if unknown.
    origins
        Row and column of the movie at which the first pixel of each frame lies, if frames were shifted against each
        other; empty if none was. The rest of a shifted frame is padding that was never imaged.
    pixel_aspect
        Height of a pixel divided by its width.
    times_min
        Minutes of each frame from the first, if they are irregular; else empty.
    """

    frames: int
    height: int
    width: int
    channels: tuple[str, ...]
    pixel_size_um: float | None
    frame_interval_min: float | None
    origins: tuple[tuple[int, int], ...] = ()
    pixel_aspect: float = 1.0
    times_min: tuple[float, ...] = ()

    def hours(self, frame: np.ndarray) -> np.ndarray:
        """Return the time of frames in hours; NaN if the frame interval is unknown.

        Frames between and beyond irregular ones are in line with them.
        """
        if self.times_min:
            times, known = np.array(self.times_min) / 60, np.arange(len(self.times_min))
            frame = np.asarray(frame, float)
            later = np.clip(frame - known[-1], 0, None) * ((self.frame_interval_min or 0.0) / 60)
            return np.interp(frame, known, times) + later
        return np.asarray(frame, float) * (np.nan if self.frame_interval_min is None else self.frame_interval_min / 60)

    @property
    def pixel_sides(self) -> tuple[float, float]:
        """Height and width of a pixel in sides of a square of the same area, which has ``pixel_size_um``."""
        return pixel_sides(self.pixel_aspect)

    @property
    def seen(self) -> np.ndarray:
        """The imaged area of each frame: first row and column, and those past the last; shape (frames, 2, 2)."""
        size = np.array([self.height, self.width])
        origin = np.array(self.origins, np.int64) if self.origins else np.zeros((self.frames, 2), np.int64)
        return np.stack([np.clip(origin, 0, size), np.clip(origin + size, 0, size)], axis=1)

    def seen_part(self, frame: int) -> tuple[slice, slice]:
        """Return the imaged area of one frame as slices that index a plane."""
        (top, left), (bottom, right) = self.seen[frame].tolist()
        return slice(top, bottom), slice(left, right)


class Movie:
    """A movie, one ``(height, width)`` plane at a time.

    Parameters
    ----------
    path
        Its origin, for messages.
    info
        Size, channels and scales.
    read
        Function of a frame and the position of a channel, both from 0, that returns the plane.
    function
        Channels that measure function.
    """

    def __init__(
        self, path: Path, info: MovieInfo, read: Callable[[int, int], np.ndarray], function: tuple[str, ...] = ()
    ) -> None:
        self.path, self.info, self.read, self.function = path, info, read, function

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels, in order."""
        return self.info.channels

    @property
    def pixel_size_um(self) -> float | None:
        """Micrometres per pixel; None if unknown."""
        return self.info.pixel_size_um

    @property
    def frame_interval_min(self) -> float | None:
        """Minutes per frame; None if unknown."""
        return self.info.frame_interval_min

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Frames, channels, height and width."""
        return self.info.frames, len(self.channels), self.info.height, self.info.width

    @cached_property
    def data(self) -> np.ndarray:
        """All planes in memory, shape (frames, channels, height, width); read on first use; do not change it.

        The functions read the planes again and would not see a change; pass them a changed copy instead.
        """
        planes = np.stack([self.planes(frame, self.channels) for frame in range(self.info.frames)])
        planes.setflags(write=False)
        return planes

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:  # noqa: FBT001 - numpy's
        return np.array(self.data, dtype, copy=copy)

    def __repr__(self) -> str:
        return f"Movie of {self.path}: shape {self.shape} (TCYX), channels {', '.join(self.channels)}"

    def plane(self, frame: int, channel: str) -> np.ndarray:
        """Return one plane, shape (height, width), in its stored dtype.

        Raises
        ------
        UserError
            When the channel is not in the movie; the message lists its channels.
        """
        if channel not in self.info.channels:
            names = ", ".join(self.info.channels)
            msg = f"{self.path}: no channel '{channel}'; the movie has {names}; correct channels in the configuration."
            raise UserError(msg)
        return self.read(frame, self.info.channels.index(channel))

    def planes(self, frame: int, channels: Iterable[str]) -> np.ndarray:
        """Return several channels of one frame, shape (channels, height, width)."""
        return np.stack([self.plane(frame, c) for c in channels])


@contextmanager
def open_movie(path: Path) -> Iterator[Movie]:
    """Open a movie that :func:`write_movie` wrote; at most one page is in memory at a time.

    Raises
    ------
    UserError
        When the file is missing, truncated or not an OME-TIFF.
    """
    with ExitStack() as opened:
        with reading(path, *DAMAGED):
            tiff = opened.enter_context(tifffile.TiffFile(path))
            info = _info(tiff)
        channels = max(len(info.channels), 1)

        def plane(frame: int, channel: int) -> np.ndarray:
            with reading(path, *DAMAGED):
                return tiff.pages[frame * channels + channel].asarray()

        yield Movie(path, info, plane)


def _info(tiff: tifffile.TiffFile) -> MovieInfo:
    described = tiff.ome_metadata
    if described is None:
        msg = "it has no OME metadata"
        raise ValueError(msg)
    pixels = tifffile.xml2dict(described)["OME"]["Image"]["Pixels"]
    # Read names from the XML text, because xml2dict converts names such as 01 to numbers.
    channels = ET.fromstring(described).findall(".//{*}Channel")  # noqa: S314 - our own file
    names = tuple(c.attrib["Name"] for c in channels if "Name" in c.attrib)
    minutes = pixels.get("TimeIncrement")
    size = pixels.get("PhysicalSizeX")
    planes = ET.fromstring(described).findall(".//{*}Plane")  # noqa: S314 - our own file
    positions = [p for p in planes if "PositionX" in p.attrib]
    origins = {int(p.attrib["TheT"]): (int(p.attrib["PositionY"]), int(p.attrib["PositionX"])) for p in positions}
    times = {int(p.attrib["TheT"]): float(p.attrib["DeltaT"]) for p in planes if "DeltaT" in p.attrib}
    width, height = (pixels.get(f"PhysicalSize{axis}") for axis in "XY")
    oblong = width is not None and height is not None and width != height
    return MovieInfo(
        int(pixels["SizeT"]),
        int(pixels["SizeY"]),
        int(pixels["SizeX"]),
        names,
        float(np.sqrt(width * height)) if oblong else None if size is None else float(size),
        None if minutes is None else float(minutes),
        tuple(origins[t] for t in sorted(origins)),
        height / width if oblong else 1.0,
        tuple(times[t] for t in sorted(times)),
    )


def write_movie(planes: Iterable[np.ndarray], path: Path, info: MovieInfo) -> None:
    """Write planes in frame-major, then channel order; ``planes`` may be a generator.

    The file is a zstd-compressed OME-TIFF (axes TCYX) with channel names, pixel size and frame interval.
    """
    pages = iter(planes)
    first = next(pages)

    def every() -> Iterator[np.ndarray]:
        yield first
        yield from pages

    with replacing(path) as temporary, tifffile.TiffWriter(temporary, bigtiff=True, ome=True) as tiff:
        tiff.write(
            every(),
            shape=(info.frames, max(len(info.channels), 1), info.height, info.width),
            dtype=first.dtype,
            compression="zstd",
            photometric="minisblack",
            metadata=_ome(info, path.name),
        )


def _ome(info: MovieInfo, name: str) -> dict[str, object]:
    # Derive the identifier from the name, so that the same pixels make the same file.
    metadata: dict[str, object] = {"axes": "TCYX", "UUID": str(uuid.uuid5(uuid.NAMESPACE_URL, name))}
    if info.channels:
        metadata["Channel"] = {"Name": list(info.channels)}
    if info.pixel_size_um is not None:
        unit = {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
        height, width = info.pixel_sides
        metadata |= {"PhysicalSizeX": float(info.pixel_size_um * width), **unit}
        metadata |= {"PhysicalSizeY": float(info.pixel_size_um * height)}
    if info.frame_interval_min is not None:
        metadata |= {"TimeIncrement": info.frame_interval_min, "TimeIncrementUnit": "min"}
    planes = _positions(info) if info.origins else {}
    if info.times_min:
        each = np.repeat(info.times_min, max(len(info.channels), 1)).tolist()
        planes |= {"DeltaT": each, "DeltaTUnit": ["min"] * len(each)}
    if planes:
        metadata["Plane"] = planes
    return metadata


def _positions(info: MovieInfo) -> dict[str, list]:
    """Return the origins as stage positions of all planes, in pixels, which is how OME stores them."""
    y, x = np.repeat(info.origins, max(len(info.channels), 1), axis=0).T.tolist()
    return {"PositionX": x, "PositionXUnit": ["pixel"] * len(x), "PositionY": y, "PositionYUnit": ["pixel"] * len(y)}


def write_labels(planes: Iterable[np.ndarray], path: Path, info: MovieInfo) -> None:
    """Write a label stack, one ``(height, width)`` plane per frame, in the dtype of the first plane."""
    write_movie(planes, path, replace(info, channels=()))


class Labels:
    """A label stack: one ``(height, width)`` plane of integers per frame, 0 for background.

    Parameters
    ----------
    info
        Size and scales; no channels.
    read
        Function of a frame, from 0, that returns its plane.
    """

    def __init__(self, info: MovieInfo, read: Callable[[int], np.ndarray]) -> None:
        self.info, self._read = info, read

    def __len__(self) -> int:
        return self.info.frames

    def __getitem__(self, frame: int) -> np.ndarray:
        if not 0 <= frame < self.info.frames:
            raise IndexError(frame)
        return self._read(frame)


@contextmanager
def open_labels(path: Path) -> Iterator[Labels]:
    """Open a label stack that :func:`write_labels` wrote; iterate it or index it by frame."""
    with open_movie(path) as movie:
        yield Labels(movie.info, lambda frame: movie.read(frame, 0))
