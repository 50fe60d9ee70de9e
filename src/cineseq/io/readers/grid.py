"""The axes of a stored array: which one is time and which one holds the channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cineseq.errors import UserError
from cineseq.io.readers.source import ReadOptions
from cineseq.text import count

UNNAMED = "?"
"""Letter of an axis that the file does not name."""
SAMPLES = "S"
"""Letter of the samples of a pixel."""
MOST_CHANNELS = 5
"""A longer unnamed axis is not taken for the channels, nor a shorter one for time where another is longer."""
SMALLEST_IMAGE = 16
"""With at least so many pixels on each side, two axes before a short one are rows and columns, and the short one the
channels."""


@dataclass(frozen=True)
class PlaneGrid:
    """A stored array.

    Attributes
    ----------
    axes
        One letter per axis: T, C, Z, Y, X, S (samples of a pixel), ``?`` (unnamed), or another letter.
    shape
        Length of each axis.
    read
        Function of one index per axis, whole numbers except slices for Y and X, that returns the plane.
    colour
        Whether the samples of a pixel are those of a colour or of transparency.
    """

    axes: str
    shape: tuple[int, ...]
    read: Callable[[tuple[Any, ...]], np.ndarray]
    colour: bool = False

    def length(self, axis: str) -> int:
        """Return the length of an axis; 1 if there is none."""
        return self.shape[self.axes.index(axis)] if axis in self.axes else 1


@dataclass(frozen=True)
class AxisLayout:
    """A stored array with known axes of time and channel; if ``interleaved`` is not 0, so many channels share T.

    Attributes
    ----------
    grid
        The array; axes other than T, C, Y and X have the length 1.
    interleaved
        Number of channels that share the axis T; 0 if none do.
    notes, notices
        How the axes were read, see :class:`~cineseq.io.readers.source.SourceInfo`.
    """

    grid: PlaneGrid
    interleaved: int = 0
    notes: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.interleaved or self.grid.length("C")

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.grid.length("T") // (self.interleaved or 1)

    def index(self, frame: int, channel: int) -> tuple[int | slice, ...]:
        """Return the index of one plane in the stored array."""
        at: dict[str, int | slice] = {"Y": slice(None), "X": slice(None), "C": channel}
        at["T"] = frame * self.interleaved + channel if self.interleaved else frame
        return tuple(at.get(axis, 0) for axis in self.grid.axes)

    def plane(self, frame: int, channel: int) -> np.ndarray:
        """Read one plane, shape (height, width)."""
        plane = np.asarray(self.grid.read(self.index(frame, channel)))
        plane = plane.astype(plane.dtype.newbyteorder("="), copy=False)
        return plane if self.grid.axes.index("Y") < self.grid.axes.index("X") else plane.T


def layout_of(path: Path, grid: PlaneGrid, options: ReadOptions) -> AxisLayout:
    """Find the axes of time and channel.

    Axes that ``options.axes`` states have priority over those of the file. Axes of length 1 count as absent. Unnamed
    axes are read by their lengths where only one reading is possible.

    Raises
    ------
    UserError
        When the image is in colour, when an axis other than time and channel is longer than 1, or when unnamed axes
        can be read in two ways.
    """
    if options.axes is not None:
        stated = (
            options.axes.replace("C", "") if options.masks and len(options.axes) > len(grid.shape) else options.axes
        )
        return _checked(path, AxisLayout(_stated(path, grid, stated)), stated=True)
    if SAMPLES in grid.axes and grid.length(SAMPLES) > 1:
        if grid.colour:
            msg = (
                f"{path}: a colour (RGB) image; save each channel as a grey image of its own. If it is an array of "
                f"channels, state its axes: inputs.axes: {_example(grid)} (axes= in Python){_if_frames(grid)}."
            )
            raise UserError(msg)
        grid = replace(grid, axes=_replaced(grid.axes, grid.axes.index(SAMPLES), "C"))
    grid, said = _channels_last(path, grid)
    layout = _of_unnamed(path, grid, options)
    return _checked(path, replace(layout, notices=said + layout.notices))


def _replaced(axes: str, position: int, letter: str) -> str:
    return axes[:position] + letter + axes[position + 1 :]


def _example(grid: PlaneGrid) -> str:
    """Return axes that ``inputs.axes`` might state for an array, as an example."""
    longer = "".join(axis for axis, n in zip(grid.axes, grid.shape, strict=True) if n > 1).replace(SAMPLES, "C")
    if SAMPLES in grid.axes and set(longer) <= set("TCZYX") and len(set(longer)) == len(longer):
        return longer
    if SAMPLES in grid.axes:
        last = grid.axes.index(SAMPLES) == len(grid.axes) - 1
        return {3: "YXC" if last else "TYX", 4: "TYXC" if last else "TCYX"}.get(len(grid.shape), "TZCYX")
    return {3: "TYX", 4: "TCYX"}.get(len(grid.shape), "TZCYX")


def _if_frames(grid: PlaneGrid) -> str:
    """Return the axes of three or four frames that were written as the planes of a colour."""
    frames = "".join(axis for axis, n in zip(grid.axes, grid.shape, strict=True) if n > 1) == SAMPLES + "YX"
    return "; if these are frames, inputs.axes: TYX" if frames else ""


def _stated(path: Path, grid: PlaneGrid, axes: str) -> PlaneGrid:
    """Return the array with the axes that the user states, of all its axes or of those longer than 1."""
    longer = [i for i, n in enumerate(grid.shape) if n > 1]
    if len(axes) == len(grid.shape):
        return replace(grid, axes=axes)
    if len(axes) == len(longer):
        letters = dict(zip(longer, axes, strict=True))
        return replace(grid, axes="".join(letters.get(i, "1") for i in range(len(grid.shape))))
    msg = (
        f"{path}: inputs.axes states {count(len(axes), 'axis', 'axes')} ({axes}), but the array has "
        f"{count(len(grid.shape), 'axis', 'axes')}, shape {grid.shape}; state one letter for each."
    )
    raise UserError(msg)


def _channels_last(path: Path, grid: PlaneGrid) -> tuple[PlaneGrid, tuple[str, ...]]:
    """Return an unnamed array whose rows and columns are followed by a short axis with that axis as channels."""
    given = grid.shape
    short = len(given) > 2 and 1 <= given[-1] <= MOST_CHANNELS < SMALLEST_IMAGE <= min(given[-3:-1])
    if not short or not grid.axes.endswith("YX") or grid.axes[-3] != UNNAMED or "C" in grid.axes:
        return grid, ()
    said = f"{path.name}: the last axis of the array of shape {given} is read as its {given[-1]} channels."
    return replace(grid, axes=grid.axes[:-3] + "YXC"), (said,)


def _of_unnamed(path: Path, grid: PlaneGrid, options: ReadOptions) -> AxisLayout:
    """Read the unnamed axes, which are longer than 1, as time and channel."""
    expected = options.channels
    unnamed = [i for i, axis in enumerate(grid.axes) if axis == UNNAMED and grid.shape[i] > 1]
    lengths = [grid.shape[i] for i in unnamed]
    missing = [axis for axis in "TC" if grid.length(axis) == 1]
    if not unnamed:
        return AxisLayout(grid)
    if len(unnamed) == 1 and "T" in missing:
        # A leading axis of length 1 is a time axis whose only frame has channels, unless too many for that.
        spare = len(grid.shape) > 3 and "C" in missing
        if spare and expected is not None and expected > 1 and expected == lengths[0]:
            return AxisLayout(_named(grid, unnamed, "C"))
        if spare and grid.axes[0] == UNNAMED and unnamed[0] > 0 and lengths[0] <= MOST_CHANNELS:
            raise _ambiguous(path, grid)
        return _pages(path, _named(grid, unnamed, "T"), expected, alone="C" in missing)
    if len(unnamed) == 1 and "C" in missing and lengths[0] == expected:
        return AxisLayout(_named(grid, unnamed, "C"))
    if len(unnamed) == 2 and len(missing) == 2:
        letters = _time_and_channel(lengths, expected)
        if letters is not None:
            frames, channels = (lengths[letters.index(axis)] for axis in "TC")
            said = (
                f"{path.name}: the unnamed axes of the array of shape {grid.shape} are read as {frames} frames of "
                f"{channels} channels, by their lengths; state them with inputs.axes if this is wrong."
            )
            return AxisLayout(_named(grid, unnamed, letters), notices=(said,))
    raise _ambiguous(path, grid)


def _named(grid: PlaneGrid, positions: list[int], letters: str) -> PlaneGrid:
    """Return the array with letters for some axes, and without names for others of the same letter."""
    axes = "".join("1" if axis in letters else axis for axis in grid.axes)
    for position, letter in zip(positions, letters, strict=True):
        axes = _replaced(axes, position, letter)
    return replace(grid, axes=axes)


def _time_and_channel(lengths: list[int], expected: int | None) -> str | None:
    """Return "TC" or "CT", the only reading of two axes as time and channel, or None if there are two or none."""
    if expected is not None and expected > 1:
        same = [n == expected for n in lengths]
    else:
        same = [n <= MOST_CHANNELS for n in lengths]
    return {(False, True): "TC", (True, False): "CT"}.get((same[0], same[1]))


def _ambiguous(path: Path, grid: PlaneGrid) -> UserError:
    unnamed = grid.axes.count(UNNAMED)
    return UserError(
        f"{path}: an array of shape {grid.shape} with {unnamed} unnamed axes, so time and channel cannot be "
        f"distinguished; state one letter for each axis: inputs.axes: {_example(grid)} (axes= in Python), with T for "
        "time, C for channels, Z for planes, Y for rows and X for columns."
    )


def _pages(path: Path, grid: PlaneGrid, expected: int | None, *, alone: bool) -> AxisLayout:
    """Read pages as frames, or as the channels of frame 0, of frame 1 and so on if several channels are named."""
    if not alone or expected is None or expected < 2:
        return AxisLayout(grid)
    pages = grid.length("T")
    if pages % expected:
        msg = (
            f"{path}: {pages} pages cannot be divided among the {expected} channels of channels.names; "
            "name as many channels as there are pages in a frame."
        )
        raise UserError(msg)
    note = f"{path.name}: pages are read as the {expected} channels of frame 0, then of frame 1, and so on."
    return AxisLayout(grid, expected, (note,))


def _checked(path: Path, layout: AxisLayout, *, stated: bool = False) -> AxisLayout:
    """Read z planes without time as time, unless they are stated; refuse other axes, and axes of one letter."""
    grid = layout.grid
    repeated = [axis for axis in "TCZYX" if grid.axes.count(axis) > 1]
    if repeated or not {"Y", "X"} <= set(grid.axes):
        what = f"the axis {repeated[0]} twice" if repeated else "no axes Y and X"
        msg = f"{path}: an array of shape {grid.shape} with {what} ({grid.axes}); state its axes with inputs.axes."
        raise UserError(msg)
    if grid.length("Z") > 1 and grid.length("T") == 1 and not stated:
        planes = grid.length("Z")
        axes = "".join({"Z": "T", "T": "1"}.get(axis, axis) for axis in grid.axes)
        said = (
            f"{path.name}: the {planes} z planes are read as time, because the file has no time axis. If they are a "
            "z-stack of one time point, nothing that follows is valid: project it first. inputs.axes states the axes."
        )
        layout = replace(layout, grid=replace(grid, axes=axes), notices=(*layout.notices, said))
        grid = layout.grid
    extra = [f"{a} ({n})" for a, n in zip(grid.axes, grid.shape, strict=True) if a not in "TCYX" and n > 1]
    if extra:
        msg = (
            f"{path}: has axes other than time and channel: {', '.join(extra)}; project or save them one at a time "
            "first."
        )
        raise UserError(msg)
    return layout
