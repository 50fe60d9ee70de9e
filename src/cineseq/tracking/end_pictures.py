"""What the movie shows where a track ends: the cell before its end, and what is left at the place after it.

One pass over the frames. Around each end a window is cut from the channel in which cells stand out most; other cells
that are followed are left out of it. Grey levels are given above the background of the frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from cineseq.config.tracking import LIVING_FRAMES
from cineseq.io.labels import painted
from cineseq.io.stacks import Labels, Movie
from cineseq.statistics import MAD_TO_SD

BEFORE, AFTER = LIVING_FRAMES, 4
"""Frames up to the end, and frames after it, that are looked at."""
REACH = 2.2
"""Radius of the window, in radii of the cell before its end."""
CENTRE = 0.9
"""Radius of its middle, likewise."""
STANDS_OUT = 3.0
"""Least contrast of the median cell, in standard deviations of the background, of a channel that is looked at."""
FAINT, NOISE = 0.3, 3.0
"""Least brightness of a body, as a fraction of that of the living cell and in standard deviations of the background."""
LEAST_BODY = 0.1
"""Smallest area of a body, as a fraction of that of the living cell."""
LEAST_PIECE = 3
"""Smallest area of a piece, in px2."""
EVEN = 0.35
"""Least ratio of the areas of two bodies that may be daughters."""
LARGE = 0.75
"""Quantile of the earlier areas that stands for the living cell, whose body may have been followed for a while."""
TRIED = 3
"""Frames in which the contrast of every channel is measured."""

COLUMNS = ("offset", "area", "mean", "uneven", "centre", "outer", "pieces", "middle", "two", "brightness")


@dataclass(frozen=True)
class ObjectImages:
    """The images from which objects were measured.

    Attributes
    ----------
    labels, movie
        Masks and movie; both are read again, so they must still be open.
    channels
        Channels that may be looked at.
    death
        Channel of a stain of dead cells; None without one.
    """

    labels: Labels
    movie: Movie
    channels: tuple[str, ...]
    death: str | None = None

    def clearest(self) -> str | None:
        """Return the channel in which masks are brightest above the background; None if they stand out in none."""
        frames = np.unique(np.linspace(0, len(self.labels) - 1, TRIED).astype(int))
        contrast = {name: np.median([self._contrast(int(f), name) for f in frames]) for name in self.channels}
        best = max(contrast, key=lambda name: contrast[name], default=None)
        return best if best is not None and contrast[best] >= STANDS_OUT else None

    def _contrast(self, frame: int, channel: str) -> float:
        """Return the median contrast of the objects of a frame, in standard deviations of its background."""
        seen = self.labels.info.seen_part(frame)
        labels, image = self.labels[frame][seen], self.movie.plane(frame, channel)[seen].astype(float)
        level, noise = background(image, labels)
        names = np.unique(labels[labels > 0])
        if not len(names):
            return 0.0
        return float(np.median(ndimage.mean(image, labels, names)) - level) / noise


def background(image: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return the median and the robust standard deviation outside the masks, of every fourth pixel."""
    outside = image[::2, ::2][labels[::2, ::2] == 0]
    if not outside.size:
        return float(image.min()), 1.0
    level = float(np.median(outside))
    return level, max(MAD_TO_SD * float(np.median(np.abs(outside - level))), 1e-9)


def living_light(area: np.ndarray, mean: np.ndarray) -> float:
    """Return the median brightness of the frames in which the cell was about as large as when it lived."""
    return float(np.median(mean[area >= LARGE * np.quantile(area, LARGE)]))


