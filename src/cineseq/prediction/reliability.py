"""Reliability of covariates that are measured on images, from the same cells in adjacent frames."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from cineseq.prediction.crossval.feature_blocks import Block
from cineseq.statistics.metrics import centred

FEWEST_CELLS = 20
"""Cells with two adjacent frames that a reliability needs."""

NO_FRAMES = "not estimable: not measured in adjacent frames"


def read_adjacent_frames(objects: Iterable[Path], obs: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the objects of the paired cells in their feature frame and in the frame before it.

    Parameters
    ----------
    objects
        Files as :data:`cineseq.tables.imaging.OBJECTS`, one per field.
    obs
        The paired cells, indexed by ``track_id``, with ``feature_frame``.
    names
        Columns to read, where a file has them.
    """
    parts = []
    for path in objects:
        present = set(pq.read_schema(path).names)
        wanted = [name for name in names if name in present]
        rows = pq.read_table(path, columns=["track_id", "frame", *wanted]).to_pandas()
        last = rows["track_id"].map(obs["feature_frame"])
        parts.append(rows[(rows["frame"] == last) | (rows["frame"] == last - 1)])
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=["track_id", "frame", *names])


def reliability_rows(
    blocks: dict[str, Block | None], obs: pd.DataFrame, frames: pd.DataFrame | None, window_frames: int = 1
) -> pd.DataFrame:
    """Return the reliability of every covariate, or why it is not known.

    The variance of the error of one frame is half of the variance of the change from one frame to the next. Real change
    counts as error, so the reliability is a lower bound if errors of adjacent frames are independent. Errors that stay,
    such as a mask that is always too large, are not seen.

    Parameters
    ----------
    blocks
        The covariate blocks by their names.
    obs
        The paired cells, indexed by ``track_id``, with ``sample``, ``fov`` and ``feature_frame``.
    frames
        From :func:`read_adjacent_frames`; None without objects.
    window_frames
        Number of frames that are averaged in the covariate.

    Returns
    -------
    pandas.DataFrame
        As :data:`cineseq.tables.prediction.COVARIATES`.
    """
    rows = []
    for name, block in blocks.items():
        for covariate in () if block is None else block.names:
            row = {"covariate": covariate, "block": name, "cells": 0, "reliability": np.nan, "note": NO_FRAMES}
            if frames is not None and covariate in frames.columns:
                value, cells = reliability(frames, obs, covariate, window_frames)
                known = np.isfinite(value)
                few = f"not estimable: {cells} of at least {FEWEST_CELLS} cells were measured in two adjacent frames"
                row |= {"reliability": value, "cells": cells, "note": None if known else few}
            rows.append(row)
    return pd.DataFrame(rows, columns=["covariate", "block", "reliability", "cells", "note"])


def reliability(frames: pd.DataFrame, obs: pd.DataFrame, name: str, window_frames: int) -> tuple[float, int]:
    """Return the reliability of one column within fields, 0 to 1, and the number of cells that it is from."""
    # The column in the feature frame and in the frame before it, one row per cell with both.
    last = frames["frame"] == frames["track_id"].map(obs["feature_frame"])
    now = frames[last].drop_duplicates("track_id").set_index("track_id")[name].astype(float)
    before = frames[~last].drop_duplicates("track_id").set_index("track_id")[name].astype(float)
    both = pd.concat([now, before], axis=1, keys=["now", "before"]).dropna()
    if len(both) < FEWEST_CELLS:
        return np.nan, len(both)
    field = obs.loc[both.index, ["sample", "fov"]].astype(str).agg("\n".join, axis=1).to_numpy()
    # Change and spread within fields, shape (cells, 1); half of the variance of the change is error.
    change = centred((both["now"] - both["before"]).to_numpy()[:, None], field)
    spread = centred(both["now"].to_numpy()[:, None], field)
    if not np.square(spread).sum() > 0:
        return np.nan, len(both)
    of_one_frame = max(0.0, 1 - np.square(change).sum() / (2 * np.square(spread).sum()))
    # Spearman and Brown: the mean of several frames has the error of one divided by their number.
    return window_frames * of_one_frame / (1 + (window_frames - 1) * of_one_frame), len(both)
