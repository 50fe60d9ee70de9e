"""Conflicts in external lineages: links that no cell can have are an error, or are cut and counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.text import number
from cineseq.tracking.imports.base import ExternalTracks
from cineseq.tracking.lineage import ImpossibleLineageError, ancestors


def settle(external: ExternalTracks, settings: Track, path: Path) -> tuple[dict[int, int], dict[str, int]]:
    """Return the parent of every track that has one, and how many links were cut.

    A cell has one parent. If a track has several, as after a merge, all are cut, since the file does not state which
    one is right. A parent has at most two daughters; if there are more, all are cut for the same reason.

    Parameters
    ----------
    external
        The tracks as read.
    settings
        The section ``track``; ``external_conflicts`` is ``refuse`` (raise an error) or ``cut``.
    path
        Path of the tracks, for messages.

    Raises
    ------
    UserError
        For the first conflict if they are not cut; always if a track is its own ancestor, or died and has daughters.
    """
    pairs = external.parents
    merged = pairs["track"].duplicated(keep=False)
    crowded = pairs[~merged].groupby("parent")["track"].transform("size").reindex(pairs.index, fill_value=0) > 2
    if settings.external_conflicts == "refuse":
        if merged.any():
            track = int(pairs.loc[merged, "track"].iloc[0])
            named = _listed(pairs.loc[pairs["track"] == track, "parent"])
            problem = f"{_named(track, external)} has more than one parent, {named} (a merge?)"
            raise _conflict(problem, path)
        if crowded.any():
            crowded_parent = int(pairs.loc[crowded, "parent"].iloc[0])
            named = _listed(pairs.loc[pairs["parent"] == crowded_parent, "track"])
            problem = f"{_named(crowded_parent, external)} has more than two daughters, {named}"
            raise _conflict(problem, path)
    kept = pairs[~merged & ~crowded]
    parent = dict(zip(kept["track"].tolist(), kept["parent"].tolist(), strict=True))
    _check_possible(parent, external.deaths, path)
    counts = {
        "links_cut_to_two_parents": int(merged.sum()),
        "links_cut_to_more_than_two_daughters": int(crowded.sum()),
    }
    return parent, counts


def _check_possible(parent: dict[int, int], deaths: frozenset[int], path: Path) -> None:
    """Raise a UserError for conflicts that cutting cannot fix, since it is unknown which entry is wrong."""
    try:
        ancestors(np.array(list(parent), np.int64), parent)
    except ImpossibleLineageError as error:
        msg = f"{path}: {error}; fix the tracks in the tool that made them."
        raise UserError(msg) from error
    if dead := deaths & set(parent.values()):
        msg = f"{path}: track {min(dead)} died and has daughters; fix one of the two."
        raise UserError(msg)


def _named(track: int, external: ExternalTracks) -> str:
    """Return the name of a track: its number, and the frame and position where it begins if known."""
    if external.rows is None or not (external.rows["track"] == track).any():
        return f"track {track}"
    row = external.rows[external.rows["track"] == track].sort_values("frame").iloc[0]
    where = f" at y {number(row['y_px'], 1)}, x {number(row['x_px'], 1)}" if "y_px" in row else ""
    return f"track {track} (which begins in frame {int(row['frame'])}{where})"


def _listed(numbers: pd.Series) -> str:
    return ", ".join(str(n) for n in numbers)


def _conflict(problem: str, path: Path) -> UserError:
    return UserError(f"{path}: {problem}; fix it in the tool that made it, or set track.external_conflicts to cut.")
