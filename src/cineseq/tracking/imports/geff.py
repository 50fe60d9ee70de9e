"""GEFF, the Graph Exchange File Format (a Zarr folder), read with its own library."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cineseq.config.tracking import Track
from cineseq.errors import UserError, reading
from cineseq.io.end_words import ends_of
from cineseq.io.zarr_files import check_codecs
from cineseq.tracking.imports.base import ExternalTracks, check_depth, check_not_empty, frames, numbers, whole
from cineseq.tracking.imports.graph import forward, tracks_of_graph, tracks_of_linked

if TYPE_CHECKING:
    from geff_spec import GeffMetadata

NAME = "a GEFF folder (.geff or .zarr)"
END = "end_kind"
"""Property of exports of this pipeline: how the track ended, at its last object."""
MARKS = ("zarr.json", ".zattrs")
PIXELS = (None, "pixel", "pixels", "px")
FRAMES = (None, "frame", "frames")
TIMES = ("t", "time", "frame")


@dataclass(frozen=True)
class PlainAxis:
    """One axis: the property that holds it, its type and its unit, where known."""

    name: str
    type: str | None
    unit: str | None


def recognises(path: Path) -> bool:
    """Return whether the path is a Zarr folder whose attributes have the key of GEFF."""
    attributes = next((path / mark for mark in MARKS if (path / mark).is_file()), None)
    return path.suffix == ".geff" or (attributes is not None and '"geff"' in attributes.read_text(errors="replace"))


def read(path: Path, settings: Track) -> ExternalTracks:
    """Read nodes and edges; the graph is cut into tracks where it splits and merges.

    The axes of the metadata name the properties of time, y and x (by name, else the last two of space). Where they do
    not, ``track.external_columns`` does, or else the properties are called t, time or frame, and y and x. If the
    metadata name a property as the label in a label image, objects are matched to the masks by it, else by position. If
    they name a property as the tracklet, every node is in a track, and its numbers are kept if they fit the graph; else
    nodes without an edge are in no track. If nodes have a property ``end_kind``, a word for death
    (:mod:`cineseq.io.end_words`) states that the cell died there. If links continue from such a node, it was linked
    further since; it is then not a death, and is counted.

    Raises
    ------
    UserError
        When the library cannot read the folder, there are no nodes, a link does not lead to a later frame, an axis
        is missing, or the size of a pixel in the unit of the positions is unknown.
    """
    memory = _read(path)
    metadata, properties = memory["metadata"], memory["node_props"]
    check_not_empty(len(memory["node_ids"]), path, "the graph has no nodes")
    time, y, x, depth = _axes(metadata, settings, [*properties], path)

    def values(name: str) -> pd.Series:
        return _values(properties, name, path)

    for axis in depth:
        check_depth(values(axis.name).to_numpy(), path)
    table: dict[str, pd.Series | np.ndarray] = {"name": memory["node_ids"].astype(np.int64)}
    table["frame"] = frames(values(time.name), _interval(time, settings, path), path, f"axis '{time.name}'")
    for column, axis in (("y_px", y), ("x_px", x)):
        table[column] = numbers(values(axis.name), path, f"axis '{axis.name}'") / _size(axis, settings, path)
    if label := _label(metadata):
        table["label"] = whole(values(label), path, f"property '{label}'")
    if tracklet := (metadata.track_node_props or {}).get("tracklet"):
        table["tracklet"] = whole(values(tracklet), path, f"property '{tracklet}'")
    table["died"] = _died(properties, len(memory["node_ids"]), path)
    nodes = pd.DataFrame(table)
    links = memory["edge_ids"].astype(np.int64)
    links = links if metadata.directed else forward(nodes, links)
    if tracklet:
        return _with_deaths(_renumbered(tracks_of_graph(nodes, links, path)))
    check_not_empty(len(links), path, "the graph has no edges")
    return _with_deaths(tracks_of_linked(nodes, links, path))


def _read(path: Path) -> Any:
    from geff.core_io import read_to_memory  # noqa: PLC0415 - seconds to import, and only this format needs it

    check_codecs(path)
    with reading(path, "not a readable GEFF folder", "supply the folder whose attributes have the key 'geff'"):
        return read_to_memory(path, structure_validation=True)


def _values(properties: Any, name: str, path: Path) -> pd.Series:
    """Return a property of the nodes, which none may lack."""
    stored = properties[name]
    if stored["missing"] is not None and stored["missing"].any():
        msg = f"{path}: property '{name}' is missing in {int(stored['missing'].sum())} nodes; every node needs it."
        raise UserError(msg)
    return pd.Series(stored["values"])


def _died(properties: Any, nodes: int, path: Path) -> np.ndarray:
    """Return which nodes are marked as the last of a cell that died, shape (nodes,); none without the property."""
    if END not in properties:
        return np.zeros(nodes, bool)
    stored = properties[END]
    missing = np.zeros(nodes, bool) if stored["missing"] is None else np.asarray(stored["missing"], bool)
    stated = pd.Series(np.asarray(stored["values"]).astype(str)).mask(missing)
    ends = ends_of(stated, f"{path}, property '{END}'", "correct it, or leave the property out")
    return (ends == "death").fillna(value=False).to_numpy(bool)


def _with_deaths(tracks: ExternalTracks) -> ExternalTracks:
    """Return the tracks with the deaths that nodes state, except where links continue from them."""
    rows = tracks.known_rows
    stated = rows[rows["died"]]
    last = stated["frame"] == stated["track"].map(rows.groupby("track")["frame"].max())
    kept = stated.loc[last & ~stated["track"].isin(tracks.parents["parent"]), "track"]
    counts = tracks.counts | {"deaths_that_are_linked_further": len(stated) - len(kept)}
    return replace(tracks, rows=rows.drop(columns="died"), deaths=frozenset(kept.tolist()), counts=counts)


def _axes(
    metadata: GeffMetadata, settings: Track, properties: list[str], path: Path
) -> tuple[PlainAxis, PlainAxis, PlainAxis, list[PlainAxis]]:
    """Return the axes of time, y and x, and the other axes of space.

    They are the columns that the settings name, else those of the metadata by their type, else those of the usual
    names, since some tools write neither types nor axes.
    """
    stated = [PlainAxis(axis.name, axis.type, axis.unit) for axis in metadata.axes or []]
    units = {axis.name: axis.unit for axis in stated}

    def named(what: str, usual: tuple[str, ...]) -> PlainAxis | None:
        wanted = settings.external_columns.get(what)  # type: ignore[call-overload]
        names = [wanted] if wanted else [name for name in properties if name.lower() in usual]
        if wanted and wanted not in properties:
            msg = f"{path}: no property '{wanted}' (track.external_columns); the nodes have {', '.join(properties)}."
            raise UserError(msg)
        return PlainAxis(names[0], None, units.get(names[0])) if len(names) == 1 else None

    time = [axis for axis in stated if axis.type == "time"]
    space = [axis for axis in stated if axis.type == "space"]
    by_name = {what: named(what, usual) for what, usual in (("frame", TIMES), ("y", ("y",)), ("x", ("x",)))}
    typed = len(time) == 1 and len(space) >= 2 and not {"frame", "y", "x"} & settings.external_columns.keys()
    if not typed:
        t, y, x = by_name.values()
        if t is None or y is None or x is None:
            lacking = next(what for what, axis in by_name.items() if axis is None)
            msg = (
                f"{path}: the metadata name no axis of time and two of space, and which property is {lacking} is not "
                f"clear among {', '.join(properties)}; name them in track.external_columns (frame, y and x)."
            )
            raise UserError(msg)
        return t, y, x, [PlainAxis(name, None, None) for name in properties if name.lower() == "z"]
    letters = {axis.name.lower(): axis for axis in space}
    y, x = (letters["y"], letters["x"]) if {"y", "x"} <= letters.keys() else space[-2:]
    return time[0], y, x, [axis for axis in space if axis not in (y, x)]


def _interval(axis: PlainAxis, settings: Track, path: Path) -> float | None:
    """Return the time between frames in the unit of the axis, None where times are frame numbers."""
    if axis.unit not in FRAMES and settings.external_frame_interval is None:
        msg = (
            f"{path}: time is in {axis.unit}; set track.external_frame_interval to the {axis.unit}s from one frame to"
            " the next (1 where the numbers are frames after all)."
        )
        raise UserError(msg)
    return settings.external_frame_interval


def _size(axis: PlainAxis, settings: Track, path: Path) -> float:
    """Return the size of a pixel in the unit of the axis."""
    if axis.unit not in PIXELS and settings.external_pixel_size is None:
        msg = (
            f"{path}: axis '{axis.name}' is in {axis.unit}; set track.external_pixel_size to the size of a pixel in"
            f" {axis.unit}s (1 where the numbers are pixels after all)."
        )
        raise UserError(msg)
    return settings.external_pixel_size or 1.0


def _label(metadata: GeffMetadata) -> str | None:
    """Return the property that is the label in a label image, if any."""
    labels = [item.label_prop for item in metadata.related_objects or [] if item.type == "labels"]
    return next((name for name in labels if name), None)


def _renumbered(tracks: ExternalTracks) -> ExternalTracks:
    """Return the tracks with the numbers of the file, if each number belongs to exactly one track of the graph."""
    rows = tracks.known_rows
    pairs = rows[["track", "tracklet"]].drop_duplicates()
    rows = rows.drop(columns="tracklet")
    if pairs["track"].duplicated().any() or pairs["tracklet"].duplicated().any() or (pairs["tracklet"] < 1).any():
        return replace(tracks, rows=rows)
    number = pairs.set_index("track")["tracklet"]
    parents = tracks.parents.apply(lambda column: column.map(number))
    return replace(tracks, rows=rows.assign(track=rows["track"].map(number)), parents=parents)
