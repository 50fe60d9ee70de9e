"""Write the explorer: a page with linked views of every cell, and a folder with its scripts and data.

In: the cells, the paired data, the clusters, and the film strips and time courses of the fields. All of them are
optional; the page has the views that they allow.
Out: a page that a browser opens without a server, and the folder beside it from which the page loads what is asked for.
"""

import logging
from pathlib import Path

from cineseq.config.base import Section
from cineseq.config.report import Report
from cineseq.io.adata import read_paired
from cineseq.report.explorer.page import ExplorerInputs, write_explorer
from cineseq.tables.contract import read_table
from cineseq.tables.expression import CLUSTERS
from cineseq.tables.imaging import CELLS
from cineseq.workflow.step import run as run_step

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    run: str = "run"
    report: Report = Report()


def main(
    *,
    cells: Path | None = None,
    paired: Path | None = None,
    clusters: Path | None = None,
    strips: list[Path] = [],  # noqa: B006 - never changed; the step adapter wants plain lists
    timecourses: list[Path] = [],  # noqa: B006
    explorer: Path,
    explorer_data: Path,
    settings: Settings,
) -> None:
    """Write the explorer."""
    inputs = ExplorerInputs(
        title=settings.report.title or f"cineseq: {settings.run}",
        cells=read_table(cells, CELLS) if cells else None,
        paired=read_paired(paired) if paired else None,
        clusters=read_table(clusters, CLUSTERS) if clusters else None,
        strips=strips,
        timecourses=timecourses,
        most_genes=settings.report.genes,
    )
    for line in write_explorer(inputs, explorer, explorer_data):
        logger.info("%s", line)


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
