"""Quality of the segmentation and tracking of fields of view, and the choice of typical and worst fields."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from cineseq.text import count, number, percent
from cineseq.tracking.motion import steps_of_tracks

Numbers = dict[str, int | float | None]

BAD_WHEN_HIGH = (
    "lost_share",
    "appeared_share",
    "displacement_ratio",
    "count_variation",
    "empty_frames",
    "black_frames",
)
SMALLEST_UNIT = 0.05
"""Unit of the excess where the median absolute deviation and the median are both zero."""


def field_numbers(detections: pd.DataFrame, tracks: pd.DataFrame, frames: int, black_frames: int | None) -> Numbers:
    """Summarise one field of view.

    Parameters
    ----------
    detections, tracks
        Tables of the field (contracts DETECTIONS and TRACKS); both may be empty.
    frames
        Number of frames of the movie.
    black_frames
        Number of frames whose segmented channel has a single grey level; None without a movie.

    Returns
    -------
    dict
        Counts, fractions and ratios; None where not defined (no track that ended, one object per frame, ...).
    """
    counts = np.bincount(detections["frame"].to_numpy(int), minlength=frames) if len(detections) else np.zeros(frames)
    displacement, neighbour = median_displacement(detections), median_neighbour_distance(detections)
    ratio = None if displacement is None or not neighbour else displacement / neighbour
    return {
        "frames": frames,
        "objects": len(detections),
        "objects_per_frame": float(np.median(counts)) if frames else None,
        "count_variation": _count_variation(counts),
        "empty_frames": int((counts == 0).sum()),
        "black_frames": black_frames,
        "border_share": _fraction(detections["touches_border"]),
        "tracks": len(tracks),
        "frames_per_track": float(tracks["frames"].median()) if len(tracks) else None,
        "lost_share": _fraction(tracks.loc[tracks["end_kind"] != "end_of_movie", "end_kind"] == "lost"),
        "appeared_share": _fraction(tracks.loc[tracks["start_kind"] != "first_frame", "start_kind"] == "appeared"),
        "divisions": int((tracks["end_kind"] == "division").sum()),
        "deaths": int((tracks["end_kind"] == "death").sum()),
        "left_field": int((tracks["end_kind"] == "left_fov").sum()),
        "displacement_px": displacement,
        "neighbour_px": neighbour,
        "displacement_ratio": ratio,
    }


def _fraction(truths: pd.Series) -> float | None:
    return float(truths.astype(float).mean()) if len(truths) else None


def _count_variation(counts: np.ndarray) -> float | None:
    """Return the mean change in the number of objects between frames, relative to the median number."""
    level = float(np.median(counts)) if len(counts) else 0.0
    return float(np.abs(np.diff(counts)).mean() / level) if level and len(counts) > 1 else None


def median_displacement(detections: pd.DataFrame) -> float | None:
    """Return the median distance, in pixels, between consecutive frames of a track."""
    steps = steps_of_tracks(detections)
    moved = np.hypot(steps["y_px"], steps["x_px"])
    return float(moved.median()) if len(moved) else None


def median_neighbour_distance(detections: pd.DataFrame) -> float | None:
    """Return the median distance, in pixels, from an object to its nearest neighbour in the same frame."""
    nearest = [
        cKDTree(points).query(points, k=2)[0][:, 1]
        for points in (g[["y_px", "x_px"]].to_numpy() for _, g in detections.groupby("frame"))
        if len(points) > 1
    ]
    return float(np.median(np.concatenate(nearest))) if nearest else None


def quality_lines(numbers: Numbers) -> list[str]:
    """Return the numbers of a field as sentences for the report page."""
    lines = [
        f"{count(numbers['objects'], 'object')} in {count(numbers['frames'], 'frame')}, "
        f"{count(numbers['tracks'], 'track')}, {count(numbers['divisions'], 'division')}, "
        f"{count(numbers['deaths'], 'death')}."
    ]
    if numbers["lost_share"] is not None:
        lines.append(f"{percent(numbers['lost_share'], 0)} of the tracks that ended before the movie were lost.")
    if numbers["displacement_ratio"] is not None and numbers["displacement_ratio"] > 1 / 3:
        lines.append(
            f"Cells move {number(numbers['displacement_ratio'])} of the distance to their nearest neighbour per frame; "
            "above a third, links become uncertain."
        )
    if numbers["empty_frames"]:
        lines.append(f"Frames without any object: {count(numbers['empty_frames'])}.")
    if numbers["black_frames"]:
        lines.append(f"Black frames (a single grey level): {count(numbers['black_frames'])}.")
    return lines


def badness(fields: pd.DataFrame) -> pd.Series:
    """Score fields by how much worse they are than the others of the run; 0 is a typical field or better.

    Parameters
    ----------
    fields
        One row per field with the columns of :func:`field_numbers`; unknown values are NaN.

    Returns
    -------
    pandas.Series
        Sum over the measures of the excess above the median of the run, in units of the median absolute deviation
        (clipped at 10), plus 100 for a field without any object.
    """
    score = pd.Series(0.0, index=fields.index)
    for name in BAD_WHEN_HIGH:
        if name not in fields or fields[name].isna().all():
            continue
        values = fields[name].astype(float)
        excess = values - values.median()
        unit = excess.abs().median() or max(float(values.abs().median()), SMALLEST_UNIT)
        score += (excess / unit).clip(0, 10).fillna(0)
    return score + 100.0 * (fields["objects"].astype(float) == 0)


def choose_fields(fields: pd.DataFrame, shown: int) -> pd.DataFrame:
    """Choose typical and worst fields.

    Parameters
    ----------
    fields
        One row per field, with ``sample`` and ``fov`` and the columns of :func:`field_numbers`.
    shown
        Largest number of fields to keep.

    Returns
    -------
    pandas.DataFrame
        The chosen rows with ``badness`` and ``why`` ("typical" or "worst"): all fields if there are few; otherwise
        the ``shown // 2`` worst ones and, of the others, those nearest to the median badness.
    """
    ranked = fields.assign(badness=badness(fields)).sort_values(["badness", "sample", "fov"], ignore_index=True)
    worst = ranked.tail(shown // 2 if len(ranked) > 1 else 0).assign(why="worst")
    rest = ranked.iloc[: len(ranked) - len(worst)]
    distance = (rest["badness"] - ranked["badness"].median()).abs()
    typical = rest.loc[distance.sort_values(kind="stable").index[: shown - len(worst)]].sort_index()
    flagged = worst["badness"] > ranked["badness"].median()
    worst = worst.assign(why=np.where(flagged, "worst", "typical"))
    return pd.concat([typical.assign(why="typical"), worst[::-1]], ignore_index=True)
