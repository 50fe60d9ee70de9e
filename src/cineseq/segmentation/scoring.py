"""How well a model segments scenes whose outlines are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from cellpose.metrics import average_precision

from cineseq.config.segment import Segment
from cineseq.segmentation.adapter import load_model, segment_frame
from cineseq.segmentation.training_images import Scene

SIZE_CLASSES_PX = (0, 12, 20, 35, 100)


def matches(truth: np.ndarray, found: np.ndarray, threshold: float = 0.5) -> tuple[int, int, int]:
    """Return true positives, false positives and false negatives of one image at an overlap (IoU) of ``threshold``."""
    _, hits, extra, missed = average_precision([truth], [found], threshold=[threshold])
    return int(hits[0, 0]), int(extra[0, 0]), int(missed[0, 0])


def precision_at_half(truths: list[np.ndarray], founds: list[np.ndarray]) -> float:
    """Return AP@.5 pooled over images: TP / (TP + FP + FN) at an IoU of 0.5; NaN where there is no object at all."""
    hits, extra, missed = np.sum([matches(t, f) for t, f in zip(truths, founds, strict=True)], axis=0)
    total = hits + extra + missed
    return float(hits / total) if total else float("nan")


def score_by_size(model: Path, scenes: list[Scene]) -> pd.DataFrame:
    """Segment scenes with the default settings and return AP@.5 by the median diameter of the cells in a scene."""
    settings = Segment(model=str(model))
    network = load_model(settings, model)
    rows = []
    for scene in scenes:
        found = segment_frame(network, scene.image[None], settings, None)
        areas = np.bincount(scene.labels.ravel())[1:]
        diameter = 2 * np.sqrt(np.median(areas) / np.pi) if len(areas) else np.nan
        rows.append((diameter, *matches(scene.labels, found)))
    scores = pd.DataFrame(rows, columns=["diameter_px", "hits", "extra", "missed"])
    classes = pd.cut(scores["diameter_px"], SIZE_CLASSES_PX)
    sums = scores.groupby(classes, observed=True)[["hits", "extra", "missed"]].sum()
    sums.insert(0, "scenes", scores.groupby(classes, observed=True).size())
    sums.loc["all"] = [len(scores), *scores[["hits", "extra", "missed"]].sum()]
    sums["ap50"] = sums["hits"] / sums[["hits", "extra", "missed"]].sum(axis=1)
    return sums
