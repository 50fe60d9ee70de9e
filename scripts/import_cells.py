"""Import external tables of cells, with or without counts.

In: tables of cells, whose columns the section ``external`` names, and counts. Out: ``cells`` (every external cell,
parquet and csv), and ``paired``, their AnnData, with the export ``mudata`` (with counts, only the cells that have
counts).
"""

import logging
from pathlib import Path

from pydantic import Field

from cineseq.config.base import FieldOfView, Section
from cineseq.config.external import External
from cineseq.config.pairing import Pairing
from cineseq.external.cells import cells_of_tables, counts_of_cells, external_report, paired_of, prefixes
from cineseq.files import write_json
from cineseq.io.adata import write_paired
from cineseq.io.mudata_export import write_mudata
from cineseq.tables.contract import write_table
from cineseq.tables.imaging import CELLS
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    external: External = External()
    pairing: Pairing = Pairing()
    rows: list[FieldOfView] = Field(default_factory=list, description="Row of the sheet that each table belongs to.")
    samples: list[str] = Field(default_factory=list, description="Sample of each count file.")


def main(
    *,
    external: list[Path],
    counts: list[Path],
    cells: Path,
    csv: Path,
    paired: Path,
    mudata: Path,
    report: Path,
    settings: Settings,
) -> None:
    """Write external cells as the cells of the study and as paired data."""
    measured = cells_of_tables(external, settings.rows, settings.external)
    prefix = prefixes(settings.rows)
    sequenced = counts_of_cells(counts, settings.samples, prefix, settings.external, settings.pairing)
    data = paired_of(measured, sequenced, ", ".join(map(str, counts)))
    result = external_report(data, len(measured), sequenced)
    for line in result["lines"]:
        logger.info("%s", line)
    write_table(measured, cells, CELLS)
    write_table(measured, csv, CELLS)
    write_paired(data, paired)
    write_mudata(data, mudata)
    write_json(result, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
