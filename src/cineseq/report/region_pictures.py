"""Pictures of the regions in which function is measured, and of the pixels that gave the background."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from skimage.segmentation import find_boundaries

from cineseq.config.features import Function
from cineseq.features.background import rings
from cineseq.features.regions import Regions
from cineseq.features.timecourse import CellMasks, region_reach, regions_of
from cineseq.io.stacks import Labels, Movie
from cineseq.plotting import DARK_GREY
from cineseq.report.pictures import PANEL_PX, shown_frames
from cineseq.text import significant

OUTLINE, TINT = (1.0, 0.85, 0.2), (0.2, 0.5, 1.0)
STRENGTH = 0.3


def draw_regions(
    labels: Labels,
    movie: Movie,
    detections: pd.DataFrame,
    course: pd.DataFrame,
    settings: Function,
    *,
    cells: CellMasks | None = None,
) -> Figure:
    """Draw the first, middle and last frame of each function channel, one channel a row.

    Parameters
    ----------
    labels, movie
        The field of view.
    detections
        As :data:`cineseq.tables.imaging.DETECTIONS`.
    course
        As :data:`cineseq.tables.imaging.TIMECOURSE`; its channels are drawn, and its background is written.
    settings
        The section ``function``.
    cells
        As in :func:`cineseq.features.timecourse.object_brightness`.
    """
    channels = sorted(course["channel"].unique()) or [score.channel for score in settings.scores[:1]]
    frames = shown_frames(len(labels))
    reach = region_reach(labels, detections, settings)
    ratio = labels.info.height / labels.info.width
    width = PANEL_PX / 100 / max(ratio, 1)
    size = (max(width * len(frames), 4), (width * ratio + 0.3) * len(channels) + 0.3)
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(channels), len(frames), squeeze=False)
    for row, channel in zip(panels, channels, strict=True):
        of_channel = course[course["channel"] == channel]
        planes = [movie.plane(frame, channel) for frame in frames]
        low, high = np.percentile(np.concatenate([plane.ravel() for plane in planes]), [0.5, 99.7])
        for axes, frame, plane in zip(row, frames, planes, strict=True):
            grey = np.clip((plane - low) / max(high - low, 1e-9), 0, 1)
            level = of_channel.loc[of_channel["frame"] == frame, "background"].median()
            masks, seen = labels[frame].astype(np.int64), labels.info.seen_part(frame)
            here, sides = cells and cells(frame), labels.info.pixel_sides
            regions = regions_of(masks, reach, settings, seen, here, sides=sides)(movie.plane(frame, channel))
            _draw(axes, grey, regions.labels, _background_pixels(masks, regions, seen, settings))
            said = f"{channel}, frame {frame}, background " + (significant(level) if np.isfinite(level) else "-")
            axes.set_title(said, size=9, loc="left", color=DARK_GREY)
    where = {"empty": "blue: pixels from which the background may come", "ring": "blue: rings of the background"}
    note = where.get(settings.background, f"background: percentile {significant(settings.background_percentile)}")
    figure.suptitle(f"yellow: regions that are measured;   {note}", x=0.01, ha="left", size=10, color=DARK_GREY)
    return figure


def _draw(axes: Axes, grey: np.ndarray, regions: np.ndarray, taken: np.ndarray) -> None:
    """Draw a frame with outlined regions, and the pixels of the background tinted."""
    image = np.repeat(grey[..., None], 3, axis=2)
    image[taken] = (1 - STRENGTH) * image[taken] + STRENGTH * np.array(TINT)
    image[find_boundaries(regions, mode="inner")] = OUTLINE
    axes.imshow(image, interpolation="antialiased")
    axes.set_axis_off()


def _background_pixels(
    masks: np.ndarray, regions: Regions, seen: tuple[slice, slice], settings: Function
) -> np.ndarray:
    """Return the pixels from which the background may come, where they are some and not the whole frame."""
    if settings.background == "ring":
        gap, width = settings.background_gap_px, settings.background_ring_px
        return rings(masks, gap, width, seen, regions.sides).labels > 0
    return regions.empty if settings.background == "empty" else np.zeros(masks.shape, bool)
