"""Tracks as the Cell Tracking Challenge writes them: one mask per frame and a table of tracks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

from cineseq.files import replacing
from cineseq.stacks import Labels


def continuous_pieces(detections: pd.DataFrame, tracks: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Cut tracks where their cell went unseen, since the format wants a mask in every frame of a track.

    The first piece keeps the track's number; each later one gets a number after the last track's, and the piece
    before it as its parent. Daughters hang on their mother's last piece.

    Parameters
    ----------
    detections, tracks
        Tables of one field.

    Returns
    -------
    rows
        ``L B E P`` of every piece, sorted by L: number, first and last frame, parent or 0.
    label
        Piece of each row of ``detections``, shape (detections,).
    """
    number = detections["track_id"].map(tracks.set_index("track_id")["number"]).to_numpy(np.int64)
    table = pd.DataFrame({"number": number, "frame": detections["frame"].to_numpy(np.int64)})
    ordered = table.sort_values(["number", "frame"])
    begins = (ordered["frame"].diff() > 1) & (ordered["number"].diff() == 0)
    table["piece"] = begins.groupby(ordered["number"]).cumsum().reindex(table.index).astype(np.int64)
    pieces = table.groupby(["number", "piece"], as_index=False)["frame"].agg(B="min", E="max")
    later = pieces["piece"] > 0
    pieces["L"] = np.where(later, pieces["number"].max() + later.cumsum(), pieces["number"])
    last_of = pieces.groupby("number")["L"].last()
    mothers = tracks.set_index("number")["parent_id"].map(tracks.set_index("track_id")["number"])
    mother = pieces["number"].map(mothers).map(last_of).fillna(0).astype(np.int64)
    pieces["P"] = np.where(later, pieces["L"].shift(fill_value=0), mother)
    label = table.merge(pieces, on=["number", "piece"], how="left")["L"].to_numpy(np.int64)
    return pieces[["L", "B", "E", "P"]].sort_values("L", ignore_index=True), label


def write_ctc(labels: Labels, detections: pd.DataFrame, tracks: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Write ``mask000.tif`` ... and ``res_track.txt`` into ``folder``, whole or not at all.

    Returns
    -------
    pandas.DataFrame
        The written rows ``L B E P``.
    """
    rows, piece = continuous_pieces(detections, tracks)
    kind = np.uint16 if rows["L"].max() <= np.iinfo(np.uint16).max or rows.empty else np.uint32
    digits = max(3, len(str(len(labels) - 1)))
    by_frame = pd.DataFrame({"label": detections["label"].to_numpy(np.int64), "piece": piece}).groupby(
        detections["frame"].to_numpy(np.int64)
    )
    with replacing(folder) as temporary:
        temporary.mkdir()
        for frame in range(len(labels)):
            plane = labels[frame]
            known = by_frame.get_group(frame) if frame in by_frame.groups else None
            tifffile.imwrite(
                temporary / f"mask{frame:0{digits}d}.tif", relabelled(plane, known).astype(kind), compression="zlib"
            )
        lines = rows.to_csv(sep=" ", header=False, index=False, lineterminator="\n")
        (temporary / "res_track.txt").write_text(lines, encoding="ascii")
    return rows


def relabelled(plane: np.ndarray, known: pd.DataFrame | None) -> np.ndarray:
    """Return ``plane`` with every ``label`` replaced by its ``piece``; every label must be known."""
    if known is None:
        if plane.any():
            msg = "a frame with objects has no detections"
            raise ValueError(msg)
        return plane
    known = known.sort_values("label")
    names, index = np.unique(plane, return_inverse=True)
    position = np.searchsorted(known["label"].to_numpy(), names).clip(max=len(known) - 1)
    new = known["piece"].to_numpy()[position]
    if (known["label"].to_numpy()[position][names > 0] != names[names > 0]).any():
        msg = "a label of the masks has no detection"
        raise ValueError(msg)
    return np.where(names > 0, new, 0)[index].reshape(plane.shape)
