"""The reports of steps, and one summary per step over all fields."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cineseq.errors import reading

STEPS = {
    "prepare_movie": "Movies read and corrected",
    "import_masks": "Masks read",
    "compare_fields": "Recordings of all fields compared",
    "segment": "Cells segmented",
    "track": "Cells tracked",
    "track_points": "Points tracked",
    "import_tracks": "Tracks read",
    "import_point_tracks": "Point tracks read",
    "morphology": "Shape, intensity and texture",
    "embed": "Image embedding",
    "score_function": "Function scored",
    "list_fields": "Fields of view processed",
    "collect_cells": "Cells collected",
    "import_cells": "Cells read",
    "import_paired": "Paired data read",
    "import_lineage": "Lineages read",
    "match_barcodes": "Barcodes matched",
    "pair": "Cells paired with counts",
    "cluster": "Clusters",
    "differential_expression": "Differential expression",
    "predict": "Prediction of function",
    "explain_modalities": "Variance between modalities",
    "generate": "Each modality generated from the other",
    "describe_fates": "Fates described",
    "compare_sisters": "Sisters compared",
    "compare_sisters_before_death": "Sisters compared before a death",
    "compare_sister_genes": "Genes of sisters compared",
    "score_truth": "Compared with the truth",
}
"""Steps in the order of the pipeline, with their titles on the page."""


@dataclass(frozen=True)
class StepReport:
    """The report of one step on one field of view, or on the whole study (``field`` is then empty)."""

    step: str
    field: str
    lines: tuple[str, ...]
    numbers: dict[str, Any]
    model: dict[str, Any] | None
    series: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    notices: tuple[tuple[str, str], ...] = ()
    """Level and text of what a reader must see before any number."""


@dataclass(frozen=True)
class StepSummary:
    """One step over all fields.

    Attributes
    ----------
    step, title
        Name and title of the step.
    fields
        Number of fields of view of the step; 0 for a step on the whole study.
    lines
        Sentences that are the same for all fields (or of the study).
    field_lines
        Other sentences, by field.
    numbers
        Median, lowest and highest value of each number over the fields; one row per number.
    """

    step: str
    title: str
    fields: int
    lines: tuple[str, ...]
    field_lines: dict[str, tuple[str, ...]]
    numbers: pd.DataFrame


NOTE = re.compile(r"^(.*) \(([^()]{30,})\)\.$")
"""A sentence that ends with a remark in brackets."""


def remarks_once(lines: Iterable[str]) -> tuple[str, ...]:
    """Say a remark in brackets that ends several sentences in a row once, after the last of them."""
    found = [(NOTE.match(line), line) for line in lines]
    said: list[str] = []
    for remark, own in groupby(found, key=lambda pair: pair[0][2] if pair[0] else None):
        alike = list(own)
        if remark is None or len(alike) == 1:
            said += [line for _, line in alike]
            continue
        said += [f"{match[1]}." for match, _ in alike if match]
        said.append(f"The last {len(alike)} sentences: {remark}.")
    return tuple(said)


def read_step_report(path: Path) -> StepReport:
    """Read ``reports/<step>.json`` or ``reports/<step>/<sample>@<fov>.json``.

    A report may name another ``step``: where a rule of the user's own stands in for one, it is not described as that.

    Raises
    ------
    UserError
        When the file is not a report of a step.
    """
    with reading(path, "not a readable report of a step", "delete it and run the workflow again"):
        content = json.loads(path.read_text(encoding="utf-8"))
        lines, numbers = tuple(map(str, content["lines"])), dict(content["numbers"])
        notices = tuple((str(notice["level"]), str(notice["text"])) for notice in content.get("notices", []))
    of_field = path.stem not in STEPS and path.parent.name in STEPS
    step, place = (path.parent.name, path.stem.replace("@", " / ")) if of_field else (path.stem, "")
    model, series = content.get("model"), content.get("series", {})
    return StepReport(str(content.get("step", step)), place, lines, numbers, model, series, notices)


def summarise(reports: Iterable[StepReport]) -> list[StepSummary]:
    """Summarise reports step by step, in the order of the pipeline; unknown steps come last."""
    by_step: dict[str, list[StepReport]] = {}
    for report in reports:
        by_step.setdefault(report.step, []).append(report)
    order = {name: place for place, name in enumerate(STEPS)}
    return [_summary(step, by_step[step]) for step in sorted(by_step, key=lambda s: (order.get(s, len(order)), s))]


def _summary(step: str, reports: list[StepReport]) -> StepSummary:
    of_each = [set(r.lines) for r in reports]
    shared = tuple(line for line in reports[0].lines if all(line in lines for lines in of_each))
    own = {r.field: tuple(line for line in r.lines if line not in shared) for r in reports if r.field}
    table = pd.DataFrame([r.numbers for r in reports]).apply(pd.to_numeric, errors="coerce").astype(float)
    numbers = pd.DataFrame(
        {"fields": table.notna().sum(), "median": table.median(), "lowest": table.min(), "highest": table.max()}
    ).rename_axis("number")
    numbers = numbers[np.isfinite(numbers["median"])].reset_index()
    fields = sum(bool(r.field) for r in reports)
    return StepSummary(step, STEPS.get(step, step.replace("_", " ")), fields, shared, own, numbers)
