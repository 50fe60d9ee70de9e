"""Crops of single cells: centred, of one physical size, with other pixels masked."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from cineseq.config.features import Embed
from cineseq.errors import UserError
from cineseq.features.background import ALL, Rings, local_background, rings
from cineseq.io.labels import renumbered
from cineseq.io.square_pixels import SQUARE
from cineseq.io.stacks import Labels, MovieInfo
from cineseq.text import number

logger = logging.getLogger(__name__)
MARGIN_FACTOR = 1.25
SIDES_PX = np.array([16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024])
"""An estimated side is rounded up to one of these, so that the fields of a study mostly agree."""
RING_GAP_PX, RING_WIDTH_PX = 2.0, 5.0
SAMPLED_FRAMES = 50


@dataclass(frozen=True)
class Crops:
    """Crops of one channel.

    Attributes
    ----------
    images
        Grey levels 0 to 1, shape (cells, side, side), float32.
    masks
        Masks of the cells, same shape.
    """

    images: np.ndarray
    masks: np.ndarray


def crop_side(labels: Labels, settings: Embed) -> int:
    """Return the side of the crops in pixels: as configured, or estimated from the masks.

    Raises
    ------
    UserError
        When ``crop_um`` is given but the pixel size is unknown.
    """
    if settings.crop_px is not None:
        return settings.crop_px
    if settings.crop_um is not None:
        return _in_pixels(settings.crop_um, labels.info)
    # Longer side of the bounding boxes of cells in some frames; the smallest allowed crop that holds most of them.
    last = len(labels) - 1
    frames = np.unique(np.linspace(0, last, min(SAMPLED_FRAMES, last + 1)).round().astype(int))
    sizes = [
        max((part.stop - part.start) * side for part, side in zip(box, labels.info.pixel_sides, strict=True))
        for frame in frames
        for box in ndimage.find_objects(renumbered(labels[int(frame)])[0].astype(np.int64))
        if box is not None
    ]
    wanted = MARGIN_FACTOR * np.percentile(sizes, 99) if sizes else SIDES_PX[0]
    side = int(SIDES_PX[min(np.searchsorted(SIDES_PX, wanted), len(SIDES_PX) - 1)])
    logger.info(
        "Crops of %d px (%s px wanted); give embed.crop_um or crop_px to use one side for all fields.",
        side,
        number(wanted, 0),
    )
    return side


def _in_pixels(crop_um: float, info: MovieInfo) -> int:
    if info.pixel_size_um is None:
        msg = (
            "embed.crop_um: the pixel size is unknown; give inputs.pixel_size_um (pixel_size_um= in Python), or "
            "embed.crop_px instead."
        )
        raise UserError(msg)
    return max(8, round(crop_um / info.pixel_size_um))


@dataclass(frozen=True)
class FrameMasks:
    """The masks of one frame, and images derived from them once for all cells and channels.

    Attributes
    ----------
    labels
        Label image, shape (height, width).
    near
        Label of the nearest object within ``margin_px`` of each pixel, else 0; same shape.
    around
        Rings of local background.
    side
        Side of the crops in pixels.
    context
        Whether pixels that belong to no cell are kept.
    sides
        Height and width of a pixel, see :attr:`cineseq.io.stacks.MovieInfo.pixel_sides`; crops have square pixels.
    """

    labels: np.ndarray
    near: np.ndarray
    around: Rings
    side: int
    context: bool
    sides: tuple[float, float] = SQUARE

    @classmethod
    def of(
        cls,
        labels: np.ndarray,
        side: int,
        settings: Embed,
        seen: tuple[slice, slice] = (ALL, ALL),
        sides: tuple[float, float] = SQUARE,
    ) -> FrameMasks:
        """Prepare a frame with at least one object; the background is measured in the imaged (``seen``) area."""
        distance, nearest = ndimage.distance_transform_edt(labels == 0, sampling=sides, return_indices=True)
        near = np.where(distance <= settings.margin_px, labels[tuple(nearest)], 0)
        around = rings(labels, RING_GAP_PX, RING_WIDTH_PX, seen, sides)
        return cls(labels, near, around, side, settings.surroundings == "context", sides)

    def cut(self, objects: pd.DataFrame, plane: np.ndarray, low: float, high: float) -> Crops:
        """Crop objects from one channel.

        Masked pixels and pixels outside the field are set to the object's local background.

        Parameters
        ----------
        objects
            Columns ``label``, ``y_px`` and ``x_px``, sorted by label.
        plane
            The channel, shape (height, width).
        low, high
            Grey levels that are mapped to 0 and 1.
        """
        # Pixel indices of every crop, clipped at the border of the field; all broadcast to (cells, side, side).
        ids = objects["label"].to_numpy(np.int64)
        background, _ = local_background(plane, self.around, ids)
        rows, columns = self._pixels(objects[["y_px", "x_px"]].to_numpy(float))
        inside = (rows >= 0) & (rows < plane.shape[0]) & (columns >= 0) & (columns < plane.shape[1])
        rows, columns = np.clip(rows, 0, plane.shape[0] - 1), np.clip(columns, 0, plane.shape[1] - 1)
        # Keep the pixels of the cell and its margin, and with context those of no cell.
        own, found = ids[:, None, None], self.labels[rows, columns]
        kept = self.near[rows, columns] == own
        if self.context:
            kept |= found == 0
        # Fill the rest with the local background and scale grey levels to 0..1.
        image = np.where(kept & inside, plane[rows, columns], background[:, None, None])
        grey = (image - low) / (high - low) if high > low else np.zeros_like(image)
        return Crops(np.clip(grey, 0, 1).astype(np.float32), (found == own) & inside)

    def _pixels(self, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and columns of the pixels of each crop, shapes (cells, side, 1) and (cells, 1, side)."""
        start = np.round(centres - (self.side - 1) / 2 / np.array(self.sides)).astype(int)
        down, across = (np.round(np.arange(self.side) / side).astype(int) for side in self.sides)
        rows, columns = start[:, :1] + down, start[:, 1:] + across
        return rows[:, :, None], columns[:, None, :]
