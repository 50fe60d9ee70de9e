"""Export of tracks: Cell Tracking Challenge (one mask per frame and a table of tracks) and GEFF (a graph)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import tifffile

from cineseq.files import replacing
from cineseq.io.stacks import Labels

if TYPE_CHECKING:
    from geff_spec import GeffMetadata, RelatedObject


def continuous_pieces(detections: pd.DataFrame, tracks: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Cut tracks at gaps, since the Cell Tracking Challenge requires a mask in every frame of a track.

    The first piece keeps the number of the track. Each later piece gets a new number, after all tracks, and the piece
    before it as its parent. The parent of a daughter is the last piece of its parent track.

    Parameters
    ----------
    detections, tracks
        Tables of one field.

    Returns
    -------
    rows
        ``L B E P`` of every piece, sorted by L: number, first frame, last frame, parent or 0.
    label
        Piece of each row of ``detections``, shape (detections,).
    """
    # Pieces (number, piece 0, 1, ...) of every detection: a new piece begins after a gap.
    number = detections["track_id"].map(tracks.set_index("track_id")["number"]).to_numpy(np.int64)
    table = pd.DataFrame({"number": number, "frame": detections["frame"].to_numpy(np.int64)})
    ordered = table.sort_values(["number", "frame"])
    begins = (ordered["frame"].diff() > 1) & (ordered["number"].diff() == 0)
    table["piece"] = begins.groupby(ordered["number"]).cumsum().reindex(table.index).astype(np.int64)
    pieces = table.groupby(["number", "piece"], as_index=False)["frame"].agg(B="min", E="max")
    # L, B, E of every piece; P is the piece before, else the last piece of the parent track, else 0.
    later = pieces["piece"] > 0
    pieces["L"] = np.where(later, pieces["number"].max() + later.cumsum(), pieces["number"])
    last_of = pieces.groupby("number")["L"].last()
    parents = tracks.set_index("number")["parent_id"].map(tracks.set_index("track_id")["number"])
    parent = pieces["number"].map(parents).map(last_of).fillna(0).astype(np.int64)
    pieces["P"] = np.where(later, pieces["L"].shift(fill_value=0), parent)
    label = table.merge(pieces, on=["number", "piece"], how="left")["L"].to_numpy(np.int64)
    return pieces[["L", "B", "E", "P"]].sort_values("L", ignore_index=True), label


def write_ctc(labels: Labels, detections: pd.DataFrame, tracks: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Write ``mask000.tif`` ... and ``res_track.txt`` into ``folder``, which appears only when complete.

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
    """Return ``plane`` with every ``label`` replaced by its ``piece``; ``known`` lists both for every label."""
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


MASKS = "../masks.ome.tif"
"""Path of the masks, relative to the GEFF folder."""


def links_of(detections: pd.DataFrame, tracks: pd.DataFrame) -> np.ndarray:
    """Return the links between detections: within tracks, and from parents to daughters.

    Parameters
    ----------
    detections, tracks
        Tables of one field, detections with a plain range as their index.

    Returns
    -------
    numpy.ndarray
        Rows of source and target, shape (links, 2).
    """
    ordered = detections[["track_id", "frame"]].sort_values(["track_id", "frame"])
    row, track = ordered.index.to_numpy(), ordered["track_id"].to_numpy()
    same = track[1:] == track[:-1]
    within = np.c_[row[:-1][same], row[1:][same]]
    ends = ordered.reset_index().groupby("track_id")["index"].agg(["first", "last"])
    born = tracks[tracks["parent_id"].notna()]
    source, target = ends.loc[born["parent_id"], "last"], ends.loc[born["track_id"], "first"]
    return np.vstack([within, np.c_[source, target]]).astype(np.uint64)


def write_geff(detections: pd.DataFrame, tracks: pd.DataFrame, folder: Path) -> tuple[int, int]:
    """Write the tracks as a GEFF graph into ``folder``, which appears only when complete.

    Nodes are the objects, in frames and pixels. Their properties are the label in the mask, the number of the track
    (``track``, the tracklet of the format), the number of the founder (``family``, the lineage of the format) and, at
    the last object of a track, how it ended (``end_kind``).

    Parameters
    ----------
    detections, tracks
        Tables of one field.
    folder
        The folder to write.

    Returns
    -------
    nodes, edges
        Number of nodes and of edges written.
    """
    detections = detections.reset_index(drop=True)
    edges = links_of(detections, tracks)
    has_masks = detections["touches_border"].notna().any()
    from geff.core_io import write_arrays  # noqa: PLC0415 - half a second: it loads zarr and networkx
    from geff_spec import RelatedObject  # noqa: PLC0415

    masks = [RelatedObject(type="labels", path=MASKS, label_prop="label")] if has_masks else []
    with replacing(folder) as temporary:
        write_arrays(
            temporary,
            np.arange(len(detections), dtype=np.uint64),
            {name: {"values": values, "missing": None} for name, values in _properties(detections, tracks).items()},
            edges,
            {},
            _metadata(masks),
        )
    return len(detections), len(edges)


def _properties(detections: pd.DataFrame, tracks: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the properties of the nodes, shape (detections,) each."""
    known = tracks.set_index("track_id")
    of_track = detections["track_id"].map
    founder = of_track(known["founder_id"]).map(known["number"])
    last = detections["frame"] == of_track(known["end_frame"])
    numbers = {"t": detections["frame"], "label": detections["label"], "track": of_track(known["number"])}
    return {
        **{name: values.to_numpy(np.int64) for name, values in (numbers | {"family": founder}).items()},
        "y": detections["y_px"].to_numpy(np.float64),
        "x": detections["x_px"].to_numpy(np.float64),
        "end_kind": of_track(known["end_kind"]).where(last, "").to_numpy(str),
    }


def _metadata(related: list[RelatedObject]) -> GeffMetadata:
    from geff_spec import Axis, GeffMetadata  # noqa: PLC0415

    return GeffMetadata(
        directed=True,
        axes=[Axis(name="t", type="time"), Axis(name="y", type="space"), Axis(name="x", type="space")],
        node_props_metadata={},
        edge_props_metadata={},
        track_node_props={"tracklet": "track", "lineage": "family"},
        related_objects=related,
    )
