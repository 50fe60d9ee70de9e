"""Drift of the stage: the translation between consecutive frames, and shifting frames back by it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from skimage.filters import difference_of_gaussians
from skimage.registration import phase_cross_correlation

SUBPIXEL = 10
LARGEST_STEP = 0.25
"""A translation of more than this share of the field between two frames is not believed."""


@dataclass(frozen=True)
class Drift:
    """Where the field has moved to.

    Attributes
    ----------
    offsets
        Translation of each frame against frame 0 in whole pixels (y, x), shape (frames, 2).
    doubted
        Frames whose translation was too large to be believed and was taken as none.
    """

    offsets: np.ndarray
    doubted: tuple[int, ...]

    @property
    def largest_px(self) -> float:
        """Largest distance of any frame from frame 0."""
        return float(np.hypot(*self.offsets.T).max(initial=0))


def estimate_drift(planes: Iterable[np.ndarray]) -> Drift:
    """Estimate the translation of each frame by phase correlation with the one before.

    The planes are band-passed first, so that vignetting, which does not move, does not pull the estimate to zero.
    Steps are estimated to a tenth of a pixel and summed before they are rounded, so that rounding does not add up.
    Method: Guizar-Sicairos et al. 2008, Optics Letters 33, 156, as in scikit-image.

    Parameters
    ----------
    planes
        One channel's planes in order, shape (height, width) each; two are in memory at a time.
    """
    steps, doubted = [], []
    before: np.ndarray | None = None
    for frame, plane in enumerate(planes):
        here = difference_of_gaussians(plane.astype(np.float32), 1, 8)
        step = np.zeros(2)
        if before is not None and before.any() and here.any():
            # The shift that registers this frame to the last is minus the way that the field has moved.
            step = -phase_cross_correlation(before, here, upsample_factor=SUBPIXEL, normalization=None)[0]
        if (np.abs(step) > LARGEST_STEP * np.array(plane.shape)).any():
            doubted.append(frame)
            step = np.zeros(2)
        steps.append(step)
        before = here
    offsets = np.round(np.cumsum(steps, axis=0)).astype(int) if steps else np.zeros((0, 2), int)
    return Drift(offsets, tuple(doubted))


def shift_back(plane: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Move a plane back by its offset (y, x) in whole pixels; what comes in from outside is the plane's median.

    Whole pixels leave every grey level as it was measured.
    """
    dy, dx = (int(o) for o in offset)
    if dy == dx == 0:
        return plane
    moved = np.full_like(plane, np.median(plane))
    to = tuple(_overlap(-o, n) for o, n in zip((dy, dx), plane.shape, strict=True))
    source = tuple(_overlap(o, n) for o, n in zip((dy, dx), plane.shape, strict=True))
    moved[to] = plane[source]
    return moved


def _overlap(offset: int, length: int) -> slice:
    return slice(max(offset, 0), max(length + min(offset, 0), 0))


def padded_margins(offsets: np.ndarray) -> dict[str, int]:
    """Return the widest padding at each side in pixels, over all frames."""
    low, high = offsets.min(axis=0, initial=0), offsets.max(axis=0, initial=0)
    return {"top": -int(low[0]), "bottom": int(high[0]), "left": -int(low[1]), "right": int(high[1])}
