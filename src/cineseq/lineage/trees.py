"""Lineage trees as arrays, from the cells table."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.statistics.pedigree import sister_pairs
from cineseq.tables.contract import FIELD
from cineseq.tracking.validate import born_before_parent_ends, ends_before_it_begins

logger = logging.getLogger(__name__)

NOT_BORN_IN_MOVIE = ("first_frame", "entered")


@dataclass(frozen=True)
class LineageTrees:
    """Lineage trees: the cells, one row each, and the pairs of sisters.

    Attributes
    ----------
    cells
        ``track_id, sample, fov, condition, root_cell`` (number of the root cell), ``parent`` (row of the parent, -1
        where none), ``siblings`` (detected daughters of the same division, itself included; 0 where the cell was not
        born in the movie), ``generation, birth, end, field_end`` (times; the last is the end of the movie, or where
        unknown the last end in the field), ``start_kind, fate, died`` (1 death, 0 division, NaN unknown),
        ``alive_at_end`` (1, 0 or NaN), ``birth_y, birth_x`` (px, NaN where unknown); index 0, 1, ...
    sisters
        Rows of both daughters of every division with two detected daughters, shape (divisions, 2).
    unit
        Unit of the times: ``h`` or ``frames``.
    problems
        Number of rows repaired or left out, by reason.
    """

    cells: pd.DataFrame
    sisters: np.ndarray
    unit: str
    problems: dict[str, int]


def families_of(cells: pd.DataFrame) -> LineageTrees:
    """Build lineage trees from the cells table; cells without a lineage are left out.

    Inconsistent rows are repaired and counted in ``problems``: ``fate_contradicted`` (a cell that ends before it
    starts, has daughters although it died, or has daughters born before its end; its fate becomes unknown),
    ``three_sisters`` (a division with more than two daughters makes no pair) and ``family_in_two_fields`` (a family
    that spans two fields makes no pairs).
    """
    table = _columns(cells)
    position = pd.Index(table["track_id"]).get_indexer(table.pop("parent_id").fillna(""))
    group = pd.factorize(cells.loc[_has_lineage(cells), "parent_id"])[0]
    table["parent"] = position
    table["siblings"] = _group_sizes(group)
    contradicted = _contradicted(table)
    table.loc[contradicted, "died"] = np.nan
    table.loc[contradicted, "fate"] = "unknown"
    split = table.groupby("root_cell")["field"].transform("nunique").to_numpy() > 1
    affected = {
        "fate_contradicted": contradicted,
        "three_sisters": (table["siblings"] > 2).to_numpy(),
        "family_in_two_fields": split,
    }
    for name, rows in affected.items():
        if rows.any():
            first = table["track_id"].iloc[int(np.argmax(rows))]
            logger.warning("%d cells: %s, the first '%s'.", rows.sum(), name.replace("_", " "), first)
    problems = {name: int(rows.sum()) for name, rows in affected.items()}
    pairs = sister_pairs(group)
    return LineageTrees(table, pairs[~split[pairs].any(axis=1)], table.attrs["unit"], problems)


def _has_lineage(cells: pd.DataFrame) -> pd.Series:
    return cells["founder_id"].notna() & cells["start_frame"].notna() & cells["end_frame"].notna()


def _columns(cells: pd.DataFrame) -> pd.DataFrame:
    kept = cells[_has_lineage(cells)].reset_index(drop=True)
    in_hours = len(kept) > 0 and kept["start_hours"].notna().all() and kept["end_hours"].notna().all()
    unit = "hours" if in_hours else "frame"
    fate = kept["fate"].astype("string").where(kept["fate_known"].fillna(value=False).astype(bool)).fillna("unknown")
    died = fate.map({"death": 1.0, "division": 0.0}).astype(float)
    table = pd.DataFrame(
        {
            "track_id": kept["track_id"].astype(str),
            "parent_id": kept["parent_id"],
            "sample": kept["sample"].astype(str),
            "fov": kept["fov"].astype(str),
            "condition": kept["condition"].fillna("").replace("", "all").astype(str),
            "root_cell": pd.factorize(kept["founder_id"])[0],
            "generation": kept["generation"].fillna(0).astype(int),
            "birth": kept[f"start_{unit}"].astype(float),
            "end": kept[f"end_{unit}"].astype(float),
            "start_frame": kept["start_frame"].astype(int),
            "end_frame": kept["end_frame"].astype(int),
            "start_kind": kept["start_kind"].astype("string").fillna("first_frame"),
            "end_kind": kept["end_kind"].astype("string").fillna("lost"),
            "fate": fate.astype(str),
            "died": died,
            "alive_at_end": kept["alive_at_end"].astype("Float64").to_numpy(float, na_value=np.nan),
            "birth_y": _position(kept, "start_y_px"),
            "birth_x": _position(kept, "start_x_px"),
        }
    )
    table["field"] = table.groupby(FIELD, sort=True).ngroup()
    by_field = table.groupby("field")
    last = by_field["end_frame"].transform("max")
    stated = kept["movie_end_frame"].astype(float) if "movie_end_frame" in kept else pd.Series(np.nan, kept.index)
    table["field_end_frame"] = stated.groupby(table["field"]).transform("max").fillna(0).clip(lower=last).astype(int)
    per_frame = (table["end"] / table["end_frame"]).where(table["end_frame"] > 0).median() if in_hours else 1.0
    later = (table["field_end_frame"] - last) * per_frame
    table["field_end"] = by_field["end"].transform("max") + later.where(later > 0, 0.0)
    if in_hours and "movie_end_hours" in kept:
        stated = kept["movie_end_hours"].astype(float).groupby(table["field"]).transform("max")
        table["field_end"] = stated.fillna(table["field_end"]).clip(lower=by_field["end"].transform("max"))
    table.attrs["unit"] = "h" if in_hours else "frames"
    return table


def _position(cells: pd.DataFrame, column: str) -> pd.Series | float:
    return cells[column].astype(float) if column in cells else np.nan


def _group_sizes(group: np.ndarray) -> np.ndarray:
    sizes = np.bincount(group[group >= 0], minlength=1)
    return np.where(group >= 0, sizes[group.clip(min=0)], 0)


def _contradicted(table: pd.DataFrame) -> np.ndarray:
    parent = table["parent"].to_numpy()
    wrong = ends_before_it_begins(table)
    has_daughters = np.zeros(len(table), dtype=bool)
    has_daughters[parent[parent >= 0]] = True
    wrong |= has_daughters & (table["fate"] == "death").to_numpy()
    wrong[parent[born_before_parent_ends(table, parent)]] = True
    return wrong


def birth_edges(birth: np.ndarray, bins: int) -> np.ndarray:
    """Return the inner edges of quantile bins of birth time, shape (at most bins - 1,)."""
    few = bins == 1 or not len(birth)
    return np.empty(0) if few else np.unique(np.quantile(birth, np.linspace(0, 1, bins + 1)[1:-1]))


def strata(field: np.ndarray, birth: np.ndarray, bins: int) -> np.ndarray:
    """Return the stratum (field by quantile bin of birth time) of each row as a number from 0, shape (rows,).

    Quantiles are of all rows, because a single field holds too few families.
    """
    return strata_between(field, birth, birth_edges(birth, bins))


def strata_between(field: np.ndarray, birth: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the stratum of each row as :func:`strata` does, for the given edges of birth time, shape (rows,)."""
    quantile = np.searchsorted(edges, birth, side="left")
    return np.unique(np.asarray(field, dtype=np.int64) * (len(edges) + 1) + quantile, return_inverse=True)[1]
