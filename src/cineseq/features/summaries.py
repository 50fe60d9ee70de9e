"""Summaries of a time course: one number per track, with its standard error and what is to be said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.config.features import Function
from cineseq.features.corrections import MOST_SATURATED, saturated_tracks
from cineseq.features.kinetics import FITTED, saturating_fits
from cineseq.statistics import MAD_TO_SD
from cineseq.text import percent, significant

LEAST_SLOPE_FRAMES = 3
STEP_FRAMES = 3
"""Frames on either side of a step that are averaged."""


@dataclass(frozen=True)
class Asked:
    """What a summary needs to know beside the section ``function``.

    Attributes
    ----------
    window
        First and last time of ``auc_per_hour``; None chooses them.
    threshold
        Level of ``time_above``.
    """

    window: tuple[float | None, float | None] = (None, None)
    threshold: float | None = None


def summarise(
    course: pd.DataFrame,
    summary: str,
    settings: Function,
    asked: Asked = Asked(),
    *,
    fits: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Summarise the time course of each track as one number.

    Parameters
    ----------
    course
        ``track_id``, ``time`` and ``value`` without missing values, sorted by track and time.
    summary
        One of :data:`cineseq.config.features.SUMMARIES`; docs/functions.md describes each.
    settings
        The section ``function``.
    asked
        Window and threshold.
    fits
        Table of :func:`cineseq.features.kinetics.saturating_fits` of the same course; made where it is needed and None.

    Returns
    -------
    pandas.DataFrame
        By ``track_id``: ``value``; its ``standard_error``; and ``note``, why one of them is not estimable or what the
        value stands for, else missing. A track without any value is absent.
    """
    if summary in FITTED:
        fits = saturating_fits(course, settings.false_onsets) if fits is None else fits
        scored = _fitted(fits, summary)
        return _not_saturated(scored, course) if summary == "plateau" else scored
    return _SUMMARIES[summary](course, settings, asked)


def _fitted(fits: pd.DataFrame, summary: str) -> pd.DataFrame:
    """Return one summary of the table of :func:`cineseq.features.kinetics.saturating_fits`."""
    columns = {"value": fits[summary], "standard_error": fits[f"{summary}_error"], "note": fits[f"{summary}_note"]}
    return pd.DataFrame(columns)


def _not_saturated(plateaus: pd.DataFrame, course: pd.DataFrame) -> pd.DataFrame:
    """Return plateaus without those of tracks with too many saturated pixels, if the course says which they are."""
    wrong = plateaus.index.isin(saturated_tracks(course))
    note = f"more than {percent(MOST_SATURATED, 0)} of the pixels are saturated in a frame"
    return plateaus.assign(
        value=plateaus["value"].mask(wrong),
        standard_error=plateaus["standard_error"].mask(wrong),
        note=plateaus["note"].mask(wrong, note),
    )


def _scores(value: pd.Series, error: pd.Series, note: pd.Series | str) -> pd.DataFrame:
    """Return a table of scores, with a note only if the value or its standard error is not estimable."""
    table = pd.DataFrame({"value": value, "standard_error": error.where(value.notna())}, dtype=float)
    return table.assign(note=pd.Series(note, table.index, dtype="string").where(table.isna().any(axis=1)))


def _endpoints(course: pd.DataFrame, settings: Function, asked: Asked) -> pd.DataFrame:  # noqa: ARG001 - one signature
    """Return the mean of the last frames and its standard error."""
    last = course.groupby("track_id").tail(settings.endpoint_frames).groupby("track_id")["value"]
    return _scores(last.mean(), last.sem(), "one frame has no standard error")


