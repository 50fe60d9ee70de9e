"""Scores of a result of tracking against a truth whose masks are labelled by track."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
from traccuracy import TrackingGraph, run_metrics
from traccuracy.matchers._base import Matcher
from traccuracy.metrics import CTCMetrics, DivisionMetrics

from tracking.movies import Truth

logging.getLogger("traccuracy").setLevel(logging.ERROR)

Edge = tuple[int, int, int, int]


@dataclass(frozen=True)
class Result:
    """Tracks that were found.

    Attributes
    ----------
    objects
        ``frame``, ``label`` and ``track`` of every object.
    parents
        ``track`` and ``parent``.
    seconds
        Processor seconds of linking objects that were measured before.
    """

    objects: pd.DataFrame
    parents: pd.DataFrame
    seconds: float


def edges(objects: pd.DataFrame, parents: pd.DataFrame) -> set[Edge]:
    """Return the links (frame, label, frame, label): within tracks, and from a parent to its daughters."""
    ordered = objects.sort_values(["track", "frame"])
    rows = ordered[["frame", "label"]].to_numpy(np.int64)
    same = ordered["track"].to_numpy()[1:] == ordered["track"].to_numpy()[:-1]
    links = np.c_[rows[:-1][same], rows[1:][same]]
    first, last = ordered.groupby("track").first(), ordered.groupby("track").last()
    known = parents[parents["parent"].isin(last.index) & parents["track"].isin(first.index)]
    births = np.c_[
        last.loc[known["parent"], ["frame", "label"]].to_numpy(),
        first.loc[known["track"], ["frame", "label"]].to_numpy(),
    ]
    return {tuple(row) for row in np.r_[links, births].astype(int).tolist()}


def score(result: Result, truth: Truth) -> dict[str, float]:
    """Return every score of a result."""
    # True tracks of the same objects: a label is a track.
    seen = result.objects.assign(track=result.objects["label"])
    born = truth.tracks[truth.tracks["parent"] > 0]
    found, true = edges(result.objects, result.parents), edges(seen, born)
    values = {"edge Jaccard": len(found & true) / len(found | true)}
    values |= _ends(result, seen, born, truth.planes)
    return values | _by_traccuracy(result.objects, true, found)


def reliability(events: pd.DataFrame, truth: Truth, objects: pd.DataFrame) -> dict[str, float]:
    """Return how far the confidence of links is from the share that is right, and of which doubted links are wrong.

    The error is the mean distance of confidence and share over ten bins of confidence, weighted with their links
    (expected calibration error, Naeini et al. 2015). A link is right if the truth has it and the cell did not divide.
    """
    seen = objects.assign(track=objects["label"])
    born = truth.tracks[truth.tracks["parent"] > 0]
    true = edges(seen, born)
    dividing = {key for key, count in Counter(edge[:2] for edge in true).items() if count > 1}
    links = events[events["kind"] == "link"]
    keys = links[["frame", "label", "next_frame", "next_label"]].astype(int).itertuples(index=False, name=None)
    right = np.array([key in true and key[:2] not in dividing for key in keys])
    confidence = links["confidence"].to_numpy()
    if not len(links):
        return {"reliability error": np.nan, "doubted links that are wrong": np.nan}
    bins = np.minimum((10 * confidence).astype(int), 9)
    apart = np.abs(np.bincount(bins, confidence, 10) - np.bincount(bins, right, 10)).sum() / len(links)
    doubted = confidence < 0.5
    wrong = float((~right[doubted]).mean()) if doubted.any() else np.nan
    return {"reliability error": float(apart), "doubted links that are wrong": wrong}


class _Same(Matcher):
    """Match every object with itself: the masks that are tracked are those of the truth."""

    _matching_type = "one-to-one"

    def _compute_mapping(self, gt_graph: TrackingGraph, _: TrackingGraph) -> list[tuple[int, int]]:
        return [(node, node) for node in gt_graph.nodes]


def _by_traccuracy(objects: pd.DataFrame, true: set[Edge], found: set[Edge]) -> dict[str, float]:
    """Return LNK, TRA and the scores of divisions with a tolerance of one frame."""
    places = zip(objects["frame"].tolist(), objects["label"].tolist(), strict=True)
    node = {place: index for index, place in enumerate(places)}
    graphs = []
    for links in (true, found):
        graph = nx.DiGraph()
        graph.add_nodes_from((index, {"t": frame, "segmentation_id": label}) for (frame, label), index in node.items())
        graph.add_edges_from((node[edge[:2]], node[edge[2:]]) for edge in sorted(links))
        graphs.append(graph)
    values: dict[str, Any] = {}
    with warnings.catch_warnings(), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        # traccuracy annotates graphs, so that each metric gets its own.
        for metric in (CTCMetrics(), DivisionMetrics(max_frame_buffer=1)):
            gt, pred = (TrackingGraph(graph.copy()) for graph in graphs)
            values |= run_metrics(gt_data=gt, pred_data=pred, matcher=_Same(), metrics=[metric])[0][0]["results"]
    divided = values["Frame Buffer 1"]
    precision, recall = float(divided["Division Precision"]), float(divided["Division Recall"])
    scores = {"LNK": float(values["LNK"]), "TRA": float(values["TRA"]), "division F1": float(divided["Division F1"])}
    return scores | {"division precision": precision, "division recall": recall, "false divisions": 1 - precision}


def _ends(result: Result, seen: pd.DataFrame, born: pd.DataFrame, planes: list[np.ndarray]) -> dict[str, float]:
    """Return precision, recall and F1 of ends in the layer; an end is found in its frame or the one before or after."""
    true = dict(map(reversed, _ends_inside(seen, born, planes)))
    hits, called = set(), _ends_inside(result.objects, result.parents, planes)
    for frame, label in called:
        if label in true and abs(true[label] - frame) <= 1:
            hits.add(label)
    if not true:
        return {"true ends": 0.0}
    precision = len(hits) / len(called) if called else np.nan
    return {
        "true ends": float(len(true)),
        "ends precision": precision,
        "ends recall": len(hits) / len(true),
        "ends F1": 2 * len(hits) / (len(called) + len(true)),
    }


def _ends_inside(objects: pd.DataFrame, parents: pd.DataFrame, planes: list[np.ndarray]) -> list[tuple[int, int]]:
    """Return frame and label at the end of tracks without daughters, before the last frame and not at the border."""
    last = objects.sort_values("frame").groupby("track")[["frame", "label"]].last()
    last = last[(last["frame"] < len(planes) - 1) & ~last.index.isin(parents["parent"])]
    border = [set(np.unique(np.r_[p[0], p[-1], p[:, 0], p[:, -1]]).tolist()) for p in planes]
    ends = zip(last["frame"].tolist(), last["label"].tolist(), strict=True)
    return [(frame, label) for frame, label in ends if label not in border[frame]]


def partial_truth(data: Path, found: set[Edge]) -> dict[str, float]:
    """Score HeLa links and divisions against the public part of the manual truth."""
    wanted, births = _partial(data)
    hits = sum(bool(birth) and birth <= found for birth in births)
    return {"true edges": len(wanted & found) / len(wanted), "true divisions": hits / len(births)}


def _partial(data: Path) -> tuple[set[Edge], list[set[Edge]]]:
    markers = pd.read_csv(data / "hela/partial_gt_markers.csv")
    markers = markers[markers["res"] > 0]
    label = {(t, i): r for t, i, r in zip(markers["t"], markers["id"], markers["res"], strict=True)}
    wanted = {(t, r, t + 1, label[t + 1, i]) for (t, i), r in label.items() if (t + 1, i) in label}
    divisions = pd.read_csv(data / "hela/partial_gt_divisions.csv")
    return wanted, list(_births(divisions, label))


def _births(divisions: pd.DataFrame, label: dict[tuple[int, int], int]) -> Iterator[set[Edge]]:
    for mother, t, *daughters in divisions.itertuples(index=False):
        keys = [(t, mother), *((t + 1, d) for d in daughters)]
        known = all(key in label for key in keys)
        yield {(t, label[keys[0]], t + 1, label[key]) for key in keys[1:]} if known else set()