def look(
    source: ObjectImages,
    channel: str,
    objects: pd.DataFrame,
    number: np.ndarray,
    wanted: np.ndarray,
    *,
    offsets: np.ndarray | None = None,
) -> pd.DataFrame:
    """Measure the windows around the ends of some tracks.

    Parameters
    ----------
    source, channel
        The images, and the channel that is looked at.
    objects
        The objects, sorted by frame.
    number
        Track number of each object, shape (objects,).
    wanted
        Numbers of the tracks whose ends are looked at.
    offsets
        The summed jumps of the stage up to each frame in px (row, column), shape (frames, 2); None for none.

    Returns
    -------
    pandas.DataFrame
        One row per track and frame, columns ``number`` and :data:`COLUMNS`. ``offset`` is the frame relative to the
        last one of the track. Up to the end: ``area`` (px2), ``mean`` (grey levels) and ``uneven`` (standard deviation
        over mean) of the cell. After it: light in the ``centre`` of the window and in its ``outer`` part (fractions of
        that of the living cell), ``pieces`` of any size, whether a body (as large as :data:`LEAST_BODY`) lies in the
        ``middle``, whether ``two`` lie on opposite sides of it, and the ``brightness`` of the bodies (fraction of that
        of the living cell).
    """
    frame, radius = objects["frame"].to_numpy(np.int64), np.sqrt(objects["area_px"].to_numpy(float) / np.pi)
    rows = pd.Series(range(len(number))).groupby(number)
    own = {n: rows.get_group(n).to_numpy() for n in wanted.tolist()}
    start = pd.Series(frame).groupby(number).transform("min").to_numpy()
    sides = source.labels.info.pixel_sides
    watched = [_Window.of(n, r, frame, radius, objects, sides=sides) for n, r in own.items()]
    by_frame: dict[int, list[_Window]] = {}
    for window in watched:
        for at in range(max(0, window.end - BEFORE + 1), min(len(source.labels) - 1, window.end + AFTER) + 1):
            by_frame.setdefault(at, []).append(window)
    measured = []
    for at in sorted(by_frame):
        image, labels = source.movie.plane(at, channel).astype(np.float32), source.labels[at]
        seen = source.labels.info.seen_part(at)
        level, noise = background(image[seen], labels[seen])
        here = slice(*np.searchsorted(frame, [at, at + 1]))
        names = objects["label"].to_numpy(np.int64)[here]
        picture = _Frame(
            image - level, painted(labels, names, number[here]), noise, painted(labels, names, start[here])
        )
        for window in by_frame[at]:
            jumped = (0.0, 0.0) if offsets is None else (offsets[at] - offsets[min(at, window.end)]).tolist()
            if row := window.measure(at, picture, jumped):
                measured.append(row)
    return pd.DataFrame(measured, columns=["number", *COLUMNS], dtype=float).astype({"number": np.int64})


@dataclass(frozen=True)
class _Frame:
    """One frame: grey levels above the background, track of each pixel and its first frame, and noise."""

    image: np.ndarray
    tracks: np.ndarray
    noise: float
    start: np.ndarray


