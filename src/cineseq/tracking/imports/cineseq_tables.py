"""Tables of this pipeline: ``tracks.parquet`` with ``detections.parquet`` in the same folder."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from cineseq.config.tracking import Track
from cineseq.errors import UserError, failures
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import DETECTIONS, TRACKS
from cineseq.tracking.imports.base import ExternalTracks, check_not_empty, parent_links

NAME = "a run's tracks.parquet with its detections.parquet beside it"


def recognises(path: Path) -> bool:
    """Return whether the path is a parquet table with the columns of this pipeline's tracks."""
    try:
        return path.suffix == ".parquet" and {"track_id", "end_kind"} <= set(pq.read_schema(path).names)
    except failures():
        return False


def read(path: Path, settings: Track) -> ExternalTracks:  # noqa: ARG001 - every format has the same signature
    """Read tracks, parents and deaths as a run wrote them.

    Raises
    ------
    UserError
        When the other table is missing or belongs to another field, or when there is no track.
    """
    beside = path.with_name("detections.parquet")
    if not beside.is_file():
        msg = f"{path}: there is no {beside.name} beside it, which lists the objects of every track; copy both."
        raise UserError(msg)
    tracks, detections = read_table(path, TRACKS), read_table(beside, DETECTIONS)
    check_not_empty(len(tracks), path, "it contains no tracks")
    number = tracks.set_index("track_id")["number"]
    if (unknown := ~detections["track_id"].isin(number.index)).any():
        msg = (
            f"{beside}: track '{detections['track_id'][unknown].iloc[0]}' is not in {path.name}; copy both of one run."
        )
        raise UserError(msg)
    rows = detections[["frame", "label", "y_px", "x_px"]].assign(track=detections["track_id"].map(number))
    born = tracks[tracks["parent_id"].notna()]
    died = frozenset(tracks.loc[tracks["end_kind"] == "death", "number"].tolist())
    return ExternalTracks(rows, parent_links(born["number"], born["parent_id"].map(number)), deaths=died)
