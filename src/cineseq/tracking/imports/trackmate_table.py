"""TrackMate's table of spots (csv), which states tracks and positions, but neither links nor divisions."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.io.delimited import read_plain
from cineseq.tracking.imports import plain_table
from cineseq.tracking.imports.base import ExternalTracks, check_depth

COLUMNS = {"frame": "FRAME", "track": "TRACK_ID", "y": "POSITION_Y", "x": "POSITION_X"}
HEADER_ROWS = 3
"""Rows below the header that hold names and units, as TrackMate's button exports them."""


def recognises(path: Path) -> bool:
    """Return whether the path is a csv file with the columns of TrackMate's spots."""
    if path.suffix != ".csv":
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        return set(COLUMNS.values()) <= set(stream.readline().strip().split(","))


def read(path: Path, settings: Track) -> ExternalTracks:
    """Read the spots of the tracks, with or without the rows of names and units below the header.

    A spot without a track is in none, and is counted. Parents are unknown.

    Raises
    ------
    UserError
        When a track divides, whose links are in the XML file only; when the unit of positions is not pixels and
        ``track.external_pixel_size`` is not set; when spots have depths; or as
        :func:`cineseq.tracking.imports.plain_table.read`.
    """
    table = read_plain(path)
    columns = COLUMNS | dict(settings.external_columns)
    top = table.head(HEADER_ROWS)
    headers = top.index[pd.to_numeric(top[columns["frame"]], errors="coerce").isna()]
    units = {str(unit).strip("() ") for unit in table.loc[headers, columns["x"]] if str(unit).startswith("(")}
    if units - {"pixel", "px"} and settings.external_pixel_size is None:
        msg = f"{path}: positions are in {units.pop()}; set track.external_pixel_size to the size of a pixel in it."
        raise UserError(msg)
    spots = table.drop(index=headers)
    if "POSITION_Z" in spots:
        check_depth(pd.to_numeric(spots["POSITION_Z"], errors="coerce").dropna().to_numpy(), path)
    twice = spots.duplicated([columns["frame"], columns["track"]]) & spots[columns["track"]].notna()
    if twice.any():
        row = twice.idxmax()
        msg = (
            f"{path}, row {row}: track {spots[columns['track']][row]} has two spots in frame "
            f"{spots[columns['frame']][row]}, so it divides, and only the XML file states how; supply the file that "
            "the Save button of TrackMate writes."
        )
        raise UserError(msg)
    return plain_table.external_of(spots, columns, settings, path)