def _maxima(course: pd.DataFrame, settings: Function, asked: Asked) -> pd.DataFrame:  # noqa: ARG001 - one signature
    """Return a high quantile, which hardly depends on the number of frames, unlike the highest value.

    It is the median-unbiased quantile of Hyndman and Fan (1996), Am. Stat. 50, 361, so that it is the highest value of
    a track with few frames.
    """
    ordered = course.sort_values(["track_id", "value"])
    groups = ordered.groupby("track_id")["value"]
    size, position = groups.transform("size"), groups.cumcount()
    index = (settings.maximum_quantile * (size + 1 / 3) - 2 / 3).clip(0, size - 1)
    # Weights of the two values next to the fractional index.
    weight = (1 - (position - index).abs()).clip(lower=0)
    high = (ordered["value"] * weight).groupby(ordered["track_id"]).sum()
    return _scores(high, high * np.nan, "the standard error of a maximum is not estimable from its frames")


def _areas(course: pd.DataFrame, settings: Function, asked: Asked) -> pd.DataFrame:  # noqa: ARG001 - one signature
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


def _slopes_after_onset(course: pd.DataFrame, settings: Function, asked: Asked) -> pd.DataFrame:  # noqa: ARG001 - one signature
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


def common_window(course: pd.DataFrame, asked: Asked) -> tuple[float, float]:
    """Return the window of ``auc_per_hour``: the one asked for, or the one that keeps most hours of tracks in all.

    The hours are those of a window times the number of tracks that cover it.
    """
    spans = course.groupby("track_id")["time"].agg(["min", "max"])
    first, last = asked.window
    if spans.empty:
        return np.nan if first is None else first, np.nan if last is None else last
    starts = [first] if first is not None else np.unique(np.quantile(spans["min"], np.linspace(0, 1, 41)))
    ends = [last] if last is not None else np.unique(np.quantile(spans["max"], np.linspace(0, 1, 41)))
    best, most = (float(starts[0]), float(ends[-1])), -np.inf
    for start in starts:
        for end in ends:
            kept = (end - start) * float(((spans["min"] <= start) & (spans["max"] >= end)).sum())
            if kept > most:
                best, most = (float(start), float(end)), kept
    return best


def _areas_per_hour(course: pd.DataFrame, settings: Function, asked: Asked) -> pd.DataFrame:
    """Return the area in a common window over its length; NaN for a track that does not cover the window."""
    if course.empty:
        return _areas(course, settings, asked)
    start, end = common_window(course, asked)
    spans = course.groupby("track_id")["time"].agg(["min", "max"])
    # Half a thousandth of the window is rounding.
    slack = 5e-4 * max(end - start, 0)
    covers = (spans["min"] <= start + slack) & (spans["max"] >= end - slack) & (end > start)
    inside = course[course["time"].between(start - slack, end + slack)]
    inside = _with_edges(course, inside, covers[covers].index, (start, end))
    areas = _areas(inside, settings, asked).reindex(spans.index)
    values, errors = areas["value"] / (end - start), areas["standard_error"] / (end - start)
    note = f"the track does not cover the window from {significant(start, 3)} to {significant(end, 3)}"
    few = "fewer than two frames in the window" if end > start else "a single frame has no area"
    notes = pd.Series(np.where(covers, few, note), spans.index)
    return _scores(values.where(covers), errors, notes)


def _with_edges(
    course: pd.DataFrame, inside: pd.DataFrame, tracks: pd.Index, window: tuple[float, float]
) -> pd.DataFrame:
    """Return the rows in a window, with values interpolated at its edges where a track has no frame there."""
    edges = []
    for edge in window:
        here = inside.loc[np.isclose(inside["time"], edge), "track_id"]
        lacking = course[course["track_id"].isin(tracks.difference(here))]
        before = lacking[lacking["time"] < edge].groupby("track_id")[["time", "value"]].last()
        after = lacking[lacking["time"] > edge].groupby("track_id")[["time", "value"]].first()
        both = before.join(after, lsuffix="_before", rsuffix="_after", how="inner")
        share = (edge - both["time_before"]) / (both["time_after"] - both["time_before"])
        value = both["value_before"] + share * (both["value_after"] - both["value_before"])
        edges.append(pd.DataFrame({"track_id": both.index, "time": edge, "value": value.to_numpy()}))
    rows = pd.concat([inside[inside["track_id"].isin(tracks)][["track_id", "time", "value"]], *edges])
    return rows.sort_values(["track_id", "time"], ignore_index=True)


