"""Start from paired data that were made elsewhere.

In: AnnData (.h5ad, .zarr) or MuData (.h5mu), whose columns the section ``given`` names. Out: ``paired.h5mu`` in the
form that all analyses read, and ``csv``, the same cells as a table.
"""

import logging
from pathlib import Path

from cineseq.config.base import Section
from cineseq.config.given import Given
from cineseq.contracts import CELLS
from cineseq.files import write_json
from cineseq.given.assembling import cells_of_paired, given_report
from cineseq.given.multimodal import only_file, read_given_paired
from cineseq.paired import write_paired
from cineseq.step import run
from cineseq.tables import write_table

logger = logging.getLogger(__name__)


class Settings(Section):
    """What this step is told."""

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
