"""Summarise the time course of each track as one score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cineseq.config.features import Function, Score
from cineseq.features.corrections import without_inherited
from cineseq.features.frames import last_live_frames
from cineseq.features.kinetics import FITTED, saturating_fits
from cineseq.features.summaries import Asked, common_window, onsets, summarise
from cineseq.text import count, number, significant

RISING = ("slope", "slope_after_onset")
"""Summaries of a rise that do not come from the fit; whether the signal rises is said beside them."""
WHAT = {
    "integrated": "sum of grey levels",
    "mean": "mean grey level",
    "spot_count": "number of spots",
    "spot_intensity": "sum of spots",
}
"""Measures in words."""


def live_values(timecourse: pd.DataFrame, tracks: pd.DataFrame, settings: Function) -> pd.DataFrame:
    """Return the time course in the frames in which each cell is alive, sorted by channel, track and frame.

    What a daughter has from its mother is taken away as configured.
    """
    live = pd.DataFrame(
        {"track_id": tracks["track_id"], "live": last_live_frames(tracks, settings.death_margin_frames)}
    )
    joined = timecourse.merge(live, on="track_id")
    joined = joined[(joined["frame"] <= joined["live"]) & joined["value"].notna()]
    ordered = joined.drop(columns="live").sort_values(["channel", "track_id", "frame"], ignore_index=True)
    return without_inherited(ordered, tracks, settings)


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
        Score by ``track_id``; NaN or absent for a track without a score (no frame in range, no onset). Areas, slopes
        and rates are per frame if hours are unknown.
    """
    return _scored(_counted(live, score), score, settings, {})["value"].rename(score.name)


Fits = dict[tuple[str, str | None, int | None, int | None], pd.DataFrame]
"""Saturating fits by channel, measure and frames; scores that have these in common share them."""


def _counted(live: pd.DataFrame, score: Score) -> pd.DataFrame:
    """Return the rows that a score counts, with their time in hours, or in frames if hours are unknown."""
    counted = live[live["channel"] == score.channel]
    if score.from_frame is not None:
        counted = counted[counted["frame"] >= score.from_frame]
    if score.to_frame is not None:
        counted = counted[counted["frame"] <= score.to_frame]
    if score.measure is not None:
        counted = counted.assign(value=counted[score.measure]).dropna(subset="value")
    time = counted["hours"] if counted["hours"].notna().all() else counted["frame"]
    return counted.assign(time=time.astype(float))


def _scored(counted: pd.DataFrame, score: Score, settings: Function, fits: Fits) -> pd.DataFrame:
    """Return value, standard error, note and, where a fit was made, ``responded`` of each track."""
    needs_fit = score.summary in FITTED or score.summary in RISING or score.responders_only
    key = (score.channel, score.measure, score.from_frame, score.to_frame)
    if needs_fit and key not in fits:
        fits[key] = saturating_fits(counted, settings.false_onsets)
    scored = summarise(counted, score.summary, settings, _asked(counted, score), fits=fits.get(key))
    if needs_fit:
        scored["responded"] = fits[key]["responded"].reindex(scored.index)
    if score.responders_only:
        scored["value"] = scored["value"].where(scored["responded"] == 1)
    return scored


def _asked(counted: pd.DataFrame, score: Score) -> Asked:
    """Return the window and the threshold of a score; an end of the window that is not set is chosen."""
    if counted.empty:
        return Asked((None, None), score.threshold)
    # Time is linear in frames unless they are at irregular times; with a single frame there is no area anyway.
    (early, late), (start, end) = ((counted[name].min(), counted[name].max()) for name in ("frame", "time"))
    interval = (end - start) / (late - early) if late > early else 1.0
    known = counted[["frame", "time"]].drop_duplicates("frame").sort_values("frame").to_numpy(float)
    regular = np.allclose(known[:, 1], start + (known[:, 0] - early) * interval)

    def time_of(frame: int | None) -> float | None:
        if frame is not None and not regular and early <= frame <= late:
            return float(np.interp(frame, known[:, 0], known[:, 1]))
        return None if frame is None else float(start + (frame - early) * interval)

    return Asked((time_of(score.from_frame), time_of(score.to_frame)), score.threshold)


