"""Grey levels of a camera: the level at which it saturates."""

from __future__ import annotations

import numpy as np

FULL_SCALES = tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16))
"""Highest grey levels of cameras; pixels at one of them, if none is brighter, may be saturated."""
PILE = 5
"""Pixels at the highest level over those at any level near below, from which on the highest is a saturated one."""
LEAST_PIXELS = 10
LEAST_LEVELS = 10
"""Fewest levels below the highest that tell a photograph from a drawing."""
NEAR = 0.5
"""Part of the range from the median to the highest level that counts as near below."""


class Levels:
    """Counts of grey levels, gathered plane by plane."""

    def __init__(self) -> None:
        self._counts = np.zeros(0, np.int64)
        self._others: dict[float, int] = {}
        self.pixels = 0

    def add(self, plane: np.ndarray) -> None:
        """Count the pixels of a plane; of values that are not whole numbers of 16 bits, only the highest tenth."""
        self.pixels += plane.size
        low, high = (float(plane.min()), float(plane.max())) if plane.size else (0.0, 0.0)
        if low < 0 or high > FULL_SCALES[-1] or (plane.dtype.kind == "f" and (plane != np.round(plane)).any()):
            values, counts = np.unique(plane[plane >= 0.9 * high], return_counts=True)
            for value, n in zip(values.tolist(), counts.tolist(), strict=True):
                self._others[value] = self._others.get(value, 0) + n
            return
        counts = np.bincount(plane.ravel().astype(np.int64))
        longer = max(len(counts), len(self._counts))
        self._counts = np.pad(self._counts, (0, longer - len(self._counts)))
        self._counts[: len(counts)] += counts

    def saturated(self) -> tuple[float, float] | None:
        """Return the saturated level and the share of pixels there; None where none is known to be saturated.

        The highest level is saturated if it is the full scale of a camera, or if pixels pile up there: at least five
        times as many as at any level near below. That tells saturation of data that were shifted to the left of their
        16 bits, or had an offset subtracted.
        """
        values = np.concatenate([np.flatnonzero(self._counts), sorted(self._others)])
        counts = np.concatenate([self._counts[self._counts > 0], [self._others[v] for v in sorted(self._others)]])
        if not len(values):
            return None
        order = np.argsort(values, kind="stable")
        values, counts = values[order], counts[order]
        highest, at_highest = float(values[-1]), int(counts[-1])
        if highest not in FULL_SCALES and not _piled(values, counts):
            return None
        return highest, at_highest / self.pixels


def _piled(values: np.ndarray, counts: np.ndarray) -> bool:
    """Whether pixels pile up at the highest of some levels in ascending order, both of shape (levels,)."""
    below, of_below = values[:-1], counts[:-1]
    if len(below) < LEAST_LEVELS or counts[-1] < LEAST_PIXELS:
        return False
    median = below[np.searchsorted(np.cumsum(of_below), of_below.sum() / 2)]
    near = below > values[-1] - NEAR * (values[-1] - median)
    return bool(counts[-1] >= PILE * of_below[near].max(initial=1))


def saturated_level(plane: np.ndarray) -> float | None:
    """Return the saturated level of one plane; None where none is known to be."""
    levels = Levels()
    levels.add(plane)
    found = levels.saturated()
    return None if found is None else found[0]
