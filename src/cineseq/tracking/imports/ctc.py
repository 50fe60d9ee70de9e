"""Cell Tracking Challenge: ``man_track.txt`` or ``res_track.txt`` beside masks that are labelled by track."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.config.tracking import Track
from cineseq.errors import UserError, reading
from cineseq.tracking.imports.base import ExternalTracks, parent_links

NAME = "a Cell Tracking Challenge folder or its man_track.txt or res_track.txt"
FILES = ("man_track.txt", "res_track.txt")


def recognises(path: Path) -> bool:
    """Return whether the path is such a folder, or a text file."""
    return path.suffix == ".txt" or (path.is_dir() and any((path / name).exists() for name in FILES))


def read(path: Path, settings: Track) -> ExternalTracks:  # noqa: ARG001 - every format has the same signature
    """Read the four columns L B E P (label, begin, end, parent); the labels of the masks are the L of their track.

    Raises
    ------
    UserError
        When the file is empty, a row is not four whole numbers, or a track is listed twice or ends before it starts.
    """
    file = next(path / name for name in FILES if (path / name).exists()) if path.is_dir() else path
    problem = "every row should be four whole numbers, track, first frame, last frame, parent"
    with reading(file, problem, "correct the row, or save the file again"):
        table = np.loadtxt(file, dtype=np.int64, ndmin=2)
    if table.size == 0 or table.shape[1] != 4:
        msg = f"{file}: expected rows of four whole numbers (track, first frame, last frame, parent), found none."
        raise UserError(msg)
    rows = pd.DataFrame(table, columns=["track", "first", "last", "parent"])
    twice, backwards = rows["track"].duplicated(), rows["last"] < rows["first"]
    for wrong, problem in (
        (twice, "is listed twice"),
        (backwards, "ends before it starts"),
        (rows["track"] < 1, "is < 1"),
    ):
        if wrong.any():
            msg = (
                f"{file}, row {int(wrong.idxmax()) + 1}: track {rows['track'][wrong.idxmax()]} {problem}; fix the row."
            )
            raise UserError(msg)
    born = rows[rows["parent"] > 0]
    return ExternalTracks(None, parent_links(born["track"], born["parent"]), rows[["track", "first", "last"]])
