"""What became of cells after birth, and how alike relatives are: fates over time and over the tree.

In: the cells table with its lineage. Out: cumulative incidence of division, death and loss per condition, as
competing risks; survival and time to division; concordance and odds ratio of fates and correlation of times of
sisters, cousins and unrelated neighbours; how the correlation of relatives fades with distance in the tree; which
ends sisters had together; three figures; a report.
"""

import logging
from pathlib import Path

from cineseq import contracts, family_results, results
from cineseq.config.base import Section
from cineseq.config.lineage import Lineage
from cineseq.files import write_json
from cineseq.kinship.concordance import concordance_table, times_table
from cineseq.kinship.fading import fading_lines, fading_table, fate_pairs_table
from cineseq.kinship.families import families_of
from cineseq.kinship.fate_figures import draw_fate_pairs, draw_incidence, draw_survival
from cineseq.kinship.fate_odds import fate_odds_lines, fate_odds_table
from cineseq.kinship.incidence import incidence_lines, incidence_table
from cineseq.kinship.relatives import relatives_of
from cineseq.kinship.survival import survival_lines, survival_table
from cineseq.kinship.wording import concordance_lines, left_out_lines
from cineseq.step import run
from cineseq.tables import read_table, write_table

logger = logging.getLogger(__name__)


class Settings(Section):
    """What this step is told."""

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
    families = families_of(read_table(cells, contracts.CELLS))
    curves = incidence_table(families, settings.seed)
    left = survival_table(families, settings.seed)
    relatives = relatives_of(families, settings.lineage.birth_time_bins)
    shared = concordance_table(
        families, relatives, settings.lineage.birth_time_bins, settings.lineage.permutations, settings.seed
    )
    odds = fate_odds_table(families, relatives)
    faded = fading_table(families, relatives["neighbours"])
    together = fate_pairs_table(families)
    lines = incidence_lines(curves) + survival_lines(left) + concordance_lines(shared)
    lines += left_out_lines(together) + fate_odds_lines(odds) + fading_lines(faded)
    for line in lines:
        logger.info("%s", line)
    draw_incidence(curves, incidence_figure)
    draw_survival(left, survival_figure)
    draw_fate_pairs(together, fate_pairs_figure)
    write_table(curves, incidence, family_results.FATE_INCIDENCE)
    write_table(left, survival, family_results.FATE_SURVIVAL)
    write_table(shared, concordance, results.CONCORDANCE)
    write_table(odds, fate_odds, family_results.FATE_ODDS)
    write_table(times_table(families, relatives), times, results.TIMES)
    write_table(faded, fading, family_results.KINSHIP_FADING)
    write_table(together, fate_pairs, family_results.FATE_PAIRS)
    born = int((families.cells["start_kind"] == "division").sum())
    write_json({"lines": lines, "numbers": {"cells_born_in_sight": born}}, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
