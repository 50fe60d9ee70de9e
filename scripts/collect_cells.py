"""Collect the cells of all fields of view in the table of the study.

In: the cells of every field. Out: ``cells`` (parquet and csv), with fluorescence scaled by a median if configured; the
report states which columns were scaled, and by how much.
"""

import logging
from pathlib import Path

from cineseq.config.base import Section
from cineseq.config.features import Function
from cineseq.config.imaging import Channels
from cineseq.config.pairing import Cells
from cineseq.features.cells import cells_report, collect
from cineseq.features.scaling import scaled
from cineseq.files import write_json
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.imaging import CELLS
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    channels: Channels = Channels()
    cells: Cells = Cells()
    function: Function = Function()


def main(
    *,
    fields: list[Path],
    cells: Path,
    csv: Path,
    report: Path,
    settings: Settings,
    statuses: Path | None = None,  # noqa: ARG001 - not if too many fields could not be processed
    compared: Path | None = None,  # noqa: ARG001 - only fields whose recordings can be compared are collected
) -> None:
    """Write the cells of the study."""
    together = collect([read_table(path, CELLS) for path in fields])
    comparable, factors = scaled(together, settings.cells, settings.function.not_levels)
    result = cells_report(comparable, factors, settings.channels, settings.cells)
    for line in result["lines"]:
        logger.info("%s", line)
    write_table(comparable, cells, CELLS)
    write_table(comparable, csv, CELLS)
    write_json(result, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
