"""Scales of a movie: the size of its pixels, and the times of its frames, which may be irregular."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from cineseq.config.imaging import Inputs
from cineseq.io.readers import Source
from cineseq.text import quantity, significant

logger = logging.getLogger(__name__)

REGULAR = 0.1
"""Times within this fraction of an interval of regular ones are regular; a step that differs by more is a pause."""
SAME = 0.02
"""Intervals that differ by at most this fraction count as the same."""


@dataclass(frozen=True)
class PixelScale:
    """Size of the pixels of a source.

    Attributes
    ----------
    size_um
        Micrometres per pixel, of oblong pixels the side of a square of the same area; None if unknown.
    aspect
        Height of a pixel divided by its width.
    notices
        Sentences for the top of the report.
    """

    size_um: float | None
    aspect: float = 1.0
    notices: tuple[str, ...] = ()


def pixel_scale(source: Source, inputs: Inputs) -> PixelScale:
    """Return the size of the pixels of a source; a configured size is that of square pixels."""
    configured, stated, aspect = inputs.pixel_size_um, source.info.pixel_size_um, source.info.pixel_aspect
    if configured is None and stated is None:
        logger.warning("The pixel size is unknown: neither the file nor the configuration states it.")
        return PixelScale(None)
    if stated is None or aspect == 1:
        if configured is not None and stated is not None and not np.isclose(configured, stated, rtol=1e-3):
            logger.warning(
                "The pixel size is %s as configured; the file states %s.",
                quantity(configured, "um", 4),
                quantity(stated, "um", 4),
            )
        return PixelScale(stated if configured is None else configured)
    width, height = quantity(stated / aspect**0.5, "um", 4), quantity(stated * aspect**0.5, "um", 4)
    said = f"{source.path.name}: pixels are oblong, {width} wide and {height} high."
    if configured is not None:
        said += f" inputs.pixel_size_um takes them for squares of {quantity(configured, 'um', 4)}; leave it out."
        return PixelScale(configured, 1.0, (said,))
    said += (
        " Segmentation, areas, shapes, tracking and speeds take both into account. Positions in tables, and maps of "
        "compartments, are in the pixels of the images; other settings in pixels, and spots, are of the mean size."
    )
    return PixelScale(stated, aspect, (said,))


@dataclass(frozen=True)
class FrameTimes:
    """Times of the frames of a source.

    Attributes
    ----------
    interval_min
        Minutes per frame, the median of irregular ones; None if unknown.
    minutes
        Minutes of each frame from the first, where they are not regular; else empty.
    notices
        Sentences for the top of the report.
    """

    interval_min: float | None
    minutes: tuple[float, ...] = ()
    notices: tuple[str, ...] = ()

    def of(self, frames: range) -> FrameTimes:
        """Return the times of every n-th frame."""
        interval = None if self.interval_min is None else self.interval_min * frames.step
        kept = [self.minutes[frame] for frame in frames] if self.minutes else []
        if len(kept) > 1:
            interval = float(np.median(np.diff(kept)))
        return FrameTimes(interval, tuple(minute - kept[0] for minute in kept), self.notices)


def frame_times(source: Source, inputs: Inputs) -> FrameTimes:
    """Return the times of all frames of a source.

    The times of the planes have priority over the interval that the file states, and a configured interval over both
    unless the planes confirm it; what contradicts is a notice.
    """
    stated, configured = source.info.frame_interval_min, inputs.frame_interval_min
    regular = stated if configured is None else configured
    planes = np.asarray(source.info.times_min, float)
    if inputs.frame_times == "regular" or len(planes) < 2:
        _warn_of_interval(configured, stated)
        return FrameTimes(regular)
    steps = np.diff(planes)
    if not (steps > 0).all():
        if not (steps == 0).all():
            logger.warning("%s: the times of its planes do not increase; they are not used.", source.path)
        _warn_of_interval(configured, stated)
        return FrameTimes(regular)
    usual = float(np.median(steps))
    apart = f"its planes are {quantity(usual, 'min', 4)} apart (median)"
    if configured is not None and abs(usual - configured) > SAME * configured:
        said = (
            f"{source.path.name}: inputs.frame_interval_min is {significant(configured, 4)}, but {apart}. The setting "
            "is used; leave it out to use the times of the planes."
        )
        return FrameTimes(configured, (), (said,))
    notices = []
    if stated is not None and abs(usual - stated) > SAME * stated:
        notices.append(
            f"{source.path.name}: states {quantity(stated, 'min', 4)} between frames, but {apart}. The times of the "
            "planes are used; inputs.frame_times: regular uses the interval."
        )
    since = planes - planes[0]
    if np.abs(since - usual * np.arange(len(since))).max() <= REGULAR * usual:
        return FrameTimes(usual, (), tuple(notices))
    worst = int(np.abs(steps - usual).argmax())
    if abs(steps[worst] - usual) > REGULAR * usual:
        notices.append(
            f"{source.path.name}: irregular times of frames: {apart}, but frame {worst + 1} is "
            f"{quantity(float(steps[worst]), 'min', 4)} after frame {worst}. Hours, rates and speeds are those of the "
            "planes; settings in frames are not even in time. inputs.frame_times: regular uses the interval."
        )
    return FrameTimes(usual, tuple(since.tolist()), tuple(notices))


def _warn_of_interval(configured: float | None, stated: float | None) -> None:
    if configured is None and stated is None:
        logger.warning("The frame interval is unknown: neither the file nor the configuration states it.")
    elif configured is not None and stated is not None and not np.isclose(configured, stated, rtol=1e-3):
        logger.warning(
            "The frame interval is %s as configured; the file states %s.",
            quantity(configured, "min", 4),
            quantity(stated, "min", 4),
        )
