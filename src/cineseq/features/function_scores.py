"""From a time course to one number per track."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from cineseq.config.features import Function, Score
from cineseq.features.frames import last_live_frames
from cineseq.text import number

LEAST_SLOPE_FRAMES = 3
MAD_TO_SD = 1.4826


def live_values(timecourse: pd.DataFrame, tracks: pd.DataFrame, settings: Function) -> pd.DataFrame:
    """Return the time course in the frames that show each cell alive, sorted by channel, track and frame."""
    live = pd.DataFrame(
        {"track_id": tracks["track_id"], "live": last_live_frames(tracks, settings.death_margin_frames)}
    )
    joined = timecourse.merge(live, on="track_id")
    joined = joined[(joined["frame"] <= joined["live"]) & joined["value"].notna()]
    return joined.drop(columns="live").sort_values(["channel", "track_id", "frame"], ignore_index=True)


def score_tracks(live: pd.DataFrame, score: Score, settings: Function, frame_hours: float) -> pd.Series:
    """Reduce every track to one score.

    Parameters
    ----------
    live
        Table of :func:`live_values`.
    score
        Channel, summary and frames that count.
    settings
        The section ``function``.
    frame_hours
        Hours per frame; NaN where unknown, then areas and slopes are per frame.

    Returns
    -------
    pandas.Series
        Score by ``track_id``; a track that has none (no frame that counts, no onset) is NaN or absent.
    """
    counted = live[(live["channel"] == score.channel) & (live["frame"] >= score.from_frame)]
    if score.to_frame is not None:
        counted = counted[counted["frame"] <= score.to_frame]
    step = frame_hours if np.isfinite(frame_hours) else 1.0
    summaries: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
        "endpoint": lambda c: c.groupby("track_id").tail(settings.endpoint_frames).groupby("track_id")["value"].mean(),
        "maximum": lambda c: c.groupby("track_id")["value"].max(),
        "auc": lambda c: _areas(c, step),
        "slope": lambda c: _slopes_after_onset(c, settings, step),
    }
    return summaries[score.summary](counted).rename(score.name)


def _areas(live: pd.DataFrame, step: float) -> pd.Series:
    """Return areas by the trapezoid rule; NaN for a track of a single frame, whose area has no width."""
    before = live.groupby("track_id")[["frame", "value"]].shift()
    strips = (live["frame"] - before["frame"]) * (live["value"] + before["value"]) / 2 * step
    return strips.groupby(live["track_id"]).sum(min_count=1)


def onsets(live: pd.DataFrame, settings: Function) -> pd.Series:
    """Return the frame in which the signal of each track rises out of its baseline; NaN where it never does.

    The baseline is the median of the track's first ``baseline_frames`` values. The noise is the MAD of the steps
    between consecutive values (over sqrt 2, as a standard deviation), which a steady rise does not inflate. Onset is
    the first of two consecutive values more than ``onset_mads`` noises above baseline, after the baseline frames.

    Parameters
    ----------
    live
        One channel of :func:`live_values`, sorted by track and frame.
    settings
        The section ``function``.
    """
    tracks = live["track_id"]
    place = live.groupby("track_id").cumcount()
    in_baseline = place < settings.baseline_frames
    baseline = live[in_baseline].groupby("track_id")["value"].median()
    steps = live.groupby("track_id")["value"].diff()
    typical = steps.groupby(tracks).transform("median")
    noise = (steps - typical).abs().groupby(tracks).median() * MAD_TO_SD / np.sqrt(2)
    level = tracks.map(baseline + settings.onset_mads * noise)
    # A flat noiseless signal may differ from its own median in the last bit.
    above = ~in_baseline & (live["value"] > level + 1e-9 * (1 + level.abs()))
    confirmed = above & above.groupby(tracks).shift(-1, fill_value=False)
    first = live["frame"].astype(float).where(confirmed).groupby(tracks).min()
    return first.rename("onset")


def _slopes_after_onset(live: pd.DataFrame, settings: Function, step: float) -> pd.Series:
    """Return least-squares slopes from the onset to the end; NaN without an onset or with too few frames after it."""
    after = live[live["frame"] >= live["track_id"].map(onsets(live, settings))]
    groups = after.groupby("track_id")
    time = (after["frame"] - groups["frame"].transform("mean")).astype(float) * step
    value = after["value"] - groups["value"].transform("mean")
    sums = pd.DataFrame({"xy": time * value, "xx": time**2, "n": 1.0}).groupby(after["track_id"]).sum()
    return (sums["xy"] / sums["xx"]).where(sums["n"] >= LEAST_SLOPE_FRAMES)


def score_table(timecourse: pd.DataFrame, tracks: pd.DataFrame, settings: Function, frame_hours: float) -> pd.DataFrame:
    """Return one row per track with a column ``function_<name>`` per score, as :data:`cineseq.tables.imaging.SCORES`.

    Parameters
    ----------
    timecourse
        As :data:`cineseq.tables.imaging.TIMECOURSE`.
    tracks
        As :data:`cineseq.tables.imaging.TRACKS`.
    settings
        The section ``function``.
    frame_hours
        Hours per frame; NaN where unknown.
    """
    live = live_values(timecourse, tracks, settings)
    table = tracks[["track_id", "sample", "fov"]].reset_index(drop=True)
    for score in settings.scores:
        found = score_tracks(live, score, settings, frame_hours)
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
    """Say how many tracks have each score, in which unit, and how far other channels go along with function."""
    unit = "hour" if pd.notna(frame_hours) else "frame"
    background = (
        "the median of a ring around each cell"
        if settings.background == "ring"
        else f"percentile {settings.background_percentile:g} of each frame"
    )
    lines = [f"Function is the mean grey level in the mask above {background}; time is in {unit}s."]
    numbers: dict[str, float | int | None] = {"tracks": len(tracks), "objects": len(timecourse)}
    live = live_values(timecourse, tracks, settings)
    for score in settings.scores:
        known = int(scores[f"function_{score.name}"].notna().sum())
        lines.append(f"{score.name} ({score.summary} of {score.channel}): {known:,} of {len(tracks):,} tracks have it.")
        numbers[f"scored_{score.name}"] = known
    for channel in sorted({s.channel for s in settings.scores if s.summary == "slope"}):
        found = onsets(live[live["channel"] == channel], settings)
        numbers[f"onsets_{channel}"] = int(found.notna().sum())
        lines.append(f"{channel} rises out of its baseline in {found.notna().sum():,} tracks.")
    for (mine, other), value in correlations.items():
        numbers[f"bleed_through_{mine}_{other}"] = value
        said = number(value)
        lines.append(
            f"{mine} against {other}, over objects: Spearman's correlation {said} (bleed-through or biology, the "
            "number cannot tell)."
        )
    return {"lines": lines, "numbers": numbers}
