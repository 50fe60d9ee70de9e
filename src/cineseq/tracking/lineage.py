"""Lineages: tracks numbered from tracklets, with parents, founders, generations and sisters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.io.stacks import MovieInfo
from cineseq.statistics import pedigree
from cineseq.tables.imaging import TRACK_ENDS

NOT_ANNOTATED = "frames_not_annotated"
"""Name of the count of frames with objects that an external file does not describe."""
FOLLOWED = "cells_followed_after_death"
"""Name of the count of tracks that go on after the frame in which the file states the death of the cell."""


class ImpossibleLineageError(ValueError):
    """Raised for a lineage that no cell can have; the message names the rule and the first track that breaks it."""


@dataclass(frozen=True)
class TrackLineage:
    """The track of every object, and the parent of every track.

    Attributes
    ----------
    number
        Track number of each object, from 1, shape (objects,).
    parent
        Track number of the parent, by track number.
    confidence
        Confidence of the division in which a track ends, by track number; absent where unknown.
    deaths
        Tracks that are known to have ended in death.
    """

    number: np.ndarray
    parent: dict[int, int]
    confidence: dict[int, float]
    deaths: frozenset[int] = frozenset()


def before_each(frame: np.ndarray, families: TrackLineage) -> np.ndarray:
    """Return the row of the object before each object in its track, else of the last object of its parent, else -1.

    Parameters
    ----------
    frame
        Frame of each object, shape (objects,).
    families
        The lineage.

    Returns
    -------
    numpy.ndarray
        Shape (objects,).
    """
    number = families.number
    order = np.lexsort((frame, number))
    # Objects sorted by track and frame: neighbours of one track follow each other.
    same = number[order[1:]] == number[order[:-1]]
    before = np.full(len(number), -1)
    before[order[1:][same]] = order[:-1][same]
    # The first and the last object of each track, by its number; the first one follows the last one of the parent.
    first = dict(zip(number[order[::-1]].tolist(), order[::-1].tolist(), strict=True))
    last = dict(zip(number[order].tolist(), order.tolist(), strict=True))
    for daughter, parent in families.parent.items():
        before[first[daughter]] = last[parent]
    return before


def tracklets_of(before: np.ndarray) -> np.ndarray:
    """Return the tracklet of each object, from 0, given the row of the object before it, -1 for none; (objects,)."""
    head = np.where(before >= 0, before, np.arange(len(before)))
    while (head[head] != head).any():
        head = head[head]
    return np.unique(head, return_inverse=True)[1]


def number_tracks(objects: pd.DataFrame, tracklet: np.ndarray) -> np.ndarray:
    """Return the track number of each object, from 1, in the order of start frame, y and x; shape (objects,)."""
    if len(objects) == 0:
        return np.empty(0, np.int64)
    _, first = np.unique(tracklet, return_index=True)
    starts = objects.iloc[first]
    order = np.lexsort((starts["x_px"], starts["y_px"], starts["frame"]))
    rank = np.empty(len(first), np.int64)
    rank[order] = np.arange(1, len(first) + 1)
    return rank[np.unique(tracklet, return_inverse=True)[1].ravel()]


def track_table(objects: pd.DataFrame, families: TrackLineage, field: FieldOfView, info: MovieInfo) -> pd.DataFrame:
    """Return one row per track with its ancestry, times and positions, without the kinds of start and end.

    Parameters
    ----------
    objects
        The objects, sorted by frame.
    families
        The lineage.
    field
        Sample and field of view.
    info
        Metadata of the label stack, for hours.
    """
    parent = families.parent
    ends = objects.assign(number=families.number).groupby("number", sort=True)
    tracks = ends.agg(**TRACK_ENDS).reset_index()
    names = {n: f"{field.sample}/{field.fov}/{n}" for n in tracks["number"]}
    # Founder and generation of each track from its chain of parents, shape (tracks,).
    ancestry = ancestors(tracks["number"].to_numpy(), parent)
    parents = tracks["number"].map(parent)
    return tracks.assign(
        track_id=tracks["number"].map(names).astype("string"),
        sample=field.sample,
        fov=field.fov,
        parent_id=parents.map(names).astype("string"),
        founder_id=pd.Series(ancestry["founder"]).map(names).astype("string"),
        generation=ancestry["generation"],
        sister_id=pd.Series(sisters(tracks["number"].to_numpy(), parent)).map(names).astype("string"),
        start_hours=info.hours(tracks["start_frame"].to_numpy()),
        end_hours=info.hours(tracks["end_frame"].to_numpy()),
    )


def ancestors(numbers: np.ndarray, parent: dict[int, int]) -> dict[str, np.ndarray]:
    """Return the founder and the generation of every track.

    Raises
    ------
    ImpossibleLineageError
        When a track is its own ancestor.
    """
    row = pd.Index(numbers).get_indexer(_parents(numbers, parent))
    founder, generation = pedigree.root_cells(row)
    if (generation < 0).any():
        msg = f"track {numbers[pedigree.own_ancestor(row, generation)]} is its own ancestor"
        raise ImpossibleLineageError(msg)
    return {"founder": numbers[founder], "generation": generation}


def sisters(numbers: np.ndarray, parent: dict[int, int]) -> np.ndarray:
    """Return the other daughter of the same parent, 0 where there is not exactly one, shape (tracks,)."""
    sister = pedigree.sisters(pedigree.sister_pairs(_parents(numbers, parent)), len(numbers))
    return np.where(sister >= 0, numbers[sister], 0)


def _parents(numbers: np.ndarray, parent: dict[int, int]) -> np.ndarray:
    """Return the number of the parent of each track, -1 where there is none, shape (tracks,)."""
    return np.array([parent.get(n, -1) for n in numbers.tolist()], np.int64)


def fates(end_kind: pd.Series) -> pd.DataFrame:
    """Return the fate, whether it is known, and whether the cell was alive at the end (missing where unknown)."""
    known = end_kind.isin(["division", "death"])
    alive = end_kind.map({"end_of_movie": True, "death": False}).astype("boolean")
    return pd.DataFrame({"fate": end_kind.where(known, "unknown"), "fate_known": known, "alive_at_end": alive})


def detection_table(objects: pd.DataFrame, number: np.ndarray, field: FieldOfView) -> pd.DataFrame:
    """Return one row per object with the track that it belongs to."""
    kept = objects[["frame", "label", "y_px", "x_px", "area_px", "touches_border"]]
    names = pd.Series(number, index=objects.index, dtype="int64").astype("string")
    track_id = f"{field.sample}/{field.fov}/" + names
    return kept.assign(sample=field.sample, fov=field.fov, track_id=track_id.astype("string"))
