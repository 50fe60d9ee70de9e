"""User-supplied masks: checks, metadata and report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from skimage.measure import label as connected_components

from cineseq.config.imaging import Inputs
from cineseq.errors import UserError
from cineseq.io.readers import Source
from cineseq.io.stacks import MovieInfo
from cineseq.text import count, significant

BINARY_PIECES = 3
"""A single label in more pieces than this, in every frame, means a black-and-white mask instead of a label image."""


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


def label_info(source: Source, frames: range, step: int, inputs: Inputs, movie: MovieInfo | None) -> MovieInfo:
    """Return the metadata of the label stack; scales come from the movie, else the configuration, else the masks.

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
        return replace(movie, channels=())
    minutes = inputs.frame_interval_min or here.frame_interval_min
    size = inputs.pixel_size_um or here.pixel_size_um
    return MovieInfo(len(frames), here.height, here.width, (), size, None if minutes is None else minutes * step)


def survey(source: Source, frames: range) -> Survey:
    """Check every mask before any is written.

    Raises
    ------
    UserError
        For a mask with fractions, negative labels or another shape, and for black-and-white masks.
    """
    counts: list[int] = []
    empty: list[int] = []
    pieces: list[int] = []
    labels_seen: set[int] = set()
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
        labels_seen.update(present[:2].tolist())
        if len(labels_seen) == 1:
            pieces.append(int(connected_components(mask > 0).max()))
    if len(labels_seen) == 1 and min(pieces) > BINARY_PIECES:
        msg = (
            f"{source.path}: every mask holds one label only, in {min(pieces)} pieces or more, so it is a "
            "black-and-white mask; give each object its own label (skimage.measure.label)."
        )
        raise UserError(msg)
    return Survey(tuple(counts), tuple(empty), floating, highest)


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


def external_labels(source: Source, frames: range, surveyed: Survey) -> Iterator[np.ndarray]:
    """Yield the masks with their labels unchanged, as uint16 where they fit, else uint32."""
    kind = np.uint16 if surveyed.highest <= np.iinfo(np.uint16).max else np.uint32
    for frame in frames:
        yield source.plane(frame, 0).astype(kind)


def mask_report(surveyed: Survey, info: MovieInfo) -> dict[str, Any]:
    """Return the report of user-supplied masks: sentences and numbers."""
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
    return {"lines": lines, "numbers": numbers}