def _steepest(course: pd.DataFrame, settings: Function, asked: Asked) -> pd.DataFrame:  # noqa: ARG001 - one signature
    """Return the greatest least-squares slope over ``slope_frames`` consecutive values.

    A track with fewer values, but at least three, has one window: all of them.
    """
    rows, tracks = pd.factorize(course["track_id"])
    index = pd.Index(tracks, name="track_id")
    size = np.bincount(rows, minlength=len(tracks))
    width = np.minimum(settings.slope_frames, size)[rows]
    first = np.cumsum(size) - size
    place = np.arange(len(course)) - first[rows]
    # Rows that begin a window, and the rows of each window, (windows, slope_frames); shorter windows are padded.
    begin = np.flatnonzero((place + width <= size[rows]) & (width >= LEAST_SLOPE_FRAMES))
    steps = np.arange(settings.slope_frames)
    member = steps < width[begin, None]
    at = np.minimum(begin[:, None] + steps, len(course) - 1)
    n = member.sum(1, keepdims=True)
    time, value = (course[name].to_numpy(float)[at] for name in ("time", "value"))
    x, y = (np.where(member, v - (v * member).sum(1, keepdims=True) / n, 0) for v in (time, value))
    xx = (x**2).sum(1)
    slope = (x * y).sum(1) / xx
    left = np.maximum((y**2).sum(1) - slope**2 * xx, 0) / np.maximum(n[:, 0] - 2, 1)
    windows = pd.DataFrame({"track": rows[begin], "value": slope, "error": np.sqrt(left / xx)})
    best = windows.sort_values("value", kind="stable").groupby("track").last().reindex(range(len(tracks)))
    few = pd.Series(f"fewer than {LEAST_SLOPE_FRAMES} frames", index)
    return _scores(best["value"].set_axis(index), best["error"].set_axis(index), few)


def _growth(course: pd.DataFrame, settings: Function, asked: Asked) -> pd.DataFrame:
    """Return the mean of the last frames minus that of the first, which is the gain since birth or since first seen."""
    last = _endpoints(course, settings, asked)
    groups = course.groupby("track_id")
    first = groups.head(settings.endpoint_frames).groupby("track_id")["value"]
    enough = groups.size() >= 2 * settings.endpoint_frames
    error = np.sqrt(last["standard_error"] ** 2 + first.sem() ** 2)
    few = f"fewer than {2 * settings.endpoint_frames} frames: the first and the last {settings.endpoint_frames}"
    notes = pd.Series(np.where(enough, "one frame has no standard error", few), enough.index)
    return _scores((last["value"] - first.mean()).where(enough), error, notes)


def _time_above(course: pd.DataFrame, settings: Function, asked: Asked) -> pd.DataFrame:  # noqa: ARG001 - one signature
    """Return the time in which the course, as straight lines between its values, lies above the threshold."""
    if asked.threshold is None:
        msg = "threshold: time_above needs a threshold"
        raise ValueError(msg)
    tracks, groups = course["track_id"], course.groupby("track_id")
    high = course["value"] - asked.threshold
    low = high.groupby(tracks).shift()
    width = groups["time"].diff()
    # Share of a line above zero, from its two ends.
    top, bottom = np.maximum(high, low), np.minimum(high, low)
    share = np.where(bottom >= 0, 1.0, np.where(top <= 0, 0.0, top / (top - bottom).where(top > bottom, 1)))
    hours = (width * share).groupby(tracks).sum(min_count=1).where(groups.size() > 1)
    notes = np.where(hours.isna(), "a single frame has no time", "its standard error is not estimable")
    return _scores(hours, hours * np.nan, pd.Series(notes, hours.index))


