"""Compare imaging features of two sisters before the fate of either, within pairs of which one dies.

In: the cells table with its lineage; where there are movies or tracks, the objects of every field of view; the maps of
compartments. Out: one row per feature with its odds ratio, or the reason why it is not estimable; a report.
"""

import logging
from pathlib import Path

import pandas as pd
from pydantic import Field

from cineseq.config.base import FieldOfView, Section
from cineseq.config.lineage import Lineage
from cineseq.files import write_json
from cineseq.io.delimited import fields_of
from cineseq.io.maps import read_compartments
from cineseq.lineage.discordant_sisters import (
    call_lines,
    called_deaths,
    discordant_pairs,
    measured_before_fate,
    scale_of,
    which_dies_lines,
    which_sister_dies,
)
from cineseq.lineage.trees import families_of
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.imaging import CELLS, OBJECTS
from cineseq.tables.lineage import WHICH_SISTER_DIES
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    lineage: Lineage = Lineage()
    seed: int = 1
    fields: list[FieldOfView] = Field(
        default_factory=list, description="Fields of view, in the order of their objects."
    )


def main(
    *,
    cells: Path,
    objects: list[Path],
    compartments: list[Path],
    which_dies: Path,
    report: Path,
    settings: Settings,
) -> None:
    """Compare features of sisters before one of them dies."""
    tracked = read_table(cells, CELLS)
    families = families_of(tracked)
    pairs = discordant_pairs(families, settings.lineage.before_fate_frames)
    maps = read_compartments(compartments)
    measured = []
    for place, path in zip(fields_of(objects, settings.fields), objects, strict=True):
        tables = (pairs, maps, tracked)
        here, there, lives = (t[(t["sample"] == place.sample) & (t["fov"] == place.fov)] for t in tables)
        if len(here):
            seen = read_table(path, OBJECTS)
            measured.append(measured_before_fate(here, seen, there, scale_of(lives, seen)))
    together = pd.concat(measured) if measured else pd.DataFrame()
    table = which_sister_dies(together, len(pairs), settings.lineage.permutations, settings.seed)
    lines = which_dies_lines(table, together["frames"].median() if len(together) else 0)
    if len(together):
        used = pairs.loc[together.index.unique("pair")]
        lines += call_lines(called_deaths(used, tracked), len(used), settings.lineage.before_fate_frames)
    for line in lines:
        logger.info("%s", line)
    write_table(table, which_dies, WHICH_SISTER_DIES)
    numbers = {"discordant_pairs": len(pairs), "discordant_pairs_measured": len(together) // 2}
    write_json({"lines": lines, "numbers": numbers}, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
