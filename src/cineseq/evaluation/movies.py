"""Scores of segmentation, tracking, divisions and deaths over all fields, against simulated movies."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from cineseq.evaluation.analyses import Row, harmonic, ratio, row
from cineseq.evaluation.tracking import score_ctc, score_deaths
from cineseq.io.stacks import Labels, open_labels
from cineseq.progress import progress
from cineseq.segmentation.scoring import MaskCounts, count_movie, matched
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import DETECTIONS, TRACKS
from cineseq.text import count
from cineseq.tracking.export import write_ctc


def true_track_of(masks: Labels, true: Labels, detections: pd.DataFrame) -> pd.DataFrame:
    """Match the tracks of one field to true tracks.

    Each track is matched in its last frame. It has no match if its mask there overlaps no true mask by half.

    Parameters
    ----------
    masks, true
        Masks of the run, and true masks, whose labels are the numbers of true tracks.
    detections
        Detections of the field (contract DETECTIONS).

    Returns
    -------
    pandas.DataFrame
        One row per matched track: ``track_id`` and ``true_number``.
    """
    last = detections.sort_values("frame").groupby("track_id", as_index=False).last()
    partners = [
        matched(true[int(frame)], masks[int(frame)]).assign(frame=frame) for frame in sorted(last["frame"].unique())
    ]
    empty = pd.DataFrame({"true": [], "found": [], "iou": [], "frame": []}, dtype=float)
    pairs = pd.concat(partners) if partners else empty
    joined = last.merge(pairs, left_on=["frame", "label"], right_on=["frame", "found"])
    return joined[["track_id", "true"]].rename(columns={"true": "true_number"}).astype({"true_number": int})


DEATH_TOLERANCE_FRAMES = 5
"""Tolerance for the time of a death in frames; a simulated dead cell stays visible as long."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FieldResult:
    """Masks, tables and export of one field of a run, with its true masks and tracks."""

    labels: Path
    true_masks: Path
    ctc: Path
    detections: pd.DataFrame
    tracks: pd.DataFrame
    true_tracks: pd.DataFrame


@dataclass(frozen=True)
class FieldScore:
    """Scores of one field: masks, tracking, and the true track of each track."""

    masks: MaskCounts
    tracking: dict[str, float]
    true_track: pd.Series
    cell_width_px: float


def read_fields(
    labels: list[Path],
    detections: list[Path],
    tracks: list[Path],
    *,
    ctc: list[Path],
    true_masks: list[Path],
    true_tracks: pd.DataFrame,
) -> list[FieldResult]:
    """Read the results of each field; all lists have the same order, in folders ``<sample>/<fov>``."""
    fields = []
    for files in zip(labels, detections, tracks, ctc, true_masks, strict=True):
        sample, fov = files[0].parts[-3:-1]
        here = true_tracks[(true_tracks["sample"] == sample) & (true_tracks["fov"] == fov)].reset_index(drop=True)
        tables = read_table(files[1], DETECTIONS), read_table(files[2], TRACKS)
        fields.append(FieldResult(files[0], files[4], files[3], *tables, here))
    return fields


def score_field(field: FieldResult) -> FieldScore:
    """Score one field of view against the simulated truth."""
    with open_labels(field.labels) as masks, open_labels(field.true_masks) as true:
        counts = count_movie(_frames(true), _frames(masks))
        partners = true_track_of(masks, true, field.detections)
        truth = true_detections(true, field.true_tracks)
        with tempfile.TemporaryDirectory() as folder:
            write_ctc(true, truth, field.true_tracks, Path(folder) / "truth")
            tracking = score_ctc(field.ctc, Path(folder) / "truth")
    names = field.true_tracks.set_index("number")["track_id"]
    true_track = partners.set_index("track_id")["true_number"].map(names)
    area = float(truth["area_px"].median()) if len(truth) else np.nan
    return FieldScore(counts, tracking, true_track, float(np.sqrt(area)))


def _frames(labels: Labels) -> Iterable[np.ndarray]:
    return (labels[frame] for frame in range(len(labels)))


