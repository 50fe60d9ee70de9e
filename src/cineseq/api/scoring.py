"""Function scores of time courses in memory."""

from __future__ import annotations

from datetime import date, timedelta
from numbers import Real

import numpy as np
import pandas as pd

from cineseq.config.features import SUMMARIES, Function, Summary, say_what_changed
from cineseq.config.schema import nearest, section_from
from cineseq.errors import UserError
from cineseq.features.summaries import Asked, summarise
from cineseq.text import quantity


def score(
    timecourse: pd.DataFrame,
    summary: Summary = "endpoint",
    *,
    channel: str | None = None,
    measure: str | None = None,
    details: bool = False,
    endpoint_frames: int = 3,
    baseline_frames: int = 5,
    onset_mads: float = 5.0,
    slope_frames: int = 6,
    maximum_quantile: float = 0.95,
    false_onsets: float = 0.01,
    window: tuple[float | None, float | None] = (None, None),
    threshold: float | None = None,
) -> pd.Series | pd.DataFrame:
    """Reduce the time course of every track to one function score.

    All rows are used: leave out the frames in which a cell is dying, as the workflow does. Scores of the saturating fit
    take all given tracks as one population, towards which each is shrunken: score fields, or training and held-out
    cells, in separate calls to keep them independent.

    Parameters
    ----------
    timecourse : pandas.DataFrame
        ``track_id``, ``hours`` (h) and ``value`` (any unit, such as grey levels above background), in any order; rows
        without a value are left out. The workflow's ``timecourse.parquet`` has these columns.
    summary : str
        ``"endpoint"``: mean of the last frames. ``"maximum"``: a high quantile. ``"auc"``: area under the curve by the
        trapezoid rule, in units of the value times hours; it grows with the time that a cell is seen.
        ``"auc_per_hour"``: area in a common window over its length. ``"rate"`` (per hour), ``"plateau"``, ``"onset"``
        (hours), ``"time_to_half"`` (hours from the onset) and ``"responded"`` (1 or 0): of a saturating fit to all
        tracks, shrunken towards them. ``"slope"``: units per hour in the steepest window. ``"slope_after_onset"``: by
        least squares from the onset to the end. ``"growth"``: endpoint minus the mean of the first frames.
        ``"time_above"``: hours above ``threshold``. ``"steps"`` and ``"first_step"``: number of sudden changes, and
        hours of the first.
    channel : str, optional
        The channel to score, if ``timecourse`` has several in its column ``channel``.
    measure : str, optional
        The column to score instead of ``value``, such as ``"mean"`` or ``"integrated"`` of ``timecourse.parquet``.
    details : bool
        Whether to return standard errors and notes as well.
    endpoint_frames : int
        Number of frames that the endpoint averages.
    baseline_frames : int
        Number of first frames of a track that form its baseline, for ``slope_after_onset``.
    onset_mads : float
        The onset is the first of two frames that are this many noise MADs above the baseline, for
        ``slope_after_onset``; a step differs by as many standard errors.
    slope_frames : int
        Number of consecutive values over which ``slope`` is steepest.
    maximum_quantile : float
        Quantile that ``maximum`` takes; 1 for the highest value.
    false_onsets : float
        Share of flat tracks that may be taken for rising, for the saturating fit.
    window : tuple of float
        First and last hour of ``auc_per_hour``; by default the window that keeps the most hours of tracks.
    threshold : float, optional
        Level of ``time_above``, in units of the value.

    Returns
    -------
    pandas.Series or pandas.DataFrame
        The score by ``track_id``, NaN where it is not estimable (no value, no onset, a single frame); with ``details``
        the columns ``value``, ``standard_error`` and ``note``, the reason why one of them is missing. Standard errors
        assume independent frames; they are too small if frames are correlated.

    Raises
    ------
    UserError
        When a column is missing, a value is not a number (such as a date or a duration), a track has two values at
        one time, there are several channels and none is named, or ``window`` or ``threshold`` is not a number or is
        given for a summary that has none.

    Examples
    --------
    >>> import pandas as pd
    >>> import cineseq as cs
    >>> course = pd.DataFrame({"track_id": ["a"] * 4 + ["b"], "hours": [0, 1, 2, 3, 0], "value": [0, 2, 4, 6, 5]})
    >>> cs.score(course, "auc").to_dict()
    {'a': 9.0, 'b': nan}
    >>> cs.score(course, "endpoint", details=True).loc["a", "value"].item()
    4.0
    """
    if summary not in SUMMARIES:
        msg = f"summary: '{summary}' is not known, {nearest(str(summary), list(SUMMARIES))}"
        raise UserError(msg)
    asked = _asked(summary, window, threshold)
    keys = {
        "endpoint_frames": endpoint_frames,
        "baseline_frames": baseline_frames,
        "onset_mads": onset_mads,
        "slope_frames": slope_frames,
        "maximum_quantile": maximum_quantile,
        "false_onsets": false_onsets,
    }
    chosen = section_from(Function, keys, "score")
    say_what_changed(summary, chosen.maximum_quantile)
    course = _course(timecourse if measure is None else _of_measure(timecourse, measure), channel)
    scores = summarise(course.dropna(subset="value"), summary, chosen, asked)
    every = scores.reindex(pd.Index(course["track_id"].unique(), name="track_id", dtype="object"))
    every["note"] = every["note"].mask(every["note"].isna() & every["value"].isna(), "there is no value")
    return every if details else every["value"]