@dataclass
class _Window:
    """The window around the end of one track.

    Attributes
    ----------
    number, end
        The track, and its last frame.
    place
        Centroid by frame, for the frames of the track.
    radius
        Radius of the living cell before its end, in square px.
    sides
        Height and width of a pixel.
    means, areas
        Of the living cell, collected frame by frame.
    """

    number: int
    end: int
    place: dict[int, tuple[float, float]]
    radius: float
    means: list[float]
    areas: list[float]
    sides: tuple[float, float]

    @classmethod
    def of(
        cls,
        number: int,
        rows: np.ndarray,
        frame: np.ndarray,
        radius: np.ndarray,
        objects: pd.DataFrame,
        *,
        sides: tuple[float, float],
    ) -> _Window:
        y, x = (objects[name].to_numpy(float)[rows] for name in ("y_px", "x_px"))
        place = dict(zip(frame[rows].tolist(), zip(y.tolist(), x.tolist(), strict=True), strict=True))
        usual = float(np.quantile(radius[rows[-BEFORE:-2]] if len(rows) > 3 else radius[rows], LARGE))
        return cls(number, int(frame[rows[-1]]), place, usual, [], [], sides)

    def measure(self, at: int, frame: _Frame, jumped: tuple[float, float]) -> tuple | None:
        """Return one row of :func:`look`; None where the cell was not seen before its end.

        After the end, the place is that of the last frame, and as far from it as the stage ``jumped``.
        """
        offset = at - self.end
        if offset <= 0 and at not in self.place:
            return None
        y, x = (place + jump for place, jump in zip(self.place[min(at, self.end)], jumped, strict=True))
        reach = REACH * self.radius
        rows, columns = (
            slice(max(0, int(at - reach / side)), min(size, int(at + reach / side) + 2))
            for at, side, size in zip((y, x), self.sides, frame.image.shape, strict=True)
        )
        image, tracks = frame.image[rows, columns], frame.tracks[rows, columns]
        if offset <= 0:
            return self._before(offset, image[tracks == self.number])
        if not self.means:
            return None
        far = np.hypot(
            *np.meshgrid(
                (np.arange(rows.start, rows.stop) - y) * self.sides[0],
                (np.arange(columns.start, columns.stop) - x) * self.sides[1],
                indexing="ij",
            )
        )
        # Other cells that were already followed at the end, with a rim of one pixel, are left out.
        other = (tracks > 0) & (tracks != self.number) & (frame.start[rows, columns] <= self.end)
        free = (far <= reach) & ~ndimage.binary_dilation(other)
        return self._after(offset, np.where(free, image, 0.0), far / self.radius, frame.noise)

    def _before(self, offset: int, pixels: np.ndarray) -> tuple | None:
        if not len(pixels):
            return None
        mean = float(pixels.mean())
        if offset <= -2 or not self.means:
            self.means.append(mean)
            self.areas.append(len(pixels))
        uneven = float(pixels.std()) / max(abs(mean), 1e-9)
        return (self.number, offset, len(pixels), mean, uneven, *[np.nan] * 6)

    def _after(self, offset: int, image: np.ndarray, far: np.ndarray, noise: float) -> tuple:
        """Measure what is left in the window, from the free part of its image and the distance in radii."""
        area = float(np.quantile(self.areas, LARGE))
        usual = max(living_light(np.array(self.areas), np.array(self.means)), 1e-9)
        inner = far <= CENTRE
        centre, outer = (float(image[part].sum()) / (usual * area) for part in (inner, ~inner))
        pieces, found = ndimage.label(image > max(FAINT * usual, NOISE * noise))
        sizes = np.bincount(pieces.ravel(), minlength=found + 1)[1:]
        large = np.flatnonzero(sizes >= LEAST_BODY * area) + 1
        seen = (self.number, offset, *[np.nan] * 3, centre, outer, int((sizes >= LEAST_PIECE).sum()))
        if not len(large):
            return (*seen, 0, 0, 0.0)
        at = np.array(ndimage.center_of_mass(pieces > 0, pieces, large))
        y, x = np.unravel_index(np.argmin(far), far.shape)
        away = (at - [y, x]) * self.sides / self.radius
        bright = ndimage.mean(image, pieces, large) / usual
        middle = int((np.hypot(*away.T) <= CENTRE).any())
        two = int(_on_two_sides(away, sizes[large - 1]))
        return (*seen, middle, two, float(np.max(bright)))


def _on_two_sides(away: np.ndarray, area: np.ndarray) -> bool:
    """Return whether two bodies of similar area lie on opposite sides of the middle; ``away`` is in radii."""
    i, j = np.triu_indices(len(area), 1)
    apart = np.hypot(*(away[i] - away[j]).T)
    between = np.hypot(*((away[i] + away[j]) / 2).T)
    ratio = np.minimum(area[i], area[j]) / np.maximum(area[i], area[j])
    return bool(((apart >= CENTRE) & (between <= CENTRE) & (ratio >= EVEN)).any())
