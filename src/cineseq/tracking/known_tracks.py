"""Tracks that a table of points states for some or all of its points, kept as they are stated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.errors import UserError
from cineseq.text import number
from cineseq.tracking.compartments import passable
from cineseq.tracking.edits import Edit, Edits
from cineseq.tracking.lineage import TrackLineage, before_each
from cineseq.tracking.replay import replay


def keep_known_tracks(
    families: TrackLineage, objects: pd.DataFrame, known: np.ndarray, compartment: np.ndarray, where: Path
) -> tuple[TrackLineage, int]:
    """Change a lineage where it contradicts the known tracks.

    Points of one known track are one cell, whatever is between them, and points of two are two cells. Points without a
    known track may continue one, precede it or fill its gaps, as tracking has it. A link that contradicts is replaced
    by the known one; where one track holds points of two known ones, it is cut before the later one.

    Parameters
    ----------
    families
        The lineage by tracking.
    objects
        The objects, sorted by frame.
    known
        Number of the known track of each object, 0 for none, shape (objects,).
    compartment
        Closed compartment of each object, -1 for none, shape (objects,).
    where
        Where the known tracks are from, for messages.

    Returns
    -------
    families, replaced
        The lineage, and the number of links that were replaced or cut.

    Raises
    ------
    UserError
        When a known track passes the wall of a closed compartment.
    """
    check_walls(objects, known, compartment, where)
    frame = objects["frame"].to_numpy(np.int64)
    rows = np.flatnonzero(known)
    stated = _pairs(rows, known, frame)
    tracked = _pairs(rows, families.number, frame)
    held = set(tracked) & set(stated)
    before = before_each(frame, families)
    links = [Edit(target + 1, "link", source, (target,)) for source, target in stated if (source, target) not in held]
    cuts = [
        Edit(target + 1, "unlink", int(before[target]), (target,))
        for source, target in tracked
        if known[source] != known[target]
    ]
    if not links and not cuts:
        return families, 0
    changed = replay(Edits(where, (*links, *cuts), ()), objects, families, compartment)
    return changed.families, len(links) + len(cuts)


def check_walls(objects: pd.DataFrame, known: np.ndarray, compartment: np.ndarray, where: Path) -> None:
    """Check that no known track passes the wall of a closed compartment, arguments as above.

    Raises
    ------
    UserError
        For the first points between which a track does.
    """
    pairs = _pairs(np.flatnonzero(known), known, objects["frame"].to_numpy(np.int64))
    source, target = np.array(pairs, np.int64).reshape(-1, 2).T
    wrong = ~passable(compartment, source, target)
    if wrong.any():
        ends = objects.iloc[[source[wrong][0], target[wrong][0]]]
        one, other = (
            f"y {number(y, 1)}, x {number(x, 1)} in frame {frame}"
            for frame, y, x in zip(ends["frame"], ends["y_px"], ends["x_px"], strict=True)
        )
        msg = (
            f"{where}: track_id links {one} with {other} through the wall of a closed compartment; correct track_id, "
            "or closed_frame in the table of compartments."
        )
        raise UserError(msg)


def _pairs(rows: np.ndarray, track: np.ndarray, frame: np.ndarray) -> list[tuple[int, int]]:
    """Return the pairs of rows that follow each other within one track, skipping all rows but these."""
    ordered = rows[np.lexsort((frame[rows], track[rows]))]
    same = track[ordered[1:]] == track[ordered[:-1]]
    return list(zip(ordered[:-1][same].tolist(), ordered[1:][same].tolist(), strict=True))
