"""Curves over the age of cells born in sight, with intervals from whole families drawn anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cineseq.kinship.families import Families
from cineseq.tables import Table, empty

TIMES = 61
BOOTSTRAPS = 200
FEWEST_CELLS = 10
FEWEST_FAMILIES = 5
CENSORED, DIVISION, DEATH, LOSS = range(4)


@dataclass(frozen=True)
class Curves:
    """What is drawn over age.

    Attributes
    ----------
    table
        Contract of the result.
    names
        Of the curves, in the column ``event``.
    value
        Column of their heights.
    of
        Estimates the curves, shape (names, times), from kinds of cells (age and event code, shape (kinds, 2), sorted),
        the number of cells of each kind, and the ages to estimate them at.
    """

    table: Table
    names: tuple[str, ...]
    value: str
    of: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def curves_by_age(families: Families, curves: Curves, seed: int) -> pd.DataFrame:
    """Estimate curves per condition, at ages from birth to the oldest cell.

    Only cells born in sight have an age. A cell alive in the last frame is censored; one whose fate is unknown for
    another reason is lost. Intervals resample whole families, because relatives share their fates.
    """
    cells = families.cells[families.cells["start_kind"] == "division"]
    rng = np.random.default_rng(seed)
    parts = [
        _of_condition(name, group, families.unit, curves, rng) for name, group in cells.groupby("condition", sort=True)
    ]
    return pd.concat(parts, ignore_index=True) if parts else empty(curves.table)


def _of_condition(
    condition: str, cells: pd.DataFrame, unit: str, curves: Curves, rng: np.random.Generator
) -> pd.DataFrame:
    known = (cells["end"] > cells["birth"]).to_numpy()
    age = (cells["end"] - cells["birth"]).to_numpy()[known]
    founder = np.unique(cells["founder"].to_numpy()[known], return_inverse=True)[1]
    if len(age) < FEWEST_CELLS:
        note = f"not estimable: {len(age)} cells were born in sight and followed, {FEWEST_CELLS} are needed"
        row = {"condition": condition, "event": curves.names[-1], "time": 0.0, "unit": unit, "at_risk": len(age)}
        return pd.DataFrame([row | dict.fromkeys((curves.value, "low", "high"), np.nan) | {"note": note}])
    grid = np.linspace(0, age.max(), TIMES)
    kinds, code = np.unique(np.column_stack([age, _event(cells)[known]]), axis=0, return_inverse=True)
    low, high = _interval(kinds, code, founder, (curves, grid), rng)
    at_risk = len(age) - np.searchsorted(np.sort(age), grid, side="left")
    return pd.DataFrame(
        {
            "condition": condition,
            "event": np.repeat(curves.names, TIMES),
            "time": np.tile(grid, len(curves.names)),
            "unit": unit,
            "at_risk": np.tile(at_risk, len(curves.names)),
            curves.value: curves.of(kinds, np.bincount(code), grid).ravel(),
            "low": low.ravel(),
            "high": high.ravel(),
            "note": "" if np.isfinite(low).all() else f"no interval: fewer than {FEWEST_FAMILIES} families",
        }
    )


def _event(cells: pd.DataFrame) -> np.ndarray:
    fate = cells["fate"].map({"division": DIVISION, "death": DEATH}).fillna(LOSS).to_numpy(int)
    return np.where((fate == LOSS) & (cells["alive_at_end"] == 1).to_numpy(), CENSORED, fate)


def _interval(
    kinds: np.ndarray,
    code: np.ndarray,
    founder: np.ndarray,
    drawn: tuple[Curves, np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    curves, grid = drawn
    families = founder.max() + 1
    if families < FEWEST_FAMILIES:
        return np.full((2, len(curves.names), len(grid)), np.nan)
    draws = []
    for _ in range(BOOTSTRAPS):
        times_drawn = rng.multinomial(families, np.full(families, 1 / families))
        draws.append(curves.of(kinds, np.bincount(code, times_drawn[founder], len(kinds)), grid))
    return np.quantile(np.stack(draws), [0.025, 0.975], axis=0)


def last_watched(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one condition at the last age at which a tenth of its cells were still watched, by event."""
    watched = table[table["at_risk"] >= max(FEWEST_CELLS, 0.1 * table["at_risk"].max())]
    return watched[watched["time"] == watched["time"].max()].set_index("event")


def share(row: pd.Series, value: str) -> str:
    """Write a height of a curve with its interval; families that are all alike give it no width, which is none."""
    interval = f"[{row['low']:.1%}, {row['high']:.1%}]" if np.isfinite(row["low"]) else "(no interval)"
    if row["low"] == row["high"]:
        interval = "(no interval: all families are alike in this)"
    return f"{row[value]:.1%} {interval}"
