"""The pixels in which a cell's signal is measured, and the background of a frame without its cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage
from skimage.graph import MCP_Geometric

from cineseq.features.background import ALL
from cineseq.features.label_statistics import grouped_means, positions
from cineseq.io.grey_levels import saturated_level
from cineseq.io.labels import renumbered
from cineseq.io.square_pixels import SQUARE
from cineseq.statistics import MAD_TO_SD

BORDER_WEIGHT = 3.0
"""Cost of a typical change of the signal, for the border between neighbours, in pixels of distance."""
BORDER_SD_PX = 1.0
NEAR_PX = 2.5
"""Up to here from the masks a change counts as the border of the nucleus, not of the cell."""
MOST_CHANGE = 10.0
LEAST_EMPTY = 0.005
"""With a smaller share of empty pixels, the background is the first percentile of the frame."""
MOST_PIXELS = 50_000
"""Pixels, spread over the frame, from which its background is estimated."""
ROUNDS = 3
LEAST_PIXELS = 30


@dataclass(frozen=True)
class Regions:
    """Where the cells of a frame are measured.

    Attributes
    ----------
    labels
        Label of the cell whose signal a pixel holds, 0 for none, shape (height, width).
    empty
        Whether a pixel is imaged and lies beyond all cells, same shape.
    sides
        Height and width of a pixel, see :attr:`cineseq.io.stacks.MovieInfo.pixel_sides`.
    """

    labels: np.ndarray
    empty: np.ndarray
    sides: tuple[float, float] = SQUARE

    @classmethod
    def around(
        cls,
        masks: np.ndarray,
        reach_px: float,
        gap_px: float,
        seen: tuple[slice, slice] = (ALL, ALL),
        sides: tuple[float, float] = SQUARE,
    ) -> Regions:
        """Return masks that are dilated up to a distance, or to the middle between neighbours.

        Parameters
        ----------
        masks
            Label image, shape (height, width).
        reach_px
            How far a cell reaches beyond its mask; 0 leaves the masks as they are.
        gap_px
            Distance beyond the cells at which the empty part begins.
        seen
            The imaged area of the frame.
        sides
            As in :class:`Regions`.
        """
        shown = np.zeros(masks.shape, bool)
        shown[seen] = True
        if not masks.any():
            return cls(masks, shown, sides)
        distance, nearest = ndimage.distance_transform_edt(masks == 0, sampling=sides, return_indices=True)
        labels = np.where(distance <= reach_px, masks[tuple(nearest)], 0)
        return cls(np.where(shown, labels, 0), shown & (distance > reach_px + gap_px), sides)

    @classmethod
    def of_cells(
        cls,
        masks: np.ndarray,
        cells: np.ndarray,
        gap_px: float,
        seen: tuple[slice, slice] = (ALL, ALL),
        sides: tuple[float, float] = SQUARE,
    ) -> Regions:
        """Return masks of whole cells with the labels of the nuclei that lie in them.

        A nucleus has the cell that it overlaps most. Where a cell has several nuclei, each has the pixels that are
        nearest to it. A nucleus without a cell is measured in its own mask; a cell without a nucleus is neither
        measured nor empty.

        Parameters
        ----------
        masks
            Label image of the nuclei, shape (height, width).
        cells
            Label image of the cells, same shape; its labels are its own.
        gap_px, seen, sides
            As in :meth:`around`.
        """
        shown = np.zeros(masks.shape, bool)
        shown[seen] = True
        cells = renumbered(cells)[0]
        owners = owners_of_cells(masks, cells)
        several = owners["cell"].duplicated(keep=False)
        labels = np.where(masks > 0, masks, 0)
        alone = np.zeros(int(cells.max()) + 1, masks.dtype)
        alone[owners["cell"][~several]] = owners["nucleus"][~several]
        labels = np.where(labels > 0, labels, alone[cells])
        boxes = ndimage.find_objects(cells) if several.any() else []
        for cell, nuclei in owners[several].groupby("cell")["nucleus"]:
            box = boxes[int(cell) - 1]
            own = np.isin(masks[box], nuclei)
            nearest = ndimage.distance_transform_edt(~own, sampling=sides, return_distances=False, return_indices=True)
            shared = (cells[box] == cell) & (masks[box] == 0)
            labels[box][shared] = masks[box][tuple(nearest)][shared]
        free = (labels == 0) & (cells == 0)
        beyond = free if free.all() else free & (ndimage.distance_transform_edt(free, sampling=sides) > gap_px)
        return cls(np.where(shown, labels, 0), shown & beyond, sides)

    def bordered_by(self, image: np.ndarray, masks: np.ndarray) -> Regions:
        """Return regions whose borders between neighbours lie where the signal changes.

        Each pixel goes to the mask from which the path is shortest, where a path across a change of the image is
        longer (as Jones, Carpenter and Golland 2005, Computer Vision for Biomedical Image Applications, 535). Without
        changes these are the middles between neighbours.

        Parameters
        ----------
        image
            The channel in which the regions are measured, shape (height, width).
        masks
            As given to :meth:`around`.
        """
        beyond = (self.labels > 0) & (masks == 0)
        if not beyond.any():
            return self
        change = ndimage.gaussian_gradient_magnitude(image.astype(float), BORDER_SD_PX)
        typical = float(np.median(change[beyond]))
        if typical <= 0:
            return self
        distance = ndimage.distance_transform_edt(masks == 0, sampling=self.sides)
        cost = 1 + BORDER_WEIGHT * np.minimum(change / typical, MOST_CHANGE) * (distance > NEAR_PX)
        labels = _nearest_by_path(np.where(self.labels > 0, cost, -1.0), masks, self.sides)
        return Regions(np.where(beyond, labels, self.labels), self.empty, self.sides)


def owners_of_cells(masks: np.ndarray, cells: np.ndarray) -> pd.DataFrame:
    """Return ``nucleus`` and ``cell``, the cell that each nucleus overlaps most; nuclei beyond cells are left out."""
    both = (masks > 0) & (cells > 0)
    overlap = pd.DataFrame({"nucleus": masks[both], "cell": cells[both]}).value_counts().reset_index()
    # Equal overlaps: the lower label.
    ordered = overlap.sort_values(["count", "cell"], ascending=[False, True], kind="stable")
    return ordered.drop_duplicates("nucleus")[["nucleus", "cell"]].reset_index(drop=True)


def _nearest_by_path(cost: np.ndarray, starts: np.ndarray, sides: tuple[float, float]) -> np.ndarray:
    """Return for each pixel the label of the start with the cheapest path; pixels of negative cost are not crossed."""
    paths = MCP_Geometric(cost, sampling=sides)
    _, back = paths.find_costs(np.argwhere(starts))
    # Each pixel points to the one before it on its path; pointers are followed twice as far in each round.
    before: np.ndarray = np.arange(cost.size).reshape(cost.shape)
    reached = back >= 0
    step = np.array(paths.offsets)[back[reached]] @ (cost.shape[1], 1)
    before[reached] -= step
    before = before.ravel()
    while ((further := before[before]) != before).any():
        before = further
    return starts.ravel()[before].reshape(cost.shape)


def typical_radius(masks: np.ndarray) -> float:
    """Return the median radius of the masks, as discs of their areas; 0 without masks."""
    area = np.bincount(renumbered(masks)[0].ravel())[1:]
    return float(np.sqrt(np.median(area[area > 0]) / np.pi)) if area.any() else 0.0


def empty_level(
    plane: np.ndarray, empty: np.ndarray, seen: tuple[slice, slice] = (ALL, ALL)
) -> tuple[np.ndarray, bool]:
    """Return the background of each pixel: a tilted plane through the lowest mode of the empty part.

    Cells reach beyond what was taken for them, so that the empty part is not all empty; its mode is not moved by the
    brighter pixels. The mode is that of repeated halving (Robertson and Cryer 1974, J. Am. Stat. Assoc. 69, 1012) of
    the lower three quarters. The plane is fitted by least squares to the pixels around the mode, three times, because
    the mode is sharper the better the plane fits.

    Parameters
    ----------
    plane
        One channel of a frame, shape (height, width).
    empty
        As in :class:`Regions`.
    seen
        The imaged area of the frame.

    Returns
    -------
    tuple
        The background, shape (height, width), and whether it comes from the empty part. With less than
        :data:`LEAST_EMPTY` of the frame empty it is the first percentile of the frame.
    """
    rows, columns = np.nonzero(empty)
    if len(rows) < max(LEAST_EMPTY * plane[seen].size, 1):
        return np.full(plane.shape, float(np.percentile(plane[seen], 1))), False
    spaced = slice(None, None, -(-len(rows) // MOST_PIXELS))
    rows, columns = rows[spaced], columns[spaced]
    values = plane[rows, columns].astype(float)
    # Columns 1, y and x from -1 to 1, (pixels, 3).
    height, width = plane.shape
    design = np.column_stack([np.ones(len(rows)), 2 * rows / height - 1, 2 * columns / width - 1])
    slopes = np.zeros(3)
    for _ in range(ROUNDS):
        left = values - design @ slopes
        near = _around_mode(left)
        if near.sum() < LEAST_PIXELS:
            break
        slopes += np.linalg.lstsq(design[near], left[near], rcond=None)[0]
    y, x = 2 * np.arange(height) / height - 1, 2 * np.arange(width) / width - 1
    return slopes[0] + slopes[1] * y[:, None] + slopes[2] * x, True


def _around_mode(values: np.ndarray) -> np.ndarray:
    """Return which values lie around the lowest mode, by the spread of those below it."""
    ordered = np.sort(values)
    mode = _half_sample_mode(ordered[: max(3 * len(ordered) // 4, 1)])
    # The pixels below the mode are empty; their spread is that of the noise on either side.
    spread = 1.5 * MAD_TO_SD * float(np.median(mode - ordered[ordered <= mode]))
    return np.abs(values - mode) <= spread


def _half_sample_mode(ordered: np.ndarray) -> float:
    """Return the middle of the densest few of ascending values, by halving."""
    while len(ordered) > 16:
        half = len(ordered) // 2
        width = ordered[half:] - ordered[: len(ordered) - half]
        # Whole grey levels have many ties; the middle one is taken.
        best = np.flatnonzero(width == width.min())
        first = int(best[len(best) // 2])
        ordered = ordered[first : first + half + 1] if half + 1 < len(ordered) else ordered[:half]
    return float(np.median(ordered))


def saturated_share(
    plane: np.ndarray, pixels: np.ndarray, group: np.ndarray, count: int, saturated: np.ndarray | None = None
) -> np.ndarray:
    """Return the share of each cell's saturated pixels, shape (cells,): those given, or at the level of the frame.

    It is 0 where no level is known to be saturated, see :meth:`cineseq.io.grey_levels.Levels.saturated`.
    """
    if saturated is not None:
        return grouped_means(saturated.ravel()[pixels].astype(float), group, count)
    level = saturated_level(plane)
    if level is None:
        return np.zeros(count)
    return grouped_means((plane.ravel()[pixels] >= level).astype(float), group, count)


def cell_values(
    plane: np.ndarray,
    labels: np.ndarray,
    ids: np.ndarray,
    background: np.ndarray,
    *,
    saturated: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Measure cells in one channel.

    Parameters
    ----------
    plane
        One channel of a frame, shape (height, width).
    labels
        Regions of the cells, same shape.
    ids
        Labels in ascending order.
    background
        Background of each cell per pixel, shape (cells,).
    saturated
        Which pixels were saturated when they were recorded, shape (height, width); None to tell it from the plane.

    Returns
    -------
    dict
        ``integrated``: sum of the region minus background; ``mean``: the same per pixel; ``region_px``: its area;
        ``saturated``: share of saturated pixels; each of shape (cells,).
    """
    pixels, group = positions(labels, ids)
    area = np.bincount(group, minlength=len(ids)).astype(float)
    mean = grouped_means(plane.ravel()[pixels], group, len(ids)) - background
    share = saturated_share(plane, pixels, group, len(ids), saturated)
    return {"integrated": mean * area, "mean": mean, "region_px": area, "saturated": share}
