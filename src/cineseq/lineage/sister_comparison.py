"""Comparison of survivors by the fate of their sisters: all tables from trees and states."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cineseq.config.lineage import Lineage
from cineseq.lineage.compartment_controls import (
    COMPARTMENT,
    cage_mates_in,
    dead_cage_mates,
    dead_cells,
    two_survivor_control,
)
from cineseq.lineage.report import nearest_state
from cineseq.lineage.selection_bias import lineage_warnings
from cineseq.lineage.sensitivity import sensitivity_table
from cineseq.lineage.separated_pairs import COMPARED, Eligible, eligible, together
from cineseq.lineage.sister_status import sister_status
from cineseq.lineage.state_by_sample import state_by_sample
from cineseq.lineage.state_by_sister import compare_states
from cineseq.lineage.states import survivors
from cineseq.lineage.trees import LineageTrees
from cineseq.tables.lineage import SISTER_DIED
from cineseq.text import NOT_ESTIMABLE


@dataclass(frozen=True)
class Sequenced:
    """Sequencing data of the cells of trees; None where not measured.

    Attributes
    ----------
    cells
        Names of the sequenced cells; None where nothing was sequenced: the cells alive at the end are then used.
    pairs
        As :data:`cineseq.tables.imaging.PAIRS`, with the compartment of each live cell.
    dead_cage_mates
        Number of dead cage-mates of each cell of the trees, its sister excluded, shape (cells,).
    ambient
        Fraction of each cell's counts that is likely to be ambient, by ``track_id``.
    dead
        Dead cells in compartments, as :func:`~cineseq.lineage.compartment_controls.dead_cells` returns.
    """

    cells: pd.Index | None = None
    pairs: pd.DataFrame | None = None
    dead_cage_mates: np.ndarray | None = None
    ambient: pd.Series | None = None
    dead: pd.DataFrame | None = None

    def with_map(self, families: LineageTrees, cells: pd.DataFrame, compartments: pd.DataFrame) -> Sequenced:
        """Return a copy with the dead cells of compartments and the dead cage-mates of each cell, from a map."""
        dead = dead_cells(families, cells, compartments)
        return replace(self, dead=dead, dead_cage_mates=dead_cage_mates(families, self.pairs, dead))


@dataclass(frozen=True)
class SisterComparison:
    """Tables of the comparison.

    Attributes
    ----------
    status
        As :func:`~cineseq.lineage.sister_status.sister_status`, with ``sequenced`` and, where known,
        ``dead_cage_mates``.
    compared
        As :func:`~cineseq.lineage.state_by_sister.compare_states`.
    by_sample
        As :data:`cineseq.tables.lineage.STATE_BY_SAMPLE`.
    sensitivity, warnings
        As :data:`cineseq.tables.lineage.LINEAGE_SENSITIVITY` and :data:`cineseq.tables.lineage.LINEAGE_WARNINGS`.
    """

    status: pd.DataFrame
    compared: pd.DataFrame
    by_sample: pd.DataFrame
    sensitivity: pd.DataFrame
    warnings: pd.DataFrame


def compare_survivors(
    families: LineageTrees, states: pd.DataFrame, sequenced: Sequenced, settings: Lineage
) -> SisterComparison:
    """Compare survivors by the fate of their sisters, with bounds for errors and warnings of possible biases.

    The contrast of a dead with a living sister uses pairs that can be compared without selection by compartment, see
    :func:`~cineseq.lineage.separated_pairs.eligible`.

    Parameters
    ----------
    families
        The trees.
    states
        One column per state (1, 0, NaN), indexed by ``track_id``.
    sequenced
        Sequencing data of the cells.
    settings
        The section ``lineage`` of the configuration.
    """
    status = sister_status(families, settings)
    status["sequenced"] = survivors(families, states, sequenced.cells)
    if sequenced.dead_cage_mates is not None:
        status["dead_cage_mates"] = sequenced.dead_cage_mates
    chosen = eligible(families, status, together(families, status, sequenced.pairs, sequenced.dead))
    compared = compare_states(families, status, states, settings)
    of_pairs = status["status"].isin(COMPARED)
    used = status
    if chosen.families:
        used = separated = status.assign(sequenced=status["sequenced"] & of_pairs & chosen.cells)
        compared = _replaced(compared, compare_states(families, separated, states, settings), chosen)
    kept = status.assign(sequenced=status["sequenced"] & (~of_pairs | chosen.cells))
    bounds = sensitivity_table(families, kept, states, sequenced.pairs, settings)
    warned = lineage_warnings(families, status, sequenced.pairs, sequenced.ambient, sequenced.dead)
    if len(families.cells):
        nearest = nearest_state(compared)
        state = None if nearest is None else states[nearest]
        warned.loc[len(warned)] = two_survivor_control(families, status, sequenced.pairs, state, settings)
    return SisterComparison(status, compared, state_by_sample(families, used, states, settings), bounds, warned)


def _replaced(compared: pd.DataFrame, separated: pd.DataFrame, chosen: Eligible) -> pd.DataFrame:
    """Return the comparison with the primary contrast of separated pairs, whose notes say what is left out."""
    main = separated[separated["contrast"] == SISTER_DIED].copy()
    for name in ("note", "power_note"):
        missing = main[name].str.startswith(NOT_ESTIMABLE)
        before = f"{NOT_ESTIMABLE}: {chosen.reason}; " + main[name].str.removeprefix(f"{NOT_ESTIMABLE}: ")
        after = (main[name] + f"; {chosen.reason}").str.removeprefix("; ")
        main[name] = before.where(missing, after)
    order = compared.index
    return pd.concat([compared[compared["contrast"] != SISTER_DIED], main]).reindex(order)


def sequenced_of_compartments(families: LineageTrees, cells: pd.DataFrame, names: pd.Index | None) -> Sequenced:
    """Return sequencing data with the dead cage-mates, from the column ``compartment_id`` of the cells.

    Parameters
    ----------
    families
        The trees.
    cells
        Columns ``track_id``, ``sample`` and ``compartment_id``, of dead cells too; missing where unknown.
    names
        Names of the sequenced cells; None for all cells alive at the end.
    """
    placed = cells.set_index("track_id").reindex(families.cells["track_id"])[COMPARTMENT]
    own = placed.astype(object).reset_index(drop=True)
    rows = own.assign(track_id=families.cells["track_id"], row=np.arange(len(own))).dropna(subset="compartment_id")
    dead = rows[families.cells["died"].to_numpy()[rows["row"]] == 1]
    live = rows[families.cells["alive_at_end"].to_numpy()[rows["row"]] == 1]
    pairs = live.drop(columns="row").assign(
        occupancy=live.groupby(COMPARTMENT)["track_id"].transform("size"), status=pd.NA, posterior=np.nan
    )
    if dead.empty:
        return Sequenced(names, pairs)
    placed_dead = dead[["row", *COMPARTMENT]]
    return Sequenced(names, pairs, cage_mates_in(families, own.fillna(""), placed_dead), dead=placed_dead)
