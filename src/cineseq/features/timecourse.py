"""Measure the intensity of the function channels over time, above the background."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pandas as pd

from cineseq.config.features import Function
from cineseq.features.background import Rings, local_background, rings
from cineseq.features.label_statistics import grouped_means, positions
from cineseq.features.regions import Regions, cell_values, empty_level, owners_of_cells, typical_radius
from cineseq.features.spots import spot_values
from cineseq.io.square_pixels import SQUARE
from cineseq.io.stacks import Labels, Movie
from cineseq.progress import progress
from cineseq.tables.contract import FIELD

logger = logging.getLogger(__name__)
REACH = 1.5
"""How far a cell reaches beyond its nucleus by default, in radii of the nucleus."""
MEASURES = ("integrated", "mean", "region_px", "saturated")
CellMasks = Callable[[int], np.ndarray]
"""Gives the label image of the whole cells of a frame, shape (height, width)."""
LEAST_OBJECTS = 10
"""With fewer objects a correlation is not estimable."""


def object_brightness(
    labels: Labels,
    movie: Movie,
    channels: tuple[str, ...],
    detections: pd.DataFrame,
    settings: Function,
    *,
    flat_field: bool = False,
    cells: CellMasks | None = None,
    saturated: Callable[[int, str], np.ndarray] | None = None,
) -> pd.DataFrame:
    """Measure all tracked objects in all channels.

    Parameters
    ----------
    labels, movie
        The field of view.
    channels
        Channels to measure.
    detections
        As :data:`cineseq.tables.imaging.DETECTIONS`.
    settings
        The section ``function``: the regions that are measured, and which background is subtracted.
    flat_field
        Whether the movie was divided by an illumination profile. Saturated pixels then no longer have the highest
        level of a camera: without ``saturated``, their share is missing.
    cells
        Masks of whole cells by frame, for ``region: cell``; None where there are none.
    saturated
        Gives the saturated pixels of a frame and channel of the raw movie; None to tell them from the movie.

    Returns
    -------
    pandas.DataFrame
        Long format: ``sample``, ``fov``, ``track_id``, ``frame``, ``label``, ``channel``, ``value`` (one of
        the measures, as configured), ``background`` and :data:`MEASURES`, see
        :func:`cineseq.features.regions.cell_values`; spots are missing in channels of which no score asks for them.
    """
    parts = []
    reach = region_reach(labels, detections, settings)
    for frame, objects in progress(list(detections.groupby("frame")), "Frames scored", logger):
        ordered = objects.sort_values("label")
        plane, seen = labels[int(frame)].astype(np.int64), labels.info.seen_part(int(frame))
        here, sides = cells and cells(int(frame)), labels.info.pixel_sides
        regions_in = regions_of(plane, reach, settings, seen, here, sides=sides)
        ids = ordered["label"].to_numpy(np.int64)
        keys = ordered[[*FIELD, "track_id", "frame", "label"]]
        around: Rings | None = None
        for channel in channels:
            image = movie.plane(int(frame), channel)
            regions = regions_in(image)
            pixels, group = positions(regions.labels, ids)
            background = np.full(len(ids), np.nan)
            if settings.background == "ring":
                gap, width = settings.background_gap_px, settings.background_ring_px
                around = around or rings(plane, gap, width, seen, sides)
                background, _ = local_background(image, around, ids)
            elif settings.background == "percentile":
                background[:] = np.percentile(image[seen], settings.background_percentile)
            else:
                level, _ = empty_level(image, regions.empty, seen)
                background = grouped_means(level.ravel()[pixels], group, len(ids))
            values = cell_values(
                image,
                regions.labels,
                ids,
                background,
                saturated=saturated and saturated(int(frame), channel),
            )
            if flat_field and saturated is None:
                values["saturated"] = np.full(len(ids), np.nan)
            if settings.measures_spots_in(channel):
                radius, threshold = settings.spot_radius_px, settings.spot_threshold
                values |= spot_values(image, regions.labels, ids, radius, threshold)
            value = values.get(settings.measure, np.nan)
            parts.append(keys.assign(channel=channel, value=value, background=background, **values))
    columns = [*FIELD, "track_id", "frame", "label", "channel", "value", "background", *MEASURES]
    if settings.measures_spots:
        columns += ["spot_count", "spot_intensity"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def regions_of(
    masks: np.ndarray,
    reach: float,
    settings: Function,
    seen: tuple[slice, slice],
    cells: np.ndarray | None,
    *,
    sides: tuple[float, float] = SQUARE,
) -> Callable[[np.ndarray], Regions]:
    """Return a function that gives the regions of a frame in a channel, from the plane of the channel.

    Masks of whole cells, where there are any, are the regions of all channels.
    """
    if cells is not None and settings.region == "cell":
        fixed = Regions.of_cells(masks, cells, settings.background_gap_px, seen, sides)
        return lambda _: fixed
    around = Regions.around(masks, reach, settings.background_gap_px, seen, sides)
    return lambda image: around.bordered_by(image, masks)


def nuclei_without_cell(labels: Labels, cells: CellMasks) -> tuple[int, int]:
    """Return the number of objects that overlap no mask of a whole cell, and of all objects, over all frames."""
    alone = every = 0
    for frame in range(len(labels)):
        masks = labels[frame].astype(np.int64)
        objects = len(np.unique(masks[masks > 0]))
        alone, every = alone + objects - len(owners_of_cells(masks, cells(frame))), every + objects
    return alone, every


def region_reach(labels: Labels, detections: pd.DataFrame, settings: Function) -> float:
    """Return how far cells reach beyond their masks, in pixels; the same in all frames.

    By default it is :data:`REACH` times the median radius of the masks. A sum hardly suffers from pixels beyond the
    cell, but from pixels that are left out.
    """
    if settings.region == "mask":
        return 0.0
    if settings.region_px is not None:
        return settings.region_px
    if "area_px" in detections:
        return REACH * float(np.sqrt(detections["area_px"].median() / np.pi)) if len(detections) else 0.0
    first = detections["frame"].min()
    return REACH * typical_radius(labels[int(first)].astype(np.int64)) if len(detections) else 0.0


def bleed_through(brightness: pd.DataFrame, function: list[str]) -> dict[tuple[str, str], float | None]:
    """Return Spearman's correlation of each function channel with each other channel over all objects.

    A high value may be due to spectral bleed-through or to biology; the correlation alone cannot distinguish them.

    Parameters
    ----------
    brightness
        Table of :func:`object_brightness`.
    function
        Function channels.

    Returns
    -------
    dict
        Correlation by (function channel, other channel); None if it is not estimable, that is with fewer than
        :data:`LEAST_OBJECTS` objects or a constant channel.
    """
    if brightness.empty:
        return {}
    wide = brightness.pivot_table(index=["frame", "label"], columns="channel", values="mean", aggfunc="first")
    ranks = wide.dropna().rank()
    found: dict[tuple[str, str], float | None] = {}
    for mine in function:
        for other in [c for c in wide.columns if c != mine]:
            varies = len(ranks) >= LEAST_OBJECTS and min(ranks[mine].std(), ranks[other].std()) > 0
            found[mine, str(other)] = float(ranks[mine].corr(ranks[other])) if varies else None
    return found
