"""A channel with a stain of dead cells: which tracks are stained, from which frame, and whether the called deaths are.

The stain decides nothing: the shape call stays as it is, and their agreement is reported.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.optimize import brentq
from sklearn.mixture import GaussianMixture

from cineseq.text import count, number, percent
from cineseq.tracking.end_pictures import AFTER, ObjectImages, background

APART = 3.0
"""Least distance of the two means of the mixture, in standard deviations within them, at which a threshold is set."""
LEAST = 20
"""Fewest measurements of a mixture."""
IN_A_ROW = 2
"""Frames in a row in which a cell must be stained to count; a frame without a measurement ends the row."""


def stained_tracks(
    source: ObjectImages, objects: pd.DataFrame, track: np.ndarray, tracks: pd.DataFrame
) -> pd.DataFrame:
    """Return ``stained`` and ``stain_frame`` of every track; both missing where no threshold can be set.

    Parameters
    ----------
    source
        Images with a channel of the stain.
    objects
        The objects, sorted by frame.
    track
        Track number of each object, shape (objects,).
    tracks
        Table of tracks, sorted by number.
    """
    signal = stain_signal(source, objects, track, tracks)
    limit = threshold(signal["value"].to_numpy())
    found = pd.DataFrame({"stained": pd.NA, "stain_frame": pd.NA}, index=tracks.index)
    if np.isfinite(limit):
        found["stain_frame"] = tracks["number"].map(first_stained(signal[signal["value"] >= limit]))
        found["stained"] = found["stain_frame"].notna()
    return found.astype({"stained": "boolean", "stain_frame": "Int64"})


def first_stained(stained: pd.DataFrame) -> pd.Series:
    """Return the first of :data:`IN_A_ROW` stained frames in a row, by track number; tracks without are left out.

    Parameters
    ----------
    stained
        ``number`` and ``frame`` of the measurements above the threshold.
    """
    stained = stained.sort_values(["number", "frame"])
    # Frame minus position in the track is the same for all frames of a row.
    row = stained["frame"] - stained.groupby("number").cumcount()
    length = stained.groupby(["number", row])["frame"].transform("size")
    return stained[length >= IN_A_ROW].groupby("number")["frame"].min()


def stain_signal(source: ObjectImages, objects: pd.DataFrame, track: np.ndarray, tracks: pd.DataFrame) -> pd.DataFrame:
    """Return the stain of every cell in every frame, and at its last place in the frames after its end.

    Returns
    -------
    pandas.DataFrame
        ``number``, ``frame`` and ``value``: the inverse hyperbolic sine of the mean above the background in standard
        deviations of the background. Places that another mask covers are left out.
    """
    frames, label = objects["frame"].to_numpy(np.int64), objects["label"].to_numpy(np.int64)
    last = objects.assign(number=track).groupby("number")[["y_px", "x_px", "area_px"]].last().reindex(tracks["number"])
    y, x = last["y_px"].to_numpy(float), last["x_px"].to_numpy(float)
    radius, end = np.sqrt(last["area_px"].to_numpy() / np.pi), tracks["end_frame"].to_numpy(np.int64)
    ends = ~tracks["track_id"].isin(tracks["parent_id"].dropna()).to_numpy()
    parts = []
    for frame in range(len(source.labels)):
        labels, image = source.labels[frame], source.movie.plane(frame, str(source.death)).astype(float)
        seen = source.labels.info.seen_part(frame)
        level, noise = background(image[seen], labels[seen])
        here = slice(*np.searchsorted(frames, [frame, frame + 1]))
        means = ndimage.mean(image, labels, label[here]) if here.stop > here.start else np.empty(0)
        after = np.flatnonzero(ends & (end < frame) & (frame <= end + AFTER))
        sides = source.labels.info.pixel_sides
        places = [_at_place(image, labels, (y[i], x[i]), radius[i], sides) for i in after]
        values = (np.r_[means, np.array(places, float)] - level) / noise
        numbers = np.r_[track[here], tracks["number"].to_numpy(np.int64)[after]]
        parts.append(pd.DataFrame({"number": numbers, "frame": frame, "value": np.arcsinh(values)}))
    return pd.concat(parts, ignore_index=True).dropna()


def _at_place(
    image: np.ndarray, labels: np.ndarray, place: tuple[float, float], radius: float, sides: tuple[float, float]
) -> float:
    """Return the mean around a place outside all masks; NaN where masks cover it or it lies outside the field."""
    (y, x), (height, width) = place, sides
    rows, columns = (
        slice(max(0, int(at - radius / side)), int(at + radius / side) + 2)
        for at, side in zip(place, sides, strict=True)
    )
    part = labels[rows, columns]
    yy, xx = np.mgrid[rows.start : rows.start + part.shape[0], columns.start : columns.start + part.shape[1]]
    free = (np.hypot((yy - y) * height, (xx - x) * width) <= radius) & (part == 0)
    return float(image[rows, columns][free].mean()) if free.any() else np.nan


def threshold(values: np.ndarray) -> float:
    """Return the value at which a measurement is as likely stained as not, from a mixture of two normal distributions.

    NaN where the two are not :data:`APART`, or there are fewer than :data:`LEAST` values.
    """
    values = values[np.isfinite(values)]
    if len(values) < LEAST or np.ptp(values) <= 0:
        return np.nan
    mixture = GaussianMixture(2, random_state=0, n_init=3).fit(values[:, None])
    order = np.argsort(mixture.means_.ravel())
    low, high = mixture.means_.ravel()[order]
    spread = float(np.sqrt(np.average(mixture.covariances_.ravel(), weights=mixture.weights_)))
    if high - low < APART * spread:
        return np.nan
    stained = order[1]
    return float(brentq(lambda v: mixture.predict_proba([[v]])[0, stained] - 0.5, low, high))


def stain_report(tracks: pd.DataFrame, channel: str) -> tuple[list[str], dict[str, Any]]:
    """Return sentences and numbers on the stain and on its agreement with the called deaths."""
    if not tracks["stained"].notna().any():
        line = f"The stain of dead cells in {channel} is not estimable: its values do not form two separate groups."
        return [line], {"stained_tracks": None}
    ended = tracks[tracks["end_kind"].isin(["death", "left_fov", "lost"])]
    stained, died = ended["stained"].fillna(value=False).to_numpy(bool), (ended["end_kind"] == "death").to_numpy()
    both = int((stained & died).sum())
    later = (ended["stain_frame"] - ended["end_frame"])[stained & died].astype(float)
    lines = [
        f"Stain of dead cells in {channel}: {count(int(tracks['stained'].sum()))} tracks are stained. Of "
        f"{count(int(died.sum()), 'called death')}, {count(both)} are stained; of {count(int(stained.sum()))} stained "
        f"tracks that end, {count(both)} are called deaths. The stain changes no call."
    ]
    if both:
        typical = float(later.median())
        side = "before" if typical < 0 else "after"
        lines.append(f"The stain appears {number(abs(typical), 1)} frames {side} the end of the track (median).")
    if len(ended):
        lines.append(
            f"Stain and call agree in {percent(float((stained == died).mean()), 0)} of {count(len(ended))} ends."
        )
    numbers = {"stained_tracks": int(tracks["stained"].sum()), "stained_deaths": both}
    return lines, numbers
