"""Tracks as a graph of objects in the Graph Exchange File Format, written by its own library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from geff.core_io import write_arrays
from geff_spec import Axis, GeffMetadata, RelatedObject

from cineseq.files import replacing

MASKS = "../masks.ome.tif"
"""Where the masks lie, seen from the folder."""


def links_of(detections: pd.DataFrame, tracks: pd.DataFrame) -> np.ndarray:
    """Return rows of ``detections`` that follow each other: in a track, and from mothers to daughters.

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
    """Write nodes and edges into ``folder``, whole or not at all.

    Nodes are the objects, in frames and pixels, with their label in the mask, the number of their track
    (``track``, the tracklet of the format) and of the founder of its family (``family``, its lineage), and, at the
    last object of a track, how it ended (``end_kind``).

    Parameters
    ----------
    detections, tracks
        Tables of one field.
    folder
        The folder to write.

    Returns
    -------
    nodes, edges
        How many of each were written.
    """
    detections = detections.reset_index(drop=True)
    edges = links_of(detections, tracks)
    has_masks = detections["area_px"].notna().any()
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
    return GeffMetadata(
        directed=True,
        axes=[Axis(name="t", type="time"), Axis(name="y", type="space"), Axis(name="x", type="space")],
        node_props_metadata={},
        edge_props_metadata={},
        track_node_props={"tracklet": "track", "lineage": "family"},
        related_objects=related,
    )
