"""Start from paired data that were made elsewhere.

In: AnnData (.h5ad, .zarr) or MuData (.h5mu), whose columns the section ``given`` names. Out: ``paired.h5mu`` in the
form that all analyses read, and ``csv``, the same cells as a table.
"""

import logging
from pathlib import Path

from cineseq.config.base import Section
from cineseq.config.external import Given
from cineseq.external.cells import cells_of_paired, given_report
from cineseq.external.paired import only_file, read_given_paired
from cineseq.files import write_json
from cineseq.io.paired import write_paired
from cineseq.tables.contract import write_table
from cineseq.tables.imaging import CELLS
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    given: Given = Given()


def main(*, given: list[Path], paired: Path, csv: Path, report: Path, settings: Settings) -> None:
    """Write given paired data in the form that all analyses read."""
    data = read_given_paired(only_file(given), settings.given)
    said = given_report(data, len(data.obs))
    for line in said["lines"]:
        logger.info("%s", line)
    write_paired(data, paired)
    write_table(cells_of_paired(data), csv, CELLS)
    write_json(said, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
