"""Matching of external tracks to the objects of masks, with repairs; and point tracks without masks."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.tracking.assignment import match
from cineseq.tracking.imports.base import ExternalTracks
from cineseq.tracking.imports.conflicts import settle
from cineseq.tracking.imports.frames_agree import Counting, frames_without_row
from cineseq.tracking.lineage import NOT_ANNOTATED, TrackLineage
from cineseq.tracking.objects import Objects, no_overlaps

logger = logging.getLogger(__name__)

SHAPES = ("area_px", "eccentricity", "brightness", "ellipse_extent", "elongation_0", "elongation_45")
"""What only masks and movies tell of an object."""
LEAST_STEP, ENOUGH = 2, 6
"""So many frames are rarely multiples of such a number by chance."""


@dataclass(frozen=True)
class Adopted:
    """External tracks matched to objects.

    Attributes
    ----------
    families
        The lineage, with the track numbers of the file, and new numbers for objects in no external track.
    counts
        Numbers of repairs, by name.
    """

    families: TrackLineage
    counts: dict[str, int]


def adopt(objects: Objects, external: ExternalTracks, frame_step: int, settings: Track, path: Path) -> Adopted:
    """Assign every object to its external track.

    Objects in no external track become tracks of one frame. A parent with a single daughter is the same cell, so both
    become one track (the format of the Cell Tracking Challenge represents gaps in this way). Parents and deaths
    without an object are dropped, as happens when frames are left out. If the masks contain a track in frames outside
    those that the file states, the masks count. All repairs are counted.

    Parameters
    ----------
    objects
        The objects of the masks; at least one.
    external
        The tracks as read.
    frame_step
        The masks contain every ``frame_step``-th frame of the external tracks.
    settings
        The section ``track``, for conflicts and the frames that the file describes.
    path
        Path of the tracks, for messages.

    Raises
    ------
    UserError
        When tracks and masks do not share their frames; when less than half of the objects, or of the external rows,
        are matched; when more than half of the objects lie outside the frames that the file states for their track;
        when an object is listed twice, or the lineage is impossible.
    """
    parent, counts = settle(external, settings, path)
    counting, table = Counting.of(settings, frame_step), objects.table
    kept = _kept_rows(external, counting, path)
    number, lost = _by_label(table, external) if kept is None else _by_row(table, kept, path, objects.sides)
    seen = np.isin(np.arange(objects.shape[0]), table["frame"])
    bare = frames_without_row(external, seen, counting, settings, path)
    unknown = number == 0
    annotated = ~table["frame"].isin(bare).to_numpy()
    if (
        not annotated.any()
        or unknown[annotated].mean() > 0.5
        or lost > 0.5 * max(len(external.spans) if kept is None else len(kept), 1)
    ):
        msg = (
            f"{path}: the tracks do not fit the masks ({int(unknown.sum())} of {len(table)} objects have no track,"
            f" {lost} external objects have no mask); supply the masks that these tracks were made on."
        )
        raise UserError(msg)
    outside = _outside_spans(table, external, counting, path) if kept is None else {}
    families, repaired = _families(number, parent, external.deaths)
    number = families.number.copy()
    number[unknown] = number.max(initial=0) + 1 + np.arange(unknown.sum())
    found = {"objects_without_given_track": int(unknown.sum()), "given_objects_without_mask": lost}
    found[NOT_ANNOTATED] = len(bare)
    return Adopted(replace(families, number=number), external.counts | counts | found | outside | repaired)


def take_points(external: ExternalTracks, frame_step: int, settings: Track, path: Path) -> tuple[Objects, Adopted]:
    """Return the points of external tracks as objects, for point tracks without masks.

    Parameters
    ----------
    external, frame_step, settings, path
        As for :func:`adopt`.

    Returns
    -------
    objects
        One object per point, labelled in each frame in the order of tracks, without area and border. The movie ends
        with the last frame in which the file lists an object.
    adopted
        Their lineage.

    Raises
    ------
    UserError
        When the file has no positions, or the lineage is impossible.
    """
    parent, counts = settle(external, settings, path)
    kept = _kept_rows(external, Counting.of(settings, frame_step), path)
    if kept is None or "y_px" not in kept:
        msg = f"{path}: these tracks state no positions; supply the masks that they label in the column 'masks'."
        raise UserError(msg)
    rows = kept.sort_values(["frame", "track"], ignore_index=True)
    if len(rows) and rows["frame"].iloc[0] < 0:
        first = settings.external_first_frame
        msg = f"{path}: there are rows before frame {first}; set track.external_first_frame to the first frame."
        raise UserError(msg)
    _warn_of_counting(rows["frame"].unique(), settings, path)
    unknown = dict.fromkeys(SHAPES, np.nan)
    table = rows[["frame", "y_px", "x_px"]].assign(label=rows.groupby("frame").cumcount() + 1, **unknown)
    table["touches_border"] = pd.array([pd.NA] * len(table), dtype="boolean")
    families, repaired = _families(rows["track"].to_numpy(), parent, external.deaths)
    counting = Counting.of(settings, frame_step)
    frames = (int(external.known_rows["frame"].max()) - counting.first) // counting.step + 1
    return Objects(table, no_overlaps(), (frames, 0, 0), 0), Adopted(families, external.counts | counts | repaired)


def _warn_of_counting(frames: np.ndarray, settings: Track, path: Path) -> None:
    """Warn where no point is in frame 0, or where frames look like times or like every n-th frame."""
    if len(frames) and frames.min() > 0:
        logger.warning(
            "%s: no cell is listed before frame %d, so the movie begins with %d frames without cells; if the file "
            "counts from there, set track.external_first_frame.",
            *(path, frames.min() + settings.external_first_frame, frames.min()),
        )
    step = int(np.gcd.reduce(frames - frames.min())) if len(frames) >= ENOUGH else 1
    if step >= LEAST_STEP:
        logger.warning(
            "%s: cells are listed in every %d. frame only; if the file counts so from one frame to the next, set "
            "track.external_frame_step, or track.external_frame_interval if these are times.",
            *(path, step),
        )


def _families(
    number: np.ndarray, stated: dict[int, int], deaths: frozenset[int]
) -> tuple[TrackLineage, dict[str, int]]:
    """Return the lineage of the tracks that have an object, and the repairs; ``stated`` are parents by daughter."""
    seen = set(number.tolist())
    parent = {daughter: p for daughter, p in stated.items() if daughter in seen and p in seen}
    heads, kept = _only_daughters(parent)
    dead = deaths & seen
    counts = {"only_daughters_joined": len(heads), "parents_without_object": len(stated) - len(parent)}
    counts["deaths_without_object"] = len(deaths - dead)
    joined = pd.Series(number).map(lambda n: heads.get(n, n)).to_numpy(np.int64)
    return TrackLineage(joined, kept, {}, frozenset(heads.get(n, n) for n in dead)), counts


def _kept_rows(external: ExternalTracks, counting: Counting, path: Path) -> pd.DataFrame | None:
    """Return the rows of the frames that are kept, with their new frame numbers; None where labels are tracks."""
    if external.rows is None:
        return None
    if (wrong := external.rows["track"] < 1).any():
        msg = f"{path}: there is a track {external.rows['track'][wrong].iloc[0]}; number tracks from 1 (0 means none)."
        raise UserError(msg)
    return counting.of_masks(external.rows)


def _by_label(objects: pd.DataFrame, external: ExternalTracks) -> tuple[np.ndarray, int]:
    """Return the track of each object by its label (0 for none), shape (objects,), and the unmatched tracks."""
    label = objects["label"].to_numpy()
    known = np.isin(label, external.spans["track"].to_numpy(np.int64))
    return np.where(known, label, 0), int((~external.spans["track"].isin(label)).sum())


def _outside_spans(objects: pd.DataFrame, external: ExternalTracks, counting: Counting, path: Path) -> dict[str, int]:
    """Count the objects outside the frames that the file states for their track; a UserError if they are most."""
    joined = objects[["frame", "label"]].merge(external.spans, left_on="label", right_on="track")
    joined["frame"] = joined["frame"] * counting.step + counting.first
    wrong = ~joined["frame"].between(joined["first"], joined["last"])
    if wrong.mean() > 0.5:
        track, frame, first, last = joined.loc[wrong, ["track", "frame", "first", "last"]].iloc[0]
        msg = (
            f"{path}: {int(wrong.sum())} of {len(joined)} objects lie outside the frames that the file states of their"
            f" track (track {track}, stated in frames {first} to {last}, is in the mask of frame {frame}); supply"
            " the masks that these tracks were made on, and their frame_step."
        )
        raise UserError(msg)
    return {"objects_outside_the_frames_of_their_track": int(wrong.sum())}


def _by_row(
    objects: pd.DataFrame, rows: pd.DataFrame, path: Path, sides: tuple[float, float]
) -> tuple[np.ndarray, int]:
    """Return the track of each object by label or position (0 for none), shape (objects,), and the unmatched rows."""
    if "label" not in rows:
        return _by_position(objects, rows, sides)
    if (twice := rows.duplicated(["frame", "label"])).any():
        frame, label = rows.loc[twice, ["frame", "label"]].iloc[0]
        msg = f"{path}: object {label} of frame {frame} is listed twice; an object belongs to one track."
        raise UserError(msg)
    joined = objects[["frame", "label"]].merge(rows, on=["frame", "label"], how="left")
    number = joined["track"].fillna(0).to_numpy(np.int64)
    return number, len(rows) - int((number > 0).sum())


def _by_position(objects: pd.DataFrame, rows: pd.DataFrame, sides: tuple[float, float]) -> tuple[np.ndarray, int]:
    """Match positions to centroids one to one, within the radius of the object."""
    # Frames are a third coordinate, shape (objects, 3) and (rows, 3), spaced so far that no match can cross them.
    radius = np.sqrt(objects["area_px"].to_numpy() / np.pi)
    reach = float(radius.max())
    centroids, positions = (
        np.c_[table[["y_px", "x_px"]].to_numpy() * sides, table["frame"].to_numpy() * 10 * (reach + 1)]
        for table in (objects, rows)
    )
    near = KDTree(positions).sparse_distance_matrix(KDTree(centroids), reach, output_type="coo_matrix")
    close = near.data <= radius[near.col]
    a, b = match(
        near.row[close], near.col[close], near.data[close], (len(rows), len(objects)), no_link_cost=10 * (reach + 1)
    )
    number = np.zeros(len(objects), np.int64)
    number[b] = rows["track"].to_numpy()[a]
    return number, len(rows) - len(a)


def _only_daughters(parent: dict[int, int]) -> tuple[dict[int, int], dict[int, int]]:
    """Return the first track of every chain of single daughters, by its later tracks, and the remaining parents."""
    daughters = pd.Series(parent, dtype=np.int64)
    single = daughters[~daughters.duplicated(keep=False)].to_dict()

    def head(track: int) -> int:
        seen: set[int] = set()
        while track in single and track not in seen:
            seen.add(track)
            track = single[track]
        return track

    heads = {track: head(track) for track in single}
    return heads, {d: heads.get(m, m) for d, m in parent.items() if d not in single}
