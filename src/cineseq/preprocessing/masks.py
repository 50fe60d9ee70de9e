"""User-supplied masks: checks, metadata and report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from skimage.measure import label as connected_components

from cineseq.config.imaging import Inputs
from cineseq.errors import UserError
from cineseq.io.readers import ReadOptions, Source, open_source
from cineseq.io.stacks import MovieInfo
from cineseq.preprocessing.drift import shift_back
from cineseq.preprocessing.scales import frame_times, pixel_scale
from cineseq.text import count, listed, significant

PIECE = 0.1
"""Smallest area, as a fraction of the largest piece of the frame, that counts as a piece of its own."""
MOST_CLASSES, SCATTERED = 3, 3
"""Masks of at most so many labels, each in at least so many pieces, hold classes of pixels."""
BORDER = 0.5
"""Fraction of the border of the frame from which on a label may be the background."""


@dataclass(frozen=True)
class Survey:
    """Result of a first pass over the masks.

    Attributes
    ----------
    counts
        Number of objects in each frame that is kept.
    empty
        Frames (of the source) without objects.
    floating
        Number of masks stored as floating-point numbers.
    highest
        Highest label.
    """

    counts: tuple[int, ...]
    empty: tuple[int, ...]
    floating: int
    highest: int

    @property
    def median(self) -> float:
        """Median number of objects per frame."""
        return float(np.median(self.counts))


def label_info(
    source: Source, frames: range, inputs: Inputs, movie: MovieInfo | None
) -> tuple[MovieInfo, tuple[str, ...]]:
    """Return the metadata of the label stack, and notices on how they were read.

    Scales come from the movie, else the configuration, else the masks; a movie has its own notices.

    Raises
    ------
    UserError
        When the masks have channels, or differ from the movie in number of frames or frame size.
    """
    here = source.info
    if here.channels > 1:
        msg = f"{source.path}: {here.channels} channels in a label image; supply one label plane per frame."
        raise UserError(msg)
    if movie is not None:
        if (len(frames), here.height, here.width) != (movie.frames, movie.height, movie.width):
            msg = (
                f"{source.path}: {len(frames)} masks of {here.height} x {here.width} px, but the movie has "
                f"{movie.frames} frames of {movie.height} x {movie.width} px; supply one mask for each frame."
            )
            raise UserError(msg)
        return replace(movie, channels=()), ()
    times = frame_times(source, inputs).of(frames)
    pixels = pixel_scale(source, inputs)
    info = MovieInfo(
        len(frames),
        here.height,
        here.width,
        (),
        pixels.size_um,
        times.interval_min,
        pixel_aspect=pixels.aspect,
        times_min=times.minutes,
    )
    return info, (*here.notices, *pixels.notices, *times.notices)


def survey(source: Source, frames: range) -> Survey:
    """Check every mask before any is written.

    Raises
    ------
    UserError
        For a mask with fractions, negative labels or another shape, for black-and-white masks, and for masks with a
        label for the background.
    """
    counts: list[int] = []
    empty: list[int] = []
    doubts = _Doubts()
    floating, highest = 0, 0
    for frame in frames:
        mask = source.plane(frame, 0)
        _check(source, frame, mask)
        floating += mask.dtype.kind == "f"
        present = np.unique(mask)
        present = present[present > 0]
        counts.append(len(present))
        if len(present) == 0:
            empty.append(frame)
            continue
        highest = max(highest, int(present[-1]))
        doubts.see(mask, present, frame)
    doubts.check(source)
    return Survey(tuple(counts), tuple(empty), floating, highest)


@dataclass
class _Doubts:
    """Signs, over all masks, that they are no label images.

    Attributes
    ----------
    labels
        The labels that were seen, some of them if there are many.
    pieces, holes
        Highest number of separate pieces of the objects, and of the background, and the frame; of masks of one label.
    around
        Labels that touch all sides of every mask and cover half of its border; None before the first.
    others
        Whether any mask has another object beside such a label.
    scattered
        Fewest separate pieces of a label in the mask where they are most, and the frame; of masks of few labels.
    """

    labels: set[int] = field(default_factory=set)
    pieces: tuple[int, int] = (0, 0)
    holes: tuple[int, int] = (0, 0)
    around: set[int] | None = None
    others: bool = False
    scattered: tuple[int, int] = (0, 0)

    def see(self, mask: np.ndarray, present: np.ndarray, frame: int) -> None:
        """Look at one mask with objects."""
        self.labels.update(present[: MOST_CLASSES + 1].tolist())
        if len(self.labels) == 1:
            self.pieces = max(self.pieces, (pieces(mask > 0), frame), key=lambda found: found[0])
            self.holes = max(self.holes, (pieces(mask == 0), frame), key=lambda found: found[0])
        if len(present) > 1 and len(self.labels) <= MOST_CLASSES:
            fewest = min(pieces(mask == label) for label in present)
            self.scattered = max(self.scattered, (fewest, frame), key=lambda found: found[0])
        if self.around is None or self.around:
            here = _around(mask)
            self.around = here if self.around is None else self.around & here
            self.others |= len(present) > 1

    def check(self, source: Source) -> None:
        """Raise a UserError if the masks are black and white, or have a label for the background."""
        background = min(self.around or (), default=None)
        if len(self.labels) == 1 and background is not None and self.holes[0] > 1:
            msg = (
                f"{source.path}: label {background} is all around {self.holes[0]} separate areas of 0 in frame "
                f"{self.holes[1]}, so background and cells are swapped; give 0 to the background and each object its "
                "own label (skimage.measure.label(masks == 0))."
            )
            raise UserError(msg)
        if len(self.labels) == 1 and self.pieces[0] > 1:
            msg = (
                f"{source.path}: every mask holds one label only, {min(self.labels)}, which is in {self.pieces[0]} "
                f"separate pieces in frame {self.pieces[1]}, so it is a black-and-white mask; give each object its own "
                "label (skimage.measure.label)."
            )
            raise UserError(msg)
        if 1 < len(self.labels) <= MOST_CLASSES and self.scattered[0] >= SCATTERED:
            msg = (
                f"{source.path}: the masks hold only the labels {listed(map(str, sorted(self.labels)))}, each in at "
                f"least {self.scattered[0]} separate pieces in frame {self.scattered[1]}, so they are classes of "
                "pixels, such as cell and border; give each object its own label (skimage.measure.label)."
            )
            raise UserError(msg)
        if background is not None and self.others:
            msg = (
                f"{source.path}: label {background} lies along all sides of every mask and around the other objects, "
                f"as the background does; give 0 to the background (masks[masks == {background}] = 0)."
            )
            raise UserError(msg)


def pieces(area: np.ndarray) -> int:
    """Return the number of separate pieces of an area, without those that are small against the largest."""
    sizes = np.bincount(connected_components(area).ravel())[1:]
    return int((sizes >= PIECE * sizes.max(initial=0)).sum())


def _around(mask: np.ndarray) -> set[int]:
    """Return the labels that touch all four sides of a mask and cover at least half of its border."""
    sides = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    values, counts = np.unique(np.concatenate(sides), return_counts=True)
    often = values[(values > 0) & (counts >= BORDER * counts.sum())]
    return {int(value) for value in often if all((side == value).any() for side in sides)}


def _check(source: Source, frame: int, mask: np.ndarray) -> None:
    """Raise a UserError if a mask is not a label image of the right shape."""
    where = source.file_of(frame)
    if mask.shape != (source.info.height, source.info.width):
        msg = f"{where}: the mask of frame {frame} has the shape {mask.shape}; all masks must have the same shape."
        raise UserError(msg)
    if mask.dtype.kind == "f" and not (np.isfinite(mask).all() and (mask == np.round(mask)).all()):
        msg = f"{where}: the mask of frame {frame} has fractions; give label images with whole numbers."
        raise UserError(msg)
    if mask.dtype.kind not in "uif":
        msg = f"{where}: the mask of frame {frame} is of type {mask.dtype}; give label images with whole numbers."
        raise UserError(msg)
    if mask.min() < 0:
        msg = f"{where}: the mask of frame {frame} has negative labels; give 0 to the background, above 0 to cells."
        raise UserError(msg)
    if mask.max() > np.iinfo(np.uint32).max:
        msg = f"{where}: the mask of frame {frame} has labels above {np.iinfo(np.uint32).max}; renumber them."
        raise UserError(msg)


def external_labels(
    source: Source, frames: range, surveyed: Survey, left_out: frozenset[int] = frozenset()
) -> Iterator[np.ndarray]:
    """Yield the masks with their labels unchanged, as uint16 where they fit, else uint32; empty if left out."""
    kind = np.uint16 if surveyed.highest <= np.iinfo(np.uint16).max else np.uint32
    for index, frame in enumerate(frames):
        labels = source.plane(frame, 0).astype(kind)
        yield np.zeros_like(labels) if index in left_out else labels


@contextmanager
def open_cell_masks(
    paths: Sequence[Path], movie: MovieInfo, inputs: Inputs, frame_step: int, series: str = ""
) -> Iterator[Callable[[int], np.ndarray] | None]:
    """Open masks of whole cells; the value gives the label image of a frame of the movie, None without files.

    Masks belong to the raw frames; they are shifted as the movie was. ``series`` is that of the sheet.

    Raises
    ------
    UserError
        As :func:`label_info` and :func:`survey`.
    """
    if not paths:
        yield None
        return
    options = ReadOptions(axes=inputs.axes, series=series, masks=True)
    with open_source(list(paths), inputs.channel_pattern, options, inputs.missing_frames) as source:
        frames = range(0, source.info.frames, frame_step)
        label_info(source, frames, inputs, movie)
        survey(source, frames)

        def plane(frame: int) -> np.ndarray:
            labels = source.plane(frames[frame], 0).astype(np.int64)
            if not movie.origins:
                return labels
            # The padding of a shifted frame holds no cell.
            imaged, shifted = movie.seen_part(frame), np.zeros_like(labels)
            shifted[imaged] = shift_back(labels, -np.array(movie.origins[frame]))[imaged]
            return shifted

        yield plane


def mask_report(surveyed: Survey, info: MovieInfo, notices: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the report of user-supplied masks: sentences, numbers, and notices on how the file was read."""
    lines = [
        f"The masks are external: {count(info.frames, 'frame')} with a median of {significant(surveyed.median)} "
        f"objects ({count(min(surveyed.counts))} to {count(max(surveyed.counts))}); they are used unchanged."
    ]
    if surveyed.empty:
        lines.append(f"Empty masks: {count(len(surveyed.empty))}.")
    if surveyed.floating:
        lines.append(f"Masks of whole floating-point numbers, converted to integers: {count(surveyed.floating)}.")
    numbers = {
        "frames": info.frames,
        "objects": sum(surveyed.counts),
        "objects_per_frame_median": surveyed.median,
        "objects_per_frame_min": min(surveyed.counts),
        "objects_per_frame_max": max(surveyed.counts),
        "empty_frames": len(surveyed.empty),
        "float_masks": surveyed.floating,
    }
    lines += notices
    return {"lines": lines, "numbers": numbers, "notices": [{"level": "serious", "text": n} for n in notices]}
