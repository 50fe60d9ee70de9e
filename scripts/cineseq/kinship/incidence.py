"""Cumulative incidence of division, death and loss after birth, each competing with the others."""

from __future__ import annotations

import numpy as np
import pandas as pd
from statsmodels.duration.survfunc import CumIncidenceRight

from cineseq.family_results import FATE_EVENTS, FATE_INCIDENCE
from cineseq.kinship.families import Families
from cineseq.tables import empty

EVENTS = ("division", "death", "loss")
TIMES = 61
BOOTSTRAPS = 200
FEWEST_CELLS = 10
FEWEST_FAMILIES = 5


def incidence_table(families: Families, seed: int) -> pd.DataFrame:
    """Estimate, per condition, how many cells have divided, died or been lost by each age.

    Only cells born in sight have an age. A cell alive in the last frame is censored; one whose fate is unknown for
    another reason is lost, which competes with the fates and is neither. Intervals resample whole families, because
    relatives share their fates.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.family_results.FATE_INCIDENCE`; ``none`` is the share to which nothing has
        happened yet.

    References
    ----------
    Aalen and Johansen, Scand. J. Stat. 5 (1978) 141.
    """
    cells = families.cells[families.cells["start_kind"] == "division"]
    rng = np.random.default_rng(seed)
    parts = [_of_condition(name, group, families.unit, rng) for name, group in cells.groupby("condition", sort=True)]
    return pd.concat(parts, ignore_index=True) if parts else empty(FATE_INCIDENCE)


def _of_condition(condition: str, cells: pd.DataFrame, unit: str, rng: np.random.Generator) -> pd.DataFrame:
    known = (cells["end"] > cells["birth"]).to_numpy()
    age = (cells["end"] - cells["birth"]).to_numpy()[known]
    event = _event(cells)[known]
    founder = np.unique(cells["founder"].to_numpy()[known], return_inverse=True)[1]
    if len(age) < FEWEST_CELLS:
        note = f"not estimable: {len(age)} cells were born in sight and followed, {FEWEST_CELLS} are needed"
        row = {"condition": condition, "event": "none", "time": 0.0, "unit": unit, "at_risk": len(age), "note": note}
        return pd.DataFrame([row | dict.fromkeys(("incidence", "low", "high"), np.nan)])
    grid = np.linspace(0, age.max(), TIMES)
    kinds, code = np.unique(np.column_stack([age, event]), axis=0, return_inverse=True)
    found = _curves(kinds, np.bincount(code), grid)
    low, high = _interval(kinds, code, founder, grid, rng)
    at_risk = len(age) - np.searchsorted(np.sort(age), grid, side="left")
    return pd.DataFrame(
        {
            "condition": condition,
            "event": np.repeat(FATE_EVENTS, TIMES),
            "time": np.tile(grid, len(FATE_EVENTS)),
            "unit": unit,
            "at_risk": np.tile(at_risk, len(FATE_EVENTS)),
            "incidence": found.ravel(),
            "low": low.ravel(),
            "high": high.ravel(),
            "note": "" if np.isfinite(low).all() else f"no interval: fewer than {FEWEST_FAMILIES} families",
        }
    )


def _event(cells: pd.DataFrame) -> np.ndarray:
    """Return 0 where the movie ended first, else 1 + the position in :data:`EVENTS`."""
    fate = cells["fate"].map({"division": 1, "death": 2}).fillna(3).to_numpy(int)
    return np.where((fate == 3) & (cells["alive_at_end"] == 1).to_numpy(), 0, fate)


def _curves(kinds: np.ndarray, cells: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return the curves of :data:`FATE_EVENTS`, shape (4, times), from cells counted by age and event."""
    there = cells > 0
    event = kinds[there, 1].astype(int)
    curves = np.zeros((len(FATE_EVENTS), len(grid)))
    if event.any():
        fitted = CumIncidenceRight(kinds[there, 0], event, freq_weights=cells[there].astype(float))
        place = np.searchsorted(fitted.times, grid, side="right")
        for number, curve in enumerate(fitted.cinc):
            curves[number] = np.concatenate([[0.0], curve])[place]
    curves[-1] = np.clip(1 - curves[:-1].sum(axis=0), 0, 1)
    return curves


def _interval(
    kinds: np.ndarray, code: np.ndarray, founder: np.ndarray, grid: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    families = founder.max() + 1
    if families < FEWEST_FAMILIES:
        return np.full((2, len(FATE_EVENTS), len(grid)), np.nan)
    draws = []
    for _ in range(BOOTSTRAPS):
        times_drawn = rng.multinomial(families, np.full(families, 1 / families))
        draws.append(_curves(kinds, np.bincount(code, times_drawn[founder], len(kinds)), grid))
    return np.quantile(np.stack(draws), [0.025, 0.975], axis=0)


def incidence_lines(table: pd.DataFrame) -> list[str]:
    """Say, per condition, what had become of the cells by the last age at which a tenth of them were still watched."""
    lines = []
    for condition, rows in table.groupby("condition", sort=True):
        if rows["incidence"].isna().any():
            lines.append(f"{condition}: the cumulative incidence of fates is {rows['note'].iloc[0]}.")
            continue
        watched = rows[rows["at_risk"] >= max(FEWEST_CELLS, 0.1 * rows["at_risk"].max())]
        last = watched[watched["time"] == watched["time"].max()].set_index("event")
        shares = ", ".join(
            f"{_share(last.loc[e])} {word}"
            for e, word in zip(EVENTS, ("had divided", "had died", "had been lost"), strict=True)
        )
        at = f"{last['time'].iloc[0]:.3g} {last['unit'].iloc[0]}"
        lines.append(f"{condition}: {at} after birth {shares} (competing risks, cells born in sight).")
    return lines


def _share(row: pd.Series) -> str:
    interval = f"[{row['low']:.1%}, {row['high']:.1%}]" if np.isfinite(row["low"]) else "(no interval)"
    return f"{row['incidence']:.1%} {interval}"
