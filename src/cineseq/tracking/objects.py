"""Objects of a label stack: positions, areas, shapes, brightness, and the overlaps of masks between frames."""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from skimage.measure import label as connected_pieces
from skimage.measure import regionprops_table

from cineseq.config.imaging import Channels
from cineseq.errors import UserError
from cineseq.io.labels import renumbered
from cineseq.io.square_pixels import SQUARE
from cineseq.io.stacks import Labels, Movie
from cineseq.progress import progress
from cineseq.tracking.end_pictures import ObjectImages
from cineseq.tracking.jumps import LEAST_PX, Jump, find_jumps, offsets_of
from cineseq.tracking.motion import by_frame

logger = logging.getLogger(__name__)
COLUMNS = {
    "frame": np.int64,
    "label": np.int64,
    "y_px": float,
    "x_px": float,
    "area_px": float,
    "eccentricity": float,
    "ellipse_extent": float,
    "elongation_0": float,
    "elongation_45": float,
    "touches_border": bool,
    "brightness": float,
}
_PROPERTIES = (
    "label",
    "centroid",
    "area",
    "eccentricity",
    "bbox",
    "axis_major_length",
    "axis_minor_length",
    "orientation",
)


class Masks:
    """Masks of all frames, compressed, as numbers of the objects of their frame from 1 and 0 for none."""

    def __init__(self) -> None:
        self._frames: list[tuple[bytes, str, tuple[int, ...]]] = []

    def add(self, plane: np.ndarray) -> None:
        """Keep the masks of the next frame, shape (height, width); no label is above the number of its pixels."""
        present = np.flatnonzero(np.bincount(plane.ravel()))
        rank = np.zeros(int(plane.max(initial=0)) + 1, np.min_scalar_type(len(present)))
        rank[present[present > 0]] = np.arange(1, (present > 0).sum() + 1)
        kept = rank[plane]
        self._frames.append((zlib.compress(kept.tobytes(), 1), kept.dtype.str, kept.shape))

    def __getitem__(self, frame: int) -> np.ndarray:
        """Return the masks of a frame, shape (height, width)."""
        data, kind, shape = self._frames[frame]
        return np.frombuffer(zlib.decompress(data), kind).reshape(shape)


@dataclass(frozen=True)
class Objects:
    """The objects of one field.

    Attributes
    ----------
    table
        One row per object, sorted by frame and label, columns as in ``COLUMNS``. ``ellipse_extent`` is the area over
        the area of the ellipse with the same second moments; it is low where two cells share a mask. ``elongation_0``
        and ``elongation_45`` are the log of its aspect ratio times cosine and sine of twice the orientation.
    overlaps
        One row per pair of objects in consecutive frames whose masks share pixels: ``source`` and ``target`` (rows
        of ``table``) and ``shared`` (shared pixels divided by the smaller of the two areas).
    shape
        Frames, height and width of the stack.
    split_labels
        Number of mask pieces that are separate from the rest of their object.
    are_points
        Whether there are no masks: shapes are then placeholders, the same for all, and no end is explained by them.
    source
        Masks and movie of the measurements, to look at the ends of tracks; None without a movie.
    jumps
        Jumps of the stage that are corrected for linking.
    masks
        The masks, for their overlaps after common motion is removed; None for points.
    sides
        Height and width of a pixel, see :attr:`cineseq.io.stacks.MovieInfo.pixel_sides`. Shapes in the table are those
        on square pixels, positions those of the images.
    """

    table: pd.DataFrame
    overlaps: pd.DataFrame
    shape: tuple[int, int, int]
    split_labels: int
    are_points: bool = False
    source: ObjectImages | None = None
    jumps: tuple[Jump, ...] = ()
    masks: Masks | None = None
    sides: tuple[float, float] = SQUARE

    @property
    def offsets(self) -> np.ndarray:
        """The summed jumps of the stage up to each frame in px (row, column), shape (frames, 2)."""
        return offsets_of(self.jumps, self.shape[0])

    @property
    def steady(self) -> pd.DataFrame:
        """The table with positions on square pixels, as they were without the jumps of the stage."""
        if not self.jumps and self.sides == SQUARE:
            return self.table
        (y, x), (height, width) = self.offsets[self.table["frame"].to_numpy()].T, self.sides
        return self.table.assign(y_px=(self.table["y_px"] - y) * height, x_px=(self.table["x_px"] - x) * width)

    @property
    def squared_shape(self) -> tuple[int, int, int]:
        """Frames, and height and width of the stack on square pixels."""
        frames, height, width = self.shape
        return frames, round(height * self.sides[0]), round(width * self.sides[1])

    def with_jumps(self) -> Objects:
        """Return the objects with the jumps of the stage that their positions show."""
        if self.table.empty:
            return self
        rows = by_frame(self.table["frame"].to_numpy(), self.shape[0])
        points = self.table[["y_px", "x_px"]].to_numpy(float) * self.sides
        # Points have no area, or no field: the distance between neighbours and the farthest points then count.
        areas = self.table["area_px"].dropna()
        size = float(np.sqrt(areas.median())) if len(areas) else np.inf
        extent = self.squared_shape[1:]
        if not any(extent):
            points = points - points.min(axis=0)
            extent = tuple(points.max(axis=0).tolist())
        found = find_jumps(points, rows, size, extent, 0.0 if self.are_points else LEAST_PX)
        return replace(self, jumps=tuple(jump.on_pixels(self.sides) for jump in found))