def score_table(timecourse: pd.DataFrame, tracks: pd.DataFrame, settings: Function) -> pd.DataFrame:
    """Return one row per track with the scores, as :data:`cineseq.tables.imaging.SCORES`.

    Each score has a column ``function_<name>``; a score of a rise has ``responded_<name>`` as well, whether the signal
    rises at all.

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
    fits: Fits = {}
    for score in settings.scores:
        scored = _scored(_counted(live, score), score, settings, fits)
        table[f"function_{score.name}"] = table["track_id"].map(scored["value"]).astype(float)
        if "responded" in scored:
            rises = scored["responded"].map({1.0: True, 0.0: False})
            table[f"responded_{score.name}"] = table["track_id"].map(rises).astype("boolean")
    return table


def function_report(
    scores: pd.DataFrame,
    timecourse: pd.DataFrame,
    tracks: pd.DataFrame,
    correlations: dict[tuple[str, str], float | None],
    settings: Function,
    *,
    frame_hours: float,
    without_cell: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """Return report lines and numbers on the scores, their units and the correlation with other channels.

    ``without_cell`` has the objects without a mask of a whole cell, and all objects; None without such masks.
    """
    unit = "hour" if pd.notna(frame_hours) else "frame"
    background = {
        "empty": "the lowest mode of each frame beyond the cells",
        "ring": "the median of a ring around each mask",
        "percentile": f"percentile {significant(settings.background_percentile)} of each frame",
    }[settings.background]
    where = {"mask": "mask", "cell": "mask, dilated up to the border between neighbours,"}[settings.region]
    if without_cell is not None and settings.region == "cell":
        where = "mask of the whole cell"
    lines = [f"Function is the {WHAT[settings.measure]} in the {where} above {background}; time is in {unit}s."]
    numbers: dict[str, float | int | None] = {"tracks": len(tracks), "objects": len(timecourse)}
    if without_cell is not None:
        lines.append(_on_cell_masks(without_cell, settings))
        numbers |= {"objects_without_cell_mask": without_cell[0]}
    live = live_values(timecourse, tracks, settings)
    for score in settings.scores:
        known = int(scores[f"function_{score.name}"].notna().sum())
        own = "" if score.measure is None or score.measure == settings.measure else f", {WHAT[score.measure]}"
        which = f"{score.name} ({score.summary} of {score.channel}{own})"
        lines.append(f"{which}: known in {count(known)} of {count(len(tracks), 'track')}.")
        numbers[f"scored_{score.name}"] = known
        lines += _more_on(score, scores, live)
    for channel in sorted({s.channel for s in settings.scores if s.summary == "slope_after_onset"}):
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


def _on_cell_masks(without_cell: tuple[int, int], settings: Function) -> str:
    """Return what has to be said of masks of whole cells."""
    if settings.region == "mask":
        return "cell_masks of the sample sheet are not used: function.region is mask; set it to cell to use them."
    alone, every = without_cell
    return (
        f"{count(alone)} of {count(every, 'object')} overlap no mask of a whole cell and are measured in their own "
        "mask; where a cell holds several nuclei, each has the pixels nearest to it."
    )


def _more_on(score: Score, scores: pd.DataFrame, live: pd.DataFrame) -> list[str]:
    """Return what has to be said of a score beside how many tracks have it."""
    lines = []
    counted = _counted(live, score)
    if score.summary == "auc_per_hour" and len(counted):
        start, end = common_window(counted, _asked(counted, score))
        both = score.from_frame is not None and score.to_frame is not None
        chosen = "" if both else "; it may differ between fields: set from_frame and to_frame to choose it"
        span = f"{significant(start, 3)} to {significant(end, 3)}"
        lines.append(
            f"{score.name} is the area from {span} over its length; tracks that do not cover it have none{chosen}."
        )
    if score.summary in FITTED:
        lines.append(
            f"{score.name} is of a fit that draws each track towards all tracks of the field, held-out ones as well."
        )
    if score.summary == "auc":
        lines.append(f"{score.name} is an area, which grows with the time that a cell is seen; see auc_per_hour.")
    if score.summary == "slope":
        lines.append(f"{score.name} is the steepest window; the slope from the onset to the end is slope_after_onset.")
    flag = f"responded_{score.name}"
    if flag in scores:
        rises, known = int(scores[flag].fillna(value=False).sum()), int(scores[flag].notna().sum())
        lines.append(
            f"{score.channel} rises in {count(rises)} of {count(known, 'track')} that are long enough to tell."
        )
    return lines
