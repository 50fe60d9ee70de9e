"""Start from a table of cells that were measured elsewhere, with or without their counts.

In: tables of cells (their columns named in the section ``given``), and counts. Out: ``cells`` (every given cell,
parquet and csv) and ``paired.h5mu`` (those that have counts, where there are counts).
"""

import logging
from pathlib import Path

from pydantic import Field

from cineseq.config.base import FieldOfView, Section
from cineseq.config.external import Given
from cineseq.config.pairing import Pairing
from cineseq.external.cells import cells_of_tables, counts_of_cells, given_report, paired_of, prefixes
from cineseq.files import write_json
from cineseq.io.paired import write_paired
from cineseq.tables.contract import write_table
from cineseq.tables.imaging import CELLS
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    given: Given = Given()
    pairing: Pairing = Pairing()
    rows: list[FieldOfView] = Field(default_factory=list, description="Row of the sheet that each table belongs to.")
    samples: list[str] = Field(default_factory=list, description="Sample of each file of counts.")


def main(
    *, given: list[Path], counts: list[Path], cells: Path, csv: Path, paired: Path, report: Path, settings: Settings
) -> None:
    """Write given cells as the cells of the study and as paired data."""
    measured = cells_of_tables(given, settings.rows, settings.given)
    prefix = prefixes(settings.rows)
    sequenced = counts_of_cells(counts, settings.samples, prefix, settings.given, settings.pairing.counts_orientation)
    data = paired_of(measured, sequenced, ", ".join(map(str, counts)))
    said = given_report(data, len(measured))
    for line in said["lines"]:
        logger.info("%s", line)
    write_table(measured, cells, CELLS)
    write_table(measured, csv, CELLS)
    write_paired(data, paired)
    write_json(said, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
