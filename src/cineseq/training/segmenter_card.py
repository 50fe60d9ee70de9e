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
from cineseq.text import count, number, significant
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
    f"cells of {significant(DIAMETERS_PX[0])} to {significant(DIAMETERS_PX[1])} px in diameter at the image scale",
    "{nuclei.scenes} scenes ({nuclei.epochs} epochs of {nuclei.tiles} tiles, {nuclei.steps} steps, learning rate "
    "{nuclei.learning_rate}), then {touching.scenes} scenes of touching nuclei with as many of the first ones "
    "({touching.epochs} epochs of {touching.tiles} tiles, {touching.steps} steps, {touching.learning_rate}), then "
    "{practice.scenes} new ones of each kind ({practice.epochs} epochs of {practice.tiles} tiles, {practice.steps} "
    "steps, {practice.learning_rate}); the weights are the mean of those before and after that, the latter weighing "
    "{practised}",
    "phase contrast, bright field, very elongated or branched cells; it has never seen any",
    "nuclei of similar brightness that touch along a long side are sometimes merged. Scores on real frames, also "
    "with `segment.cellprob_threshold: 1`, are printed by `benchmarks/bench_segmentation.py`. The touching scenes were "
    "written after looking at stardist_img2d. The share of the mean is the best one on simulated scenes, and was seen "
    "to preserve the score on ctc_sim01. These scores are therefore not wholly blind; no weight was fitted to any real "
    "frame. The last stage was run on its own from the weights before it, in channels-last memory, which rounds "
    "differently.",
)

PHASE = Subject(
    "Compact segmenter of cells in phase contrast and bright field",
    "adherent cells without a label, as a start for training on your own frames (target `train`)",
    "cells of about 30 px in diameter (circle of equal area; drawn from "
    f"{significant(PHASE_DIAMETERS_PX[0])} to {significant(PHASE_DIAMETERS_PX[1])}); set `segment.diameter` to rescale "
    "frames accordingly",
    "starting from the first stage of the nuclear model, {phase.scenes} scenes ({phase.epochs} epochs of {phase.tiles} "
    "tiles, {phase.steps} steps, learning rate {phase.learning_rate})",
    "unchecked use on real cells: simulated phase contrast is far from real; train it on a few frames first",
    "even on simulated frames it misses more cells than it finds. Two real images (1 and 6 of t98g_phase) were viewed "
    "before the simulation was written, so scores on t98g_phase are not wholly blind; no weight was fitted to any.",
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
        f"- file: `{model.name}`, {number(model.stat().st_size / 1e6, 1)} MB, SHA-256 `{sha256(model)}`",
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
        f"| {name} | {count(row.scenes)} | {count(row.hits)} | {count(row.extra)} | {count(row.missed)} | "
        f"{number(row.ap50, 3)} |"
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
