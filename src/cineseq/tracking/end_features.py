"""Features of how tracks end: the last frames of the cell, the bodies seen after it, and new cells nearby."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from cineseq.config.tracking import LAST_FRAMES
from cineseq.io.square_pixels import SQUARE
from cineseq.tracking.end_pictures import BEFORE, LARGE, look
from cineseq.tracking.objects import Objects

LAST = LAST_FRAMES
"""Last frames of a track that are compared with the frames before."""
LEAST_FRAMES = 5
"""Frames below which a track shows no evidence."""
CONDENSED_AREA, CONDENSED_LIGHT = 0.7, 1.1
"""A cell is condensed below this fraction of its earlier area and above this multiple of its earlier brightness."""
IN_PLACE = 0.6
"""Largest distance of a body from its last place, in radii of the living cell."""
DELAY = 4
"""Largest number of frames between an end and the start of a daughter."""
DAUGHTER = (0.2, 1.1)
"""Smallest and largest area of a daughter, as a fraction of that of the cell before its end."""
REACH_OF_DAUGHTERS = 3.0
"""Largest distance of a daughter, in radii of the cell before its end."""

FROM_MASKS = {
    "shrink": "log area of the living cell over the smallest of the last frames",
    "area_last": "log area of the last frame over the area before",
    "longest": "highest eccentricity of the last frames",
    "round_up": "eccentricity before minus that of the last frames",
    "uneven_outline": "1 minus the smallest ellipse extent of the last frames",
    "still": "relative decrease of the step in the last frames",
    "small_frames": "share of the last frames in which the cell was small without a break",
    "taken": "largest share of the last mask that another track's mask covers in the next frame",
    "split": "the same from one of the last two frames to the next, before the end",
    "starts": "unexplained starts of a daughter's size nearby within four frames, 0 to 2",
    "starts_now": "the same within one frame",
}
FROM_IMAGES = {
    "brighten": "log highest brightness of the last frames over the brightness before",
    "brightest": "the same over the last twelve frames",
    "bright_last": "log brightness of the last frame over the brightness before",
    "mass_last": "log light of the last frame over the light before",
    "uneven": "highest unevenness of the last frames minus that before",
    "condensed": "share of the last frames in which the cell was small and bright without a break",
    "centre_first": "light left in the middle in the first frame after the end",
    "centre_late": "the same in the frames that follow",
    "outer_first": "light around the middle in the first frame after the end",
    "outer_late": "the same in the frames that follow",
    "body_frames": "share of the frames after the end with a body in the middle",
    "two_frames": "share of the frames after the end with two bodies on opposite sides",
    "pieces": "pieces in the frames after the end",
    "body_light": "brightness of the brightest body after the end",
}


def end_features(objects: Objects, number: np.ndarray, tracks: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    """Return the features of the end of every track, and whether images were looked at.

    Parameters
    ----------
    objects
        The objects.
    number
        Track number of each object, shape (objects,).
    tracks
        Table of tracks, sorted by number.

    Returns
    -------
    features
        One row per track, columns :data:`FROM_MASKS`, and :data:`FROM_IMAGES` where there are images in which cells
        stand out; ``still_frames``, the share of the last frames in which the cell was small and stayed in place; and
        ``body_count``, the frames in which a body was seen. Missing where the track is shorter than
        :data:`LEAST_FRAMES`.
    with_images
        Whether the columns of images are there.
    """
    # A jump of the stage moves no cell, so positions here are those without jumps; images are looked at where they are.
    steady, offsets = objects.steady, objects.offsets
    features = _from_masks(steady, number)
    features[["taken", "split"]] = covered_by_others(objects, number, features.index.to_numpy())
    features[["starts", "starts_now"]] = nearby_starts(steady, number, _steady_ends(tracks, objects))
    channel = objects.source.clearest() if objects.source is not None else None
    if objects.source is None or channel is None:
        features["body_count"] = (features["still_frames"] * BEFORE).fillna(0)
        return features, False
    last = len(objects.source.labels) - 1
    long = (
        (tracks["frames"] >= LEAST_FRAMES)
        & (tracks["end_frame"] < last)
        & ~tracks["track_id"].isin(tracks["parent_id"])
    )
    seen = look(objects.source, channel, objects.table, number, tracks.loc[long, "number"].to_numpy(), offsets=offsets)
    features = features.join(_from_images(seen))
    after = seen[seen["offset"] > 0].groupby("number")["middle"].sum().reindex(features.index)
    features["body_count"] = (features["still_frames"] * BEFORE + after).fillna(0)
    return features, True


def _steady_ends(tracks: pd.DataFrame, objects: Objects) -> pd.DataFrame:
    """Return tracks with their first and last places as in :attr:`~cineseq.tracking.objects.Objects.steady`."""
    if not objects.jumps and objects.sides == SQUARE:
        return tracks
    places: dict[str, pd.Series] = {}
    for which in ("start", "end"):
        offsets = objects.offsets[tracks[f"{which}_frame"].to_numpy(np.int64)].T
        for axis, offset, side in zip(("y_px", "x_px"), offsets, objects.sides, strict=True):
            places[f"{which}_{axis}"] = (tracks[f"{which}_{axis}"] - offset) * side
    return tracks.assign(**places)


def _from_masks(table: pd.DataFrame, number: np.ndarray) -> pd.DataFrame:
    """Return the features of masks, one row per track, by number."""
    table = table.assign(number=number)
    table["step"] = np.hypot(*table.groupby("number")[["y_px", "x_px"]].diff().to_numpy().T)
    # Rank 0 is the last frame of a track.
    table["rank"] = table.groupby("number").cumcount(ascending=False)
    late, early = table[table["rank"] < LAST], table[table["rank"].between(LAST - 1, LAST - 1 + BEFORE)]
    before = early.groupby("number")[["eccentricity", "step"]].median()
    before["area_px"] = early.groupby("number")["area_px"].quantile(LARGE)
    by_track = late.groupby("number")
    size = table["area_px"] / table["number"].map(before["area_px"])
    away = [table[name] - table.groupby("number")[name].transform("last") for name in ("y_px", "x_px")]
    in_place = np.hypot(*away) <= IN_PLACE * np.sqrt(table["number"].map(before["area_px"]) / np.pi)
    features = pd.DataFrame(
        {
            "shrink": np.log(before["area_px"] / by_track["area_px"].min()),
            "area_last": np.log(by_track["area_px"].last() / before["area_px"]),
            "longest": by_track["eccentricity"].max(),
            "round_up": before["eccentricity"] - by_track["eccentricity"].mean(),
            "uneven_outline": 1 - by_track["ellipse_extent"].min(),
            "still": (
                1 - late[late["rank"] < 2].groupby("number")["step"].mean() / before["step"].clip(lower=1e-6)
            ).clip(-1, 1),
            "still_frames": _without_break(table, ((size < CONDENSED_AREA) & in_place).to_numpy()) / BEFORE,
            "small_frames": _without_break(table, (size < CONDENSED_AREA).to_numpy()) / BEFORE,
        }
    )
    return features.where(table.groupby("number").size() >= LEAST_FRAMES)


def _without_break(table: pd.DataFrame, holds: np.ndarray) -> pd.Series:
    """Return for how many of the last frames, without a break, something holds, by track number."""
    recent = table.assign(fails=~holds)[table["rank"] < BEFORE]
    first_failure = recent[recent["fails"]].groupby("number")["rank"].min()
    frames = recent.groupby("number").size()
    return first_failure.reindex(frames.index).fillna(frames)


def _from_images(seen: pd.DataFrame) -> pd.DataFrame:
    """Return the features of images, one row per track, by number."""
    track = seen["number"]
    is_before = seen["offset"].between(-BEFORE + 1, -LAST)
    living = seen[is_before].groupby("number")
    early = pd.DataFrame({"area": living["area"].quantile(LARGE), "uneven": living["uneven"].median()})
    # As in living_light: the median brightness of the frames in which the cell was large.
    large = seen[is_before & (seen["area"] >= LARGE * track.map(early["area"]))]
    early["mean"] = large.groupby("number")["mean"].median()
    early = early.assign(light=early["area"] * early["mean"]).clip(lower=1e-6)
    late = seen[seen["offset"].between(-LAST + 1, 0)].sort_values(["number", "offset"])
    groups = late.groupby("number")
    last = groups[["area", "mean"]].last().clip(lower=1e-6)
    # Frames in a row up to the end in which the cell is small and bright.
    cell = seen[seen["offset"] <= 0].sort_values(["number", "offset"]).assign(rank=lambda t: -t["offset"])
    small = cell["area"] < CONDENSED_AREA * cell["number"].map(early["area"])
    bright = cell["mean"] > CONDENSED_LIGHT * cell["number"].map(early["mean"])
    after = seen[seen["offset"] > 0]
    first, rest = after[after["offset"] == 1].set_index("number"), after[after["offset"] > 1].groupby("number")
    whole = after.groupby("number")
    features = pd.DataFrame(
        {
            "brighten": np.log(groups["mean"].max().clip(lower=1e-6) / early["mean"]),
            "brightest": np.log(cell.groupby("number")["mean"].max().clip(lower=1e-6) / early["mean"]),
            "bright_last": np.log(last["mean"] / early["mean"]),
            "mass_last": np.log(last["area"] * last["mean"] / early["light"]),
            "uneven": groups["uneven"].max() - early["uneven"],
            "condensed": _without_break(cell, (small & bright).to_numpy()) / BEFORE,
            "centre_first": first["centre"],
            "centre_late": rest["centre"].mean(),
            "outer_first": first["outer"],
            "outer_late": rest["outer"].mean(),
            "body_frames": whole["middle"].mean(),
            "two_frames": whole["two"].mean(),
            "pieces": whole["pieces"].mean(),
            "body_light": whole["brightness"].max(),
        },
        index=pd.Index(track.unique(), name="number"),
    )
    alone = features["centre_late"].isna()
    for name in ("centre", "outer"):
        features.loc[alone, f"{name}_late"] = features.loc[alone, f"{name}_first"]
    return features.clip(-3, 6)


def covered_by_others(objects: Objects, number: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """Return how far masks of other tracks cover the last mask in the next frame, and those before it; (tracks, 2).

    Shares are of the smaller of the two masks. The second is high where a mask was split in two before the end.
    """
    shares = objects.overlaps
    source, target = shares["source"].to_numpy(np.int64), shares["target"].to_numpy(np.int64)
    other = number[source] != number[target]
    rank = objects.table.groupby(number).cumcount(ascending=False).to_numpy()[source]
    covered = np.zeros((len(tracks), 2))
    for column, ranks in enumerate(((0,), (1, 2))):
        here = other & np.isin(rank, ranks)
        most = pd.Series(shares["shared"].to_numpy(float)[here]).groupby(number[source[here]]).max()
        covered[:, column] = most.reindex(tracks).fillna(0.0)
    return covered


def nearby_starts(table: pd.DataFrame, number: np.ndarray, tracks: pd.DataFrame) -> np.ndarray:
    """Count the unexplained starts of a daughter's size near each end, within four frames and one; (tracks, 2)."""
    area = table["area_px"].groupby(number)
    usual, at_start = area.median().to_numpy(), area.first().to_numpy()
    counts = np.zeros((len(tracks), 2))
    new = np.flatnonzero((tracks["parent_id"].isna() & (tracks["start_frame"] > 0)).to_numpy())
    if not len(new):
        return counts
    ends = KDTree(tracks[["end_y_px", "end_x_px"]].to_numpy(float))
    starts = KDTree(tracks.loc[new, ["start_y_px", "start_x_px"]].to_numpy(float))
    reach = 2 * REACH_OF_DAUGHTERS * float(np.sqrt(np.median(usual) / np.pi))
    near = ends.sparse_distance_matrix(starts, reach, output_type="coo_matrix")
    end, start, apart = near.row, new[near.col], near.data
    delay = tracks["start_frame"].to_numpy(np.int64)[start] - tracks["end_frame"].to_numpy(np.int64)[end]
    size = at_start[start] / usual[end]
    close = apart <= REACH_OF_DAUGHTERS * np.sqrt(usual[end] / np.pi)
    fits = close & (delay >= 1) & (size >= DAUGHTER[0]) & (size <= DAUGHTER[1])
    for column, most in enumerate((DELAY, 1)):
        np.add.at(counts[:, column], end[fits & (delay <= most)], 1)
    return np.minimum(counts, 2)
