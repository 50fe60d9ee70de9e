"""The states of sequenced survivors: clusters, upper halves of scores, and columns that the user brought."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.errors import UserError
from cineseq.kinship.families import Families

SCORES = ("s_score", "g2m_score")
MOST_VALUES = 20
"""A given column of text with more values than this is an identifier rather than a state."""


def states_of(cells: pd.DataFrame, clusters: pd.DataFrame | None, wanted: list[str] | None) -> pd.DataFrame:
    """Collect binary states of cells, fixed before sisters are looked at.

    Parameters
    ----------
    cells
        The cells table (its ``state_*`` columns).
    clusters
        The clusters table; None where nothing was sequenced.
    wanted
        Names of states (``cluster=0``, ``s_score``, ``state_x``, ``state_x=value``); None takes all.

    Returns
    -------
    pandas.DataFrame
        One column per state with 1, 0 or NaN, indexed by ``track_id``. Numbers with more than two values become their
        upper half within the sample; texts one column per value.

    Raises
    ------
    UserError
        When a wanted state is not there.
    """
    parts = [_given(cells)]
    if clusters is not None:
        parts.append(_from_clusters(clusters, cells.set_index("track_id")["sample"]))
    states = pd.concat(parts, axis=1, sort=True) if parts else pd.DataFrame()
    if wanted is None:
        return states
    chosen = [
        c for c in states.columns if c in wanted or c.removesuffix("_high") in wanted or c.split("=")[0] in wanted
    ]
    for name in wanted:
        if not any(name in {c, c.removesuffix("_high"), c.split("=")[0]} for c in chosen):
            msg = f"lineage.states: there is no state '{name}'; the data have {sorted(states.columns)}."
            raise UserError(msg)
    return states[chosen]


def _from_clusters(clusters: pd.DataFrame, samples: pd.Series) -> pd.DataFrame:
    table = clusters.set_index("track_id")
    found = one_hot(table["cluster"], "cluster")
    sample = samples.reindex(table.index).fillna("")
    for name in SCORES:
        if table[name].notna().any():
            found[f"{name}_high"] = _upper_half(table[name], sample)
    return found


def _given(cells: pd.DataFrame) -> pd.DataFrame:
    table = cells.set_index("track_id")
    found = [pd.DataFrame(index=table.index)]
    for name in (c for c in table.columns if c.startswith("state_")):
        values = table[name]
        number = pd.to_numeric(values, errors="coerce")
        if number.notna().sum() < values.notna().sum():
            found.append(one_hot(values, name))
        elif number.nunique() > 2:
            found.append(_upper_half(number, table["sample"]).rename(f"{name}_high").to_frame())
        elif number.nunique() == 2:
            found.append((number == number.max()).astype(float).where(number.notna()).rename(name).to_frame())
    return pd.concat(found, axis=1)


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


def survivors(families: Families, states: pd.DataFrame, sequenced: pd.Index | None) -> np.ndarray:
    """Return which cells are survivors with a measured state, shape (cells,).

    Parameters
    ----------
    families
        The trees.
    states
        As :func:`states_of` returns.
    sequenced
        The paired cells; None where nothing was sequenced, and then the cells alive at the end.
    """
    track_ids = families.cells["track_id"]
    there = families.cells["alive_at_end"] == 1 if sequenced is None else track_ids.isin(sequenced.astype(str))
    measured = track_ids.isin(states.dropna(how="all").index)
    return (there & (families.cells["died"] != 1) & measured).to_numpy(bool)
