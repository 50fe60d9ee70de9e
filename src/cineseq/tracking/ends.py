"""Kinds of track starts and ends with their evidence; an end is never called a death by default."""

from __future__ import annotations

import numpy as np
import pandas as pd

RECENT, EARLIER = 2, 6
"""Frames at the end of a track, and frames before them, that are compared."""
BRIGHT = 4
"""Frames at the end of a track in which condensation is searched for; debris that follows is dim."""
BODY = (0, 4)
"""Frames for which a dead body may still be segmented; the living cell is measured before them."""
SMALL = 0.2
"""Quantile of the earlier areas that the last areas are compared with; of six, the second smallest."""
UNSURE_EXIT = 0.8
"""Highest probability of an exit where the mask does not touch the border."""
LOST_IN_MITOSIS = 0.5
"""Lowest probability at which a lost cell is said to have been lost in mitosis."""


def start_kinds(tracks: pd.DataFrame, exits: np.ndarray, division_confidence: pd.Series) -> pd.DataFrame:
    """Return ``start_kind`` and ``start_confidence`` of every track.

    Parameters
    ----------
    tracks
        Table of :func:`~cineseq.tracking.lineage.track_table`.
    exits
        Probability that the track entered through the border, shape (tracks,).
    division_confidence
        Confidence of the division in which a parent ended, by its track id; missing where unknown.
    """
    kind = np.select(
        [tracks["parent_id"].notna(), tracks["start_frame"] == 0, exits >= 0.5],
        ["division", "first_frame", "entered"],
        "appeared",
    )
    confidence = np.select(
        [kind == "division", kind == "first_frame", kind == "entered"],
        [tracks["parent_id"].map(division_confidence).astype(float), 1.0, exits],
        1 - exits,
    )
    return pd.DataFrame({"start_kind": kind, "start_confidence": confidence}, index=tracks.index)


def end_kinds(
    tracks: pd.DataFrame,
    exits: np.ndarray,
    deaths: np.ndarray,
    may_be_dead: np.ndarray,
    division_confidence: pd.Series,
    *,
    last_frame: int,
    least: float,
) -> pd.DataFrame:
    """Return ``end_kind`` and ``end_confidence`` of every track.

    Parameters
    ----------
    tracks
        Table of :func:`~cineseq.tracking.lineage.track_table`.
    exits
        Probability that the track left through the border, shape (tracks,).
    deaths
        Probability of death, seen or unseen, shape (tracks,).
    may_be_dead
        Whether there is evidence without which no end is called a death, however low ``least`` is, shape (tracks,).
    division_confidence
        Confidence of the division in which a parent ended, by its track id; missing where unknown.
    last_frame
        Last frame of the movie.
    least
        Lowest probability at which an end is called a death.
    """
    is_parent = tracks["track_id"].isin(tracks["parent_id"].dropna())
    over = tracks["end_frame"] == last_frame
    died = may_be_dead & (deaths >= least) & (deaths > exits)
    reasons = [is_parent, over, died, exits >= 0.5]
    kind = np.select(reasons, ["division", "end_of_movie", "death", "left_fov"], "lost")
    confidence = np.select(
        reasons,
        [tracks["track_id"].map(division_confidence).astype(float), 1.0, deaths, exits],
        1 - np.maximum(exits, deaths),
    )
    return pd.DataFrame({"end_kind": kind, "end_confidence": confidence}, index=tracks.index)


def with_end_classes(tracks: pd.DataFrame) -> pd.DataFrame:
    """Return ``tracks`` with ``end_class``: its kind of end, with ``lost`` resolved as far as there is evidence.

    A cell that was lost is ``mitosis`` with a probability of at least one half, ``unknown`` where its track is too
    short or has no masks, and ``other`` otherwise. None of these is a fate.
    """
    known = tracks["end_kind"].map({"left_fov": "exit"}).fillna(tracks["end_kind"])
    p = tracks["p_mitosis"] if "p_mitosis" in tracks else pd.Series(np.nan, tracks.index)
    lost = np.select([p >= LOST_IN_MITOSIS, p.isna()], ["mitosis", "unknown"], "other")
    return tracks.assign(end_class=known.where(known != "lost", lost))


def with_known_deaths(finish: pd.DataFrame, number: pd.Series, deaths: frozenset[int]) -> pd.DataFrame:
    """Return ``finish`` with the end kind death, without a confidence, for tracks whose number is in ``deaths``."""
    known = number.isin(deaths)
    kind, confidence = finish["end_kind"].mask(known, "death"), finish["end_confidence"].mask(known)
    return finish.assign(end_kind=kind, end_confidence=confidence)


