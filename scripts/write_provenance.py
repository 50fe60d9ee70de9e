"""Record the provenance of a run.

In: the sample sheet and its files, which are recorded by their hashes, and the reports of all steps, which name models.
Out: one JSON file with versions, the whole configuration, models with the hashes of their weights, and inputs. It has
no times and no machine, so that the same run makes the same record.
"""

import logging
from pathlib import Path
from typing import Any

from pydantic import Field

from cineseq.config.base import Section
from cineseq.files import write_json
from cineseq.report.provenance import fields_left_out, provenance_record
from cineseq.report.steps import read_step_report
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import FIELDS
from cineseq.workflow.step import run as run_step

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step: the name of the run and its whole configuration."""

    run: str = "run"
    config: dict[str, Any] = Field(default_factory=dict)


def main(
    *,
    sheet: Path,
    inputs: list[Path],
    step_reports: list[Path],
    provenance: Path,
    settings: Settings,
    statuses: Path | None = None,
) -> None:
    """Record versions, settings, models, inputs, and the fields of view that are left out."""
    record = provenance_record(settings.run, settings.config, map(read_step_report, step_reports), [sheet, *inputs])
    if statuses is not None and (left_out := fields_left_out(read_table(statuses, FIELDS))):
        record["fields_left_out"] = left_out
    logger.info("Recorded %d models and %d inputs.", len(record["models"]), len(record["inputs"]))
    write_json(record, provenance)


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
