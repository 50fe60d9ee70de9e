"""Comparison of sisters and other relatives, in memory; no argument is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cineseq.api.keywords import check_names, check_tables, check_whole_number, section_of
from cineseq.config.base import LARGEST_SEED
from cineseq.config.lineage import Lineage
from cineseq.errors import UserError
from cineseq.lineage.complete_cells import LINEAGE, completed_cells
from cineseq.lineage.concordance import concordance_table, times_table
from cineseq.lineage.relatives import relatives_of
from cineseq.lineage.sister_comparison import Sequenced, compare_survivors, sequenced_of_compartments
from cineseq.lineage.state_by_sister import power_table, state_table
from cineseq.lineage.states import states_of
from cineseq.lineage.trees import families_of
from cineseq.tables.contract import as_written
from cineseq.tables.lineage import (
    CONCORDANCE,
    LINEAGE_POWER,
    LINEAGE_SENSITIVITY,
    LINEAGE_WARNINGS,
    STATE_BY_SAMPLE,
    STATE_BY_SISTER,
    TIMES,
)


@dataclass(frozen=True)
class SisterTables:
    """Similarity of relatives, and states of survivors by the fate of their sister.

    Attributes
    ----------
    concordance, times
        As :data:`cineseq.tables.lineage.CONCORDANCE` and :data:`cineseq.tables.lineage.TIMES`.
    state_by_sister, power, sensitivity, warnings
        As :data:`cineseq.tables.lineage.STATE_BY_SISTER`, :data:`cineseq.tables.lineage.LINEAGE_POWER`,
        :data:`cineseq.tables.lineage.LINEAGE_SENSITIVITY` and :data:`cineseq.tables.lineage.LINEAGE_WARNINGS`.
    by_sample
        As :data:`cineseq.tables.lineage.STATE_BY_SAMPLE`.
    """

    concordance: pd.DataFrame
    times: pd.DataFrame
    state_by_sister: pd.DataFrame
    power: pd.DataFrame
    sensitivity: pd.DataFrame
    warnings: pd.DataFrame
    by_sample: pd.DataFrame


def compare_sisters(
    cells: pd.DataFrame, seed: int = 1, *, sequenced: Sequence[str] | None = None, **settings: Any
) -> SisterTables:
    """Measure how similar relatives are, and test whether a state is more frequent in survivors whose sister died.

    The fate of a cell that was lost or left the field is unknown: it counts neither as dead nor as alive. Survivors are
    compared within strata of field and birth time, with families as units.

    Parameters
    ----------
    cells
        One row per cell: ``track_id, sample, fov, parent_id`` (missing where unknown), ``start_frame, end_frame``,
        ``end_kind`` (``division, death, left_fov, lost, end_of_movie``) and states ``state_*`` (numbers become their
        upper half within the sample). ``condition``, ``start_hours, end_hours`` (h) and positions at birth
        ``start_y_px, start_x_px`` (px) are used if present; founder, generation, sister, fate and survival are derived
        if missing. With ``compartment_id`` (also of dead cells), the association with a dead cage-mate is separated
        from that with a dead sister.
    seed
        Seed of permutations and intervals.
    sequenced
        Names of the sequenced cells; None for all cells that are alive at the end and have a state.
    **settings
        Settings of the section ``lineage`` of the configuration.

    Returns
    -------
    SisterTables
        ``concordance`` of fates and ``times`` of sisters, cousins and neighbours; ``state_by_sister`` with odds ratios,
        ``power`` with the smallest detectable odds ratio, ``sensitivity`` to errors, and ``warnings``. A row that
        is not estimable has no numbers and ``note`` gives the reason; if no state varies in both groups, the tables on
        states have no rows.

    Raises
    ------
    UserError
        When a column is missing, a cell is listed twice or descends from itself, or a value breaks its contract.

    References
    ----------
    Mantel and Haenszel, J. Natl. Cancer Inst. 22 (1959) 719.

    Examples
    --------
    >>> import cineseq as cs
    >>> import pandas as pd
    >>> rows = []
    >>> for k in range(40):
    ...     ends = ("end_of_movie", "death" if k % 2 else "end_of_movie")
    ...     rows.append((f"m{k}", None, 0, 9, "division", None))
    ...     for name, end in zip("ab", ends):
    ...         rows.append((f"m{k}{name}", f"m{k}", 10, 30, end, float(k % 4 == 1 or k % 8 == 2)))
    >>> columns = ["track_id", "parent_id", "start_frame", "end_frame", "end_kind", "state_stress"]
    >>> cells = pd.DataFrame(rows, columns=columns).assign(sample="s", fov="1")
    >>> found = cs.compare_sisters(cells, permutations=99)
    >>> found.state_by_sister.set_index("contrast")["odds_ratio"].round(2).to_dict()["sister_died_vs_survived"]
    3.0
    """
    check_names("compare_sisters", settings, Lineage)
    check_whole_number("seed", seed, 0, LARGEST_SEED)
    check_tables(cells=cells)
    chosen = section_of("compare_sisters", Lineage, settings)
    if chosen.gene_sets:
        msg = "compare_sisters: gene_sets needs counts; supply scores of the sets as columns state_* instead."
        raise UserError(msg)
    completed = completed_cells(cells, LINEAGE)
    # Sorted as the files of the workflow are, so that results do not depend on the order of rows.
    table = completed.sort_values("track_id", kind="stable", ignore_index=True)
    families = families_of(table)
    # Fates and times of relatives.
    relatives = relatives_of(families, chosen.birth_time_bins)
    shared = concordance_table(families, relatives, chosen.birth_time_bins, chosen.permutations, seed)
    # States of survivors by the fate of the sister.
    states = states_of(table, None, chosen.states)
    known = Sequenced(None if sequenced is None else _known_cells(sequenced, table))
    if "compartment_id" in cells:
        members = completed[["track_id", "sample"]].assign(compartment_id=cells["compartment_id"].to_numpy(object))
        known = sequenced_of_compartments(families, members, known.cells)
    found = compare_survivors(families, states, known, chosen)
    return SisterTables(
        as_written(shared, CONCORDANCE),
        as_written(times_table(families, relatives), TIMES),
        as_written(state_table(found.compared), STATE_BY_SISTER),
        as_written(power_table(found.compared), LINEAGE_POWER),
        as_written(found.sensitivity, LINEAGE_SENSITIVITY),
        as_written(found.warnings, LINEAGE_WARNINGS),
        as_written(found.by_sample, STATE_BY_SAMPLE),
    )


def _known_cells(names: Sequence[str], cells: pd.DataFrame) -> pd.Index:
    wanted = pd.Index([names] if isinstance(names, str) else names)
    strange = wanted.difference(pd.Index(cells["track_id"]))
    if len(strange):
        msg = f"sequenced: '{strange[0]}' is not among the track_id of cells; use the names of that table."
        raise UserError(msg)
    return wanted
