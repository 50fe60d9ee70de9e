"""Measure shape, intensity and texture of all objects of a field of view."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cineseq.config.features import Morphology
from cineseq.features.background import intensity_table, local_background, rings
from cineseq.features.channels import grey_range
from cineseq.features.shape import shape_table
from cineseq.features.spots import spot_values
from cineseq.features.texture import co_occurrence, quantised, texture_table
from cineseq.io.stacks import Labels, Movie, MovieInfo
from cineseq.progress import progress
from cineseq.tables.contract import FIELD, empty
from cineseq.tables.imaging import MORPHOLOGY
from cineseq.text import count

logger = logging.getLogger(__name__)
TEXTURE_PERCENTILES = (0.1, 99.9)


@dataclass(frozen=True)
class MeasuredChannels:
    """A movie, its channels to measure, and the grey-level range of each channel."""

    movie: Movie
    ranges: dict[str, tuple[float, float]]

    @classmethod
    def of(cls, movie: Movie, channels: tuple[str, ...]) -> MeasuredChannels:
        """Estimate the range of each channel over the whole movie, so that textures are comparable between frames."""
        return cls(movie, {c: grey_range(movie, c, TEXTURE_PERCENTILES) for c in channels})


def measure(
    labels: Labels, optics: MeasuredChannels | None, settings: Morphology
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Measure all objects, one frame at a time.

    Parameters
    ----------
    labels
        The label stack.
    optics
        The movie and its channels; None measures shape only.
    settings
        The section ``morphology``.

    Returns
    -------
    tuple
        The table as :data:`cineseq.tables.imaging.MORPHOLOGY` without ``sample`` and ``fov``, and the numbers of
        objects, of objects too small for unbiased shape, and of objects without a local background of their own.
    """
    parts, counts = [], {"objects": 0, "small_objects": 0, "crowded_objects": 0}
    for frame, table, crowded in _frames(labels, optics, settings):
        counts["objects"] += len(table)
        counts["small_objects"] += int((table["area_px"] < settings.minimum_area_px).sum())
        counts["crowded_objects"] += crowded
        parts.append(table.drop(columns="area_px").assign(frame=frame))
    if not parts:
        return empty(MORPHOLOGY).drop(columns=FIELD), counts
    return pd.concat(parts, ignore_index=True), counts


def _frames(
    labels: Labels, optics: MeasuredChannels | None, settings: Morphology
) -> Iterator[tuple[int, pd.DataFrame, int]]:
    for frame in progress(range(len(labels)), "Frames measured", logger):
        plane = labels[frame].astype(np.int64)
        if not plane.any():
            continue
        table = shape_table(plane, labels.info.pixel_size_um, labels.info.pixel_aspect)
        crowded = 0
        if optics is not None and optics.ranges:
            measured, crowded = _channels(frame, plane, table["label"].to_numpy(), optics, settings)
            table = pd.concat([table, measured], axis=1)
        yield frame, table, crowded


def _channels(
    frame: int, labels: np.ndarray, ids: np.ndarray, optics: MeasuredChannels, settings: Morphology
) -> tuple[pd.DataFrame, int]:
    """Measure all channels of one frame; also count the objects without a local background of their own."""
    info, gap, width = optics.movie.info, settings.background_gap_px, settings.background_ring_px
    around = rings(labels, gap, width, info.seen_part(frame), info.pixel_sides)
    parts, crowded = [], 0
    for channel, (low, high) in optics.ranges.items():
        plane = optics.movie.plane(frame, channel)
        background, own = local_background(plane, around, ids)
        crowded = int((~own).sum())
        grey = quantised(plane, low, high, settings.texture_levels)
        pairs = co_occurrence(grey, labels, ids, settings.texture_levels, settings.texture_distance_px)
        measured = pd.concat([intensity_table(plane, labels, ids, background), texture_table(pairs)], axis=1)
        if settings.spots:
            radius, threshold = settings.spot_radius_px, settings.spot_threshold
            measured = measured.assign(**spot_values(plane, labels, ids, radius, threshold))
        parts.append(measured.add_prefix(f"morphology_{channel}_"))
    return pd.concat(parts, axis=1), crowded


def morphology_report(
    info: MovieInfo, optics: MeasuredChannels | None, counts: dict[str, int], settings: Morphology
) -> dict[str, Any]:
    """Return report lines and numbers on the objects measured, the units, the channels and doubtful objects."""
    channels = [] if optics is None else list(optics.ranges)
    lines = [
        f"Measured {count(counts['objects'], 'object')} in {count(info.frames, 'frame')}, in "
        + ("pixels, because the pixel size is unknown." if info.pixel_size_um is None else "micrometres."),
        f"Intensity and texture on {', '.join(channels)}." if channels else "Shape alone: no channel to measure on.",
    ]
    left_out = [] if optics is None else [c for c in optics.movie.info.channels if c not in channels]
    if left_out:
        lines.append(f"Not measured: {', '.join(left_out)}.")
    if counts["small_objects"]:
        lines.append(
            f"Objects smaller than {count(settings.minimum_area_px)} px, whose perimeter, form factor and solidity are "
            f"biased: {count(counts['small_objects'])}."
        )
    if counts["crowded_objects"]:
        lines.append(
            "Objects without a free ring around them, whose background is that of the frame: "
            f"{count(counts['crowded_objects'])}."
        )
    return {"lines": lines, "numbers": {"frames": info.frames, **counts, "channels": len(channels)}}