def measure(
    labels: Labels, movie: Movie | None = None, channels: tuple[str, ...] = (), death: str | None = None
) -> Objects:
    """Measure every object of a label stack, one frame at a time.

    A label in several pieces stays one object; its extra pieces are counted.

    Parameters
    ----------
    labels
        The label stack, frames of shape (height, width).
    movie, channels
        Movie and channels for ``brightness``: the background-subtracted mean intensity of the object in units of the
        highest contrasts of its frame, averaged over channels. NaN without them.
    death
        Channel of a stain of dead cells, which is not part of that.
    """
    tables, pairs, split, first, previous, masks = [], [], 0, 0, None, Masks()
    for frame in progress(range(len(labels)), "Frames measured", logger):
        plane = labels[frame]
        small, names = renumbered(plane)
        masks.add(small)
        table = _one_frame(small, names, frame, labels.info.seen[frame], labels.info.pixel_sides)
        split += connected_pieces(plane, background=0, connectivity=2, return_num=True)[1] - len(table)
        if movie is not None and channels and len(table):
            seen = labels.info.seen_part(frame)
            images = movie.planes(frame, channels)[:, *seen]
            table["brightness"] = _brightness(plane[seen], table["label"].to_numpy(), images)
        # Pixels that objects of this frame share with objects of the frame before.
        if previous is not None:
            pairs.append(_overlaps(previous[0], plane, previous[1], table, first))
            first += len(previous[1])
        tables.append(table)
        previous = (plane, table)
    table = pd.concat(tables, ignore_index=True)
    overlaps = pd.concat(pairs, ignore_index=True) if pairs else no_overlaps()
    source = None if movie is None or not (channels or death) else ObjectImages(labels, movie, channels, death)
    shape, sides = (len(labels), labels.info.height, labels.info.width), labels.info.pixel_sides
    return Objects(table, overlaps, shape, split, source=source, masks=masks, sides=sides)


def _one_frame(
    small: np.ndarray, names: np.ndarray, frame: int, seen: np.ndarray, sides: tuple[float, float]
) -> pd.DataFrame:
    if not small.any():
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})
    measured = regionprops_table(small, properties=_PROPERTIES, spacing=sides)
    # Bounding boxes against the edges of what the camera saw, each shape (objects, 2).
    first, past = (np.c_[measured[f"bbox-{i}"], measured[f"bbox-{i + 1}"]] for i in (0, 2))
    border = (first <= seen[0]).any(axis=1) | (past >= seen[1]).any(axis=1)
    # Area of the ellipse of the same second moments, shape (objects,).
    ellipse = np.pi / 4 * measured["axis_major_length"] * measured["axis_minor_length"]
    columns = {
        "frame": np.full(len(border), frame),
        "label": names[measured["label"]],
        "y_px": measured["centroid-0"] / sides[0],
        "x_px": measured["centroid-1"] / sides[1],
        "area_px": measured["area"],
        "eccentricity": measured["eccentricity"],
        "ellipse_extent": np.where(ellipse > 0, measured["area"] / np.where(ellipse > 0, ellipse, 1), 1.0),
        "touches_border": border,
        "brightness": np.full(len(border), np.nan),
    }
    ratio = np.log(np.maximum(measured["axis_major_length"], 1) / np.maximum(measured["axis_minor_length"], 1))
    for name, turn in (("elongation_0", np.cos), ("elongation_45", np.sin)):
        columns[name] = ratio * turn(2 * measured["orientation"])
    return pd.DataFrame(columns).astype(COLUMNS).sort_values("label", ignore_index=True)


