"""Read the shape of paired cells in every frame of their tracks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from cineseq.io.paired import PairedData

TIMES = ("start_frame", "end_frame", "start_hours", "end_hours")


def read_timed(objects: Iterable[Path], data: PairedData) -> pd.DataFrame:
    """Return the shape of the paired cells in every frame of their own tracks.

    Parameters
    ----------
    objects
        Files as :data:`cineseq.tables.imaging.OBJECTS`, one per field; none without images.
    data
        The paired cells, with the frames and hours of the first and last frame of their tracks.

    Returns
    -------
    pandas.DataFrame
        ``track_id``, ``hours_before`` the last frame of the track, and features; without rows where frames have no
        known time.
    """
    features = list(data.morphology.columns)
    parts = [pd.DataFrame(columns=["track_id", "hours_before", *features])]
    if not set(TIMES) <= set(data.obs.columns):
        return parts[0]
    times = data.obs[list(TIMES)].astype(float)
    length = times["end_frame"] - times["start_frame"]
    interval = (times["end_hours"] - times["start_hours"]) / length.where(length > 0)
    interval = interval.fillna(interval.median())
    for path in objects:
        present = set(pq.read_schema(path).names)
        wanted = [name for name in ("hours", *features) if name in present]
        rows = pq.read_table(path, columns=["track_id", "frame", *wanted]).to_pandas()
        rows = rows[rows["track_id"].isin(data.obs.index)]
        name = rows["track_id"]
        before = (name.map(times["end_frame"]) - rows["frame"].astype(float)) * name.map(interval)
        if "hours" in rows:
            before = (name.map(times["end_hours"]) - rows["hours"].astype(float)).fillna(before)
        timed = rows.assign(hours_before=before).drop(columns=["frame", "hours"], errors="ignore")
        parts.append(timed[np.isfinite(timed["hours_before"].to_numpy(float))])
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]
