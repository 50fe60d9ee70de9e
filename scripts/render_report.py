"""Write the report page, the answers and the data dictionary.

In: reports of steps, quality and pictures of fields, tables and figures of the analyses, and the record of provenance.
All of them are optional; the page says what was not run.
Out: one self-contained HTML file, answers.json with the five answers, and the data dictionary.
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
from cineseq.report.dictionary import write_dictionary
from cineseq.report.evidence import read_evidence
from cineseq.report.false_divisions import divisions_found, doubt_of_lineages, false_divisions
from cineseq.report.fields import read_quality
from cineseq.report.page import PageInputs, render_page
from cineseq.report.steps import read_step_report
from cineseq.text import number
from cineseq.workflow.products import product_at
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
    channels: list[Path] = [],  # noqa: B006
    regions: list[Path] = [],  # noqa: B006
    uncertain: Path | None = None,
    curation_pages: list[Path] = [],  # noqa: B006
    explorer: Path | None = None,
    results: list[Path] = [],  # noqa: B006
    html: Path,
    answers: Path,
    dictionary: Path,
    settings: Settings,
) -> None:
    """Render the report."""
    evidence = read_evidence(results, settings.prediction.selected_frequency)
    steps, fields = [read_step_report(path) for path in step_reports], read_quality(quality)
    doubt = doubt_of_lineages(false_divisions(steps), divisions_found(fields))
    answered = answer_all(evidence, settings.report.caveats, doubt)
    page = PageInputs(
        **{name: getattr(settings, name) for name in ("run", "simulated", "report", "channels", "inputs", "cells")},
        evidence=evidence,
        answers=answered,
        steps=steps,
        quality=fields,
        pictures=pictures,
        channel_picture=next(iter(channels), None),
        regions=regions,
        results={product_at(path).name: path for path in results},
        provenance=json.loads(provenance.read_text(encoding="utf-8")) if provenance else {},
        html=html,
        dictionary=dictionary,
        uncertain=uncertain,
        curation_pages=curation_pages,
        explorer=explorer,
    )
    text = render_page(page)
    log_answers(answered, text)
    write_dictionary(dictionary)
    write_json({"answers": [asdict(answer) for answer in answered], "report": str(html)}, answers)
    write_text(text, html)


def log_answers(answered: list[Answer], text: str) -> None:
    """Log the answers and the size of the page."""
    for answer in answered:
        logger.info("%s %s", answer.question, answer.answer)
    logger.info("The page has %s MB.", number(len(text.encode()) / 1e6, 1))


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
