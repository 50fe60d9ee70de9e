"""Import of external tracks, one module per format.

A format is a module with ``NAME``, ``recognises(path) -> bool`` and ``read(path, settings) -> ExternalTracks``. A new
format is added to :data:`FORMATS`, before formats that would also recognise its files, and its name to the setting
``track.external_format`` in ``cineseq/config/tracking.py``.
"""

from __future__ import annotations

from pathlib import Path

from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.tracking.imports import btrack, cell_acdc, cineseq_tables, ctc, geff, plain_table, trackmate
from cineseq.tracking.imports.base import ExternalTracks

FORMATS = {
    "ctc": ctc,
    "trackmate": trackmate,
    "geff": geff,
    "btrack": btrack,
    "cell_acdc": cell_acdc,
    "cineseq": cineseq_tables,
    "table": plain_table,
}


def read_external(path: Path, settings: Track) -> ExternalTracks:
    """Read external tracks in the format that the settings name, or in the first that recognises the file.

    Parameters
    ----------
    path
        A file, or a folder of the Cell Tracking Challenge or GEFF.
    settings
        The section ``track`` of the configuration; its keys ``external_*`` are used.

    Raises
    ------
    UserError
        When the path is missing, its format is unknown, it cannot be read, or it contains no object.
    """
    if not path.exists():
        msg = f"{path}: no such file or folder; fix column 'tracks' of the sample sheet."
        raise UserError(msg)
    if settings.external_format != "auto":
        return FORMATS[settings.external_format].read(path, settings)
    for known in FORMATS.values():
        if known.recognises(path):
            return known.read(path, settings)
    names = "; ".join(known.NAME for known in FORMATS.values())
    msg = f"{path}: unknown format of tracks; expected one of: {names}."
    raise UserError(msg)
