"""OME-Zarr: NGFF 0.4 on Zarr 2 and NGFF 0.5 on Zarr 3, as a folder or zip file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import numpy as np

from cineseq.errors import UserError, reading
from cineseq.io.readers.choice import NamedImage, choose
from cineseq.io.readers.chunks import Chunks, check_size, checked, with_empty
from cineseq.io.readers.grid import UNNAMED, AxisLayout, PlaneGrid, layout_of
from cineseq.io.readers.ome_xml import OmeImage, named_channels, parse_ome
from cineseq.io.readers.source import (
    MICROMETRES,
    MINUTES,
    ReadOptions,
    Source,
    SourceInfo,
    pixel_shape,
    scaled,
    unknown_unit,
)
from cineseq.io.zarr_files import check_codecs
from cineseq.text import natural_order

SUFFIXES = (".zarr", ".zarr.zip", ".ozx")

DAMAGED = ("not a readable OME-Zarr image", "expected NGFF 0.4 or 0.5 with 'multiscales'")
TYPES = {"time": "T", "channel": "C"}
"""Letters of axes by their NGFF type."""
NAMES = {"t": "T", "c": "C", "z": "Z", "y": "Y", "x": "X", "time": "T", "channel": "C"}
"""Letters of axes without a type by their name."""


def is_zarr(path: Path) -> bool:
    """Whether a path looks like an OME-Zarr image."""
    return path.name.endswith(SUFFIXES) or any((path / name).is_file() for name in ("zarr.json", ".zgroup"))


@contextmanager
def open_zarr(path: Path, options: ReadOptions | None = None) -> Iterator[Source]:
    """Open an OME-Zarr image at full resolution; planes are read on demand.

    Raises
    ------
    UserError
        When the path does not exist, has no image metadata, is a plate, holds several images and ``options.series``
        names none, or has axes other than time and channel.
    """
    import zarr  # noqa: PLC0415 - planning imports the readers, and zarr is slow to import
    from zarr.storage import LocalStore, ZipStore  # noqa: PLC0415

    options = ReadOptions() if options is None else options
    if not path.exists():
        msg = f"{path}: there is no such OME-Zarr; correct the path in the sample sheet."
        raise UserError(msg)
    with ExitStack() as stack:
        check_codecs(path)
        with reading(path, *DAMAGED):
            if not (path.is_dir() or is_zipfile(path)):
                msg = "neither a folder nor a zip file"
                raise BadZipFile(msg)
            store = stack.enter_context(LocalStore(path, read_only=True) if path.is_dir() else ZipStore(path, mode="r"))
            image = _chosen(path, zarr.open_group(store, mode="r"), options, _described(path))
            array = image.array
            grid = PlaneGrid(_letters(image.metadata, array.ndim), tuple(array.shape), _reader(path, array))
        layout = layout_of(path, grid, options)
        with reading(path, *DAMAGED):  # units, scales and names are as the file has them
            info = _info(path, layout, image)
        info = replace(info, times_min=image.times_min if len(image.times_min) == layout.frames else ())
        source = Source(path, info, layout.plane)
        chunks = Chunks(path, array)
        check_size(chunks, info, masks=options.masks)
        source = with_empty(source, layout, chunks) if options.masks else checked(source, layout, chunks, options)
        yield source


@dataclass(frozen=True)
class _Image:
    """One image: its array of full resolution, its multiscale metadata, the attributes of its group, and times."""

    array: Any
    metadata: dict[str, Any]
    attributes: dict[str, Any]
    times_min: tuple[float, ...] = ()


def _attributes(group: Any) -> dict[str, Any]:
    """Return the NGFF metadata, which version 0.5 stores under the key "ome" and 0.4 does not."""
    attributes = dict(group.attrs)
    return attributes.get("ome", attributes)


XML = "OME/METADATA.ome.xml"
"""OME-XML that bioformats2raw writes beside its images."""


def _described(path: Path) -> dict[str, OmeImage]:
    """Return the images that OME-XML beside them describes, by the name of their group; none without it."""
    if path.is_dir():
        text = (path / XML).read_text(encoding="utf-8") if (path / XML).is_file() else None
    else:
        with ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(XML)]
            text = archive.read(names[0]).decode("utf-8") if names else None
    return {} if text is None else {str(i.number): i for i in parse_ome(text, path / XML).images}


def _chosen(path: Path, root: Any, options: ReadOptions, described: dict[str, OmeImage]) -> _Image:
    """Return the image that the user chose, or the only one; labels and tables are none."""
    attributes = _attributes(root)
    if "plate" in attributes:
        msg = f"{path}: a plate; give the path of one field of it, such as {path.name}/A/1/0."
        raise UserError(msg)
    if "multiscales" in attributes:
        images = [_image(root, attributes, i) for i in range(len(attributes["multiscales"]))]
        names = [str(image.metadata.get("name", "")) for image in images]
    else:
        groups = _groups_of_images(root)
        images = [_image(group, _attributes(group), 0) for _, group in groups]
        names = [str(image.metadata.get("name", "")) for image in images]
        keys = [key for key, _ in groups]
        names = [name if k.isdecimal() and name.strip("/") else k for k, name in zip(keys, names, strict=True)]
        known = [described.get(k) for k in keys]
        names = [name if one is None else one.name or name for one, name in zip(known, names, strict=True)]
        images = [
            i if one is None else replace(i, times_min=one.times_min) for one, i in zip(known, images, strict=True)
        ]
        if not images:
            msg = "no multiscales"
            raise KeyError(msg)
    named = [
        NamedImage(i, "" if name == str(i) else name, _size(image), _lengths(image))
        for i, (name, image) in enumerate(zip(names, images, strict=True))
    ]
    return images[choose(path, named, options)]


def _groups_of_images(root: Any) -> list[tuple[str, Any]]:
    """Return the images directly below a group, in the order of their numbers."""
    found = [(name, group) for name, group in root.groups() if "multiscales" in _attributes(group)]
    order = {name: i for i, name in enumerate(natural_order(name for name, _ in found))}
    return sorted(found, key=lambda item: order[item[0]])


def _image(group: Any, attributes: dict[str, Any], number: int) -> _Image:
    metadata = attributes["multiscales"][number]
    arrays = [group[dataset["path"]] for dataset in metadata["datasets"]]
    # Levels are listed from the largest to the smallest; not all writers do.
    largest = max(range(len(arrays)), key=lambda i: (arrays[i].size, -i))
    return _Image(arrays[largest], metadata | {"datasets": [metadata["datasets"][largest]]}, attributes)


def _size(image: _Image) -> tuple[int, int]:
    return image.array.shape[-2], image.array.shape[-1]


def _lengths(image: _Image) -> tuple[int, int]:
    sizes = dict(zip(_letters(image.metadata, image.array.ndim), image.array.shape, strict=True))
    return sizes.get("T", 1), sizes.get("C", 1)


def _axes(metadata: dict[str, Any], dimensions: int) -> list[dict[str, Any]]:
    """Return the axes as dictionaries; before version 0.3 they were those of five dimensions."""
    axes = metadata.get("axes", list("tczyx"[5 - dimensions :]))
    return [axis if isinstance(axis, dict) else {"name": str(axis)} for axis in axes]


def _letters(metadata: dict[str, Any], dimensions: int) -> str:
    """Return one letter per axis by its type, since names are free; by its name where it has no type."""
    axes = _axes(metadata, dimensions)
    names = [str(axis.get("name", "")).lower() for axis in axes]
    letters = [TYPES.get(str(axis.get("type", "")).lower(), "") for axis in axes]
    letters = [letter or NAMES.get(name, UNNAMED) for letter, name in zip(letters, names, strict=True)]
    space = [i for i, axis in enumerate(axes) if str(axis.get("type", "")).lower() == "space"]
    if any(names[i] not in ("z", "y", "x") for i in space):
        # With other names, rows and columns are the last ones.
        for i, letter in zip(reversed(space), "XYZ", strict=False):
            letters[i] = letter
    return "".join(letters)


def _info(path: Path, layout: AxisLayout, image: _Image) -> SourceInfo:
    omero = image.attributes.get("omero", {})
    labels = named_channels([str(c.get("label") or "") for c in omero.get("channels", [])])
    scales = dict(zip(layout.grid.axes, _scales(image.metadata, image.array.ndim), strict=True))
    none = (None, "?")
    x, y, t = (scales.get(axis, none) for axis in "XYT")
    size, aspect = pixel_shape(scaled(*x, MICROMETRES), scaled(*y, MICROMETRES))
    in_time = "T" in _letters(image.metadata, image.array.ndim)
    unknown = unknown_unit(path, "pixel size", *x, MICROMETRES)
    unknown += unknown_unit(path, "frame interval", *t, MINUTES) if in_time else ()
    return SourceInfo(
        frames=layout.frames,
        channels=layout.channels,
        height=layout.grid.length("Y"),
        width=layout.grid.length("X"),
        names=labels if len(labels) == layout.channels else (),
        pixel_size_um=size,
        frame_interval_min=scaled(*t, MINUTES) if in_time else None,
        notes=(*layout.notes, *unknown),
        notices=layout.notices,
        pixel_aspect=aspect,
    )


def _scales(metadata: dict[str, Any], dimensions: int) -> list[tuple[float | None, str]]:
    """Return the step along each axis at full resolution and its unit; "?" if the file has none."""
    axes = _axes(metadata, dimensions)
    steps: list[float | None] = [None] * len(axes)
    transforms = metadata["datasets"][0].get("coordinateTransformations", [])
    for transform in [*transforms, *metadata.get("coordinateTransformations", [])]:
        if transform.get("type") == "scale":
            steps = [
                factor * (1 if step is None else step) for step, factor in zip(steps, transform["scale"], strict=True)
            ]
    return [(step, str(axis.get("unit") or "?")) for step, axis in zip(steps, axes, strict=True)]


def _reader(path: Path, array: Any) -> Callable[[tuple[Any, ...]], np.ndarray]:
    def read(index: tuple[Any, ...]) -> np.ndarray:
        at = ", ".join(str(place) for place in index if not isinstance(place, slice))
        with reading(path, f"the plane at {at} cannot be read", "copy the OME-Zarr again"):
            return np.asarray(array[index])

    return read
