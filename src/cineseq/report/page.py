"""The report page: its sections, rendered as one self-contained HTML file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cineseq.config.imaging import Channels, Inputs
from cineseq.config.pairing import Cells
from cineseq.config.report import Report
from cineseq.report.answers import Answer
from cineseq.report.assets import PAGE_BYTES, Embedded, ImageInliner
from cineseq.report.dictionary import dictionary, every_table
from cineseq.report.evidence import Evidence
from cineseq.report.false_divisions import false_divisions
from cineseq.report.fields import FIELD_COLUMNS, field_table, show_fields, show_uncertain
from cineseq.report.methods import methods_paragraph
from cineseq.report.motion_figures import drift_picture, motion_picture, rates_picture
from cineseq.report.notices import all_notices
from cineseq.report.prediction_answers import main_function
from cineseq.report.provenance import models_used
from cineseq.report.record import show_record, without_unknown
from cineseq.report.run_facts import Run
from cineseq.report.steps import StepReport, StepSummary, remarks_once, summarise
from cineseq.report.views import TableView, plain_table, show_table
from cineseq.statistics import ALPHA
from cineseq.statistics.verdicts import VERDICTS
from cineseq.tables.contract import ESTIMANDS, contract_named
from cineseq.tables.imaging import PAIR_STATUSES
from cineseq.tables.prediction import COMPARED_MODELS, MODELS, VARIANTS
from cineseq.text import count, parts_of, readable, significant, tie
from cineseq.workflow.products import Product, read_by_report

TEMPLATES = Path(__file__).parent / "templates"
FIELD_LINES_SHOWN = 40
LINES_SHOWN = 12
"""Sentences of a step that are shown; the others are collapsed."""
LAST = {"not_estimable": 1, "not_run": 2}
"""Verdicts of answers that come after the others."""
ANSWER_SHOWN = 400
"""Letters of an answer after its lead that are shown; more are collapsed."""
SAMPLES_SHOWN = 60
MARKERS_SHOWN = 3

SECTIONS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "pairing": (
        "Pairing and counts",
        "Which cell of the images is which cell of the counts, and whether its counts pass quality control.",
        ("list_fields", "collect_cells", "import_cells", "import_paired", "match_barcodes", "pair"),
    ),
    "prediction": (
        "What is associated with function",
        "Models are judged on cells of held-out groups. A list of genes means nothing unless the prediction is "
        "above its "
        "null. The sensitivity analysis compares the primary analysis with alternatives to it.",
        ("predict",),
    ),
    "clusters": (
        "Clusters and their genes",
        "Groups of cells with similar expression, found without knowledge of function.",
        ("cluster", "differential_expression"),
    ),
    "sisters": (
        "What happened to the sisters",
        "Whether survivors whose sister died differ from survivors whose sister lived. Unknown fates stay unknown.",
        (
            "import_lineage",
            "describe_fates",
            "compare_sisters",
            "compare_sisters_before_death",
            "compare_sister_genes",
        ),
    ),
    "crossmodal": (
        "How much of one modality the other explains",
        "The fraction of the variance of each gene or feature that the other modality explains in held-out groups.",
        ("explain_modalities",),
    ),
    "generative": (
        "Form and transcriptome, both ways",
        "Each modality of held-out cells is generated from the other and judged beside baselines. Shares say what goes "
        "together, not what causes what; where none was found, none is claimed.",
        ("generate",),
    ),
}
"""Sections of the analyses: title, introduction, and the steps whose sentences they show.

