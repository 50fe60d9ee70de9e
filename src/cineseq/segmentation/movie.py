"""Segment a movie with a model."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cineseq.config.imaging import Channels, Segment
from cineseq.errors import UserError
from cineseq.io.square_pixels import oblong_labels, squared_image
from cineseq.io.stacks import Movie, MovieInfo
from cineseq.models.registry import COMPACT_PHASE
from cineseq.progress import progress
from cineseq.segmentation.cellpose import CELLPOSE_DIAMETER, SegmentationModel, segment_frame
from cineseq.text import count, significant

logger = logging.getLogger(__name__)


def use_threads(threads: int) -> None:
    """Set the number of torch threads."""
    torch.set_num_threads(max(1, threads))


def choose_channels(
    movie: Path, present: tuple[str, ...], channels: Channels, settings: Segment, model: SegmentationModel
) -> tuple[str, ...]:
    """Return the channels to segment on.

    Raises
    ------
    UserError
        When a configured channel is not in the movie, measures function or is the stain of dead cells, or when there
        are none or too many.
    """
    open_ones = channels.open_to("segment", present)
    wanted = tuple(settings.channels) if settings.channels is not None else open_ones[:1]
    for name in wanted:
        if name not in present:
            msg = f"{movie}: no channel '{name}' (segment.channels); the movie has {', '.join(present)}."
            raise UserError(msg)
        if name == channels.death:
            msg = (
                f"segment.channels: '{name}' is the stain of dead cells (channels.death), which is used for nothing "
                "else; choose another channel."
            )
            raise UserError(msg)
        if name not in open_ones:
            msg = (
                f"segment.channels: '{name}' measures function (channels.function) and must not shape the masks; "
                "choose another, or add segment to channels.allow_function_in."
            )
            raise UserError(msg)
    if not wanted:
        stain = "" if channels.death is None else " or is the stain of dead cells (channels.death)"
        msg = f"{movie}: every channel measures function (channels.function){stain}, so none is left to segment on."
        raise UserError(msg)
    if model.is_compact and len(wanted) > 1:
        msg = f"segment.channels: the compact model segments on one channel, but {len(wanted)} are listed; keep one."
        raise UserError(msg)
    return wanted


def warn_of_scale(model: SegmentationModel, settings: Segment) -> None:
    """Warn if the model was trained on cells of one size and the size of the user's cells is not configured."""
    if model.name == COMPACT_PHASE and settings.diameter is None:
        logger.warning(
            "segment.diameter is not set: %s was trained on cells of about %s px and assumes this size; set the "
            "typical diameter of your cells, or train the model on your own frames (target train), which measures it.",
            COMPACT_PHASE,
            significant(CELLPOSE_DIAMETER),
        )


def segment_movie(
    movie: Movie, channels: tuple[str, ...], model: SegmentationModel, settings: Segment, counts: list[int]
) -> Iterator[np.ndarray]:
    """Yield the labels of each frame, shape (height, width), uint16, and append its number of objects to ``counts``.

    Only the imaged part of a frame is segmented; padding from drift correction has no objects. Oblong pixels are
    segmented on square ones.
    """
    info = movie.info
    for frame in progress(range(info.frames), "Segmentation", logger):
        seen = info.seen_part(frame)
        labels = np.zeros((info.height, info.width), np.uint16)
        labels[seen] = _segmented(model, movie.planes(frame, channels)[:, *seen], settings, info)
        counts.append(int(labels.max()))
        yield labels


def _segmented(model: SegmentationModel, planes: np.ndarray, settings: Segment, info: MovieInfo) -> np.ndarray:
    """Return the labels of one frame from its channels, shape (channels, height, width)."""
    if info.pixel_aspect == 1:
        return segment_frame(model, planes, settings, info.pixel_size_um)
    sides = info.pixel_sides
    size = None if info.pixel_size_um is None else info.pixel_size_um * min(sides)
    squared = np.stack([squared_image(plane, sides) for plane in planes])
    return oblong_labels(segment_frame(model, squared, settings, size), planes.shape[1:], sides)


def segmentation_report(counts: list[int], channels: tuple[str, ...], model: SegmentationModel) -> dict[str, Any]:
    """Return report lines and numbers on the segmentation of a movie."""
    found = np.array(counts)
    empty = int((found == 0).sum())
    lines = [
        f"Segmented on {', '.join(channels)} with {model.name}: {count(found.sum(), 'object')} in "
        f"{count(len(found), 'frame')}, a median of {significant(np.median(found))} per frame "
        f"({count(found.min())} to {count(found.max())})."
    ]
    if empty:
        lines.append(f"No cell was found in {count(empty)} of {count(len(found), 'frame')}.")
    numbers = {
        "frames": len(found),
        "objects": int(found.sum()),
        "objects_per_frame_median": float(np.median(found)),
        "objects_per_frame_min": int(found.min()),
        "objects_per_frame_max": int(found.max()),
        "empty_frames": empty,
    }
    return {"lines": lines, "numbers": numbers, "model": model.provenance}
