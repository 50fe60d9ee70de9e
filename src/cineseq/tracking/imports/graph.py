"""Tracks and their parents from a graph of objects and links."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cineseq.errors import UserError
from cineseq.tracking.imports.base import ExternalTracks, parent_links


def tracks_of_graph(nodes: pd.DataFrame, links: np.ndarray, path: Path) -> ExternalTracks:
    """Cut a graph of objects where it splits and merges.

    A link is within a track if it is the only link that leaves its source and the only one that enters its target.
    Any other link leads from a parent track to a daughter track. Tracks are numbered from 1 by first frame, then by the
    names of the objects. An object without a link is a track of one frame.

    Parameters
    ----------
    nodes
        One row per object: ``name`` (unique), ``frame``, and any columns to keep.
    links
        Names of source and target, shape (links, 2).
    path
        Path of the graph, for messages.

    Raises
    ------
    UserError
        When a name occurs twice, or a link names an unknown object or does not lead to a later frame.
    """
    # Links as rows of nodes, shape (links, 2); numbers of links that leave and enter each node, shape (nodes,).
    nodes = nodes.sort_values(["frame", "name"], ignore_index=True)
    ends = _positions(nodes, np.unique(links, axis=0), path)
    source, target = ends.T
    leaving, entering = (np.bincount(end, minlength=len(nodes)) for end in (source, target))
    within = (leaving[source] == 1) & (entering[target] == 1)
    # Tracks are the connected components of the links within tracks.
    graph = coo_array((np.ones(within.sum()), (source[within], target[within])), shape=(len(nodes), len(nodes)))
    number = _by_first(connected_components(graph, directed=False)[1])
    pairs = parent_links(number[target[~within]], number[source[~within]])
    return ExternalTracks(nodes.drop(columns="name").assign(track=number), pairs)


def tracks_of_linked(nodes: pd.DataFrame, links: np.ndarray, path: Path) -> ExternalTracks:
    """Cut a graph as :func:`tracks_of_graph`, for formats where an object without a link is in no track.

    Such objects are left out and counted.
    """
    linked = nodes["name"].isin(links.ravel())
    tracks = tracks_of_graph(nodes[linked], links, path)
    counts = {"objects_without_any_link": int((~linked).sum())}
    others = tuple(nodes.loc[~linked, "frame"].unique().tolist())
    return ExternalTracks(tracks.rows, tracks.parents, counts=counts, other_frames=others)


def forward(nodes: pd.DataFrame, links: np.ndarray) -> np.ndarray:
    """Return links with the earlier object first, for formats whose links have no direction, shape (links, 2)."""
    frame = nodes.drop_duplicates("name").set_index("name")["frame"]
    before, after = (frame.reindex(end).to_numpy() for end in links.T)
    return np.where((before > after)[:, None], links[:, ::-1], links)


def _positions(nodes: pd.DataFrame, links: np.ndarray, path: Path) -> np.ndarray:
    """Return links as rows of nodes, shape (links, 2), checked."""
    if (twice := nodes["name"].duplicated()).any():
        msg = f"{path}: object {nodes['name'][twice.idxmax()]} occurs twice; give every object its own name."
        raise UserError(msg)
    ends = pd.Index(nodes["name"]).get_indexer(links.ravel()).reshape(-1, 2)
    if (lacking := ends < 0).any():
        msg = f"{path}: a link names object {links[lacking][0]}, which is not in the file; save the file again."
        raise UserError(msg)
    frame = nodes["frame"].to_numpy()[ends]
    if (back := frame[:, 0] >= frame[:, 1]).any():
        (source, target), (before, after) = links[back][0], frame[back][0]
        msg = (
            f"{path}: the link from object {source} (frame {before}) to {target} (frame {after}) does not lead to a"
            " later frame; fix it in the tool that made it."
        )
        raise UserError(msg)
    return ends


def _by_first(component: np.ndarray) -> np.ndarray:
    """Renumber components from 1 in the order of their first member."""
    _, first, index = np.unique(component, return_index=True, return_inverse=True)
    return (np.argsort(np.argsort(first)) + 1)[index]
