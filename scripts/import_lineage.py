"""Import external lineages: a table with one row per cell, its parent and its fate.

In: tables whose columns the section ``external.lineage`` names. Out: ``cells`` (parquet and csv) with the lineage
of every cell. An impossible lineage is refused, nothing is repaired, and an unknown fate stays unknown.
"""

import logging
from pathlib import Path

from pydantic import Field

from cineseq.config.base import FieldOfView, Section
from cineseq.config.external import External
from cineseq.external.lineages import families_report, read_all_families
from cineseq.files import write_json
from cineseq.tables.contract import write_table
from cineseq.tables.imaging import CELLS
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    external: External = External()
    rows: list[FieldOfView] = Field(default_factory=list, description="Row of the sheet that each table belongs to.")


def main(*, external: list[Path], cells: Path, csv: Path, report: Path, settings: Settings) -> None:
    """Write external families as the cells of the study."""
    families = read_all_families(external, settings.rows, settings.external)
    result = families_report(families)
    for line in result["lines"]:
        logger.info("%s", line)
    write_table(families, cells, CELLS)
    write_table(families, csv, CELLS)
    write_json(result, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