Their tables and figures are listed in the registry of products.
"""


@dataclass(frozen=True)
class PageInputs:
    """The inputs of the page."""

    run: str
    simulated: bool
    report: Report
    channels: Channels
    inputs: Inputs
    cells: Cells
    evidence: Evidence
    answers: list[Answer]
    steps: list[StepReport]
    quality: pd.DataFrame
    pictures: list[Path]
    regions: list[Path]
    results: dict[str, Path]
    provenance: dict[str, Any]
    html: Path
    dictionary: Path
    channel_picture: Path | None = None
    uncertain: Path | None = None
    curation_pages: list[Path] = field(default_factory=list)
    explorer: Path | None = None


@dataclass(frozen=True)
class SectionView:
    """One section of the analyses as it is shown."""

    id: str
    title: str
    intro: str
    steps: list[StepSummary] = field(default_factory=list)
    figures: list[Embedded] = field(default_factory=list)
    tables: list[TableView] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show, because the steps were not run."""
        return not (self.steps or self.figures or self.tables)


def render_page(page: PageInputs) -> str:
    """Render the page as HTML that loads nothing from elsewhere.

    Raises
    ------
    RuntimeError
        When the page is larger than 20 MB, which is a bug, because images have a budget.
    """
    embedder = ImageInliner(page.html)
    summaries = summarise(page.steps)
    models = [without_unknown(model) for model in page.provenance.get("models") or models_used(page.steps)]
    fields = show_fields(page.quality, page.pictures, page.regions, page.report.fields_shown, embedder)
    context = {
        "title": page.report.title or f"cineseq: {page.run}",
        "run": page.run,
        "answers": sorted(
            page.answers, key=lambda answer: (answer.verdict == "not_run", answer.verdict == "not_estimable")
        ),
        "verdicts": VERDICTS,
        "level": significant(ALPHA),
        "answer_shown": ANSWER_SHOWN,
        "notices": all_notices(
            simulated=page.simulated,
            channels=page.channels,
            inputs=page.inputs,
            cells=page.cells,
            pixel_sizes=_pixel_sizes(page.quality),
            models=models,
            warnings=page.evidence.warnings,
            quality=page.quality,
            false_divisions=false_divisions(page.steps),
            of_steps=[notice for step in page.steps for notice in step.notices],
        ),
        "counts": _counts(page),
        "filmed": _filmed(page.channel_picture, embedder),
        "image_steps": [s for s in summaries if s.fields],
        "field_lines_shown": FIELD_LINES_SHOWN,
        "lines_shown": LINES_SHOWN,
        "fields": fields,
        "field_table": _field_table(page),
        "field_total": len(page.quality),
        "drift": drift_picture(page.steps),
        "motion": motion_picture(page.steps),
        "rates": rates_picture(page.steps),
        "uncertain": show_uncertain(page.uncertain, page.curation_pages, embedder, page.explorer),
        "explorer": embedder.link(page.explorer) if page.explorer else "",
        "sections": [_section(name, page, summaries, embedder) for name in SECTIONS],
        "methods": _methods(page, [s.step for s in summaries], models),
        "record": show_record(page.provenance, models),
        "dictionary_link": embedder.link(page.dictionary),
        "dictionary": _dictionary(),
    }
    text = _environment().get_template("page.html").render(context)
    if len(text.encode()) > PAGE_BYTES:
        msg = f"the page has {len(text.encode())} bytes, more than {PAGE_BYTES}"
        raise RuntimeError(msg)
    return text


def _filmed(picture: Path | None, embedder: ImageInliner) -> Embedded | None:
    """Return the picture of the channels of the first field, by which a wrong name is seen before any number."""
    if picture is None:
        return None
    field_name = " / ".join(picture.parts[-3:-1])
    return embedder.embed(picture, f"Every channel of field {field_name} under its name, in the middle frame")


