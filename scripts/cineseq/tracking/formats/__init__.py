"""Tracks that other tools wrote, one module per format.

A format is a module with ``NAME``, ``recognises(path) -> bool`` and ``read(path, columns) -> GivenTracks``; a new one
is added to :data:`FORMATS`.
"""

from __future__ import annotations

from pathlib import Path

from cineseq.errors import UserError
from cineseq.tracking.formats import ctc_folder, plain_table
from cineseq.tracking.formats.given import GivenTracks

FORMATS = (ctc_folder, plain_table)


def read_given(path: Path, columns: dict[str, str]) -> GivenTracks:
    """Read given tracks in whichever format they are.

    Parameters
    ----------
    path
        A file, or a folder of the Cell Tracking Challenge.
    columns
        Names of the columns of a plain table, by what they hold (frame, label, y, x, track, parent).

    Raises
    ------
    UserError
        When the path is missing, in no known format, or broken.
    """
    if not path.exists():
        msg = f"{path}: no such file or folder; mend column 'tracks' of the sample sheet."
        raise UserError(msg)
    for known in FORMATS:
        if known.recognises(path):
            return known.read(path, columns)
    names = "; ".join(known.NAME for known in FORMATS)
    msg = f"{path}: tracks in no known format; expected one of: {names}."
    raise UserError(msg)
