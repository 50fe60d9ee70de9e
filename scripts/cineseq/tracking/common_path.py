"""The way that the tracked cells of a field went together: drift of the stage, and whatever else all of them share."""

from __future__ import annotations

import numpy as np
import pandas as pd

LEAST_CELLS = 8
"""Fewer cells than this that are seen in both of two frames do not tell common motion from their own."""


def steps_of_tracks(detections: pd.DataFrame) -> pd.DataFrame:
    """Return the steps that tracks make between consecutive frames.

    Parameters
    ----------
    detections
        As :data:`cineseq.contracts.DETECTIONS`, of one field.

    Returns
    -------
    pandas.DataFrame
        ``frame`` in which the step ends, ``y_px`` and ``x_px``; a gap makes no step.
    """
    ordered = detections.sort_values(["track_id", "frame"])
    step = ordered.groupby("track_id", sort=False)[["frame", "y_px", "x_px"]].diff()
    return step.assign(frame=ordered["frame"])[step["frame"] == 1]


def common_path(detections: pd.DataFrame, frames: int) -> dict[str, list[float]]:
    """Sum the median step of all cells from frame to frame.

    Half of the cells may move as they like without a trace; what most of them do together, stage or cells, is kept.

    Parameters
    ----------
    detections
        As :data:`cineseq.contracts.DETECTIONS`, of one field.
    frames
        Frames in the movie.

    Returns
    -------
    dict
        ``common_y_px`` and ``common_x_px`` from frame 0, in px, until the first frame that fewer than ``LEAST_CELLS``
        cells step into; empty where that is the second one.
    """
    by_frame = steps_of_tracks(detections).groupby("frame")[["y_px", "x_px"]]
    counts = by_frame.size().reindex(range(1, frames), fill_value=0).to_numpy()
    known = int(np.argmin(np.append(counts, 0) >= LEAST_CELLS))
    if not known:
        return {}
    path = by_frame.median().reindex(range(1, known + 1)).cumsum()
    return {f"common_{axis}": [0.0, *path[axis].round(2)] for axis in ("y_px", "x_px")}