def _environment() -> Environment:
    """Return the environment of the templates; the style sheet is part of the package and is not escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": count, "significant": significant, "tie": tie, "chip": _chip, "rest": _rest}
    return environment


def _chip(answer: Answer) -> str:
    """Return the verdict of an answer; where its claims differ, how many have it."""
    each = [claim.verdict for claim in answer.claims]
    same = each.count(answer.verdict)
    return VERDICTS[answer.verdict] + (f": {same} of {len(each)} claims" if 0 < same < len(each) else "")


def _rest(answer: Answer) -> str:
    """Return what follows the lead of an answer."""
    return answer.answer.removeprefix(answer.lead).strip()


def _packages(page: PageInputs) -> dict[str, str]:
    return page.provenance.get("packages") or {}


def _pixel_sizes(quality: pd.DataFrame) -> set[float | None]:
    if quality.empty:
        return set()
    return {None if pd.isna(value) else float(value) for value in quality["pixel_size_um"]}


def _counts(page: PageInputs) -> list[tuple[str, str]]:
    """Return the counts of the run, from samples and fields of view to cells in the analyses."""
    evidence, quality = page.evidence, page.quality
    rows: list[tuple[str, str]] = []
    if evidence.cells is not None:
        samples = evidence.cells["sample"].nunique()
        rows.append(("sample" if samples == 1 else "samples", count(samples)))
    if not quality.empty:
        fields = "field of view" if len(quality) == 1 else "fields of view"
        rows += [(fields, count(len(quality))), ("cells outlined", count(quality["objects"].sum()))]
        found, false = int(quality["divisions"].sum()), false_divisions(page.steps)
        doubted = "all" if false >= found else f"about {count(false)}"
        rows.append((f"divisions ({doubted} may be false)" if false else "divisions", count(found)))
        rows.append(("deaths", count(quality["deaths"].sum())))
    if evidence.cells is not None:
        rows.append(("cells (tracks)" if not quality.empty else "cells", count(len(evidence.cells))))
    if evidence.pairs is not None:
        rows.append(("paired with counts", count((evidence.pairs["status"] == "singlet").sum())))
    if evidence.clusters is not None:
        rows.append(("passed count quality", count(evidence.clusters["passes_qc"].sum())))
    return rows


def _field_table(page: PageInputs) -> TableView | None:
    if page.quality.empty:
        return None
    meanings = {name.replace("_", " "): meaning for name, meaning in FIELD_COLUMNS.items()}
    shown = plain_table(field_table(page.quality, page.report.table_rows), "Fields of view, worst first", meanings)
    return replace(shown, total=len(page.quality))


def _section(name: str, page: PageInputs, summaries: list[StepSummary], embedder: ImageInliner) -> SectionView:
    title, intro, steps = SECTIONS[name]
    own = [product for product in read_by_report() if product.section == name]
    figures = [
        embedder.embed(page.results[p.name], p.title, p.caption)
        for p in own
        if p.contract is None and p.name in page.results
    ]
    shown = [_table(p, page, embedder) for p in own if p.title and p.name in page.evidence.tables]
    if name == "pairing" and page.evidence.pairs is not None:
        shown.append(_pair_statuses(page.evidence.pairs))
    messages = [] if page.evidence.warnings is None else list(page.evidence.warnings["message"])
    own_lines = [
        said_once(main_function_first(s, page.evidence.performance), messages) for s in summaries if s.step in steps
    ]
    return SectionView(name, title, intro, own_lines, figures, shown)


def main_function_first(step: StepSummary, performance: pd.DataFrame | None) -> StepSummary:
    """Move sentences about other functions than the main function to the end."""
    if performance is None or (main := main_function(performance)) is None:
        return step
    names = [readable(name) for name in performance["function"].unique()]
    longest_first = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    named = [set(re.findall(rf"\b(?:{longest_first})\b", line)) for line in step.lines]
    is_other = [bool(found) and readable(main) not in found for found in named]
    order = sorted(range(len(step.lines)), key=is_other.__getitem__)
    return replace(step, lines=tuple(step.lines[i] for i in order))


def said_once(step: StepSummary, messages: list[str]) -> StepSummary:
    """Leave out sentences that hold one of the messages, which are among the notices, and remarks said before."""
    texts = [message.rstrip(".") for message in messages if message]
    return replace(step, lines=remarks_once(line for line in step.lines if not any(text in line for text in texts)))


def _table(product: Product, page: PageInputs, embedder: ImageInliner) -> TableView:
    whole = page.evidence.tables[product.name]
    link = embedder.link(page.results[product.name])
    if product.name == "samples":
        return _samples_table(whole, product.title, link)
    frame = _in_order(product, whole)
    if "function" in frame and page.evidence.performance is not None:
        main = main_function(page.evidence.performance) or ""
        first = frame["function"].isin(parts_of(main, set(frame["function"])))
        frame = pd.concat([frame[first], frame[~first]])
    contract = contract_named(product.contract or "")
    view = show_table(frame, contract, product.title, page.report.table_rows, link)
    return replace(view, total=len(whole))


def _in_order(product: Product, frame: pd.DataFrame) -> pd.DataFrame:
    """Put the most important rows first; of marker genes, keep the best three of each group."""
    if "model" in frame:
        columns = ["function", *(name for name in ("estimand", "model", "variant") if name in frame)]
        frame = frame.sort_values(columns, key=_as_declared, kind="stable")
    elif "estimand" in frame:
        frame = frame.sort_values("estimand", key=_as_declared, kind="stable")
    if product.order:
        columns = [name.removeprefix("-") for name in product.order]
        ascending = [not name.startswith("-") for name in product.order]
        frame = frame.sort_values(columns, ascending=ascending, kind="stable", na_position="last")
    if product.name == "markers":
        frame = frame[frame["is_marker"].fillna(value=False).astype(bool)]
        frame = frame.groupby(["comparison", "group"], sort=False).head(MARKERS_SHOWN)
    return _most_tried_first(frame) if product.name == "model_sensitivity" else frame


def _most_tried_first(frame: pd.DataFrame) -> pd.DataFrame:
    """Put the models with the most alternatives first; the others have only a row of the primary analysis."""
    ways = frame.groupby(["function", "model"])["variant"].transform("size")
    return frame.assign(ways=-ways).sort_values(["function", "ways"], kind="stable").drop(columns="ways")


def _as_declared(column: pd.Series) -> pd.Series:
    declared = {"model": COMPARED_MODELS, "variant": VARIANTS, "estimand": ESTIMANDS}.get(str(column.name))
    if declared is None:
        return column
    # Other tables name their estimand in words of their own; these keep their order.
    place = {name: number for number, name in enumerate(declared)}
    return column.map(lambda value: place.get(value, len(declared)))


def _samples_table(frame: pd.DataFrame, title: str, link: str) -> TableView:
    """Show R² with one row per function and sample and one column per model."""
    table = frame.pivot_table(index=["function", "sample"], columns="model", values="r2", aggfunc="first")
    table = table.reindex(columns=[m for m in MODELS if m in table]).reset_index()
    table["function"] = table["function"].map(readable)
    table.columns = [str(name).replace("_", " ") for name in table.columns]
    view = plain_table(table, title)
    return replace(view, rows=view.rows[:SAMPLES_SHOWN], file=link)


def _pair_statuses(pairs: pd.DataFrame) -> TableView:
    table = pairs.groupby(["sample", "status"]).size().unstack(fill_value=0)  # noqa: PD010 - counts, no duplicates
    table = table.reindex(columns=[s for s in PAIR_STATUSES if s in table]).reset_index()
    table.columns = [str(name).replace("_", " ") for name in table.columns]
    return plain_table(table, "Pairs by sample; only singlets enter the analyses")


def _methods(page: PageInputs, steps: list[str], models: list[dict[str, Any]]) -> str:
    run = Run(page.provenance.get("config") or {}, _packages(page), models, page.evidence.tables)
    return methods_paragraph(steps, run)


def _dictionary() -> list[tuple[str, str, TableView]]:
    meanings = {table.name: table.meaning for table in every_table()}
    return [
        (name, meanings[name], plain_table(rows.drop(columns="table").fillna(""), name))
        for name, rows in dictionary(every_table()).groupby("table", sort=False)
    ]