def true_detections(true: Labels, tracks: pd.DataFrame) -> pd.DataFrame:
    """Return the true track of each true mask: ``frame``, ``label``, ``track_id`` and ``area_px``."""
    planes = []
    for frame in range(len(true)):
        numbers, areas = np.unique(true[frame], return_counts=True)
        planes.append(pd.DataFrame({"frame": frame, "label": numbers, "area_px": areas})[numbers > 0])
    table = pd.concat(planes, ignore_index=True)
    names = tracks.set_index("number")["track_id"]
    return table[table["label"].isin(names.index)].assign(track_id=lambda t: t["label"].map(names))


def score_fields(fields: list[FieldResult], threads: int = 1) -> tuple[list[Row], pd.Series]:
    """Score all fields.

    Parameters
    ----------
    fields
        The fields of the run.
    threads
        Number of worker processes.

    Returns
    -------
    rows
        Average precision over all masks; mean TRA, LNK and DET over fields; precision, recall and F1 of divisions
        and deaths over all fields.
    true_track
        True track of each track that has one, by ``track_id``.
    """
    parallel = Parallel(n_jobs=threads, return_as="generator")(delayed(score_field)(field) for field in fields)
    scores = list(progress(parallel, f"Scoring {count(len(fields), 'field')}", logger))
    masks = sum((s.masks for s in scores), MaskCounts())
    wrong = f"{count(masks.false)} false, {count(masks.missed)} missed"
    note = f"{count(masks.hits, 'right mask')}, {wrong}, at an overlap of one half"
    rows = [row("segmentation", "average_precision_50", masks.average_precision, planted=1, note=note)]
    for name in ("TRA", "DET", "LNK"):
        values = np.array([s.tracking[name] for s in scores])
        spread = {"low": float(values.min()), "high": float(values.max())} if len(values) else {}
        note = f"mean, lowest and highest of {count(len(values), 'field')}"
        rows.append(row("tracking", name, float(np.mean(values)), planted=1, note=note, **spread))
    rows += _division_rows(scores) + _death_rows(fields, scores)
    return rows, pd.concat([s.true_track for s in scores])


def _division_rows(scores: list[FieldScore]) -> list[Row]:
    """Pool divisions over fields.

    True positives are recall times true divisions; predicted divisions are true positives over precision. Arrays have
    shape (fields,).
    """
    true = np.array([s.tracking["true_divisions"] for s in scores])
    recall = np.nan_to_num(np.array([s.tracking["division_recall"] for s in scores]))
    precision = np.array([s.tracking["division_precision"] for s in scores])
    hits = recall * true
    predicted = np.divide(hits, precision, out=np.zeros_like(hits), where=precision > 0).sum()
    both = ratio(hits.sum(), predicted), ratio(hits.sum(), true.sum())
    return _three_rows("division", *both, f"{count(true.sum(), 'true division')}, one frame of tolerance")


def _death_rows(fields: list[FieldResult], scores: list[FieldScore]) -> list[Row]:
    predicted = pd.concat([_deaths(f.tracks) for f in fields], ignore_index=True)
    true = pd.concat([_deaths(f.true_tracks) for f in fields], ignore_index=True)
    width = float(np.nanmedian([s.cell_width_px for s in scores]))
    score = score_deaths(predicted, true, tolerance_frames=DEATH_TOLERANCE_FRAMES, distance_px=2 * width)
    called = f"{count(len(true), 'true death')}, {count(len(predicted))} called"
    note = f"{called}; within {DEATH_TOLERANCE_FRAMES} frames and two cell widths"
    return _three_rows("death", score["precision"], score["recall"], note)


def _deaths(tracks: pd.DataFrame) -> pd.DataFrame:
    dead = tracks[tracks["end_kind"] == "death"].dropna(subset=["end_y_px", "end_x_px"])
    columns = {"end_frame": "frame", "end_y_px": "y_px", "end_x_px": "x_px"}
    return dead[["sample", "fov", *columns]].rename(columns=columns)


def _three_rows(what: str, precision: float, recall: float, note: str) -> list[Row]:
    values = {"precision": precision, "recall": recall, "F1": harmonic(precision, recall)}
    return [row("tracking", f"{what}_{name}", value, planted=1, note=note) for name, value in values.items()]
