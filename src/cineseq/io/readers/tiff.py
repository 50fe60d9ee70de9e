"""OME-TIFF, ImageJ and plain multi-page TIFF."""

from __future__ import annotations

import logging
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr

from cineseq.errors import UserError, reading
from cineseq.io.readers.source import MICROMETRES, MINUTES, Source, SourceInfo, scaled

SUFFIXES = (".tif", ".tiff", ".btf", ".tf2", ".tf8")
DAMAGE = ("invalid page offset", "invalid value offset", "corrupted")
UNKNOWN_AXES = ("I", "Q")
POSSIBLE_TIMES = ("Z", *UNKNOWN_AXES)
DAMAGED = ("not a whole TIFF file", "copy it again from the microscope")


@contextmanager
def open_tiff(path: Path, expected_channels: int | None = None) -> Iterator[Source]:
    """Open one TIFF file; planes are read on demand.

    Parameters
    ----------
    path
        The file. Of a file with several series (positions), the first is read.
    expected_channels
        Number of channels that the user named. Pages of a plain stack, which has no axes, are then read as the
        channels of frame 0, of frame 1 and so on; otherwise each page is a frame.

    Raises
    ------
    UserError
        When the file is missing, truncated, not a TIFF, in colour, a z-stack, or its pages differ in shape, or several
        axes are unnamed.
    """
    if not path.is_file():
        msg = f"{path}: there is no such file; correct the path in the sample sheet."
        raise UserError(msg)
    with ExitStack() as stack:
        with reading(path, *DAMAGED):
            tiff, series = _checked(path, stack)
            sizes = _sizes(path, series)
            layout = _layout(path, sizes, expected_channels)
            array = zarr.open(series.aszarr(level=0), mode="r")
            info = _info(tiff, sizes, layout)
        yield Source(path, info, _reader(path, array, series.axes, layout))


