"""Collect the least certain events of all fields of view in one list.

In: the list of every field. Out: the least certain events of the study, with their rank in it.
"""

import logging
from pathlib import Path

import pandas as pd

from cineseq.config.base import Section
from cineseq.config.tracking import Curation
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.imaging import CURATION
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    curation: Curation = Curation()


def main(*, tables: list[Path], uncertain: Path, settings: Settings) -> None:
    """List the least certain events of the study."""
    every = pd.concat([read_table(path, CURATION) for path in tables], ignore_index=True)
    order = ["confidence", "sample", "fov", "rank"]
    worst = every.sort_values(order, kind="stable").head(settings.curation.rows).reset_index(drop=True)
    logger.info("%d of %d listed events are the least certain of %d fields.", len(worst), len(every), len(tables))
    write_table(worst.assign(rank=worst.index + 1), uncertain, CURATION)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
