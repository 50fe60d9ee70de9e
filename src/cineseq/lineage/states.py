"""Binary states of survivors: clusters, upper halves of scores, and measured or user-supplied columns."""

from __future__ import annotations

from difflib import get_close_matches

import numpy as np
import pandas as pd

from cineseq.errors import UserError
from cineseq.lineage.trees import LineageTrees
from cineseq.tables.imaging import CELLS

MEASURED = ("function_", "morphology_", "embedding_", "features_")
SCORES = ("s_score", "g2m_score")
MOST_VALUES = 20
"""A text column with more values than this is an identifier rather than a state."""


def states_of(
    cells: pd.DataFrame,
    clusters: pd.DataFrame | None,
    wanted: list[str] | None,
    gene_sets: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Collect binary states of cells, defined without reference to the fates of sisters.

    Parameters
    ----------
    cells
        The cells table (its ``state_*`` columns, and the measured columns that are wanted).
    clusters
        The clusters table; None where nothing was sequenced.
    wanted
        Names of states (``cluster=0``, ``s_score``, ``state_x``, ``state_x=value``, a gene set, or a measured column
        such as ``function_lipid``); None takes all but the measured columns, which are many.
    gene_sets
        Scores of gene sets, one column each, indexed by ``track_id``; None where there are none.

    Returns
    -------
    pandas.DataFrame
        One column per state with 1, 0 or NaN, indexed by ``track_id``. Numbers with more than two values are split at
        the median of the sample (1 above it); text gives one column per value.

    Raises
    ------
    UserError
        When a wanted state does not exist.
    """
    measured = [c for c in cells.columns if c.startswith(MEASURED)]
    sample = cells.set_index("track_id")["sample"]
    chosen = [c for c in measured if wanted is not None and c in wanted]
    parts = [_from_columns(cells, [*(c for c in cells.columns if c.startswith("state_")), *chosen])]
    if clusters is not None:
        parts.append(_from_clusters(clusters, sample))
    if gene_sets is not None:
        _check_names(list(gene_sets.columns), parts)
        of_set = sample.reindex(gene_sets.index).fillna("")
        parts += [_upper_half(gene_sets[c], of_set).rename(f"{c}_high").to_frame() for c in gene_sets.columns]
    states = pd.concat(parts, axis=1, sort=True)
    if wanted is None:
        return states
    for name in wanted:
        if not any(name in _names(c) for c in states.columns):
            raise UserError(_unknown(name, list(states.columns), measured))
    return states[[c for c in states.columns if _names(c) & set(wanted)]]


def _names(state: str) -> set[str]:
    """Return the names by which the configuration may refer to a state."""
    return {state, state.removesuffix("_high"), state.split("=", maxsplit=1)[0]}


def _unknown(name: str, states: list[str], measured: list[str]) -> str:
    if name in {c.name for c in CELLS.columns}:
        return f"lineage.states: '{name}' is not a state of cells (it is a name, position or lineage); remove it."
    if name in measured:
        return f"lineage.states: the column '{name}' has fewer than two values, so it is not a state; remove it."
    known = sorted(set().union(*map(_names, states)) | set(measured))
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"the data have {sorted(states)}"
    return f"lineage.states: there is no state '{name}'; {hint}"


def _check_names(names: list[str], parts: list[pd.DataFrame]) -> None:
    taken = set().union(*(_names(c) for part in parts for c in part.columns))
    for name in names:
        if name in taken or "=" in name:
            msg = f"lineage.gene_sets: '{name}' is the name of another state or contains '='; rename the gene set."
            raise UserError(msg)


def _from_clusters(clusters: pd.DataFrame, samples: pd.Series) -> pd.DataFrame:
    table = clusters.set_index("track_id")
    states = one_hot(table["cluster"], "cluster")
    sample = samples.reindex(table.index).fillna("")
    for name in SCORES:
        if table[name].notna().any():
            states[f"{name}_high"] = _upper_half(table[name], sample)
    return states


def _from_columns(cells: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    table = cells.set_index("track_id")
    states = [pd.DataFrame(index=table.index)]
    for name in names:
        values = table[name]
        number = pd.to_numeric(values, errors="coerce")
        if number.notna().sum() < values.notna().sum():
            states.append(one_hot(values, name))
        elif number.nunique() > 2:
            states.append(_upper_half(number, table["sample"]).rename(f"{name}_high").to_frame())
        elif number.nunique() == 2:
            states.append((number == number.max()).astype(float).where(number.notna()).rename(name).to_frame())
    return pd.concat(states, axis=1)


def one_hot(values: pd.Series, name: str) -> pd.DataFrame:
    """Return one column of 1 and 0 per value, named ``name=value``; NaN where the value is missing."""
    names = sorted(values.dropna().unique(), key=lambda v: (len(v), v))
    if not 2 <= len(names) <= MOST_VALUES:
        return pd.DataFrame(index=values.index)
    columns = {f"{name}={v}": (values == v).astype("Float64").to_numpy(float, na_value=np.nan) for v in names}
    return pd.DataFrame(columns, index=values.index).where(values.notna(), np.nan)


def _upper_half(values: pd.Series, samples: pd.Series) -> pd.Series:
    number = pd.Series(pd.to_numeric(values).to_numpy(float, na_value=np.nan), index=values.index)
    median = number.groupby(samples.to_numpy()).transform("median")
    return (number > median).astype(float).where(number.notna())


def survivors(families: LineageTrees, states: pd.DataFrame, sequenced: pd.Index | None) -> np.ndarray:
    """Return which cells are survivors with a measured state, shape (cells,).

    Parameters
    ----------
    families
        The trees.
    states
        As :func:`states_of` returns.
    sequenced
        The paired cells; None where nothing was sequenced: the cells alive at the end are then used.
    """
    track_ids = families.cells["track_id"]
    there = families.cells["alive_at_end"] == 1 if sequenced is None else track_ids.isin(sequenced.astype(str))
    measured = track_ids.isin(states.dropna(how="all").index)
    return (there & (families.cells["died"] != 1) & measured).to_numpy(bool)
