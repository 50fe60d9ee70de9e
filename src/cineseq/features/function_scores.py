"""Summarise the time course of each track as one score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from cineseq.config.features import Function, Score
from cineseq.features.frames import last_live_frames
from cineseq.text import count, number, significant

LEAST_SLOPE_FRAMES = 3
MAD_TO_SD = 1.4826


def live_values(timecourse: pd.DataFrame, tracks: pd.DataFrame, settings: Function) -> pd.DataFrame:
    """Return the time course in the frames in which each cell is alive, sorted by channel, track and frame."""
    live = pd.DataFrame(
        {"track_id": tracks["track_id"], "live": last_live_frames(tracks, settings.death_margin_frames)}
    )
    joined = timecourse.merge(live, on="track_id")
    joined = joined[(joined["frame"] <= joined["live"]) & joined["value"].notna()]
    return joined.drop(columns="live").sort_values(["channel", "track_id", "frame"], ignore_index=True)


def score_tracks(live: pd.DataFrame, score: Score, settings: Function) -> pd.Series:
    """Compute one score per track.

    Parameters
    ----------
    live
        Table of :func:`live_values`.
    score
        Channel, summary and frames of the score.
    settings
        The section ``function``.

    Returns
    -------
    pandas.Series
        Score by ``track_id``; NaN or absent for a track without a score (no frame in range, no onset). Areas and
        slopes are per frame if hours are unknown.
    """
    counted = live[(live["channel"] == score.channel) & (live["frame"] >= score.from_frame)]
    if score.to_frame is not None:
        counted = counted[counted["frame"] <= score.to_frame]
    time = counted["hours"] if counted["hours"].notna().all() else counted["frame"]
    return summarise(counted.assign(time=time.astype(float)), score.summary, settings)["value"].rename(score.name)


def summarise(course: pd.DataFrame, summary: str, settings: Function) -> pd.DataFrame:
    """Summarise the time course of each track as one number.

    Parameters
    ----------
    course
        ``track_id``, ``time`` and ``value`` without missing values, sorted by track and time.
    summary
        ``endpoint``, ``maximum``, ``auc`` or ``slope``, see :class:`cineseq.config.features.Score`.
    settings
        The section ``function``: frames of the endpoint and of the baseline, and the threshold of an onset.

    Returns
    -------
    pandas.DataFrame
        By ``track_id``: ``value``; its ``standard_error``, which assumes independent errors of the frames; and
        ``note``, why one of them is not estimable, else missing. A track without any value is absent.
    """
    summaries: dict[str, Callable[[pd.DataFrame, Function], pd.DataFrame]] = {
        "endpoint": _endpoints,
        "maximum": _maxima,
        "auc": _areas,
        "slope": _slopes_after_onset,
    }
    return summaries[summary](course, settings)


def _scores(value: pd.Series, error: pd.Series, note: pd.Series | str) -> pd.DataFrame:
    """Return a table of scores, with a note only if the value or its standard error is not estimable."""
    table = pd.DataFrame({"value": value, "standard_error": error.where(value.notna())}, dtype=float)
    return table.assign(note=pd.Series(note, table.index, dtype="string").where(table.isna().any(axis=1)))


def _endpoints(course: pd.DataFrame, settings: Function) -> pd.DataFrame:
    """Return the mean of the last frames and its standard error."""
    last = course.groupby("track_id").tail(settings.endpoint_frames).groupby("track_id")["value"]
    return _scores(last.mean(), last.sem(), "one frame has no standard error")


def _maxima(course: pd.DataFrame, settings: Function) -> pd.DataFrame:  # noqa: ARG001 - one signature for all
    highest = course.groupby("track_id")["value"].max()
    return _scores(highest, highest * np.nan, "the standard error of a maximum is not estimable from its frames")


def _areas(course: pd.DataFrame, settings: Function) -> pd.DataFrame:  # noqa: ARG001 - one signature for all
    """Return areas by the trapezoidal rule; NaN for a track with a single frame.

    The standard error is the noise of a frame (:func:`_noise`) times the root of the sum of the squared weights of the
    frames in the trapezoidal rule.
    """
    tracks, groups = course["track_id"], course.groupby("track_id")[["time", "value"]]
    # Trapezoid between each frame and the previous one.
    before = groups.shift()
    width = course["time"] - before["time"]
    area = (width * (course["value"] + before["value"]) / 2).groupby(tracks).sum(min_count=1)
    # Weight of a frame: half of the widths on both sides.
    weight = (width.fillna(0) + width.groupby(tracks).shift(-1, fill_value=0)) / 2
    error = _noise(course) * np.sqrt((weight**2).groupby(tracks).sum())
    single = groups.size() == 1
    notes = np.where(single, "a single frame has no area", "two frames cannot separate noise from a change")
    return _scores(area, error.where(groups.size() > 2), pd.Series(notes, single.index))


def _noise(live: pd.DataFrame) -> pd.Series:
    """Return the standard deviation of the noise of a frame, by track.

    It is the MAD of the differences between consecutive values, scaled to a standard deviation and divided by sqrt 2; a
    steady rise does not inflate it.
    """
    steps = live.groupby("track_id")["value"].diff()
    typical = steps.groupby(live["track_id"]).transform("median")
    return (steps - typical).abs().groupby(live["track_id"]).median() * MAD_TO_SD / np.sqrt(2)


def onsets(live: pd.DataFrame, settings: Function) -> pd.Series:
    """Return the time at which the signal of each track rises above its baseline; NaN if it never does.

    The baseline is the median of the track's first ``baseline_frames`` values, and the noise is that of :func:`_noise`.
    The onset is the first of two consecutive values more than ``onset_mads`` times the noise above the baseline, after
    the baseline frames.

    Parameters
    ----------
    live
        ``track_id``, ``time`` and ``value`` of one channel, sorted by track and time.
    settings
        The section ``function``.
    """
    tracks = live["track_id"]
    position = live.groupby("track_id").cumcount()
    in_baseline = position < settings.baseline_frames
    baseline = live[in_baseline].groupby("track_id")["value"].median()
    # Threshold, and the first of two consecutive values above it.
    level = tracks.map(baseline + settings.onset_mads * _noise(live))
    # A constant signal may differ from its own median by rounding.
    above = ~in_baseline & (live["value"] > level + 1e-9 * (1 + level.abs()))
    confirmed = above & above.groupby(tracks).shift(-1, fill_value=False)
    first = live["time"].astype(float).where(confirmed).groupby(tracks).min()
    return first.rename("onset")


def _slopes_after_onset(course: pd.DataFrame, settings: Function) -> pd.DataFrame:
    """Return least-squares slopes from onset to end; NaN without an onset or with too few frames after it."""
    onset = onsets(course, settings)
    after = course[course["time"] >= course["track_id"].map(onset)]
    groups = after.groupby("track_id")
    time = after["time"] - groups["time"].transform("mean")
    value = after["value"] - groups["value"].transform("mean")
    # Slope of the regression of the centred values on the centred times, by track.
    products = pd.DataFrame({"xy": time * value, "xx": time**2, "yy": value**2, "n": 1.0})
    sums = products.groupby(after["track_id"]).sum().reindex(onset.index)
    enough = sums["n"] >= LEAST_SLOPE_FRAMES
    slope = (sums["xy"] / sums["xx"]).where(enough)
    # Standard error: residual variance with n - 2 degrees of freedom over the sum of squares of the times.
    left = (sums["yy"] - slope * sums["xy"]).clip(lower=0)
    error = np.sqrt(left / (sums["n"] - 2).where(enough) / sums["xx"])
    few = f"fewer than {LEAST_SLOPE_FRAMES} frames after the onset"
    # An onset is two values above the baseline, after the baseline.
    needed = settings.baseline_frames + 2
    short = course.groupby("track_id").size() < needed
    too_short = f"fewer than {needed} points: baseline_frames={settings.baseline_frames}, and two for the onset"
    never = np.where(short, too_short, "the signal never rises above its baseline")
    return _scores(slope, error, pd.Series(np.where(onset.isna(), never, few), onset.index))


def score_table(timecourse: pd.DataFrame, tracks: pd.DataFrame, settings: Function) -> pd.DataFrame:
    """Return one row per track with a column ``function_<name>`` per score, as :data:`cineseq.tables.imaging.SCORES`.

    Parameters
    ----------
    timecourse
        As :data:`cineseq.tables.imaging.TIMECOURSE`.
    tracks
        As :data:`cineseq.tables.imaging.TRACKS`.
    settings
        The section ``function``.
    """
    live = live_values(timecourse, tracks, settings)
    table = tracks[["track_id", "sample", "fov"]].reset_index(drop=True)
    for score in settings.scores:
        found = score_tracks(live, score, settings)
        table[f"function_{score.name}"] = table["track_id"].map(found).astype(float)
    return table


def function_report(
    scores: pd.DataFrame,
    timecourse: pd.DataFrame,
    tracks: pd.DataFrame,
    correlations: dict[tuple[str, str], float | None],
    settings: Function,
    *,
    frame_hours: float,
) -> dict[str, Any]:
    """Return report lines and numbers on the scores, their units and the correlation with other channels."""
    unit = "hour" if pd.notna(frame_hours) else "frame"
    background = (
        "the median of a ring around each cell"
        if settings.background == "ring"
        else f"percentile {significant(settings.background_percentile)} of each frame"
    )
    lines = [f"Function is the mean grey level in the mask above {background}; time is in {unit}s."]
    numbers: dict[str, float | int | None] = {"tracks": len(tracks), "objects": len(timecourse)}
    live = live_values(timecourse, tracks, settings)
    for score in settings.scores:
        known = int(scores[f"function_{score.name}"].notna().sum())
        which = f"{score.name} ({score.summary} of {score.channel})"
        lines.append(f"{which}: known in {count(known)} of {count(len(tracks), 'track')}.")
        numbers[f"scored_{score.name}"] = known
    for channel in sorted({s.channel for s in settings.scores if s.summary == "slope"}):
        of_channel = live[live["channel"] == channel]
        found = onsets(of_channel.assign(time=of_channel["frame"]), settings)
        numbers[f"onsets_{channel}"] = int(found.notna().sum())
        lines.append(f"{channel} rises above its baseline in {count(found.notna().sum(), 'track')}.")
    for (mine, other), value in correlations.items():
        numbers[f"bleed_through_{mine}_{other}"] = value
        correlation = number(value)
        lines.append(
            f"{mine} against {other}, over objects: Spearman's correlation {correlation} (it may be bleed-through "
            "or biology; the number cannot tell which)."
        )
    return {"lines": lines, "numbers": numbers}
