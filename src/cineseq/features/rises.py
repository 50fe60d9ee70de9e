"""A saturating rise on a grid of onsets and rates, under autocorrelated errors.

Given onset and rate, the least squares of the baseline and the plateau follow in closed form from sums over a track.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

RATES = 20
ONSETS = 200
WIDEST_STEP = 4.0
"""Most frames between onsets; the shortest track that is fitted has one."""
FINE = 15
"""Onsets, and rates, of the finer grid of a track."""
STEPS = 3.0
"""Reach of a finer grid, in steps of the one before: onset and rate vary together, so it has to hold both."""


@dataclass(frozen=True)
class Courses:
    """Time courses on a common axis of times.

    Attributes
    ----------
    tracks
        Their names, length (tracks,).
    times
        Ascending times, shape (times,).
    values
        Shape (tracks, times); NaN where a track has no value.
    """

    tracks: pd.Index
    times: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, course: pd.DataFrame) -> Courses:
        """Return the courses of a table with ``track_id``, ``time`` and ``value``."""
        rows, tracks = pd.factorize(course["track_id"])
        times, columns = np.unique(course["time"].to_numpy(float), return_inverse=True)
        values = np.full((len(tracks), len(times)), np.nan)
        values[rows, columns] = course["value"]
        return cls(pd.Index(tracks, name="track_id"), times, values)

    @property
    def ends(self) -> np.ndarray:
        """First and last time of each track, shape (tracks, 2); NaN for one without values."""
        present = ~np.isnan(self.values)
        last = len(self.times) - 1 - present[:, ::-1].argmax(1)
        return np.where(present.any(1)[:, None], self.times[np.column_stack([present.argmax(1), last])], np.nan)

    def part(self, chosen: slice | np.ndarray) -> Courses:
        """Return some of the tracks, on the times that they have."""
        values = self.values[chosen]
        seen = ~np.isnan(values).all(axis=0)
        return Courses(self.tracks[chosen], self.times[seen], values[:, seen])

    def frame(self) -> float:
        """Return the typical time from one value of a track to its next."""
        present = [self.times[~np.isnan(row)] for row in self.values]
        steps = np.concatenate([np.diff(times) for times in present]) if present else np.array([])
        return float(np.median(steps)) if len(steps) else np.nan


@dataclass(frozen=True)
class Grid:
    """Pairs of an onset and a rate.

    Attributes
    ----------
    onset, rate
        Shape (pairs,), or (tracks, pairs) where each track has its own; rates per unit of time.
    """

    onset: np.ndarray
    rate: np.ndarray

    @classmethod
    def over(cls, length: float, frame: float, onsets: int = ONSETS, rates: int = RATES) -> Grid:
        """Return onsets from half a frame before time 0, and rates from a slow drift to four per frame.

        Onsets are half a frame apart, or as many as said, but never farther apart than :data:`WIDEST_STEP`.
        """
        length = max(length, frame)
        most = max(onsets, int(np.ceil(length / (WIDEST_STEP * frame))) + 1)
        count = int(min(most, max(2 * np.round(length / frame), 2)))
        starts = np.linspace(-frame / 2, length - frame, count)
        constants = np.geomspace(0.25 / length, 4 / frame, rates)
        onset, rate = np.meshgrid(starts, constants, indexing="ij")
        return cls(onset.ravel(), rate.ravel())

    @classmethod
    def around(cls, one: Posterior, steps: tuple[np.ndarray, np.ndarray], limits: Limits) -> Grid:
        """Return a finer grid for each track: four standard deviations, or a few steps, around its estimates."""
        share = np.linspace(0, 1, FINE)
        axes = []
        for middle, sd, step, (low, high) in (
            (one.onset, one.onset_sd, steps[0], limits.onset),
            (one.log_rate, one.log_rate_sd, steps[1], limits.log_rate),
        ):
            reach = np.maximum(4 * sd, STEPS * step)
            begin, end = np.maximum(middle - reach, low), np.minimum(middle + reach, high)
            axes.append(begin[:, None] + (end - begin)[:, None] * share)
        tracks = len(one.onset)
        onset = np.broadcast_to(axes[0][:, :, None], (tracks, FINE, FINE)).reshape(tracks, -1)
        rate = np.broadcast_to(np.exp(axes[1])[:, None, :], (tracks, FINE, FINE)).reshape(tracks, -1)
        return cls(onset, rate)

    def part(self, chosen: np.ndarray) -> Grid:
        """Return the grid of some of the tracks."""
        return self if self.onset.ndim == 1 else Grid(self.onset[chosen], self.rate[chosen])

    def steps(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the distance of neighbouring onsets, and of neighbouring log rates, (1,) or (tracks,)."""
        onset, rate = np.atleast_2d(self.onset), np.log(np.atleast_2d(self.rate))
        rates = FINE if self.onset.ndim == 2 else int((self.onset == self.onset[0]).sum())
        onsets = onset.shape[1] // rates
        return np.ptp(onset, axis=1) / max(onsets - 1, 1), np.ptp(rate, axis=1) / max(rates - 1, 1)

    def shapes(self, times: np.ndarray) -> np.ndarray:
        """Return the rise of each pair, from 0 to 1, at each time, shape (pairs, times) or (tracks, pairs, times)."""
        since = np.maximum(times - self.onset[..., None], 0)
        return -np.expm1(-self.rate[..., None] * since)


