"""Crops of the cells at the end of a movie, which are kept after the movie is gone, for pictures of paired cells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.config.features import Embed, Features
from cineseq.errors import UserError, reading
from cineseq.features.channels import grey_range
from cineseq.features.crops import FrameMasks, crop_side
from cineseq.features.frames import feature_frames
from cineseq.files import replacing
from cineseq.io.stacks import Labels, Movie

GREYS = 255
"""Grey levels of a stored crop are whole numbers from 0 to this one."""


@dataclass(frozen=True)
class StoredCrops:
    """One crop per cell, from the last frame in which its features are measured.

    Attributes
    ----------
    track_id
        Names of the cells, shape (cells,).
    channels
        Names of the channels.
    images
        Grey levels 0 to 255, shape (cells, channels, side, side), uint8; all but the cell is its local background.
    masks
        Which pixels are the cell, shape (cells, side, side).
    """

    track_id: np.ndarray
    channels: tuple[str, ...]
    images: np.ndarray
    masks: np.ndarray

    def write(self, path: Path) -> None:
        """Write the crops as a compressed npz file."""
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                track_id=self.track_id.astype(str),
                channels=np.array(self.channels, str),
                images=self.images,
                masks=np.packbits(self.masks, axis=2),
            )

    def rows(self, wanted: np.ndarray) -> StoredCrops:
        """Return the crops at some positions, in that order."""
        return StoredCrops(self.track_id[wanted], self.channels, self.images[wanted], self.masks[wanted])

    def padded(self, side: int) -> StoredCrops:
        """Return the crops in the middle of larger ones, whose pixels beyond the old border are those of the border."""
        more = side - self.masks.shape[1]
        ends = (more // 2, more - more // 2)
        images = np.pad(self.images, ((0, 0), (0, 0), ends, ends), mode="edge")
        return StoredCrops(self.track_id, self.channels, images, np.pad(self.masks, ((0, 0), ends, ends)))


def no_crops(channels: tuple[str, ...] = ()) -> StoredCrops:
    """Return crops of no cell."""
    return StoredCrops(
        np.empty(0, str), channels, np.empty((0, len(channels), 1, 1), np.uint8), np.empty((0, 1, 1), bool)
    )


def cut_endpoint(
    images: tuple[Labels, Movie],
    channels: tuple[str, ...],
    cells: tuple[pd.DataFrame, pd.DataFrame],
    features: Features,
    settings: Embed,
) -> StoredCrops:
    """Crop the cells that are alive at the end of a movie as an embedding would see them.

    Parameters
    ----------
    images
        Masks and grey levels.
    channels
        Channels that are cropped.
    cells
        Detections and tracks of the field.
    features
        From which frame crops are, the last one in which features are measured.
    settings
        Side, margin, surroundings and grey range of crops.
    """
    (labels, movie), (detections, tracks) = images, cells
    alive = tracks[tracks["end_kind"] == "end_of_movie"]
    last = feature_frames(detections, alive, features).groupby("track_id", as_index=False)["frame"].max()
    wanted = detections.merge(last, on=["track_id", "frame"]).sort_values(["frame", "label"], ignore_index=True)
    if wanted.empty or not channels:
        return no_crops(channels)
    ranges = {channel: grey_range(movie, channel, settings.clip_percentiles) for channel in channels}
    side = crop_side(labels, settings)
    greys, masks = [], []
    for frame, objects in wanted.groupby("frame"):
        number = int(frame)
        plane, info = labels[number].astype(np.int64), labels.info
        cutter = FrameMasks.of(plane, side, settings, info.seen_part(number), info.pixel_sides)
        parts = [cutter.cut(objects, movie.plane(number, channel), *ranges[channel]) for channel in channels]
        greys.append(np.stack([np.rint(GREYS * part.images).astype(np.uint8) for part in parts], axis=1))
        masks.append(parts[0].masks)
    return StoredCrops(wanted["track_id"].to_numpy(str), channels, np.concatenate(greys), np.concatenate(masks))


def read_crops(paths: Iterable[Path], cells: pd.Index) -> StoredCrops:
    """Return the stored crops of some cells, all of one side, in the order of the files.

    Crops of fields with smaller ones are padded, so that cells of all fields are shown at one scale.

    Raises
    ------
    UserError
        When a file holds no crops, or those of other channels than the files before it.
    """
    parts: list[StoredCrops] = []
    for path in paths:
        with reading(path, "not crops of cells", "delete it and run the workflow again"), np.load(path) as stored:
            side = stored["images"].shape[-1]
            masks = np.unpackbits(stored["masks"], axis=2, count=side).astype(bool)
            whole = StoredCrops(stored["track_id"], tuple(stored["channels"].tolist()), stored["images"], masks)
        if not len(whole.track_id):
            continue
        if parts and whole.channels != parts[0].channels:
            msg = (
                f"{path}: crops of channels {', '.join(whole.channels)}, but other fields have "
                f"{', '.join(parts[0].channels)}; name the same channels in all fields."
            )
            raise UserError(msg)
        parts.append(whole.rows(np.flatnonzero(np.isin(whole.track_id, cells.to_numpy(str)))))
    if not sum(len(part.track_id) for part in parts):
        return no_crops()
    side = max(part.masks.shape[1] for part in parts)
    same = [part.padded(side) for part in parts]
    return StoredCrops(
        np.concatenate([part.track_id for part in same]),
        same[0].channels,
        np.concatenate([part.images for part in same]),
        np.concatenate([part.masks for part in same]),
    )
