"""Write the model cards of the shipped segmentation models."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cineseq.config.base import Section
from cineseq.config.imaging import Segment
from cineseq.files import sha256
from cineseq.segmentation.annotated import AnnotatedImage
from cineseq.segmentation.cellpose import load_model, segment_frame
from cineseq.segmentation.compact import DIAMETERS_PX
from cineseq.segmentation.scoring import count_masks
from cineseq.segmentation.training import Schedule
from cineseq.training.phase_images import PHASE_DIAMETERS_PX


@dataclass(frozen=True)
class Subject:
    """Purpose and limits of a shipped model, and a description of its training with placeholders for settings."""

    title: str
    purpose: str
    scale: str
    data: str
    not_for: str
    known: str


NUCLEI = Subject(
    "Compact segmenter of nuclei",
    "fluorescent nuclei and other bright, blob-like cells",
    f"cells of {DIAMETERS_PX[0]:g} to {DIAMETERS_PX[1]:g} px in diameter at the image's own scale",
    "{nuclei.scenes} scenes ({nuclei.epochs} epochs of {nuclei.tiles} tiles, {nuclei.steps:,} steps, learning rate "
    "{nuclei.learning_rate:g}), then {touching.scenes} scenes of touching nuclei with as many of the first ones "
    "({touching.epochs} epochs of {touching.tiles} tiles, {touching.steps:,} steps, {touching.learning_rate:g}), then "
    "{practice.scenes} new ones of each kind ({practice.epochs} epochs of {practice.tiles} tiles, {practice.steps:,} "
    "steps, {practice.learning_rate:g}); the weights are the mean of those before and after that, the latter weighing "
    "{practised:g}",
    "phase contrast, bright field, very elongated or branched cells; it has never seen any",
    "nuclei of like brightness that touch along a long side are sometimes found as one. Scores on real frames, also "
    "with `segment.cellprob_threshold: 1`, are printed by `benchmarks/bench_segmentation.py`. The touching scenes were "
    "written after looking at stardist_img2d, and the share of the mean was seen to keep ctc_sim01 beside being the "
    "best on simulated scenes, so that these scores are not wholly blind; no weight was fitted to any real frame. "
    "The last stage was run by itself from the weights before it, in channels-last memory, which rounds differently.",
)

PHASE = Subject(
    "Compact segmenter of cells in phase contrast and bright field",
    "adherent cells without a label, as a start for training on your own frames (target `train`)",
    "cells of about 30 px in diameter (circle of equal area; drawn from "
    f"{PHASE_DIAMETERS_PX[0]:g} to {PHASE_DIAMETERS_PX[1]:g}); give `segment.diameter`, and frames are brought to it",
    "from the nuclear model's first stage on, {phase.scenes} scenes ({phase.epochs} epochs of {phase.tiles} tiles, "
    "{phase.steps:,} steps, learning rate {phase.learning_rate:g})",
    "use on real cells without looking: simulated phase contrast is far from real; train it on a few frames first",
    "even on simulated frames it misses more cells than it finds. Two real images (1 and 6 of t98g_phase) were looked "
    "at before the simulation was written, so that scores on t98g_phase are not wholly blind; no weight was fitted to "
    "any.",
)

COLUMNS = ("median diameter, px", "images", "hits", "extra", "missed", "AP@.5")


def write_card(subject: Subject, model: Path, settings: Section, scores: pd.DataFrame) -> str:
    """Return the model card of a shipped model as Markdown."""
    values: dict[str, Any] = {name: getattr(settings, name) for name in type(settings).model_fields}
    described = subject.data.format(**values)
    lines = [
        f"# {subject.title}",
        "",
        f"A five-level U-Net (0.52 million parameters) for {subject.purpose}. It predicts cellpose's flows and runs "
        "through `CellposeModel.eval`; code in `src/cineseq/segmentation/compact.py`.",
        "",
        f"- file: `{model.name}`, {model.stat().st_size / 1e6:.1f} MB, SHA-256 `{sha256(model)}`",
        f"- input: one channel, {subject.scale}",
        f"- data: simulated images only, seed {values['seed']}: {described}",
        "- training: `python tools/train_segmenter.py`; cellpose's `train_seg` and loss, AdamW, tiles of "
        f"{Schedule.tile_px} px in batches of {Schedule.batch}, one thread of a CPU",
        "- licence: BSD-3-Clause, as this repository",
        f"- not for: {subject.not_for}",
        f"- known: {subject.known}",
        "",
        f"Scores on {int(scores.loc['all', 'scenes'])} simulated images that it has not seen, with the default "
        "settings (overlap, IoU, above 0.5; AP = hits / (hits + extra + missed)):",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
    ]
    lines += [
        f"| {name} | {row.scenes:.0f} | {row.hits:.0f} | {row.extra:.0f} | {row.missed:.0f} | {row.ap50:.3f} |"
        for name, row in zip(scores.index, scores.itertuples(index=False), strict=True)
    ]
    return "\n".join(lines) + "\n"


SIZE_CLASSES_PX = (0, 12, 20, 35, 100)


def score_by_size(model: Path, scenes: list[AnnotatedImage]) -> pd.DataFrame:
    """Segment images with default settings and return AP@.5 by the median diameter of the cells of an image."""
    settings = Segment(model=str(model))
    network = load_model(settings, model)
    rows = []
    for scene in scenes:
        found = segment_frame(network, scene.image[None], settings, None)
        areas = np.bincount(scene.labels.ravel())[1:]
        diameter = 2 * np.sqrt(np.median(areas) / np.pi) if len(areas) else np.nan
        rows.append((diameter, *astuple(count_masks(scene.labels, found))))
    scores = pd.DataFrame(rows, columns=["diameter_px", "hits", "extra", "missed"])
    classes = pd.cut(scores["diameter_px"], SIZE_CLASSES_PX)
    sums = scores.groupby(classes, observed=True)[["hits", "extra", "missed"]].sum()
    sums.insert(0, "scenes", scores.groupby(classes, observed=True).size())
    sums.loc["all"] = [len(scores), *scores[["hits", "extra", "missed"]].sum()]
    sums["ap50"] = sums["hits"] / sums[["hits", "extra", "missed"]].sum(axis=1)
    return sums
