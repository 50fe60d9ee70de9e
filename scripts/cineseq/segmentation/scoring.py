"""How well a model segments scenes whose outlines are known, and the card that says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from cellpose.metrics import average_precision

from cineseq.config.base import Section
from cineseq.config.segment import Segment
from cineseq.files import sha256
from cineseq.segmentation.adapter import load_model, segment_frame
from cineseq.segmentation.training import BATCH, LEARNING_RATE, TILE_PX
from cineseq.segmentation.training_images import DIAMETERS_PX, Scene

SIZE_CLASSES_PX = (0, 12, 20, 35, 100)


def matches(truth: np.ndarray, found: np.ndarray, threshold: float = 0.5) -> tuple[int, int, int]:
    """Return true positives, false positives and false negatives of one image at an overlap (IoU) of ``threshold``."""
    _, hits, extra, missed = average_precision([truth], [found], threshold=[threshold])
    return int(hits[0, 0]), int(extra[0, 0]), int(missed[0, 0])


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


def write_card(model: Path, settings: Section, scores: pd.DataFrame) -> str:
    """Return the card of a compact model as Markdown."""
    lines = [
        "# Compact segmenter",
        "",
        "A five-level U-Net (0.52 million parameters) for fluorescent nuclei and other bright, blob-like cells. It "
        "predicts cellpose's flows and runs through `CellposeModel.eval`; code in "
        "`scripts/cineseq/segmentation/compact.py`.",
        "",
        f"- file: `{model.name}`, {model.stat().st_size / 1e6:.1f} MB, SHA-256 `{sha256(model)}`",
        f"- input: one channel, cells of {DIAMETERS_PX[0]:g} to {DIAMETERS_PX[1]:g} px in diameter at the image's own "
        "scale",
        f"- data: {settings.scenes} simulated images (`training_images.py`), no real image; drawn with seed "
        f"{settings.seed}",
        f"- training: `python scripts/train_segmenter.py`; cellpose's `train_seg` and loss, AdamW, learning rate "
        f"{LEARNING_RATE:g}, {settings.epochs} epochs of {settings.images_per_epoch} tiles of {TILE_PX} px in batches "
        f"of {BATCH}, one thread of a CPU",
        "- licence: BSD-3-Clause, as this repository",
        "- not for: phase contrast, bright field, very elongated or branched cells; it has never seen any",
        "",
        f"Scores on {int(scores.loc['all', 'scenes'])} simulated images that it has not seen, with the default "
        "settings (overlap, IoU, of at least 0.5; AP = hits / (hits + extra + missed)):",
        "",
        "| median diameter, px | images | hits | extra | missed | AP@.5 |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {row.scenes:.0f} | {row.hits:.0f} | {row.extra:.0f} | {row.missed:.0f} | {row.ap50:.3f} |"
        for name, row in zip(scores.index, scores.itertuples(index=False), strict=True)
    ]
    return "\n".join(lines) + "\n"