@dataclass(frozen=True)
class Limits:
    """Lowest and highest onset, each of shape (tracks,), and log rate, of the grids of tracks."""

    onset: tuple[np.ndarray, np.ndarray]
    log_rate: tuple[float, float]

    @classmethod
    def of(cls, courses: Courses, grid: Grid, frame: float) -> Limits:
        """Return the limits of tracks on a common grid."""
        first, last = courses.ends.T
        onset = np.maximum(first - frame / 2, grid.onset.min()), np.minimum(last - frame, grid.onset.max())
        return cls(onset, (float(np.log(grid.rate.min())), float(np.log(grid.rate.max()))))


@dataclass(frozen=True)
class Sums:
    """Whitened sums of squares and products of each track with the shape of each pair; the baseline is removed.

    Attributes
    ----------
    gg, gy
        Of the shapes, and of the shapes and the values, shape (tracks, pairs).
    yy, n
        Of the values, and the number of values, shape (tracks,).
    allowed
        Whether the onset of a pair lies within the track, shape (tracks, pairs).
    """

    gg: np.ndarray
    gy: np.ndarray
    yy: np.ndarray
    n: np.ndarray
    allowed: np.ndarray

    @classmethod
    def of(cls, courses: Courses, grid: Grid, correlation: float, frame: float) -> Sums:
        """Return the sums under AR(1) errors; a value after a gap begins a new run."""
        present = ~np.isnan(courses.values)
        values = np.where(present, courses.values, 0)
        first, pairs = runs_of(present)
        shapes = grid.shapes(courses.times)
        # Values and shapes as innovations: runs' first values times sqrt(1 - r^2), others minus r times the previous.
        start = np.sqrt(1 - correlation**2)
        begin, follow = start * shapes, shapes - correlation * _previous(shapes)
        y_begin, y_follow = first * start * values, pairs * (values - correlation * _previous(values))
        weight = first.sum(1) * start**2 + pairs.sum(1) * (1 - correlation) ** 2
        # Sums with the constant, (tracks,) and (tracks, pairs).
        y_one = (y_begin.sum(1) * start + y_follow.sum(1) * (1 - correlation)) / weight
        g_one = (_over(first * start, begin) + _over(pairs * (1 - correlation), follow)) / weight[:, None]
        gg = _over(first, begin**2) + _over(pairs, follow**2) - weight[:, None] * g_one**2
        gy = _over(y_begin, begin) + _over(y_follow, follow) - weight[:, None] * g_one * y_one[:, None]
        yy = (y_begin**2).sum(1) + (y_follow**2).sum(1) - weight * y_one**2
        ends = courses.ends
        allowed = (grid.onset >= ends[:, :1] - 0.51 * frame) & (grid.onset <= ends[:, 1:] - 0.99 * frame)
        return cls(np.maximum(gg, 1e-9 * weight[:, None]), gy, np.maximum(yy, 0), present.sum(1), allowed)

    @classmethod
    def joined(cls, parts: list[Sums]) -> Sums:
        """Return the sums of all tracks of the parts."""
        return cls(*(np.concatenate([getattr(one, each.name) for one in parts]) for each in fields(cls)))

    def part(self, chosen: np.ndarray) -> Sums:
        """Return the sums of some of the tracks."""
        return Sums(*(getattr(self, each.name)[chosen] for each in fields(self)))

    def explained(self) -> np.ndarray:
        """Return the sum of squares that each rising pair explains, shape (tracks, pairs)."""
        return np.where(self.allowed, np.maximum(self.gy, 0) ** 2 / self.gg, 0)

    def left(self) -> np.ndarray:
        """Return the residual sum of squares of the best pair, shape (tracks,)."""
        return np.maximum(self.yy - self.explained().max(1), 1e-12 * self.yy)


def _over(weights: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """Return the sums of shapes over time, weighted by tracks, shape (tracks, pairs)."""
    return weights @ shapes.T if shapes.ndim == 2 else (shapes @ weights[:, :, None])[:, :, 0]


def _previous(values: np.ndarray) -> np.ndarray:
    """Return the values one time earlier; 0 before the first."""
    return np.concatenate([np.zeros_like(values[..., :1]), values[..., :-1]], axis=-1)


def runs_of(present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where a run of values begins and where one goes on, as 0 and 1, both (tracks, times)."""
    before = _previous(present.astype(float))
    return present * (1 - before), present * before


@dataclass(frozen=True)
class Posterior:
    """Posterior means and standard deviations of the tracks, each of shape (tracks,); rates as their logarithms."""

    log_rate: np.ndarray
    log_rate_sd: np.ndarray
    plateau: np.ndarray
    plateau_sd: np.ndarray
    onset: np.ndarray
    onset_sd: np.ndarray
