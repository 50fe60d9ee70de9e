"""Validator of lineages: it checks every result and rejects impossible ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from cineseq.tracking.compartments import passable
from cineseq.tracking.lineage import ImpossibleLineageError, TrackLineage, ancestors, before_each, sisters


def validate(detections: pd.DataFrame, tracks: pd.DataFrame) -> None:
    """Check the tables of detections and tracks of one field against each other.

    Parameters
    ----------
    detections, tracks
        Tables with the contracts DETECTIONS and TRACKS.

    Raises
    ------
    ImpossibleLineageError
        When a track is listed twice; an object is in two tracks; a track is twice in a frame; a track has no object
        or an object no track; frames disagree; a parent is unknown, its own descendant, or ends after its daughter
        starts; a parent has one daughter only or more than two; or founder, generation, sister or the kinds of start
        and end contradict the parents.
    """
    for rule in (_identities, _frames, _parents, _families, _kinds):
        broken = next(rule(detections, tracks), None)
        if broken is not None:
            raise ImpossibleLineageError(broken)


def validate_walls(detections: pd.DataFrame, families: TrackLineage, compartment: np.ndarray) -> None:
    """Check that no track, and no link from parent to daughter, passes the wall of a closed compartment.

    Parameters
    ----------
    detections
        One row per object, with the contract DETECTIONS.
    families
        The lineage of the same objects.
    compartment
        Closed compartment of each object, -1 for none, shape (objects,).

    Raises
    ------
    ImpossibleLineageError
        When one does; the message names the track.
    """
    before = before_each(detections["frame"].to_numpy(np.int64), families)
    later = np.flatnonzero(before >= 0)
    broken = ~passable(compartment, before[later], later)
    if broken.any():
        names = detections["track_id"].iloc[later]
        msg = f"a track passes the wall of a closed compartment (or closed_frame is wrong): {_first(names, broken)}"
        raise ImpossibleLineageError(msg)


Rule = Callable[[pd.DataFrame, pd.DataFrame], Iterator[str]]


def _first(names: pd.Series, wrong: np.ndarray | pd.Series) -> str:
    """Return the first wrong track and how many there are."""
    chosen = names[np.asarray(wrong, bool)]
    return f"'{chosen.iloc[0]}' ({len(chosen)} in all)"


def _identities(detections: pd.DataFrame, tracks: pd.DataFrame) -> Iterator[str]:
    if (twice := tracks["track_id"].duplicated()).any():
        yield f"a track is listed twice: {_first(tracks['track_id'], twice)}"
    if (twice := tracks["number"].duplicated()).any():
        yield f"two tracks have the same number: {_first(tracks['track_id'], twice)}"
    objects = detections["frame"].astype(str) + "/" + detections["label"].astype(str)
    if (twice := detections.duplicated(["sample", "fov", "frame", "label"])).any():
        yield f"an object (frame/label) is in two tracks: {_first(objects, twice)}"
    if (twice := detections.duplicated(["track_id", "frame"])).any():
        yield f"a track has two objects in one frame: {_first(detections['track_id'], twice)}"
    if (orphan := ~detections["track_id"].isin(tracks["track_id"])).any():
        yield f"an object belongs to an unknown track: {_first(detections['track_id'], orphan)}"
    if (empty := ~tracks["track_id"].isin(detections["track_id"])).any():
        yield f"a track has no object: {_first(tracks['track_id'], empty)}"


def _frames(detections: pd.DataFrame, tracks: pd.DataFrame) -> Iterator[str]:
    seen = detections.groupby("track_id")["frame"].agg(["min", "max", "size"]).reindex(tracks["track_id"])
    for name, column in (("min", "start_frame"), ("max", "end_frame"), ("size", "frames")):
        wrong = seen[name].to_numpy(np.int64) != tracks[column].to_numpy(np.int64)
        if wrong.any():
            yield f"{column} of a track contradicts its objects: {_first(tracks['track_id'], wrong)}"


def _parents(_: pd.DataFrame, tracks: pd.DataFrame) -> Iterator[str]:
    born = tracks[tracks["parent_id"].notna()]
    if (unknown := ~born["parent_id"].isin(tracks["track_id"])).any():
        yield f"the parent of a track does not exist: {_first(born['track_id'], unknown)}"
    try:
        _ancestry(tracks)
    except ImpossibleLineageError as error:
        yield str(error)
    daughters = born["parent_id"].value_counts(sort=False)
    for wrong, problem in ((daughters > 2, "more than two daughters"), (daughters == 1, "one daughter only")):
        if wrong.any():
            yield f"a parent has {problem}: {_first(daughters.index.to_series(), wrong)}"
    ends = tracks.set_index("track_id")["end_frame"]
    early = born["start_frame"].to_numpy() <= born["parent_id"].map(ends).to_numpy()
    if early.any():
        yield f"a daughter starts before its parent ends: {_first(born['track_id'], early)}"


def _ancestry(tracks: pd.DataFrame) -> tuple[dict[str, np.ndarray], dict[int, int]]:
    number = dict(zip(tracks["track_id"], tracks["number"].astype(int), strict=True))
    born = tracks[tracks["parent_id"].notna()]
    parent = dict(zip(born["number"].astype(int), born["parent_id"].map(number).astype(int), strict=True))
    return ancestors(tracks["number"].to_numpy(np.int64), parent), parent


def _families(_: pd.DataFrame, tracks: pd.DataFrame) -> Iterator[str]:
    ancestry, parent = _ancestry(tracks)
    numbers = tracks["number"].to_numpy(np.int64)
    names = dict(zip(numbers, tracks["track_id"], strict=True))
    founders = np.array([names[n] for n in ancestry["founder"]], object)
    if (wrong := tracks["founder_id"].to_numpy(object) != founders).any():
        yield f"the founder of a track contradicts its parents: {_first(tracks['track_id'], wrong)}"
    if (wrong := tracks["generation"].to_numpy(np.int64) != ancestry["generation"]).any():
        yield f"the generation of a track contradicts its parents: {_first(tracks['track_id'], wrong)}"
    expected = [names.get(n, "") for n in sisters(numbers, parent)]
    if (wrong := tracks["sister_id"].fillna("").to_numpy(object) != np.array(expected, object)).any():
        yield f"the sister of a track contradicts its parents: {_first(tracks['track_id'], wrong)}"


def _kinds(_: pd.DataFrame, tracks: pd.DataFrame) -> Iterator[str]:
    is_parent = tracks["track_id"].isin(tracks["parent_id"].dropna())
    if (wrong := is_parent != (tracks["end_kind"] == "division")).any():
        yield f"a track ends in division without daughters, or the reverse: {_first(tracks['track_id'], wrong)}"
    if (wrong := tracks["parent_id"].notna() != (tracks["start_kind"] == "division")).any():
        yield f"a track starts by division without a parent, or the reverse: {_first(tracks['track_id'], wrong)}"


BIRTH_TOLERANCE = 1
"""Frames by which a daughter may start before its parent's last frame; tables differ in the frame of a division."""


def ends_before_it_begins(cells: pd.DataFrame) -> np.ndarray:
    """Return which cells end before they begin (``end_frame`` before ``start_frame``), shape (cells,)."""
    return (cells["end_frame"] < cells["start_frame"]).to_numpy(bool)


def born_before_parent_ends(cells: pd.DataFrame, parent: np.ndarray) -> np.ndarray:
    """Return which cells are born before their parent ends, by more than the tolerance, shape (cells,).

    Parameters
    ----------
    cells
        Table with ``start_frame`` and ``end_frame``.
    parent
        Row of the parent of each cell in ``cells``, -1 where it is missing, shape (cells,).
    """
    start, end = cells["start_frame"].to_numpy(), cells["end_frame"].to_numpy()
    return (parent >= 0) & (start < end[parent] - BIRTH_TOLERANCE) if len(cells) else np.empty(0, dtype=bool)