def _asked(summary: str, window: object, threshold: object) -> Asked:
    """Return the window and the threshold, checked."""
    if summary == "time_above" and threshold is None:
        msg = "threshold: the summary time_above needs a level; give it in units of the value."
        raise UserError(msg)
    if summary != "time_above" and threshold is not None:
        msg = f"threshold: only the summary time_above has a level; leave it out for {summary}."
        raise UserError(msg)
    if threshold is not None and not _is_number(threshold):
        msg = f"threshold: expected a finite number in units of the value (got {threshold!r})."
        raise UserError(msg)
    ends = tuple(window) if isinstance(window, (tuple, list)) else ()
    if len(ends) != 2 or not all(end is None or _is_number(end) for end in ends):
        msg = f"window: expected the first and the last hour, such as (0, 12), each may be None (got {window!r})."
        raise UserError(msg)
    first, last = ends
    if first is not None and last is not None and first >= last:
        msg = f"window: the last hour must be after the first (got {window!r})."
        raise UserError(msg)
    if summary != "auc_per_hour" and (first, last) != (None, None):
        msg = f"window: only the summary auc_per_hour has a window; leave it out for {summary}."
        raise UserError(msg)
    return Asked((first, last), threshold)  # type: ignore[arg-type]  # checked above


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and bool(np.isfinite(float(value)))


def _of_measure(timecourse: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Return a time course whose value is one of its other columns."""
    if not isinstance(timecourse, pd.DataFrame) or measure not in timecourse:
        known = ", ".join(map(str, getattr(timecourse, "columns", []))) or "none"
        msg = f"measure: timecourse has no column '{measure}'; its columns are {known}."
        raise UserError(msg)
    return timecourse.assign(value=timecourse[measure])


def _course(timecourse: pd.DataFrame, channel: str | None) -> pd.DataFrame:
    """Return a time course of one channel, checked and sorted by track and time."""
    _check_columns(timecourse)
    there = timecourse["channel"].dropna().unique().tolist() if "channel" in timecourse else []
    if channel is not None:
        if channel not in there:
            known = ", ".join(map(str, there)) or "none"
            msg = f"channel: there is no channel '{channel}' in timecourse; its column channel has {known}."
            raise UserError(msg)
        timecourse = timecourse[timecourse["channel"] == channel]
    elif len(there) > 1:
        msg = f"timecourse: there are {len(there)} channels ({', '.join(map(str, there))}); name one as channel."
        raise UserError(msg)
    hours, value = (
        pd.to_numeric(timecourse[name], errors="coerce").to_numpy(float, na_value=np.nan) for name in ("hours", "value")
    )
    course = pd.DataFrame({"track_id": timecourse["track_id"].to_numpy(object), "time": hours, "value": value})
    if "saturated" in timecourse:
        course["saturated"] = timecourse["saturated"].to_numpy(float, na_value=np.nan)
    _check_values(timecourse, "track_id", course["track_id"].isna().to_numpy(), "a name")
    per_frame = "a number (give frame numbers where the frame interval is unknown; scores are then per frame)"
    _check_values(timecourse, "hours", ~np.isfinite(hours), per_frame)
    _check_values(timecourse, "value", ~np.isfinite(value) & timecourse["value"].notna().to_numpy(), "a number")
    twice = course.duplicated(["track_id", "time"])
    if twice.any():
        first = course[twice].iloc[0]
        here = (course["track_id"] == first["track_id"]) & (course["time"] == first["time"])
        fields = timecourse.loc[here.to_numpy()].filter(["sample", "fov"]).drop_duplicates()
        advice = "keep one"
        if fields.size and len(fields) > 1:
            named = ", ".join("/".join(map(str, row)) for row in fields.to_numpy().tolist())
            advice = f"they are of {len(fields)} fields ({named}); give each track of each field its own track_id"
        msg = f"timecourse: track '{first['track_id']}' has two values at {quantity(first['time'], 'h', 6)}; {advice}."
        raise UserError(msg)
    return course.sort_values(["track_id", "time"], ignore_index=True)


def _check_columns(timecourse: pd.DataFrame) -> None:
    """Raise a UserError unless this is a table that has each column once, without dates or durations."""
    if not isinstance(timecourse, pd.DataFrame):
        msg = f"timecourse: expected a pandas table with track_id, hours and value, not a {type(timecourse).__name__}."
        raise UserError(msg)
    for name in ("track_id", "hours", "value"):
        if name not in timecourse:
            hint = " (frame number times minutes per frame over 60; frame numbers make it per frame)"
            msg = f"timecourse: no column '{name}'{hint if name == 'hours' else ''}; give track_id, hours and value."
            raise UserError(msg)
    for name in ("track_id", "hours", "value", "channel", "sample", "fov"):
        if list(timecourse.columns).count(name) > 1:
            msg = f"timecourse: there are several columns '{name}'; keep one of them."
            raise UserError(msg)
    for name in ("hours", "value"):
        column = timecourse[name]
        if not pd.api.types.is_numeric_dtype(column) and any(isinstance(one, (date, timedelta)) for one in column):
            numbers = f"(t['{name}'] - t['{name}'].min()) / pd.Timedelta(hours=1)"
            msg = f"timecourse: column '{name}' holds dates or durations; give numbers, such as {numbers}."
            raise UserError(msg)


def _check_values(timecourse: pd.DataFrame, column: str, wrong: np.ndarray, expected: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        value = timecourse[column].iloc[row]
        msg = f"timecourse: column '{column}' has the value {value} in row {row} (from 0); expected {expected}."
        raise UserError(msg)
