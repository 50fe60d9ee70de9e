"""The comparison of survivors by the fate of their sisters: every table of it from trees and states."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cineseq.config.lineage import Lineage
from cineseq.lineage.compartment_controls import COMPARTMENT, dead_mates, mates_in, two_survivor_sums
from cineseq.lineage.report import nearest_state
from cineseq.lineage.selection_bias import lineage_warnings
from cineseq.lineage.sensitivity import sensitivity_table
from cineseq.lineage.sister_status import sister_status
from cineseq.lineage.state_by_sister import compare_states
from cineseq.lineage.states import survivors
from cineseq.lineage.trees import LineageTrees


@dataclass(frozen=True)
class Sequenced:
    """What sequencing adds to the trees; None stands for what was not measured.

    Attributes
    ----------
    cells
        Names of the sequenced cells; None where nothing was sequenced, and then cells alive at the end count.
    pairs
        As :data:`cineseq.tables.imaging.PAIRS`: the compartment of each live cell.
    mates
        Dead cells beside each cell of the trees, its sister apart, shape (cells,).
    ambient
        Share of each cell's counts that is likely to be ambient, by ``track_id``.
    """

    cells: pd.Index | None = None
    pairs: pd.DataFrame | None = None
    mates: np.ndarray | None = None
    ambient: pd.Series | None = None

    def with_map(self, families: LineageTrees, cells: pd.DataFrame, compartments: pd.DataFrame) -> Sequenced:
        """Return the same with the dead cells that a map of compartments places beside each cell."""
        return replace(self, mates=dead_mates(families, cells, self.pairs, compartments))


@dataclass(frozen=True)
class SisterComparison:
    """What the comparison found.

    Attributes
    ----------
    status
        As :func:`~cineseq.lineage.sister_status.sister_status`, with ``sequenced`` and, where known, ``mates``.
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
    families: LineageTrees, states: pd.DataFrame, sequenced: Sequenced, settings: Lineage, seed: int
) -> SisterComparison:
    """Compare survivors by what became of their sisters, bound the errors, and list what could bias it.

    Parameters
    ----------
    families
        The trees.
    states
        One column per state (1, 0, NaN), indexed by ``track_id``.
    sequenced
        What is known of the sequenced cells.
    settings
        The section ``lineage`` of the configuration.
    seed
        Of the permutations.
    """
    status = sister_status(families, settings)
    status["sequenced"] = survivors(families, states, sequenced.cells)
    if sequenced.mates is not None:
        status["mates"] = sequenced.mates
    compared = compare_states(families, status, states, settings, seed)
    bounds = sensitivity_table(families, status, states, sequenced.pairs, settings)
    warned = lineage_warnings(families, status, sequenced.pairs, sequenced.ambient)
    if len(families.cells):
        nearest = nearest_state(compared)
        state = None if nearest is None else states[nearest]
        warned.loc[len(warned)] = two_survivor_sums(families, status, sequenced.pairs, state, settings, seed=seed)
    return SisterComparison(status, compared, bounds, warned)


def sequenced_of_compartments(families: LineageTrees, cells: pd.DataFrame, names: pd.Index | None) -> Sequenced:
    """Return what a column ``compartment_id`` of the cells says of who sat with whom.

    Parameters
    ----------
    families
        The trees.
    cells
        Columns ``track_id``, ``sample`` and ``compartment_id``, dead cells too; missing where not known.
    names
        Names of the sequenced cells; None for all that are alive at the end.
    """
    placed = cells.set_index("track_id").reindex(families.cells["track_id"])[COMPARTMENT]
    room = placed.astype(object).reset_index(drop=True)
    rows = room.assign(track_id=families.cells["track_id"], row=np.arange(len(room))).dropna(subset="compartment_id")
    dead = rows[families.cells["died"].to_numpy()[rows["row"]] == 1]
    live = rows[families.cells["alive_at_end"].to_numpy()[rows["row"]] == 1]
    pairs = live.drop(columns="row").assign(
        occupancy=live.groupby(COMPARTMENT)["track_id"].transform("size"), status=pd.NA, posterior=np.nan
    )
    if dead.empty:
        return Sequenced(names, pairs)
    return Sequenced(names, pairs, mates_in(families, room.fillna(""), dead[["row", *COMPARTMENT]]))
