"""OME-Zarr: NGFF 0.4 on Zarr 2 and NGFF 0.5 on Zarr 3, as a folder or zip file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, is_zipfile

import numpy as np
import zarr
from zarr.storage import LocalStore, ZipStore

from cineseq.errors import UserError, reading
from cineseq.io.readers.source import MICROMETRES, MINUTES, Source, SourceInfo, scaled

SUFFIXES = (".zarr", ".zarr.zip", ".ozx")


def is_zarr(path: Path) -> bool:
    """Whether a path looks like an OME-Zarr image."""
    return path.name.endswith(SUFFIXES) or any((path / name).is_file() for name in ("zarr.json", ".zgroup"))


@contextmanager
def open_zarr(path: Path) -> Iterator[Source]:
    """Open an OME-Zarr image at full resolution; planes are read on demand.

    Raises
    ------
    UserError
        When the path does not exist, has no image metadata, is a plate, or has axes other than time and channel.
    """
    if not path.exists():
        msg = f"{path}: there is no such OME-Zarr; correct the path in the sample sheet."
        raise UserError(msg)
    with ExitStack() as stack:
        with reading(path, "not a readable OME-Zarr image", "expected NGFF 0.4 or 0.5 with 'multiscales'"):
            if not (path.is_dir() or is_zipfile(path)):
                msg = "neither a folder nor a zip file"
                raise BadZipFile(msg)
            store = stack.enter_context(LocalStore(path, read_only=True) if path.is_dir() else ZipStore(path, mode="r"))
            image, metadata = _image(path, zarr.open_group(store, mode="r"))
            names = [str(axis["name"] if isinstance(axis, dict) else axis).lower() for axis in metadata["axes"]]
            array = image[metadata["datasets"][0]["path"]]
            sizes = dict(zip(names, array.shape, strict=True))
            _check_axes(path, sizes)
            info = _info(sizes, metadata, _attributes(image))
        yield Source(path, info, _reader(path, array, names))


def _attributes(group: Any) -> dict[str, Any]:
    """Return the NGFF metadata, which version 0.5 stores under the key "ome" and 0.4 does not."""
    attributes = dict(group.attrs)
    return attributes.get("ome", attributes)


def _image(path: Path, root: Any) -> tuple[Any, dict[str, Any]]:
    """Return the group of the image and its first multiscale; bioformats2raw stores images in "0", "1", ..."""
    attributes = _attributes(root)
    if "bioformats2raw.layout" in attributes and "multiscales" not in attributes:
        root = root["0"]
        attributes = _attributes(root)
    if "plate" in attributes:
        msg = f"{path}: a plate; give the path of one field of it, such as {path.name}/A/1/0."
        raise UserError(msg)
    return root, attributes["multiscales"][0]


def _check_axes(path: Path, sizes: dict[str, int]) -> None:
    other = {name: n for name, n in sizes.items() if name not in "tcyx" and n > 1}
    if other or not {"y", "x"} <= sizes.keys():
        extra = ", ".join(f"{name} ({n})" for name, n in other.items()) or "no y and x"
        msg = f"{path}: has axes other than time and channel: {extra}; project or save them one at a time first."
        raise UserError(msg)


def _info(sizes: dict[str, int], metadata: dict[str, Any], attributes: dict[str, Any]) -> SourceInfo:
    channels = sizes.get("c", 1)
    labels = tuple(str(c["label"]) for c in attributes.get("omero", {}).get("channels", []) if c.get("label"))
    scales = _scales(metadata, list(sizes))
    return SourceInfo(
        frames=sizes.get("t", 1),
        channels=channels,
        height=sizes["y"],
        width=sizes["x"],
        names=labels if len(labels) == channels else (),
        pixel_size_um=scaled(*scales["x"], MICROMETRES),
        frame_interval_min=scaled(*scales["t"], MINUTES) if "t" in scales else None,
    )


def _scales(metadata: dict[str, Any], names: list[str]) -> dict[str, tuple[float | None, str]]:
    """Return the step along each axis at full resolution and its unit; "?" if the file has none."""
    steps: list[float | None] = [None] * len(names)
    transforms = metadata["datasets"][0].get("coordinateTransformations", [])
    for transform in [*transforms, *metadata.get("coordinateTransformations", [])]:
        if transform.get("type") == "scale":
            steps = [
                factor * (1 if step is None else step) for step, factor in zip(steps, transform["scale"], strict=True)
            ]
    units = [axis.get("unit", "?") if isinstance(axis, dict) else "?" for axis in metadata["axes"]]
    return {name: (step, unit) for name, step, unit in zip(names, steps, units, strict=True)}


def _reader(path: Path, array: Any, names: list[str]) -> Callable[[int, int], np.ndarray]:
    def plane(frame: int, channel: int) -> np.ndarray:
        where = {"t": frame, "c": channel, "y": slice(None), "x": slice(None)}
        with reading(path, f"frame {frame} of channel {channel} cannot be read", "copy the OME-Zarr again"):
            return np.asarray(array[tuple(where.get(name, 0) for name in names)])

    return plane
