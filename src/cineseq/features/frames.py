"""Choose the frames of a track in which features are measured."""

from __future__ import annotations

import pandas as pd

from cineseq.config.features import Features


def feature_frames(detections: pd.DataFrame, tracks: pd.DataFrame, settings: Features) -> pd.DataFrame:
    """Choose the frames in which the features of each track are measured.

    ``last_live_frame`` ends with the last frame in which the cell was seen alive: the last frame before a division,
    ``death_margin_frames`` before the end of a track that died, else the track's last frame. ``endpoint`` keeps the
    tracks that reached the end of the movie. ``before_function`` ends with the frame before ``function_onset_frame``.
    Only frames in which the track has an object are returned; a track without any has no row.

    Parameters
    ----------
    detections
        Objects of one field or many, see :data:`cineseq.tables.imaging.DETECTIONS`.
    tracks
        The tracks of the same fields, see :data:`cineseq.tables.imaging.TRACKS`.
    settings
        Which frames, and how many are averaged.

    Returns
    -------
    pandas.DataFrame
        Columns ``track_id`` and ``frame``, sorted by them; at most ``window_frames`` rows a track.
    """
    seen = detections[["track_id", "frame"]].merge(_windows(tracks, settings), on="track_id")
    seen = seen[seen["frame"] <= seen["live"]]
    if settings.frames == "last_live_frame":
        # A track may have no object in its last live frame (a closed gap): the window ends with its last object.
        seen["last"] = seen.groupby("track_id")["frame"].transform("max")
    inside = (seen["frame"] <= seen["last"]) & (seen["frame"] > seen["last"] - settings.window_frames)
    return seen.loc[inside, ["track_id", "frame"]].sort_values(["track_id", "frame"], ignore_index=True)


def last_live_frames(tracks: pd.DataFrame, death_margin_frames: int) -> pd.Series:
    """Return the last frame in which each track counts as alive, indexed like ``tracks``.

    A track that ended in death shows its death before it ends, so its last ``death_margin_frames`` do not count; the
    result may lie before the track's first frame, when no frame shows it alive. Tracks may follow a body for longer
    than that, and its earlier frames count as alive here.
    """
    died = (tracks["end_kind"] == "death").fillna(value=False).astype(bool)
    return tracks["end_frame"].astype("int64") - died.astype("int64") * death_margin_frames


def _windows(tracks: pd.DataFrame, settings: Features) -> pd.DataFrame:
    """Return, per track that qualifies, its last live frame and the last frame of its window."""
    live = last_live_frames(tracks, settings.death_margin_frames)
    windows = pd.DataFrame({"track_id": tracks["track_id"], "live": live, "last": live})
    if settings.frames == "endpoint":
        return windows[(tracks["end_kind"] == "end_of_movie").fillna(value=False).to_numpy(bool)]
    if settings.frames == "before_function" and settings.function_onset_frame is not None:
        return windows.assign(last=settings.function_onset_frame - 1)
    return windows
