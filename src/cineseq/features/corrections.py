"""What moves the signal of all cells of a field at once, and what a daughter has from its mother."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import theilslopes

from cineseq.config.features import Function
from cineseq.statistics import MAD_TO_SD
from cineseq.text import count, significant

LEVELS = ("mean", "integrated", "spot_intensity")
"""Columns of a time course in grey levels, which bleaching and flicker change; a number of spots is none."""
HALVED = {"mean": 1.0, "integrated": 0.5, "spot_intensity": 0.5, "spot_count": 0.5}
"""Share of the mother's last level that a daughter has: half of an amount or a number, all of a concentration."""
LEAST_TRACKS = 5
"""Tracks that two frames must share for a trend of the field."""
LEAST_LOSS = 0.002
"""Loss per frame from which a field is said to bleach."""
LEAST_FLICKER = 0.05
MANY_SPREADS = 6.0
"""A step of the field is at least this share, and this many standard deviations of its other changes."""
MOST_SATURATED = 0.05
"""Share of saturated pixels above which a plateau is not estimable."""


@dataclass(frozen=True)
class Trend:
    """Changes of the signal of one channel that all cells of a field share.

    Attributes
    ----------
    frames
        Frames that have a change from the frame before.
    changes
        Logarithm of the ratio of the medians over the tracks seen in both, same length.
    """

    frames: np.ndarray
    changes: np.ndarray

    @classmethod
    def of(cls, course: pd.DataFrame) -> Trend:
        """Return the changes of one channel of a time course."""
        level = "mean" if "mean" in course else "value"
        wide = course.pivot_table(index="frame", columns="track_id", values=level).sort_index()
        frames, changes = [], []
        for before, after in zip(wide.index[:-1], wide.index[1:], strict=True):
            both = wide.loc[[before, after]].dropna(axis=1)
            first, second = both.median(axis=1) if both.shape[1] >= LEAST_TRACKS else (np.nan, np.nan)
            if first > 0 and second > 0:
                frames.append(after)
                changes.append(np.log(second / first) / (after - before))
        return cls(np.array(frames, dtype=int), np.array(changes))

    @property
    def slope(self) -> tuple[float, float]:
        """Typical change per frame (Theil-Sen, of the changes added up), and the end of its interval next to zero."""
        if len(self.changes) < LEAST_TRACKS:
            return 0.0, 0.0
        slope, _, low, high = theilslopes(np.cumsum(self.changes), self.frames)
        return float(slope), float(high if slope < 0 else low)

    @property
    def loss(self) -> float:
        """Typical loss per frame, such as .01; negative where the signal rises, 0 without a trend."""
        return float(1 - np.exp(self.slope[0]))

    @property
    def bleaches(self) -> bool:
        """Whether the signal falls all the time, as it does when it bleaches."""
        return self.loss >= LEAST_LOSS and self.slope[1] < 0

    @property
    def steps(self) -> dict[int, float]:
        """Sudden changes of all cells, as ratios by frame."""
        if len(self.changes) < LEAST_TRACKS:
            return {}
        typical = float(np.median(self.changes))
        spread = MAD_TO_SD * float(np.median(np.abs(self.changes - typical)))
        far = np.abs(self.changes - typical) > max(MANY_SPREADS * spread, LEAST_FLICKER)
        return dict(zip(self.frames[far].tolist(), np.exp(self.changes - typical)[far].tolist(), strict=True))


def corrected(course: pd.DataFrame, settings: Function) -> pd.DataFrame:
    """Return a time course without the loss by bleaching and the flicker of the lamp, as far as settings ask for it.

    Parameters
    ----------
    course
        As :data:`cineseq.tables.imaging.TIMECOURSE`.
    settings
        ``bleaching``: ``known`` divides by the loss of ``bleaching_per_frame``, measured on a reference, since the
        first frame; ``field`` by the typical loss of the field itself, which takes away a change that all cells share.
        ``flicker``: ``field`` divides by the sudden changes that all cells share.
    """
    if settings.bleaching == "none" and settings.flicker == "none":
        return course
    parts = []
    for _, channel in course.groupby("channel", sort=False):
        trend = Trend.of(channel)
        loss = {"none": 0.0, "known": settings.bleaching_per_frame or 0.0, "field": trend.loss}[settings.bleaching]
        factor = (1 - loss) ** channel["frame"].to_numpy(float)
        if settings.flicker == "field":
            for frame, ratio in trend.steps.items():
                factor = np.where(channel["frame"] >= frame, factor * ratio, factor)
        parts.append(channel.assign(**{name: channel[name] / factor for name in _columns(channel, settings, LEVELS)}))
    return _with_value(pd.concat(parts).loc[course.index], settings) if parts else course


