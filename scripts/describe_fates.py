"""Describe fates of cells over time, and their correlation between relatives.

In: the cells table with its lineage. Out: cumulative incidence of division, death and loss per condition, as
competing risks; survival and time to division; concordance and odds ratio of fates, and correlation of times, of
sisters, cousins and unrelated neighbours; decay of the correlation with genealogical distance; joint ends of sisters;
three figures; a report.
"""

import logging
from pathlib import Path

from cineseq.config.base import Section
from cineseq.config.lineage import Lineage
from cineseq.files import write_json
from cineseq.lineage.concordance import concordance_table, times_table
from cineseq.lineage.fate_correlation import (
    decay_lines,
    decay_table,
    fate_odds_lines,
    fate_odds_table,
    fate_pairs_table,
)
from cineseq.lineage.figures import draw_fate_pairs, draw_incidence, draw_survival
from cineseq.lineage.relatives import relatives_of
from cineseq.lineage.report import concordance_lines, left_out_lines
from cineseq.lineage.time_to_event import incidence_lines, incidence_table, survival_lines, survival_table
from cineseq.lineage.trees import families_of
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.imaging import CELLS
from cineseq.tables.lineage import (
    CONCORDANCE,
    CORRELATION_DECAY,
    FATE_INCIDENCE,
    FATE_ODDS,
    FATE_PAIRS,
    FATE_SURVIVAL,
    TIMES,
)
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    lineage: Lineage = Lineage()
    seed: int = 1


def main(
    *,
    cells: Path,
    incidence: Path,
    concordance: Path,
    fate_odds: Path,
    times: Path,
    survival: Path,
    fading: Path,
    fate_pairs: Path,
    incidence_figure: Path,
    survival_figure: Path,
    fate_pairs_figure: Path,
    report: Path,
    settings: Settings,
) -> None:
    """Describe fates over time and over the tree."""
    families = families_of(read_table(cells, CELLS))
    curves = incidence_table(families, settings.seed)
    left = survival_table(families, settings.seed)
    relatives = relatives_of(families, settings.lineage.birth_time_bins)
    shared = concordance_table(
        families, relatives, settings.lineage.birth_time_bins, settings.lineage.permutations, settings.seed
    )
    odds = fate_odds_table(families, relatives)
    decay = decay_table(families, relatives["neighbours"])
    together = fate_pairs_table(families)
    lines = incidence_lines(curves) + survival_lines(left) + concordance_lines(shared)
    lines += left_out_lines(together) + fate_odds_lines(odds) + decay_lines(decay)
    for line in lines:
        logger.info("%s", line)
    draw_incidence(curves, incidence_figure)
    draw_survival(left, survival_figure)
    draw_fate_pairs(together, fate_pairs_figure)
    write_table(curves, incidence, FATE_INCIDENCE)
    write_table(left, survival, FATE_SURVIVAL)
    write_table(shared, concordance, CONCORDANCE)
    write_table(odds, fate_odds, FATE_ODDS)
    write_table(times_table(families, relatives), times, TIMES)
    write_table(decay, fading, CORRELATION_DECAY)
    write_table(together, fate_pairs, FATE_PAIRS)
    born = int((families.cells["start_kind"] == "division").sum())
    write_json({"lines": lines, "numbers": {"cells_born_in_sight": born}}, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
