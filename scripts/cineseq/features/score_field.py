"""Function scores of the tracks of a field of view, and what the step says of them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cineseq.config.features import Function
from cineseq.features.function_scores import live_values, onsets, score_tracks


def score_table(timecourse: pd.DataFrame, tracks: pd.DataFrame, settings: Function, frame_hours: float) -> pd.DataFrame:
    """Return one row per track with a column ``function_<name>`` per score, as :data:`cineseq.contracts.SCORES`.

    Parameters
    ----------
    timecourse
        As :data:`cineseq.contracts.TIMECOURSE`.
    tracks
        As :data:`cineseq.contracts.TRACKS`.
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
        said = "not estimable" if value is None else f"{value:.2f}"
        lines.append(
            f"{mine} against {other}, over objects: Spearman's correlation {said} (bleed-through or biology, the "
            "number cannot tell)."
        )
    return {"lines": lines, "numbers": numbers}