def exit_probability(
    objects: pd.DataFrame, number: np.ndarray, seen: np.ndarray, border_px: float, outward: int
) -> np.ndarray:
    """Return the probability that each track ends (``outward`` 1) or starts (-1) at the border, shape (tracks,).

    It is 1 where the mask touches the border, and 0.8 where the next position, extrapolated from the last four frames,
    lies outside. Elsewhere it is a logistic function of the distance to the border, 0.5 at ``border_px`` or at one step
    of the cell, whichever is larger, and at most 0.8. The border is that of the frame or of the next frame, whichever
    is nearer, since a moving stage can leave a cell behind.

    Parameters
    ----------
    objects
        The objects, sorted by frame.
    number
        Track number of each object, shape (objects,).
    seen
        Imaged area of each frame, as in :attr:`cineseq.io.stacks.MovieInfo.seen`, shape (frames, 2, 2).
    border_px
        Distance to the border at which the probability of an exit is 0.5.
    outward
        1 for ends, -1 for starts.
    """
    # Last objects of every track in the direction of time, one row per track.
    ordered = objects if outward > 0 else objects.iloc[::-1]
    groups = ordered.groupby(number if outward > 0 else number[::-1], sort=True)
    last = groups[["y_px", "x_px", "frame", "touches_border", "area_px"]].last()
    tail = groups[["y_px", "x_px", "frame"]].nth(-4)
    # Position and velocity (px per frame) at the end, shape (tracks, 2).
    position = last[["y_px", "x_px"]].to_numpy(float)
    velocity = np.zeros_like(position)
    earlier = pd.Series(tail.index, index=number[tail.index])
    has = last.index.isin(earlier.index)
    before = objects.loc[earlier.reindex(last.index[has]).to_numpy()]
    elapsed = np.abs(last["frame"].to_numpy()[has] - before["frame"].to_numpy())[:, None]
    velocity[has] = (position[has] - before[["y_px", "x_px"]].to_numpy()) / elapsed
    # Distance of the mask from the nearer border of this frame and the next, shape (tracks,).
    radius = np.sqrt(last["area_px"].to_numpy() / np.pi)
    here = last["frame"].to_numpy(np.int64)
    there = np.clip(here + outward, 0, len(seen) - 1)
    low, high = (choose(seen[here, i], seen[there, i]) for i, choose in enumerate((np.maximum, np.minimum)))
    margin = np.minimum(position - low, high - 1 - position).min(axis=1) - radius
    expected = position + velocity
    outside = ((expected < low) | (expected > high - 1)).any(axis=1)
    near = np.maximum(border_px, np.hypot(*velocity.T))
    probability = 1 / (1 + np.exp((margin - near) / (0.25 * near + 1)))
    unsure = np.where(outside, UNSURE_EXIT, np.minimum(probability, UNSURE_EXIT))
    return np.where(last["touches_border"].to_numpy(bool), 1.0, unsure)


def death_evidence(objects: pd.DataFrame, number: np.ndarray) -> pd.DataFrame:
    """Return the stronger :func:`last_changes` of every track, 0 where unknown, to describe its end.

    One row per track, by number. The model of ends decides what they mean for a death.
    """
    # Without and with a gap for the dead body; strengths have shape (2, tracks).
    changes = [last_changes(objects, number, body).fillna(0.0) for body in BODY]
    strength = np.array([_strength(change) for change in changes])
    stronger = np.where(strength[1] > strength[0], 1, 0)
    values = np.stack([change.to_numpy() for change in changes])[stronger, np.arange(len(stronger))]
    return pd.DataFrame(values, columns=changes[0].columns)


def _strength(change: pd.DataFrame) -> np.ndarray:
    strength = 5.0 * (change["shrink"] - 0.1).clip(0, 1) + 4.0 * change["brighten"].clip(0, 1)
    return (strength + 2.0 * change["round_up"].clip(-0.5, 0.5) + change["still"]).to_numpy()


def last_changes(objects: pd.DataFrame, number: np.ndarray, body: int = 0) -> pd.DataFrame:
    """Compare the last two frames of every track with six frames before.

    Parameters
    ----------
    objects
        The objects, sorted by frame.
    number
        Track number of each object, shape (objects,).
    body
        Frames between the two, in which a dead body may have been segmented.

    Returns
    -------
    pandas.DataFrame
        One row per track, by number; NaN where the track is too short. ``shrink``: second smallest log area before
        minus the last (robust to areas that jump, as in shared masks). ``brighten``: highest brightness of the last
        four frames and the body minus the median before. ``round_up``: eccentricity before minus last. ``still``:
        relative decrease of the step, 0 to 1.
    """
    table = objects.assign(
        number=number,
        log_area=np.log(objects["area_px"]),
    )
    table["step"] = np.hypot(*table.groupby("number")[["y_px", "x_px"]].diff().to_numpy().T)
    # Rank 0 is the last frame of a track.
    rank = table.groupby("number").cumcount(ascending=False)
    columns = ["log_area", "brightness", "eccentricity", "step"]
    late = table[rank < RECENT].groupby("number")[columns].mean()
    late["brightness"] = table[rank < BRIGHT + body].groupby("number")["brightness"].max()
    alive = (rank >= RECENT + body) & (rank < RECENT + body + EARLIER)
    before = table[alive].groupby("number")[columns].median()
    before["log_area"] = table[alive].groupby("number")["log_area"].quantile(SMALL)
    enough = table.groupby("number").size() >= RECENT + body + 3
    late, before = late.reindex(enough.index).where(enough), before.reindex(enough.index).where(enough)
    return pd.DataFrame(
        {
            "shrink": before["log_area"] - late["log_area"],
            "brighten": late["brightness"] - before["brightness"],
            "round_up": before["eccentricity"] - late["eccentricity"],
            "still": (1 - late["step"] / before["step"].clip(lower=1e-6)).clip(0, 1),
        }
    )
