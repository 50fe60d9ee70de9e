"""Arrays of the caller as movies and label stacks in the form that the steps read; they are never changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from cineseq.errors import UserError
from cineseq.io.stacks import Labels, Movie, MovieInfo
from cineseq.text import count

IMAGE_AXES = {2: "YX", 3: "CYX", 4: "TCYX"}
"""Default axes of an image by their number: T frames, C channels, Y rows, X columns."""
LABEL_AXES = {2: "YX", 3: "TYX"}
LARGEST_LABEL = int(np.iinfo(np.uint32).max)
"""Label stacks are written as uint32 at most."""


def image_axes(image: Any, axes: str | None) -> str:
    """Return the axes of an image, as letters out of T, C, Y and X.

    Parameters
    ----------
    image
        A movie, or an array.
    axes
        Axes as the caller names them; None derives them from their number, see :data:`IMAGE_AXES`.

    Raises
    ------
    UserError
        When the axes do not fit the image, or one of them is unknown.
    """
    if isinstance(image, Movie):
        return "TCYX"
    shape = tuple(_array(image).shape)
    number = len(shape)
    if axes is None:
        if number not in IMAGE_AXES:
            msg = f"image: {number} axes, shape {shape}; expected YX, CYX or TCYX; name other axes in axes=."
            raise UserError(msg)
        return IMAGE_AXES[number]
    letters = axes.upper()
    if "Z" in letters:
        msg = (
            f"axes: '{axes}' has a depth axis Z, but cells are measured in two dimensions; supply one plane or a "
            "projection, such as image.max(axis=0), and name the remaining axes."
        )
        raise UserError(msg)
    if set(letters) - set("TCYX") or len(set(letters)) < len(letters) or not {"Y", "X"} <= set(letters):
        msg = f"axes: '{axes}' should hold Y and X, and T and C if present, each once, such as 'TYX' or 'YXC'."
        raise UserError(msg)
    if len(letters) != number:
        msg = f"axes: '{axes}' names {len(letters)} axes, but image has {number}, shape {shape}; name each one."
        raise UserError(msg)
    return letters


def as_movie(
    image: Any,
    *,
    axes: str | None = None,
    names: Sequence[str] | None = None,
    pixel_size_um: float | None = None,
    frame_interval_min: float | None = None,
    function: Sequence[str] = (),
) -> Movie:
    """Return a movie that reads its planes from an array, or a movie, unchanged except for its scales.

    Parameters
    ----------
    image
        A movie, or anything with a shape and a dtype that can be indexed; grey levels of any integer or float type,
        in any byte order.
    axes
        See :func:`image_axes`.
    names
        Names of the channels of an array; None calls them C0, C1, ...
    pixel_size_um, frame_interval_min
        Micrometres per pixel and minutes per frame; None for those of the movie, or if they are unknown.
    function
        Channels that measure function.

    Raises
    ------
    UserError
        When axes, names or scales do not fit or, once a plane is read, when its values are not grey levels.
    """
    size = positive("pixel_size_um", pixel_size_um)
    minutes = positive("frame_interval_min", frame_interval_min)
    letters = image_axes(image, axes)
    if isinstance(image, Movie):
        if names is not None:
            msg = "names: a movie names its channels; set other names in read_movie, as channels=."
            raise UserError(msg)
        size, minutes = size or image.pixel_size_um, minutes or image.frame_interval_min
        info = replace(image.info, pixel_size_um=size, frame_interval_min=minutes)
        if pixel_size_um is not None:
            info = replace(info, pixel_aspect=1.0)
        if frame_interval_min is not None:
            info = replace(info, times_min=())
        return Movie(image.path, info, image.read, tuple(function) or image.function)
    array = _array(image)
    if 0 in array.shape:
        msg = f"image: it is empty, shape {tuple(array.shape)}; give at least one pixel, frame and channel."
        raise UserError(msg)
    length = dict(zip(letters, array.shape, strict=True))
    channels = _names(names, length.get("C", 1))
    info = MovieInfo(length.get("T", 1), length["Y"], length["X"], channels, size, minutes)
    return Movie(Path("image"), info, _reader(array, letters), tuple(known_channels(channels, function, "function")))


def as_labels(
    labels: Any,
    movie: Movie | None = None,
    axes: str | None = None,
    *,
    pixel_size_um: float | None = None,
    frame_interval_min: float | None = None,
) -> Labels:
    """Return a label stack that reads its planes from an array.

    Parameters
    ----------
    labels
        Whole numbers from 0, shape YX or TYX, or the axes of the image without C; or a movie of one channel.
    movie
        The movie that the labels belong to, with its scales and the shifts of its frames.
    axes
        Axes of the labels; None reads them from their number.
    pixel_size_um, frame_interval_min
        Scales if there is no movie.

    Raises
    ------
    UserError
        When the number of axes is wrong, values are not labels, or the labels do not belong to the movie.
    """
    array = label_array(labels)
    letters = axes or LABEL_AXES.get(len(array.shape), "")
    if len(letters) != len(array.shape):
        expected = f"{axes}, as image without C" if axes else "YX or TYX"
        msg = (
            f"labels: {len(array.shape)} axes, shape {tuple(array.shape)}; expected {expected}; supply one label "
            "per pixel, and set axes= (such as 'TYX') if image is not YX, CYX or TCYX."
        )
        raise UserError(msg)
    if 0 in array.shape:
        msg = f"labels: they are empty, shape {tuple(array.shape)}; give at least one frame and one pixel."
        raise UserError(msg)
    length = dict(zip(letters, array.shape, strict=True))
    here = (length.get("T", 1), length["Y"], length["X"])
    if movie is not None and here != _sizes(movie.info):
        frames, height, width = _sizes(movie.info)
        msg = (
            f"labels: {count(here[0], 'frame')} of {here[1]} x {here[2]} px, but image has {frames} of {height} x "
            f"{width} px and {count(len(movie.channels), 'channel')}; supply the labels of this image, and set axes= "
            "(such as 'TYX') if image is not YX, CYX or TCYX."
        )
        raise UserError(msg)
    plane = _plane(array, letters)
    for frame in range(here[0]):
        _check_labels(plane(frame, 0), frame)
    size = positive("pixel_size_um", pixel_size_um)
    minutes = positive("frame_interval_min", frame_interval_min)
    info = MovieInfo(*here, (), size, minutes) if movie is None else replace(movie.info, channels=())
    return Labels(info, lambda frame: plane(frame, 0).astype(np.int64))


def known_channels(present: Sequence[str], wanted: str | int | Sequence[str | int], argument: str) -> list[str]:
    """Return the names of channels from names or numbers from 0.

    Raises
    ------
    UserError
        When one does not exist; the message lists those that do.
    """
    counted = dict(enumerate(present))
    found = []
    for channel in [wanted] if isinstance(wanted, (str, int, np.integer)) else wanted:
        name = channel if isinstance(channel, str) else counted.get(int(channel))
        if name is None or name not in present:
            msg = f"{argument}: there is no channel {channel!r}; the image has {', '.join(present)}, counted from 0."
            raise UserError(msg)
        found.append(name)
    return found


def chosen_channels(movie: Movie, channels: str | int | Sequence[str | int] | None) -> list[str] | None:
    """Return the names of the channels that the caller chose; None for the default.

    Raises
    ------
    UserError
        When one does not exist, or measures function.
    """
    if channels is None:
        return None
    wanted = known_channels(movie.channels, channels, "channels")
    barred = next((name for name in wanted if name in movie.function), None)
    if barred is not None:
        msg = (
            f"channels: '{barred}' measures function, so it must not be used here; choose another, or open the movie "
            f"with read_movie without '{barred}' in function=."
        )
        raise UserError(msg)
    return wanted


def positive(argument: str, value: float | None) -> float | None:
    """Return a scale as a float, None if it is unknown.

    Raises
    ------
    UserError
        When it is not a number above 0.
    """
    if value is None:
        return None
    is_number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not is_number or not 0 < value < np.inf:
        msg = f"{argument}: {value!r} should be a number above 0, or None if it is unknown."
        raise UserError(msg)
    return float(value)


def label_array(labels: Any) -> Any:
    """Return labels as an array, possibly a lazy one; those of a movie of one channel have the shape TYX.

    Raises
    ------
    UserError
        When a movie has several channels.
    """
    if not isinstance(labels, Movie):
        return _array(labels)
    if len(labels.channels) > 1:
        msg = f"labels: a movie with {len(labels.channels)} channels, but labels have one; choose it in read_movie."
        raise UserError(msg)
    return labels.data[:, 0]


def _array(values: Any) -> Any:
    """Return values that have a shape and can be indexed, such as a lazy array, unchanged; others as an array."""
    if isinstance(values, (str, PathLike)):
        msg = f"'{values}' is a path, but an array or a movie was expected; open it with read_movie first."
        raise UserError(msg)
    return values if hasattr(values, "shape") and hasattr(values, "dtype") else np.asarray(values)


def _sizes(info: MovieInfo) -> tuple[int, int, int]:
    return info.frames, info.height, info.width


def _names(names: Sequence[str] | None, channels: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"C{i}" for i in range(channels))
    if isinstance(names, str):
        names = [names]
    if len(names) != channels or len(set(names)) < channels or not all(isinstance(n, str) and n for n in names):
        msg = f"names: {list(names)} should hold a name for each channel of image ({channels}), each once."
        raise UserError(msg)
    return tuple(names)


def _plane(array: Any, letters: str) -> Callable[[int, int], np.ndarray]:
    """Return a function of frame and channel that cuts a plane out of an array, rows first."""

    def plane(frame: int, channel: int) -> np.ndarray:
        where = {"T": frame, "C": channel}
        cut = np.asarray(array[tuple(where.get(letter, slice(None)) for letter in letters)])
        return cut if letters.index("Y") < letters.index("X") else cut.T

    return plane


def _reader(array: Any, letters: str) -> Callable[[int, int], np.ndarray]:
    plane = _plane(array, letters)

    def read(frame: int, channel: int) -> np.ndarray:
        values = plane(frame, channel)
        if values.dtype.kind not in "uif":
            msg = f"image: values of type {values.dtype}; expected grey levels, whole numbers or floats."
            raise UserError(msg)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            msg = f"image: frame {frame} of channel {channel} has values that are not finite; fill those pixels."
            raise UserError(msg)
        # The types of a prepared movie, in this machine's byte order.
        kind = values.dtype.newbyteorder("=") if values.dtype.itemsize <= 2 and values.dtype.kind == "u" else np.float32
        return np.array(values, kind, order="C")

    return read


def _check_labels(plane: np.ndarray, frame: int) -> None:
    if plane.dtype.kind == "b":
        msg = "labels: truth values do not distinguish cells; number the cells, as skimage.measure.label does."
        raise UserError(msg)
    if plane.dtype.kind not in "uif":
        msg = f"labels: values of type {plane.dtype}; expected whole numbers, 0 for background."
        raise UserError(msg)
    if plane.dtype.kind == "f" and not (np.isfinite(plane).all() and (plane == np.round(plane)).all()):
        msg = f"labels: frame {frame} has fractions or missing values; use whole numbers, 0 for background."
        raise UserError(msg)
    if plane.min() < 0:
        msg = f"labels: frame {frame} has negative labels; use 0 for background and numbers above 0 for cells."
        raise UserError(msg)
    if plane.max() > LARGEST_LABEL:
        msg = (
            f"labels: frame {frame} has the label {int(plane.max())}, above {LARGEST_LABEL}; renumber the cells, as "
            "skimage.segmentation.relabel_sequential does."
        )
        raise UserError(msg)