def _checked(path: Path, stack: ExitStack) -> tuple[tifffile.TiffFile, tifffile.TiffPageSeries]:
    """Open a file and check all its pages; refuse it if tifffile reports an error or data are beyond its end."""
    with _logged_errors() as complaints:
        tiff = stack.enter_context(tifffile.TiffFile(path))
        count = len(tiff.pages)
        series = tiff.series[0]
    damage = [c for c in complaints if any(word in c for word in DAMAGE)]
    ends = [o + n for page in series.pages if page for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
    if damage or None in list(series.pages) or (not tiff.is_ome and max(ends, default=0) > tiff.filehandle.size):
        msg = damage[0] if damage else "image data are missing"
        raise tifffile.TiffFileError(msg)
    whole = (page for page in tiff.pages if not getattr(page, "is_reduced", False))
    shapes = [page.shape for page in whole] if not tiff.is_ome and count > 1 else []
    odd = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    if odd is not None:
        msg = (
            f"{path}: page {odd} has the shape {shapes[odd]}, page 0 {shapes[0]}; "
            "all frames of a movie must have one shape."
        )
        raise UserError(msg)
    return tiff, series


@contextmanager
def _logged_errors() -> Iterator[list[str]]:
    """Collect the errors that tifffile logs: it reads a truncated file as far as possible and only logs the error."""
    logged: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    log = tifffile.logger()
    before = log.propagate
    log.addHandler(handler)
    log.propagate = False
    try:
        yield logged
    finally:
        log.propagate = before
        log.removeHandler(handler)


@dataclass(frozen=True)
class _Layout:
    """The axes of time and channel; if ``interleaved`` is not 0, so many channels share the time axis."""

    time: str | None
    channel: str | None
    interleaved: int = 0
    notes: tuple[str, ...] = ()


def _sizes(path: Path, series: tifffile.TiffPageSeries) -> dict[str, int]:
    """Return the length of each axis; refuse several axes of one letter, as of an array saved without axes."""
    repeated = [n for axis, n in zip(series.axes, series.shape, strict=True) if series.axes.count(axis) > 1]
    if max(repeated, default=1) > 1:
        msg = (
            f"{path}: an array of shape {tuple(series.shape)} with {len(repeated)} unnamed axes, so time and channel "
            "cannot be distinguished; keep time, channel, rows and columns, and save it with their names: "
            'tifffile.imwrite(path, array, photometric="minisblack", metadata={"axes": "TCYX"}).'
        )
        raise UserError(msg)
    return dict(zip(series.axes, series.shape, strict=True))


def _layout(path: Path, sizes: dict[str, int], expected: int | None) -> _Layout:
    others = [axis for axis in sizes if axis not in "TCYX"]
    _check_axes(path, sizes, others)
    time = "T" if "T" in sizes else others[0] if others else None
    channel = "C" if "C" in sizes else None
    if time == "Z":
        note = f"{path.name}: the {sizes[time]} z planes are read as time, because the file has no time axis."
        return _Layout(time, channel, notes=(note,))
    if time in UNKNOWN_AXES and channel is None and expected and expected > 1:
        if sizes[time] % expected:
            msg = (
                f"{path}: {sizes[time]} pages cannot be divided among the {expected} channels of channels.names; "
                "name as many channels as there are pages in a frame."
            )
            raise UserError(msg)
        note = f"{path.name}: pages are read as the {expected} channels of frame 0, then of frame 1, and so on."
        return _Layout(time, None, expected, (note,))
    return _Layout(time, channel)


def _check_axes(path: Path, sizes: dict[str, int], others: list[str]) -> None:
    """Refuse colour images, and axes other than time and channel that cannot be read as time."""
    if "S" in others:
        msg = f"{path}: a colour (RGB) image; save each channel as a grey image of its own."
        raise UserError(msg)
    if len(others) > ("T" not in sizes) or any(axis not in POSSIBLE_TIMES for axis in others):
        extra = ", ".join(f"{axis} ({sizes[axis]})" for axis in others)
        msg = f"{path}: has axes other than time and channel: {extra}; project or save them one at a time first."
        raise UserError(msg)


def _info(tiff: tifffile.TiffFile, sizes: dict[str, int], layout: _Layout) -> SourceInfo:
    channels = layout.interleaved or (sizes[layout.channel] if layout.channel else 1)
    pages = sizes[layout.time] if layout.time else 1
    if tiff.ome_metadata is not None:
        names = _ome_names(tiff.ome_metadata)
        size, minutes = _ome_scales(tifffile.xml2dict(tiff.ome_metadata)["OME"])
    elif tiff.is_imagej:
        names, size, minutes = _imagej(tiff)
    else:
        names, size, minutes = (), None, None
    return SourceInfo(
        frames=pages // layout.interleaved if layout.interleaved else pages,
        channels=channels,
        height=sizes["Y"],
        width=sizes["X"],
        names=names if len(names) == channels else (),
        pixel_size_um=size,
        frame_interval_min=minutes,
        notes=layout.notes,
    )


def _ome_names(metadata: str) -> tuple[str, ...]:
    """Return the channel names of the first image as text; ``xml2dict`` would convert "01" to a number."""
    image = ET.fromstring(metadata).find("{*}Image")  # noqa: S314 - tifffile has already parsed this text
    channels = [] if image is None else image.iterfind("{*}Pixels/{*}Channel")
    return tuple(channel.attrib["Name"] for channel in channels if "Name" in channel.attrib)


def _ome_scales(ome: dict[str, Any]) -> tuple[float | None, float | None]:
    """Return pixel size (um) and frame interval (min) of the first image."""
    pixels = _first(ome["Image"])["Pixels"]
    size = scaled(pixels.get("PhysicalSizeX"), pixels.get("PhysicalSizeXUnit", "um"), MICROMETRES)
    minutes = scaled(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s"), MINUTES)
    return size, _minutes_of_planes(pixels) if minutes is None else minutes


def _minutes_of_planes(pixels: dict[str, Any]) -> float | None:
    """Return the median time between planes of the first channel, if planes have times."""
    planes = [p for p in _all(pixels.get("Plane")) if int(p.get("TheC", 0)) == 0 and "DeltaT" in p]
    times = np.sort([float(p["DeltaT"]) for p in planes])
    if len(times) < 2:
        return None
    return scaled(np.median(np.diff(times)), planes[0].get("DeltaTUnit", "s"), MINUTES)


def _imagej(tiff: tifffile.TiffFile) -> tuple[tuple[str, ...], float | None, float | None]:
    metadata = tiff.imagej_metadata or {}
    minutes = scaled(metadata.get("finterval"), metadata.get("tunit", "s"), MINUTES)
    unit = str(metadata.get("unit", "")).replace("\\u00B5", "µ")
    per_unit = tiff.pages[0].resolution[0]
    size = scaled(1 / per_unit, unit, MICROMETRES) if unit and per_unit else None
    return (), size, minutes


def _all(value: Any) -> list[dict[str, Any]]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _first(value: Any) -> dict[str, Any]:
    return _all(value)[0]


def _reader(path: Path, array: Any, axes: str, layout: _Layout) -> Callable[[int, int], np.ndarray]:
    def plane(frame: int, channel: int) -> np.ndarray:
        page = frame * layout.interleaved + channel if layout.interleaved else frame
        where = {layout.time: page, layout.channel: channel}
        with reading(path, *DAMAGED):
            return np.asarray(array[tuple(where.get(axis, slice(None)) for axis in axes)])

    return plane
