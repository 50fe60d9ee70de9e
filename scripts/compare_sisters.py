"""What became of the sister: shared fates of relatives, and states of survivors against the fate of the sister.

In: the cells table with its lineage; where cells were sequenced, also the paired data, their clusters and the pairs.
Out: concordance of fates and correlation of times of sisters, cousins and unrelated neighbours; states of survivors
by what became of the sister, with the smallest effect that these families could show; how far errors could move
the answer; warnings of selection; a page of trees and a forest plot; a report.
"""

import logging
from pathlib import Path

import pandas as pd

from cineseq import contracts, family_results, results
from cineseq.config.base import Section
from cineseq.config.lineage import Lineage
from cineseq.files import write_json
from cineseq.kinship.concordance import concordance_table, times_table
from cineseq.kinship.families import families_of
from cineseq.kinship.figures import draw_forest, draw_trees
from cineseq.kinship.relatives import relatives_of
from cineseq.kinship.selection import lineage_warnings
from cineseq.kinship.sensitivity import sensitivity_lines, sensitivity_table
from cineseq.kinship.state_by_sister import compare_states, power_table, state_table
from cineseq.kinship.states import states_of, survivors
from cineseq.kinship.status import sister_status
from cineseq.kinship.wording import (
    concordance_lines,
    family_lines,
    family_numbers,
    nearest_state,
    serious_lines,
    state_lines,
)
from cineseq.paired import read_paired
from cineseq.step import run
from cineseq.tables import Table, read_table, write_table

logger = logging.getLogger(__name__)


class Settings(Section):
    """What this step is told."""

    lineage: Lineage = Lineage()
    seed: int = 1


def main(
    *,
    cells: Path,
    paired: Path | None = None,
    clusters: Path | None = None,
    pairs: Path | None = None,
    concordance: Path,
    times: Path,
    states: Path,
    power: Path,
    warnings: Path,
    sensitivity: Path,
    trees: Path,
    forest: Path,
    report: Path,
    settings: Settings,
) -> None:
    """Compare relatives, then survivors by the fate of their sisters."""
    table = read_table(cells, contracts.CELLS)
    families = families_of(table)
    relatives = relatives_of(families, settings.lineage.birth_time_bins)
    shared = concordance_table(
        families, relatives, settings.lineage.birth_time_bins, settings.lineage.permutations, settings.seed
    )
    measured = states_of(table, _optional(clusters, results.CLUSTERS), settings.lineage.states)
    status = sister_status(families, settings.lineage)
    status["sequenced"] = survivors(families, measured, None if paired is None else read_paired(paired).obs.index)
    compared = compare_states(families, status, measured, settings.lineage, settings.seed)
    matched = _optional(pairs, contracts.PAIRS)
    bounds = sensitivity_table(families, status, measured, matched, settings.lineage)
    warned = lineage_warnings(families, status, matched)
    lines = family_lines(families, status) + concordance_lines(shared) + state_lines(compared)
    lines += sensitivity_lines(bounds, nearest_state(compared)) + serious_lines(warned)
    for line in lines:
        logger.info("%s", line)
    draw_trees(families, settings.lineage.trees, trees)
    draw_forest(compared, forest)
    write_table(shared, concordance, results.CONCORDANCE)
    write_table(times_table(families, relatives), times, results.TIMES)
    write_table(state_table(compared), states, results.STATE_BY_SISTER)
    write_table(power_table(compared), power, results.LINEAGE_POWER)
    write_table(warned, warnings, results.LINEAGE_WARNINGS)
    write_table(bounds, sensitivity, family_results.LINEAGE_SENSITIVITY)
    write_json({"lines": lines, "numbers": family_numbers(families, status)}, report)


def _optional(path: Path | None, contract: Table) -> pd.DataFrame | None:
    return None if path is None else read_table(path, contract)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
