"""Score segmentations against known masks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse


@dataclass(frozen=True)
class MaskCounts:
    """Numbers of true positive (hits), false positive and missed masks."""

    hits: int = 0
    false: int = 0
    missed: int = 0

    def __add__(self, other: MaskCounts) -> MaskCounts:
        """Add the counts of two images."""
        return MaskCounts(self.hits + other.hits, self.false + other.false, self.missed + other.missed)

    @property
    def average_precision(self) -> float:
        """Average precision TP / (TP + FP + FN), as defined by cellpose and StarDist; NaN without masks."""
        total = self.hits + self.false + self.missed
        return self.hits / total if total else float("nan")


def overlaps(true: np.ndarray, found: np.ndarray) -> pd.DataFrame:
    """Return the IoU of every pair of masks that share a pixel.

    Parameters
    ----------
    true, found
        Labels of one image, shape (height, width); 0 is background.

    Returns
    -------
    pandas.DataFrame
        Columns ``true``, ``found``, ``iou`` (intersection over union).
    """
    # Contingency table: pixels shared by each pair of labels, (true labels, found labels), and the areas.
    shape = (int(true.max(initial=0)) + 1, int(found.max(initial=0)) + 1)
    ones = np.ones(true.size, np.int64)
    shared = sparse.coo_matrix((ones, (true.ravel(), found.ravel())), shape=shape).tocsr()
    true_area, found_area = np.asarray(shared.sum(1)).ravel(), np.asarray(shared.sum(0)).ravel()
    pairs = shared.tocoo()
    union = true_area[pairs.row] + found_area[pairs.col] - pairs.data
    table = pd.DataFrame({"true": pairs.row, "found": pairs.col, "iou": pairs.data / union})
    return table[(table["true"] > 0) & (table["found"] > 0)].reset_index(drop=True)


def matched(true: np.ndarray, found: np.ndarray, threshold: float = 0.5) -> pd.DataFrame:
    """Return the pairs of masks whose IoU exceeds ``threshold``; from 0.5 on, each mask is in at most one pair."""
    pairs = overlaps(true, found)
    return pairs[pairs["iou"] > threshold].reset_index(drop=True)


def count_masks(true: np.ndarray, found: np.ndarray, threshold: float = 0.5) -> MaskCounts:
    """Count the masks of one image; both label images have shape (height, width)."""
    hits = len(matched(true, found, threshold))
    return MaskCounts(hits, len(np.unique(found[found > 0])) - hits, len(np.unique(true[true > 0])) - hits)


def count_movie(true: Iterable[np.ndarray], found: Iterable[np.ndarray], threshold: float = 0.5) -> MaskCounts:
    """Count the masks of a movie, one frame at a time."""
    frames = (count_masks(t, f, threshold) for t, f in zip(true, found, strict=True))
    return sum(frames, MaskCounts())
