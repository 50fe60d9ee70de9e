"""Write the one page that people look at, and the answers and data dictionary that go with it.

In: whatever the run made: reports of steps, quality and pictures of fields, tables and figures of the analyses, and
the record of provenance. Everything is optional; what is missing is said to be missing.
Out: one self-contained HTML file, answers.json with five plain answers, and the data dictionary.
"""

import json
import logging
from dataclasses import asdict
from pathlib import Path

from cineseq.config.base import Section
from cineseq.config.imaging import Channels, Inputs
from cineseq.config.pairing import Cells
from cineseq.config.prediction import Prediction
from cineseq.config.report import Report
from cineseq.files import write_json, write_text
from cineseq.report.answers import Answer, answer_all
from cineseq.report.captions import FIGURES
from cineseq.report.dictionary import write_dictionary
from cineseq.report.evidence import TABLES, read_evidence
from cineseq.report.fields import read_quality
from cineseq.report.page import PageInputs, render_page
from cineseq.report.steps import read_step_report
from cineseq.workflow.step import run as run_step

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    run: str = "run"
    simulated: bool = False
    report: Report = Report()
    prediction: Prediction = Prediction()
    channels: Channels = Channels()
    inputs: Inputs = Inputs()
    cells: Cells = Cells()


def main(
    *,
    provenance: Path | None = None,
    step_reports: list[Path] = [],  # noqa: B006 - never changed; the step adapter wants plain lists
    quality: list[Path] = [],  # noqa: B006
    pictures: list[Path] = [],  # noqa: B006
    uncertain: Path | None = None,
    curation_pages: list[Path] = [],  # noqa: B006
    strips: list[Path] = [],  # noqa: B006 - beside the pages; named so that they are there
    cells: Path | None = None,
    pairs: Path | None = None,
    clusters: Path | None = None,
    function_by_cluster: Path | None = None,
    function_by_component: Path | None = None,
    umap: Path | None = None,
    counts_quality: Path | None = None,
    markers: Path | None = None,
    markers_figure: Path | None = None,
    performance: Path | None = None,
    samples: Path | None = None,
    contrasts: Path | None = None,
    genes: Path | None = None,
    overlap: Path | None = None,
    model_sensitivity: Path | None = None,
    ladder: Path | None = None,
    scatter: Path | None = None,
    selection: Path | None = None,
    selected_genes: Path | None = None,
    overlap_figure: Path | None = None,
    concordance: Path | None = None,
    fate_odds: Path | None = None,
    times: Path | None = None,
    states: Path | None = None,
    power: Path | None = None,
    warnings: Path | None = None,
    trees: Path | None = None,
    trees_by_state: Path | None = None,
    forest: Path | None = None,
    sensitivity: Path | None = None,
    which_dies: Path | None = None,
    heritable: Path | None = None,
    genes_by_sister: Path | None = None,
    fading: Path | None = None,
    incidence: Path | None = None,
    survival: Path | None = None,
    fate_pairs: Path | None = None,
    crossmodal_genes: Path | None = None,
    crossmodal_features: Path | None = None,
    crossmodal_summary: Path | None = None,
    variance: Path | None = None,
    html: Path,
    answers: Path,
    dictionary: Path,
    settings: Settings,
) -> None:
    """Render the report."""
    files = {name: path for name, path in locals().items() if isinstance(path, Path)}
    tables = {name: files[name] for name in ("cells", *TABLES) if name in files}
    evidence = read_evidence(tables, settings.prediction.selected_frequency)
    said = answer_all(evidence, settings.report.caveats)
    page = PageInputs(
        **{name: getattr(settings, name) for name in ("run", "simulated", "report", "channels", "inputs", "cells")},
        evidence=evidence,
        answers=said,
        steps=[read_step_report(path) for path in step_reports],
        quality=read_quality(quality),
        pictures=pictures,
        tables=tables,
        figures={name: files[name] for name in FIGURES if name in files},
        provenance=json.loads(provenance.read_text(encoding="utf-8")) if provenance else {},
        html=html,
        dictionary=dictionary,
        uncertain=uncertain,
        curation_pages=curation_pages,
    )
    text = render_page(page)
    log_answers(said, text)
    write_dictionary(dictionary)
    write_json({"answers": [asdict(answer) for answer in said], "report": str(html)}, answers)
    write_text(text, html)


def log_answers(said: list[Answer], text: str) -> None:
    """Log every answer, and how large the page is."""
    for answer in said:
        logger.info("%s %s", answer.question, answer.answer)
    logger.info("The page has %.1f MB.", len(text.encode()) / 1e6)


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
