"""Fine-tune a model on a user's annotated frames, score it on held-out frames, and write its model card."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cineseq.config.imaging import Segment, Train
from cineseq.files import sha256
from cineseq.segmentation.annotated import Frame, zoomed
from cineseq.segmentation.cellpose import (
    CELLPOSE_DIAMETER,
    CELLPOSE_TILE,
    SegmentationModel,
    read_network,
    segment_frame,
)
from cineseq.segmentation.scoring import count_movie
from cineseq.segmentation.training import Schedule, fit
from cineseq.text import count, number

logger = logging.getLogger(__name__)

COMPACT_RATE = 2e-3
CPSAM_RATE, CPSAM_DECAY = 1e-5, 0.1
"""Settings that cellpose recommends for its own model."""


@dataclass(frozen=True)
class HeldOutScore:
    """AP@.5 on held-out frames before and after training, None without held-out frames; with a note on the frames."""

    before: float | None
    after: float | None
    note: str


def fine_tune(model: SegmentationModel, frames: list[Frame], diameter: float, settings: Train) -> dict:
    """Fine-tune a model on annotated frames and return its weights; the loaded model is not changed.

    Training starts from the file, because the loaded model may be in bfloat16 and cellpose trains in float32. Frames
    for the compact models are rescaled to 30 px per cell, and the weights state the original diameter for later use.
    Cellpose-SAM is trained on frames at their own scale.
    """
    torch.manual_seed(settings.seed)
    net = read_network(model.path, model.cellpose.device).train()
    if not model.is_compact:
        rate = settings.learning_rate or CPSAM_RATE
        schedule = Schedule(settings.epochs, settings.tiles, rate, CPSAM_DECAY, CELLPOSE_TILE, batch=1)
        return fit(net, [f.annotated for f in frames], schedule)
    schedule = Schedule(settings.epochs, settings.tiles, settings.learning_rate or COMPACT_RATE)
    weights = fit(net, [zoomed(f.annotated, CELLPOSE_DIAMETER / diameter) for f in frames], schedule)
    weights["diam_labels"] = torch.tensor([diameter])
    return weights


def score(model: SegmentationModel, frames: list[Frame], diameter: float) -> float | None:
    """Return AP@.5 over frames with default thresholds and this diameter; None without frames."""
    if not frames:
        return None
    settings = Segment(model=model.name, diameter=diameter if model.is_compact else None, min_area=0)
    found = [segment_frame(model, f.annotated.image[None], settings, None) for f in frames]
    return count_movie([f.annotated.labels for f in frames], found).average_precision


def held_out_note(frames: list[Frame], held: list[Frame]) -> str:
    """Return a phrase that describes the held-out frames, or why there is no score."""
    if held:
        cells = sum(int(f.annotated.labels.max()) for f in held)
        groups = len({f.group for f in held})
        return f"{count(cells, 'cell')} in {count(len(held), 'held-out frame')} of {count(groups, 'unseen group')}"
    one = len({f.group for f in frames}) == 1
    return "not estimable: " + ("a single group, so that nothing could be held out" if one else "train.held_out is 0")


def write_card(
    path: Path, start: SegmentationModel, parts: tuple[list[Frame], list[Frame]], settings: Train, scored: HeldOutScore
) -> str:
    """Return the model card of a model trained on a user's frames, as Markdown."""
    frames, held = parts
    steps = settings.epochs * int(np.ceil(settings.tiles / (Schedule.batch if start.is_compact else 1)))
    lines = [
        f"# {path.stem}",
        "",
        f"- file: `{path.name}`, {number(path.stat().st_size / 1e6, 1)} MB, SHA-256 `{sha256(path)}`",
        f"- trained from: {start.name}, SHA-256 `{start.sha256}`. {start.note}",
        f"- training: cellpose's `train_seg`, {settings.epochs} epochs of {settings.tiles} tiles ({steps} steps), seed "
        f"{settings.seed}",
        f"- score, AP@.5: {_figure(scored.after)}; before training {_figure(scored.before)} ({scored.note})",
        "",
        "| part | image | SHA-256 of image | SHA-256 of mask | cells | group |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {part} | {f.image.name} | `{sha256(f.image)[:16]}` | `{sha256(f.mask)[:16]}` | "
        f"{f.annotated.labels.max()} | {f.group if f.group != str(f.image) else '-'} |"
        for part, rows in (("trained on", frames), ("held out", held))
        for f in rows
    ]
    return "\n".join(lines) + "\n"


def _figure(value: float | None) -> str:
    return number(value, 3)
