"""Import external paired data.

In: AnnData (.h5ad, .zarr) or MuData (.h5mu), whose columns the section ``external`` names. Out: ``paired``, the
AnnData that all analyses read, and the exports ``mudata`` and ``csv``, the cells as a table.
"""

import logging
from pathlib import Path

from pydantic import Field

from cineseq.config.base import FieldOfView, Section
from cineseq.config.external import External
from cineseq.config.pairing import Pairing
from cineseq.external.cells import cells_of_paired, external_report
from cineseq.external.paired import only_file, read_external_paired
from cineseq.files import write_json
from cineseq.io.adata import write_paired
from cineseq.io.delimited import rows_of
from cineseq.io.mudata_export import write_mudata
from cineseq.tables.contract import write_table
from cineseq.tables.imaging import CELLS
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    external: External = External()
    rows: list[FieldOfView] = Field(default_factory=list, description="Row of the sheet of the file.")
    pairing: Pairing = Pairing()


def main(*, external: list[Path], paired: Path, mudata: Path, csv: Path, report: Path, settings: Settings) -> None:
    """Write external paired data in the form that all analyses read."""
    field, *_ = rows_of(external, settings.rows)
    layer = settings.pairing.counts_layer
    data = read_external_paired(only_file(external), settings.external, field, layer=layer)
    result = external_report(data, len(data.obs))
    for line in result["lines"]:
        logger.info("%s", line)
    write_paired(data, paired)
    write_mudata(data, mudata)
    write_table(cells_of_paired(data), csv, CELLS)
    write_json(result, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
