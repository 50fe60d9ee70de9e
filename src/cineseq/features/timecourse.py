"""Measure the intensity of the function channels over time, above the background."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from cineseq.config.features import Function
from cineseq.features.background import local_background, rings
from cineseq.features.label_statistics import grouped_means, positions
from cineseq.io.stacks import Labels, Movie
from cineseq.progress import progress
from cineseq.tables.contract import FIELD

logger = logging.getLogger(__name__)
LEAST_OBJECTS = 10
"""With fewer objects a correlation is not estimable."""


def object_brightness(
    labels: Labels, movie: Movie, channels: tuple[str, ...], detections: pd.DataFrame, settings: Function
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
        The section ``function``: which background is subtracted.

    Returns
    -------
    pandas.DataFrame
        Long format: ``sample``, ``fov``, ``track_id``, ``frame``, ``label``, ``channel``, ``value`` (mean minus
        background, in grey levels) and ``background``.
    """
    parts = []
    for frame, objects in progress(list(detections.groupby("frame")), "Frames scored", logger):
        ordered = objects.sort_values("label")
        plane, seen = labels[int(frame)].astype(np.int64), labels.info.seen_part(int(frame))
        around = rings(plane, settings.background_gap_px, settings.background_ring_px, seen)
        ids = ordered["label"].to_numpy(np.int64)
        pixels, group = positions(plane, ids)
        for channel in channels:
            image = movie.plane(int(frame), channel)
            if settings.background == "ring":
                background, _ = local_background(image, around, ids)
            else:
                background = np.full(len(ids), np.percentile(image[seen], settings.background_percentile))
            value = grouped_means(image.ravel()[pixels], group, len(ids)) - background
            keys = ordered[[*FIELD, "track_id", "frame", "label"]]
            parts.append(keys.assign(channel=channel, value=value, background=background))
    columns = [*FIELD, "track_id", "frame", "label", "channel", "value", "background"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


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
    wide = brightness.pivot_table(index=["frame", "label"], columns="channel", values="value", aggfunc="first")
    ranks = wide.dropna().rank()
    found: dict[tuple[str, str], float | None] = {}
    for mine in function:
        for other in [c for c in wide.columns if c != mine]:
            varies = len(ranks) >= LEAST_OBJECTS and min(ranks[mine].std(), ranks[other].std()) > 0
            found[mine, str(other)] = float(ranks[mine].corr(ranks[other])) if varies else None
    return found
