"""Test the association of states of sequenced survivors with the fate of the sister.

In: the cells table with its lineage; where cells were sequenced, also the paired data (for scores of gene sets),
clusters, pairs and maps of compartments. Out: states of survivors by the fate of the sister, with the smallest
detectable effect; sensitivity to errors; warnings of possible selection bias; trees coloured by fate and by state; a
forest plot; a report.
"""

import logging
from pathlib import Path

import pandas as pd

from cineseq.config.base import Section
from cineseq.config.expression import Normalisation
from cineseq.config.lineage import Lineage
from cineseq.errors import UserError
from cineseq.expression.cell_cycle import gene_set_scores
from cineseq.expression.normalise import expression_of
from cineseq.expression.quality_control import usable_cells
from cineseq.files import write_json
from cineseq.io.adata import read_paired
from cineseq.io.maps import read_compartments
from cineseq.io.paired import PairedData
from cineseq.lineage.e_value import e_value_lines
from cineseq.lineage.figures import draw_forest
from cineseq.lineage.report import (
    control_lines,
    family_lines,
    family_numbers,
    nearest_state,
    negative_control_lines,
    serious_lines,
    state_lines,
)
from cineseq.lineage.sensitivity import sensitivity_lines
from cineseq.lineage.sister_comparison import Sequenced, SisterComparison, compare_survivors
from cineseq.lineage.state_by_sister import power_table, state_table
from cineseq.lineage.states import states_of
from cineseq.lineage.tree_figures import colour_by_fate, colour_by_state, draw_trees
from cineseq.lineage.trees import LineageTrees, families_of
from cineseq.tables.contract import Table, read_table, write_table
from cineseq.tables.expression import CLUSTERS
from cineseq.tables.imaging import CELLS, PAIRS
from cineseq.tables.lineage import (
    LINEAGE_POWER,
    LINEAGE_SENSITIVITY,
    LINEAGE_WARNINGS,
    STATE_BY_SAMPLE,
    STATE_BY_SISTER,
)
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


class Settings(Section):
    """Settings of this step."""

    lineage: Lineage = Lineage()
    seed: int = 1
    normalisation: Normalisation = "median"


def main(
    *,
    cells: Path,
    paired: Path | None = None,
    clusters: Path | None = None,
    pairs: Path | None = None,
    compartments: list[Path],
    states: Path,
    states_by_sample: Path,
    power: Path,
    warnings: Path,
    sensitivity: Path,
    trees: Path,
    trees_by_state: Path,
    forest: Path,
    report: Path,
    settings: Settings,
) -> None:
    """Compare states of survivors by the fate of their sisters."""
    table = read_table(cells, CELLS)
    families = families_of(table)
    data = None if paired is None else read_paired(paired, settings.normalisation)
    matched, grouped = _optional(pairs, PAIRS), _optional(clusters, CLUSTERS)
    measured = states_of(table, grouped, settings.lineage.states, _gene_sets(data, grouped, settings))
    sequenced = Sequenced(pairs=matched)
    if data is not None:
        sequenced = Sequenced(data.obs.index, matched, ambient=data.obs.get("ambient_score"))
    if compartments:
        sequenced = sequenced.with_map(families, table, read_compartments(compartments))
    found = compare_survivors(families, measured, sequenced, settings.lineage)
    compared = found.compared
    lines = _sentences(families, found)
    draw_trees(families, colour_by_fate(families), settings.lineage.trees, trees)
    draw_trees(
        families, colour_by_state(families, measured, nearest_state(compared)), settings.lineage.trees, trees_by_state
    )
    draw_forest(compared, forest)
    write_table(state_table(compared), states, STATE_BY_SISTER)
    write_table(found.by_sample, states_by_sample, STATE_BY_SAMPLE)
    write_table(power_table(compared), power, LINEAGE_POWER)
    write_table(found.warnings, warnings, LINEAGE_WARNINGS)
    write_table(found.sensitivity, sensitivity, LINEAGE_SENSITIVITY)
    write_json({"lines": lines, "numbers": family_numbers(families, found.status)}, report)


def _sentences(families: LineageTrees, found: SisterComparison) -> list[str]:
    nearest = nearest_state(found.compared)
    lines = family_lines(families, found.status) + state_lines(found.compared)
    lines += control_lines(found.compared, nearest) + e_value_lines(found.compared, nearest)
    lines += sensitivity_lines(found.sensitivity, nearest)
    lines += negative_control_lines(found.warnings) + serious_lines(found.warnings)
    for line in lines:
        logger.info("%s", line)
    return lines


def _gene_sets(data: PairedData | None, clusters: pd.DataFrame | None, settings: Settings) -> pd.DataFrame | None:
    """Return scores of the configured gene sets in cells that passed quality control; None without gene sets.

    Raises
    ------
    UserError
        When the study has no counts.
    """
    if not settings.lineage.gene_sets:
        return None
    usable = None
    if data is not None:
        usable = usable_cells(data, None if clusters is None else clusters.set_index("track_id"))
    expression = None if usable is None else expression_of(usable)
    if usable is None or expression is None:
        msg = "lineage.gene_sets: the study has no counts to score gene sets in; supply counts or remove the gene sets."
        raise UserError(msg)
    scores = gene_set_scores(expression, settings.lineage.gene_sets, settings.seed)
    return scores.set_index(usable.obs.index.astype(str))


def _optional(path: Path | None, contract: Table) -> pd.DataFrame | None:
    return None if path is None else read_table(path, contract)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
