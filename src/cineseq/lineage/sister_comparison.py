"""Comparison of survivors by the fate of their sisters: all tables from trees and states."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cineseq.config.lineage import Lineage
from cineseq.lineage.compartment_controls import COMPARTMENT, cage_mates_in, dead_cage_mates, two_survivor_control
from cineseq.lineage.report import nearest_state
from cineseq.lineage.selection_bias import lineage_warnings
from cineseq.lineage.sensitivity import sensitivity_table
from cineseq.lineage.sister_status import sister_status
from cineseq.lineage.state_by_sister import compare_states
from cineseq.lineage.states import survivors
from cineseq.lineage.trees import LineageTrees


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
    """

    cells: pd.Index | None = None
    pairs: pd.DataFrame | None = None
    dead_cage_mates: np.ndarray | None = None
    ambient: pd.Series | None = None

    def with_map(self, families: LineageTrees, cells: pd.DataFrame, compartments: pd.DataFrame) -> Sequenced:
        """Return a copy with the dead cage-mates of each cell, from a map of compartments."""
        return replace(self, dead_cage_mates=dead_cage_mates(families, cells, self.pairs, compartments))


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
    sensitivity, warnings
        As :data:`cineseq.tables.lineage.LINEAGE_SENSITIVITY` and :data:`cineseq.tables.lineage.LINEAGE_WARNINGS`.
    """

    status: pd.DataFrame
    compared: pd.DataFrame
    sensitivity: pd.DataFrame
    warnings: pd.DataFrame


def compare_survivors(
    families: LineageTrees, states: pd.DataFrame, sequenced: Sequenced, settings: Lineage
) -> SisterComparison:
    """Compare survivors by the fate of their sisters, with bounds for errors and warnings of possible biases.

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
    compared = compare_states(families, status, states, settings)
    bounds = sensitivity_table(families, status, states, sequenced.pairs, settings)
    warned = lineage_warnings(families, status, sequenced.pairs, sequenced.ambient)
    if len(families.cells):
        nearest = nearest_state(compared)
        state = None if nearest is None else states[nearest]
        warned.loc[len(warned)] = two_survivor_control(families, status, sequenced.pairs, state, settings)
    return SisterComparison(status, compared, bounds, warned)


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
    return Sequenced(names, pairs, cage_mates_in(families, own.fillna(""), dead[["row", *COMPARTMENT]]))