def _columns(course: pd.DataFrame, settings: Function, measures: Iterable[str]) -> list[str]:
    """Return the measures that a time course has; its value is one if it has no column of the measure that it is."""
    names = [name for name in measures if name in course]
    alone = settings.measure not in course and settings.measure in measures
    return [*names, "value"] if alone else names


def _with_value(course: pd.DataFrame, settings: Function) -> pd.DataFrame:
    """Return a time course whose value follows its measure."""
    return course.assign(value=course[settings.measure]) if settings.measure in course else course


def warnings_of(course: pd.DataFrame, settings: Function) -> list[str]:
    """Return what has to be said of the signals of a field: bleaching, flicker and saturation.

    Parameters
    ----------
    course
        As :data:`cineseq.tables.imaging.TIMECOURSE`, before the correction.
    settings
        The section ``function``.
    """
    lines = []
    for name, channel in course.groupby("channel"):
        trend = Trend.of(channel)
        if trend.bleaches:
            loss = f"{significant(100 * trend.loss)}%"
            done = "it is corrected" if settings.bleaching != "none" else "function.bleaching corrects it"
            lines.append(f"{name}: the cells lose {loss} a frame, which may be bleaching; {done}.")
        if steps := trend.steps:
            first, ratio = next(iter(steps.items()))
            done = "it is corrected" if settings.flicker != "none" else "function.flicker corrects it"
            lines.append(
                f"{name}: all cells change at once in {count(len(steps), 'frame')}, the first {first} (to "
                f"{significant(100 * ratio)}%), which may be a flicker of the lamp; {done}."
            )
        if "saturated" in channel and (channel["saturated"] > 0).any():
            share = significant(100 * channel["saturated"].max())
            lines.append(f"{name}: pixels are saturated, at most {share}% of a cell; such signals are too low.")
        elif "saturated" in channel and channel["saturated"].isna().all():
            lines.append(
                f"{name}: which cells have saturated pixels is not known after the correction of the flat field; the "
                "report of the movie gives the share of its pixels."
            )
    return lines


def saturated_tracks(course: pd.DataFrame) -> pd.Index:
    """Return the tracks that have a frame with more saturated pixels than a plateau allows."""
    if "saturated" not in course:
        return pd.Index([])
    most = course.groupby("track_id")["saturated"].max()
    return most.index[most > MOST_SATURATED]


def without_inherited(live: pd.DataFrame, tracks: pd.DataFrame, settings: Function) -> pd.DataFrame:
    """Return the time course without what daughters have from their mother.

    Parameters
    ----------
    live
        Time course of live cells, sorted by channel, track and frame.
    tracks
        As :data:`cineseq.tables.imaging.TRACKS`.
    settings
        ``inherited``: ``carried`` changes nothing; ``halved`` subtracts half of the mother's mean over her last
        ``endpoint_frames``, but all of it from a concentration (``mean``), which a division does not change; ``reset``
        subtracts the daughter's own mean over her first ones. A cell without a known
        mother, or whose mother has no value, is not changed.
    """
    if settings.inherited == "carried" or live.empty:
        return live
    mother = live["track_id"].map(tracks.set_index("track_id")["parent_id"])
    names = _columns(live, settings, HALVED)
    groups = live.groupby(["channel", "track_id"], sort=False)
    if settings.inherited == "reset":
        rows = groups.head(settings.endpoint_frames)
        owner, share = live["track_id"].where(mother.notna()), np.ones(len(names))
    else:
        rows = groups.tail(settings.endpoint_frames)
        owner, share = mother, np.array([HALVED[settings.measure if name == "value" else name] for name in names])
    level = rows.groupby(["channel", "track_id"])[names].mean()
    keys = pd.MultiIndex.from_arrays([live["channel"], owner.astype(object)])
    taken = share * level.reindex(keys).fillna(0).to_numpy()
    changed = live.assign(**dict(zip(names, (live[names].to_numpy(float) - taken).T, strict=True)))
    return _with_value(changed, settings)
