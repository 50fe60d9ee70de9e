"""Drift of the stage: its estimation by phase correlation, and its correction by whole pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from skimage.filters import difference_of_gaussians
from skimage.registration import phase_cross_correlation

SUBPIXEL = 10
"""Steps per pixel of the estimated translation."""
LARGEST_STEP = 0.25
"""Largest plausible translation between two frames, as a fraction of the field."""


@dataclass(frozen=True)
class Drift:
    """Drift of one movie.

    Attributes
    ----------
    offsets
        Translation of each frame against frame 0 in whole pixels (y, x), shape (frames, 2).
    doubted
        Frames whose translation was implausibly large and was replaced by zero.
    """

    offsets: np.ndarray
    doubted: tuple[int, ...]

    @property
    def largest_px(self) -> float:
        """Largest displacement of any frame from frame 0, in px."""
        return float(np.hypot(*self.offsets.T).max(initial=0))


def estimate_drift(planes: Iterable[np.ndarray]) -> Drift:
    """Estimate the translation of each frame by phase correlation with the frame before.

    Planes are band-pass filtered first, since vignetting, which does not move, would bias the estimate to zero. Steps
    are estimated to a tenth of a pixel and summed before rounding, so that rounding errors do not accumulate. The
    method is that of Guizar-Sicairos et al. (2008, Optics Letters 33, 156), as in scikit-image.

    Parameters
    ----------
    planes
        Planes of one channel in order, shape (height, width) each; two are in memory at a time.
    """
    steps: list[np.ndarray] = []
    doubted: list[int] = []
    before: np.ndarray | None = None
    for frame, plane in enumerate(planes):
        # Band-pass filter (difference of Gaussians, sigma 1 and 8 px).
        here = difference_of_gaussians(plane.astype(np.float32), 1, 8)
        step = np.zeros(2)
        if before is not None and before.any() and here.any():
            # The shift that registers this frame to the last is minus the translation of the field, shape (2,).
            step = -phase_cross_correlation(before, here, upsample_factor=SUBPIXEL, normalization=None)[0]
        if (np.abs(step) > LARGEST_STEP * np.array(plane.shape)).any():
            doubted.append(frame)
            step = np.zeros(2)
        steps.append(step)
        if here.any():  # a frame without image says nothing; the next is compared with the last that does
            before = here
    # Offsets against frame 0 in whole pixels, shape (frames, 2).
    offsets = np.round(np.cumsum(steps, axis=0)).astype(int) if steps else np.zeros((0, 2), int)
    return Drift(offsets, tuple(doubted))


def shift_back(plane: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Shift a plane back by its offset (y, x) in whole pixels; pixels without image get the median of the plane.

    Whole pixels need no interpolation, so grey levels stay as measured.
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
    """Return the part of an axis that stays within the plane when shifted by ``offset``."""
    return slice(max(offset, 0), max(length + min(offset, 0), 0))


def padded_margins(offsets: np.ndarray) -> dict[str, int]:
    """Return the widest padding at each side over all frames, in px."""
    low, high = offsets.min(axis=0, initial=0), offsets.max(axis=0, initial=0)
    return {"top": -int(low[0]), "bottom": int(high[0]), "left": -int(low[1]), "right": int(high[1])}