def steps(course: pd.DataFrame, settings: Function) -> pd.DataFrame:
    """Find steps: where the mean of three values differs from that of the three before by more than the noise allows.

    Parameters
    ----------
    course
        As for :func:`summarise`.
    settings
        The section ``function``: a step differs by ``onset_mads`` standard errors or more.

    Returns
    -------
    pandas.DataFrame
        ``track_id``, ``time`` and ``height`` of each step, upwards or downwards; ``time`` is that of the first frame
        after it. Steps are at least three frames apart; of several equal ones nearby it is the first.
    """
    tracks = course["track_id"]
    values = course["value"].groupby(tracks)
    mean = values.transform(lambda v: v.rolling(STEP_FRAMES).mean())
    after = mean.groupby(tracks).shift(1 - STEP_FRAMES)
    before = mean.groupby(tracks).shift(1)
    height = after - before
    # A constant may differ from its own mean by rounding.
    rounding = 1e-9 * (1 + course["value"].abs().groupby(tracks).transform("max"))
    error = _step_errors(course, before + after) + rounding
    # Rounded, so that equal steps are tied.
    size = (height.abs() / error).fillna(0).round(9)
    around = size.groupby(tracks).transform(lambda v: v.rolling(2 * STEP_FRAMES - 1, center=True, min_periods=1).max())
    tied = [size == size.groupby(tracks).shift(back, fill_value=0) for back in range(1, STEP_FRAMES)]
    found = (size >= settings.onset_mads) & (size == around) & ~np.any(tied, axis=0)
    return pd.DataFrame({"track_id": tracks, "time": course["time"], "height": height})[found].reset_index(drop=True)


def _step_errors(course: pd.DataFrame, both: pd.Series) -> pd.Series:
    """Return the standard error of the height of a step at each row, given the sum of the means on both sides.

    Where more than half of the differences are equal, as in counts, their MAD is 0. Counts then have the noise of a
    Poisson variable of the two means, and other values the standard deviation of the differences.
    """
    tracks, values = course["track_id"], course["value"]
    noise = tracks.map(_noise(course))
    spread = tracks.map(values.groupby(tracks).diff().groupby(tracks).std()) / np.sqrt(2)
    counts = ((values >= 0) & (values == values.round())).groupby(tracks).transform("all")
    floor = np.sqrt(both.clip(lower=0)).where(counts, spread * np.sqrt(2))
    return noise.mask(noise == 0, floor / np.sqrt(2)) * np.sqrt(2 / STEP_FRAMES)


def _steps(course: pd.DataFrame, settings: Function, asked: Asked) -> pd.DataFrame:  # noqa: ARG001 - one signature
    size = course.groupby("track_id").size()
    count = steps(course, settings).groupby("track_id").size().reindex(size.index, fill_value=0).astype(float)
    enough = size >= 2 * STEP_FRAMES
    notes = np.where(enough, "a count has no standard error", f"fewer than {2 * STEP_FRAMES} frames")
    return _scores(count.where(enough), count * np.nan, pd.Series(notes, size.index))


def _first_steps(course: pd.DataFrame, settings: Function, asked: Asked) -> pd.DataFrame:  # noqa: ARG001 - one signature
    size = course.groupby("track_id").size()
    time = steps(course, settings).groupby("track_id")["time"].min().reindex(size.index)
    notes = np.where(time.isna(), "no step", "not estimable")
    notes = np.where(size < 2 * STEP_FRAMES, f"fewer than {2 * STEP_FRAMES} frames", notes)
    return _scores(time, time * np.nan, pd.Series(notes, size.index))


_SUMMARIES: Mapping[str, Callable[[pd.DataFrame, Function, Asked], pd.DataFrame]] = {
    "endpoint": _endpoints,
    "maximum": _maxima,
    "auc": _areas,
    "auc_per_hour": _areas_per_hour,
    "slope": _steepest,
    "slope_after_onset": _slopes_after_onset,
    "growth": _growth,
    "time_above": _time_above,
    "steps": _steps,
    "first_step": _first_steps,
}
