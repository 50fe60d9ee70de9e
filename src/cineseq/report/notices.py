"""Notices that a reader must see before any number on the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from cineseq.config.imaging import Channels, Inputs
from cineseq.config.pairing import Cells
from cineseq.features.scaling import divisor
from cineseq.report.false_divisions import divisions_found, doubt_of_lineages, warning_of
from cineseq.text import count, listed, percent

STEP_WORDS = {"segment": "segmentation", "morphology": "morphology", "embed": "the image embedding"}
PICTURES = "pictures"
"""The step that shows crops of cells, from which nothing is predicted."""
Level = Literal["serious", "warning", "info"]
ORDER: tuple[Level, ...] = ("serious", "warning", "info")
NOT_MEASURED = ": not measured, "
ALL = "all"
"""Name of the sample in warnings of the whole study."""
MOSTLY_LOST = 0.5
FEWEST_TRACKS = 10
"""With fewer tracks, the fraction of lost ones is not judged."""


@dataclass(frozen=True)
class Notice:
    """One sentence with its level."""

    level: Level
    text: str


def all_notices(
    *,
    simulated: bool,
    channels: Channels,
    inputs: Inputs,
    cells: Cells,
    pixel_sizes: set[float | None],
    models: list[dict[str, Any]],
    warnings: pd.DataFrame | None,
    quality: pd.DataFrame,
    false_divisions: int = 0,
    of_steps: Iterable[tuple[str, str]] = (),
) -> list[Notice]:
    """Gather the notices of a run, the most serious first.

    Parameters
    ----------
    simulated
        Whether the movies are simulated.
    channels
        Which channels measure function, and which steps may use them.
    inputs
        How movies were corrected.
    cells
        How fluorescence was made comparable between samples.
    pixel_sizes
        Micrometres per pixel of the fields; None where unknown. Empty where there are no images.
    models
        Models with name, SHA-256, note and the steps that used them.
    warnings
        The warnings of the sister analysis; None where it was not run.
    quality
        One row per field with the columns of :func:`cineseq.report.quality.field_numbers`; empty without images.
    false_divisions
        Divisions of all fields that may be false.
    of_steps
        Level and text of the notices that the steps themselves wrote in their reports.
    """
    notices = _data_notices(simulated, models)
    if pixel_sizes:
        notices += _image_notices(channels, inputs, cells, pixel_sizes) + _track_notices(quality)
        notices += _division_notices(false_divisions, divisions_found(quality))
    if warnings is not None:
        notices += _sister_notices(warnings)
    notices += [Notice(level if level in ORDER else "warning", text) for level, text in of_steps]
    return sorted(dict.fromkeys(notices), key=lambda notice: ORDER.index(notice.level))


def _sister_notices(warnings: pd.DataFrame) -> list[Notice]:
    """Return one notice per message, with its samples and the cells concerned; what was not measured is one notice."""
    notices = []
    unmeasured: dict[tuple[Level, str], list[str]] = {}
    for (level, message), rows in warnings.groupby(["severity", "message"], sort=False):
        what, _, reason = message.partition(NOT_MEASURED)
        if reason and set(rows["sample"]) == {ALL}:
            unmeasured.setdefault((level, reason.rstrip(".")), []).append(what)
            continue
        concerned = rows["cells"].fillna(0).astype(int)
        of_samples = zip(rows["sample"], concerned, strict=True)
        named = [f"{sample} ({count(cells, 'cell')})" if cells else sample for sample, cells in of_samples]
        notices.append(Notice(level, f"Sisters, {listed(named)}: {message}"))
    for (level, reason), what in unmeasured.items():
        text = f"Sisters, all: {what[0]}{NOT_MEASURED}{reason}."
        if len(what) > 1:
            text = f"Sisters, not measured because {reason}: {'; '.join(map(_lower_first, what))}."
        notices.append(Notice(level, text))
    return notices


def _lower_first(text: str) -> str:
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def _data_notices(simulated: bool, models: list[dict[str, Any]]) -> list[Notice]:  # noqa: FBT001
    notices = []
    if simulated:
        text = "The data of this run are simulated: they show that the pipeline works and say nothing about real cells."
        notices.append(Notice("warning", text))
    for model in models:
        used = listed([STEP_WORDS.get(step, step) for step in model.get("steps", [])])
        name, note = f"{model.get('name')}, used for {used},", str(model.get("note") or "").rstrip(".")
        if "untrained" in f"{name} {note}".lower():
            text = f"The model {name} has untrained (random) weights; no result that uses it can be interpreted."
            notices.append(Notice("serious", text))
        elif "simulated" in note.lower():
            text = f"The model {name} is a small model for demonstration: {note}. Use a full model for real cells."
            notices.append(Notice("info" if simulated else "warning", text))
    return notices


def _track_notices(quality: pd.DataFrame) -> list[Notice]:
    if quality.empty:
        return []
    lost = quality.loc[quality["tracks"] >= FEWEST_TRACKS, "lost_share"].astype(float).dropna()
    often = int((lost > MOSTLY_LOST).sum())
    if not often:
        return []
    text = (
        f"In {count(often)} of {count(len(lost), 'field')} more than half of the tracks that ended before the movie "
        f"were lost, up to {percent(lost.max(), 0)}. Lineages, divisions and deaths of these fields are incomplete. "
        "Before you use them, look at the least certain events, and check whether frames are too far apart or cells "
        "are missed."
    )
    return [Notice("serious" if often > len(lost) / 2 else "warning", text)]


def _division_notices(false: int, found: int) -> list[Notice]:
    found_notices = (Notice("serious", doubt_of_lineages(false, found)), Notice("warning", warning_of(false, found)))
    return [notice for notice in found_notices if notice.text]


def _image_notices(channels: Channels, inputs: Inputs, cells: Cells, pixel_sizes: set[float | None]) -> list[Notice]:
    notices = []
    measuring = [step for step in channels.allow_function_in if step != PICTURES]
    if channels.function and measuring:
        where = listed([STEP_WORDS[step] for step in measuring])
        text = (
            f"The function channel ({listed(channels.function)}) was allowed in {where}: images then contain function, "
            "and predict it partly from itself."
        )
        notices.append(Notice("serious", text))
    elif channels.function:
        text = f"The function channel ({listed(channels.function)}) was not used for masks, morphology or embeddings."
        if PICTURES in channels.allow_function_in:
            text = f"{text} It is in the crops of single cells that the generative step shows."
        notices.append(Notice("info", text))
    if None in pixel_sizes:
        text = "The pixel size of some or all images is unknown: sizes are in pixels (columns whose names end in _px)."
        notices.append(Notice("warning", text))
    corrections = ["divided by an illumination profile"] if inputs.flat_field == "estimate" else []
    corrections += ["corrected for drift"] if inputs.drift == "translation" else []
    if corrections:
        notices.append(Notice("info", f"Before any measurement, frames were {listed(corrections)}."))
    if channels.function:
        scaled = f"Fluorescence was divided by {divisor(cells)}."
        if cells.scaling == "none":
            scaled = (
                "Fluorescence was not rescaled between samples: samples may differ by staining or illumination only."
            )
        notices.append(Notice("info", scaled))
    return notices
