"""What became of the sister: states of sequenced survivors against the fate of the sister.

In: the cells table with its lineage; where cells were sequenced, also the paired data (for the scores of gene sets
too), their clusters, the pairs and the maps of compartments. Out: states of survivors by what became of the sister,
with the smallest effect that these families could show; how far errors could move the answer; warnings of selection;
trees coloured by fate and by state; a forest plot; a report.
"""

import logging
from pathlib import Path

import pandas as pd

from cineseq import contracts, family_results, results
from cineseq.clustering.counts import expression_of
from cineseq.clustering.gene_sets import gene_set_scores
from cineseq.config.base import Section
from cineseq.config.clustering import Normalisation
from cineseq.config.lineage import Lineage
from cineseq.errors import UserError
from cineseq.files import write_json
from cineseq.kinship.families import Families, families_of
from cineseq.kinship.forest import draw_forest
from cineseq.kinship.mates import dead_mates
from cineseq.kinship.selection import lineage_warnings
from cineseq.kinship.sensitivity import sensitivity_lines, sensitivity_table
from cineseq.kinship.state_by_sister import compare_states, power_table, state_table
from cineseq.kinship.states import states_of, survivors
from cineseq.kinship.status import sister_status
from cineseq.kinship.sums import two_survivor_sums
from cineseq.kinship.trees import draw_trees, look_by_fate, look_by_state
from cineseq.kinship.wording import (
    control_lines,
    family_lines,
    family_numbers,
    guard_lines,
    nearest_state,
    serious_lines,
    state_lines,
)
from cineseq.paired import PairedData, read_paired
from cineseq.pairing.maps import read_compartments
from cineseq.prediction.study import usable_cells
from cineseq.step import run
from cineseq.tables import Table, read_table, write_table

logger = logging.getLogger(__name__)


class Settings(Section):
    """What this step is told."""

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
    power: Path,
    warnings: Path,
    sensitivity: Path,
    trees: Path,
    trees_by_state: Path,
    forest: Path,
    report: Path,
    settings: Settings,
) -> None:
    """Compare survivors by the fate of their sisters."""
    table = read_table(cells, contracts.CELLS)
    families = families_of(table)
    data = None if paired is None else read_paired(paired, settings.normalisation)
    sequenced = None if data is None else data.obs
    matched, grouped = _optional(pairs, contracts.PAIRS), _optional(clusters, results.CLUSTERS)
    measured = states_of(table, grouped, settings.lineage.states, _gene_sets(data, grouped, settings))
    status = sister_status(families, settings.lineage)
    status["sequenced"] = survivors(families, measured, None if sequenced is None else sequenced.index)
    if compartments:
        status["mates"] = dead_mates(families, table, matched, read_compartments(compartments))
    compared = compare_states(families, status, measured, settings.lineage, settings.seed)
    bounds = sensitivity_table(families, status, measured, matched, settings.lineage)
    warned = lineage_warnings(families, status, matched, None if sequenced is None else sequenced.get("ambient_score"))
    if len(families.cells):
        nearest = nearest_state(compared)
        state = None if nearest is None else measured[nearest]
        warned.loc[len(warned)] = two_survivor_sums(
            families, status, matched, state, settings.lineage, seed=settings.seed
        )
    lines = _sentences(families, status, compared, bounds, warned)
    draw_trees(families, look_by_fate(families), settings.lineage.trees, trees)
    draw_trees(
        families, look_by_state(families, measured, nearest_state(compared)), settings.lineage.trees, trees_by_state
    )
    draw_forest(compared, forest)
    write_table(state_table(compared), states, results.STATE_BY_SISTER)
    write_table(power_table(compared), power, results.LINEAGE_POWER)
    write_table(warned, warnings, results.LINEAGE_WARNINGS)
    write_table(bounds, sensitivity, family_results.LINEAGE_SENSITIVITY)
    write_json({"lines": lines, "numbers": family_numbers(families, status)}, report)


def _sentences(
    families: Families, status: pd.DataFrame, compared: pd.DataFrame, bounds: pd.DataFrame, warned: pd.DataFrame
) -> list[str]:
    nearest = nearest_state(compared)
    lines = family_lines(families, status) + state_lines(compared) + control_lines(compared, nearest)
    lines += sensitivity_lines(bounds, nearest) + guard_lines(warned) + serious_lines(warned)
    for line in lines:
        logger.info("%s", line)
    return lines


def _gene_sets(data: PairedData | None, clusters: pd.DataFrame | None, settings: Settings) -> pd.DataFrame | None:
    """Score the configured sets in the cells that passed quality control, by ``track_id``; None where there are none.

    Raises
    ------
    UserError
        When there are no counts to score them in.
    """
    if not settings.lineage.gene_sets:
        return None
    usable = None
    if data is not None:
        usable = usable_cells(data, None if clusters is None else clusters.set_index("track_id"))
    expression = None if usable is None else expression_of(usable)
    if usable is None or expression is None:
        msg = "lineage.gene_sets: the study has no counts of cells to score them in; give counts or take the sets out."
        raise UserError(msg)
    scores = gene_set_scores(expression, settings.lineage.gene_sets, settings.seed)
    return scores.set_index(usable.obs.index.astype(str))


def _optional(path: Path | None, contract: Table) -> pd.DataFrame | None:
    return None if path is None else read_table(path, contract)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
