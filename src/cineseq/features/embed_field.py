"""Embed the objects of a field of view."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cineseq.config.features import Embed, Features
from cineseq.features.channels import grey_range
from cineseq.features.crops import FrameMasks
from cineseq.features.embedder import Embedder
from cineseq.features.embedding import vectors_of
from cineseq.features.frames import feature_frames
from cineseq.io.stacks import Labels, Movie
from cineseq.progress import progress
from cineseq.tables.contract import FIELD, empty
from cineseq.tables.imaging import EMBEDDINGS
from cineseq.text import count

logger = logging.getLogger(__name__)
CELLS_AT_ONCE = 256
"""Number of crops in memory at once."""


@dataclass(frozen=True)
class Task:
    """Images, model and settings of an embedding.

    Attributes
    ----------
    labels, movie
        The field of view.
    channels
        Channels to embed, each separately.
    embedder
        The model.
    side
        Side of the crops in pixels.
    settings
        The section ``embed``.
    """

    labels: Labels
    movie: Movie
    channels: tuple[str, ...]
    embedder: Embedder
    side: int
    settings: Embed


def wanted_objects(detections: pd.DataFrame, tracks: pd.DataFrame, features: Features, settings: Embed) -> pd.DataFrame:
    """Return the detections to embed, sorted by frame and label."""
    if settings.frames == "feature":
        wanted = detections.merge(feature_frames(detections, tracks, features), on=["track_id", "frame"])
    else:
        step = settings.every_n if settings.frames == "every" else 1
        wanted = detections[detections["frame"] % step == 0]
    return wanted.sort_values(["frame", "label"], ignore_index=True)


def embed_objects(task: Task, wanted: pd.DataFrame) -> pd.DataFrame:
    """Embed objects, one frame at a time.

    Parameters
    ----------
    task
        Images, model and settings.
    wanted
        Detections, sorted by frame and label.

    Returns
    -------
    pandas.DataFrame
        As :data:`cineseq.tables.imaging.EMBEDDINGS`, with columns ``embedding_<channel>_0000`` and so on.
    """
    if wanted.empty or not task.channels:
        return empty(EMBEDDINGS)
    ranges = {c: grey_range(task.movie, c, task.settings.clip_percentiles) for c in task.channels}
    parts: list[np.ndarray] = []
    for frame, objects in progress(list(wanted.groupby("frame")), "Frames embedded", logger):
        seen = task.labels.info.seen_part(int(frame))
        plane, sides = task.labels[int(frame)].astype(np.int64), task.labels.info.pixel_sides
        masks = FrameMasks.of(plane, task.side, task.settings, seen, sides)
        planes = {channel: task.movie.plane(int(frame), channel) for channel in task.channels}
        few = [objects.iloc[i : i + CELLS_AT_ONCE] for i in range(0, len(objects), CELLS_AT_ONCE)]
        parts.extend(_embed(task, masks, cells, planes, ranges) for cells in few)
    keys = wanted[[*FIELD, "frame", "label"]]
    names = [name for c in task.channels for name in column_names(task.embedder, c)]
    return pd.concat([keys, pd.DataFrame(np.concatenate(parts), columns=names)], axis=1)


def _embed(
    task: Task,
    masks: FrameMasks,
    objects: pd.DataFrame,
    planes: dict[str, np.ndarray],
    ranges: dict[str, tuple[float, float]],
) -> np.ndarray:
    chosen = task.settings
    vectors = []
    for channel, plane in planes.items():
        crops = masks.cut(objects, plane, *ranges[channel])
        vectors.append(
            vectors_of(
                task.embedder,
                crops.images,
                crops.masks,
                orientations=chosen.orientations,
                batch_size=chosen.batch_size,
                bfloat16=chosen.bfloat16,
            )
        )
    return np.concatenate(vectors, axis=1)


def column_names(embedder: Embedder, channel: str) -> list[str]:
    """Return the column names of one channel; with random weights, every name says so."""
    prefix = "embedding" if embedder.trained else "embedding_untrained"
    return [f"{prefix}_{channel}_{i:04d}" for i in range(embedder.columns)]


def embed_report(task: Task, wanted: pd.DataFrame, tracks: int) -> dict[str, Any]:
    """Return report lines and numbers on the embedded objects, the model and the crops."""
    model, chosen = task.embedder, task.settings
    surroundings = "everything but the cell masked" if chosen.surroundings == "masked" else "neighbours masked"
    lines = [
        f"Embedded {count(len(wanted), 'object')} of {count(wanted['track_id'].nunique())} of "
        f"{count(tracks, 'track')} on "
        f"{', '.join(task.channels) or 'no channel'} with {model.name} (SHA-256 {model.sha256[:12]}).",
        f"Crops of {task.side} px, {surroundings}, resized to {model.image_px} px without rescaling cells, "
        f"averaged over {chosen.orientations} orientations.",
    ]
    left_out = [c for c in task.movie.info.channels if c not in task.channels]
    if left_out:
        lines.append(f"Not embedded: {', '.join(left_out)}.")
    if not model.trained:
        lines.append("The weights are random: these embeddings show nothing that was learned.")
    if chosen.crop_um is None and chosen.crop_px is None:
        lines.append("The side of the crops was estimated from this field; embed.crop_um fixes it for all fields.")
    touching = int(wanted["touches_border"].fillna(value=False).sum()) if len(wanted) else 0
    numbers = {
        "objects": len(wanted),
        "touching_border": touching,
        "channels": len(task.channels),
        "columns_per_channel": model.columns,
        "crop_px": task.side,
        "image_px": model.image_px,
    }
    return {
        "lines": lines,
        "numbers": numbers,
        "model": {"name": model.name, "sha256": model.sha256, "note": model.note},
    }