def _brightness(plane: np.ndarray, names: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Return the contrast of every object over the highest contrasts of its frame, averaged over channels.

    Contrast is the mean in the mask minus the background. The scale is the 90th percentile of absolute contrasts:
    unlike the median it is not near zero where objects are on average as bright as their background.

    Parameters
    ----------
    plane
        Labels, shape (height, width).
    names
        The labels present, sorted, shape (objects,).
    images
        One plane per channel, shape (channels, height, width).

    Returns
    -------
    numpy.ndarray
        Shape (objects,).
    """
    index = np.searchsorted(names, plane.ravel())
    inside = plane.ravel() > 0
    sizes = np.bincount(index[inside], minlength=len(names))
    means = []
    for image in images.astype(float):
        background = np.median(image.ravel()[~inside]) if not inside.all() else image.min()
        value = np.bincount(index[inside], image.ravel()[inside], minlength=len(names)) / np.maximum(sizes, 1)
        contrast = value - background
        means.append(contrast / max(np.percentile(np.abs(contrast), 90), 1e-9))
    return np.mean(means, axis=0)


def _overlaps(
    before: np.ndarray, after: np.ndarray, sources: pd.DataFrame, targets: pd.DataFrame, first: int
) -> pd.DataFrame:
    # Pixels that are foreground in both frames, as pairs of rows (source, target); each pair is one integer code.
    both = (before > 0) & (after > 0)
    if not both.any():
        return no_overlaps()
    source = np.searchsorted(sources["label"].to_numpy(), before[both])
    target = np.searchsorted(targets["label"].to_numpy(), after[both])
    pair, pixels = np.unique(source.astype(np.int64) * len(targets) + target, return_counts=True)
    source, target = np.divmod(pair, len(targets))
    smaller = np.minimum(sources["area_px"].to_numpy()[source], targets["area_px"].to_numpy()[target])
    return pd.DataFrame({"source": source + first, "target": target + first + len(sources), "shared": pixels / smaller})


def moved_overlaps(objects: Objects, shift: np.ndarray) -> pd.DataFrame:
    """Return the overlaps of masks that are moved to where they are expected in the next frame.

    Parameters
    ----------
    objects
        The objects; without masks there are no overlaps.
    shift
        Expected displacement of each object to the next frame in square px (row, column), without jumps of the stage,
        shape (objects, 2).

    Returns
    -------
    pandas.DataFrame
        ``source`` and ``target`` (rows of the objects) and ``pixels``, the pixels that they share.
    """
    found = {"source": [np.empty(0, np.int64)], "target": [np.empty(0, np.int64)], "pixels": [np.empty(0, np.int64)]}
    masks = objects.masks
    if masks is None:
        return pd.DataFrame({name: parts[0] for name, parts in found.items()})
    rows = by_frame(objects.table["frame"].to_numpy(), objects.shape[0])
    jump = np.diff(objects.offsets, axis=0)
    height, width = objects.shape[1:]
    before = masks[0]
    for frame in range(1, objects.shape[0]):
        first, second = rows[frame - 1], rows[frame]
        after = masks[frame]
        if first.start < first.stop and second.start < second.stop:
            # Pixels of the masks, moved by the whole displacement of their object, shape (pixels,).
            y, x = np.nonzero(before)
            source = before[y, x].astype(np.int64) - 1
            move = np.round(shift[first] / objects.sides + jump[frame - 1]).astype(np.int64)
            y, x = y + move[source, 0], x + move[source, 1]
            inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
            there = after[y[inside], x[inside]]
            target = there[there > 0].astype(np.int64) - 1
            code = source[inside][there > 0] * (second.stop - second.start) + target
            pair, pixels = np.unique(code, return_counts=True)
            one, other = np.divmod(pair, second.stop - second.start)
            found["source"].append(first.start + one)
            found["target"].append(second.start + other)
            found["pixels"].append(pixels)
        before = after
    return pd.DataFrame({name: np.concatenate(parts) for name, parts in found.items()})


def no_overlaps() -> pd.DataFrame:
    """Return an empty table of overlaps."""
    return pd.DataFrame({"source": pd.Series(dtype=np.int64), "target": pd.Series(dtype=np.int64), "shared": []})


def measure_with_movie(labels: Labels, path: Path, movie: Movie | None, channels: Channels) -> Objects:
    """Measure objects, with their brightness in the non-function channels where there is a movie.

    Raises
    ------
    UserError
        When masks and movie differ in frame size or number of frames.
    """
    if movie is None:
        return measure(labels)
    sizes = [(i.frames, i.height, i.width) for i in (labels.info, movie.info)]
    if sizes[0] != sizes[1]:
        msg = (
            f"{path}: the masks have shape {sizes[0]} (frames, height, width), but {movie.path} has {sizes[1]};"
            " use the masks of this movie."
        )
        raise UserError(msg)
    return measure(labels, movie, channels.open_to("segment", movie.info.channels), channels.death)
