"""Given tracks on segmented objects: which object is whose, and what had to be repaired."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from cineseq.errors import UserError
from cineseq.tracking.assignment import match
from cineseq.tracking.formats.given import GivenTracks
from cineseq.tracking.lineage import Families


@dataclass(frozen=True)
class Adopted:
    """Given tracks in terms of the objects.

    Attributes
    ----------
    families
        Tracks and mothers, with the numbers of the file and new ones for objects that are in no given track.
    counts
        What was repaired, by name.
    """

    families: Families
    counts: dict[str, int]


def adopt(objects: pd.DataFrame, given: GivenTracks, frame_step: int, path: Path) -> Adopted:
    """Give every object the track that the file says.

    Objects in no given track become tracks of one frame. A mother with one daughter is one cell, so both become one
    track (the format of the Cell Tracking Challenge writes gaps so). A mother without any object is dropped, as
    happens when a movie is thinned; all of this is counted.

    Parameters
    ----------
    objects
        The objects, sorted by frame; at least one.
    given
        As read.
    frame_step
        Only every n-th frame of the given tracks is in the masks.
    path
        Where they were read, for messages.

    Raises
    ------
    UserError
        When fewer than half of the objects, or of the given rows, find each other.
    """
    number, lost = _by_label(objects, given) if given.rows is None else _by_row(objects, given.rows, frame_step)
    unknown = number == 0
    if unknown.mean() > 0.5 or lost > 0.5 * max(_rows_expected(given, frame_step), 1):
        msg = (
            f"{path}: the tracks do not fit the masks ({int(unknown.sum())} of {len(objects)} objects have no track,"
            f" {lost} given objects have no mask); give the masks that these tracks were made on."
        )
        raise UserError(msg)
    seen = set(number.tolist())
    parent = {d: m for d, m in given.parents.items() if d in seen and m in seen}
    number, parent, joined = _join_only_daughters(number, parent)
    number = number.copy()
    number[unknown] = number.max(initial=0) + 1 + np.arange(unknown.sum())
    counts = {
        "objects_without_given_track": int(unknown.sum()),
        "given_objects_without_mask": lost,
        "only_daughters_joined": joined,
        "mothers_without_object": len(given.parents) - len(parent) - joined,
    }
    return Adopted(Families(number, parent, {}), counts)


def _rows_expected(given: GivenTracks, frame_step: int) -> int:
    return len(given.spans) if given.rows is None else int((given.rows["frame"] % frame_step == 0).sum())


def _by_label(objects: pd.DataFrame, given: GivenTracks) -> tuple[np.ndarray, int]:
    label = objects["label"].to_numpy()
    known = np.isin(label, given.spans["track"].to_numpy(np.int64))
    return np.where(known, label, 0), int((~given.spans["track"].isin(label)).sum())


def _by_row(objects: pd.DataFrame, rows: pd.DataFrame, frame_step: int) -> tuple[np.ndarray, int]:
    rows = rows[rows["frame"] % frame_step == 0].assign(frame=lambda r: r["frame"] // frame_step)
    if "label" in rows:
        found = objects[["frame", "label"]].merge(
            rows.drop_duplicates(["frame", "label"]), on=["frame", "label"], how="left"
        )
        number = found["track"].fillna(0).to_numpy(np.int64)
        return number, len(rows) - int((number > 0).sum())
    return _by_place(objects, rows)


def _by_place(objects: pd.DataFrame, rows: pd.DataFrame) -> tuple[np.ndarray, int]:
    """Match positions to centroids one to one, at most the object's radius away."""
    # frames are set so far apart that no match can cross them
    radius = np.sqrt(objects["area_px"].to_numpy() / np.pi)
    reach = float(radius.max())
    place, other = (
        np.c_[table[["y_px", "x_px"]].to_numpy(), table["frame"].to_numpy() * 10 * (reach + 1)]
        for table in (objects, rows)
    )
    near = KDTree(other).sparse_distance_matrix(KDTree(place), reach, output_type="coo_matrix")
    close = near.data <= radius[near.col]
    a, b = match(near.row[close], near.col[close], near.data[close], (len(rows), len(objects)), alone=10 * (reach + 1))
    number = np.zeros(len(objects), np.int64)
    number[b] = rows["track"].to_numpy()[a]
    return number, len(rows) - len(a)


def _join_only_daughters(number: np.ndarray, parent: dict[int, int]) -> tuple[np.ndarray, dict[int, int], int]:
    daughters = pd.Series(parent, dtype=np.int64)
    alone = daughters[~daughters.duplicated(keep=False)].to_dict()

    def head(track: int) -> int:
        seen = set()
        while track in alone and track not in seen:
            seen.add(track)
            track = alone[track]
        return track

    heads = {track: head(track) for track in alone}
    joined = pd.Series(number).map(lambda n: heads.get(n, n)).to_numpy(np.int64)
    kept = {d: heads.get(m, m) for d, m in parent.items() if d not in alone}
    return joined, kept, len(alone)
