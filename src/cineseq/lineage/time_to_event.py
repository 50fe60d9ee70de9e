"""Time to event of cells born in the movie, with intervals from a bootstrap of whole families."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from cineseq.lineage.report import FEWEST_CELLS, last_observed
from cineseq.lineage.trees import LineageTrees
from cineseq.statistics.metrics import percentile_interval
from cineseq.tables.contract import Table, empty
from cineseq.tables.lineage import FATE_EVENTS, FATE_INCIDENCE, FATE_SURVIVAL, SURVIVAL_EVENTS
from cineseq.text import NO_INTERVAL, count, interval, percent, quantity

TIMES = 61
BOOTSTRAPS = 200
FEWEST_FAMILIES = 5
CENSORED, DIVISION, DEATH, LOSS = range(4)


@dataclass(frozen=True)
class Curves:
    """Estimator of one or several curves over the age of cells.

    Attributes
    ----------
    table
        Contract of the result.
    names
        Names of the curves, in the column ``event``.
    value
        Column of the estimates.
    of
        Estimates the curves, shape (names, times). Its arguments are the distinct pairs of age and event code, sorted,
        shape (kinds, 2); the number of cells of each kind; and the ages at which to estimate, shape (times,).
    """

    table: Table
    names: tuple[str, ...]
    value: str
    of: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def curves_by_age(families: LineageTrees, curves: Curves, seed: int) -> pd.DataFrame:
    """Estimate curves per condition, at ages from birth to that of the oldest cell.

    Only cells born in the movie have a known age. A cell alive in the last frame is censored; one whose fate is unknown
    for another reason is lost. Intervals resample whole families, because relatives have correlated fates.
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
    root_cell = np.unique(cells["root_cell"].to_numpy()[known], return_inverse=True)[1]
    if len(age) < FEWEST_CELLS:
        born = count(len(age), "cell")
        note = f"not estimable: {born} born in the movie and followed, {FEWEST_CELLS} are needed"
        row = {"condition": condition, "event": curves.names[-1], "time": 0.0, "unit": unit, "at_risk": len(age)}
        return pd.DataFrame([row | dict.fromkeys((curves.value, "low", "high"), np.nan) | {"note": note}])
    # Group cells by age and event: the estimators and the bootstrap use counts of these kinds, shape (kinds,).
    grid = np.linspace(0, age.max(), TIMES)
    kinds, code = np.unique(np.column_stack([age, _event(cells)[known]]), axis=0, return_inverse=True)
    low, high = _interval(kinds, code, root_cell, (curves, grid), rng)
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
    root_cell: np.ndarray,
    drawn: tuple[Curves, np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    curves, grid = drawn
    families = root_cell.max() + 1
    if families < FEWEST_FAMILIES:
        return np.full((2, len(curves.names), len(grid)), np.nan)
    # Cluster bootstrap: multinomial counts of families, then of kinds of cells; draws of shape (names, times).
    draws = []
    for _ in range(BOOTSTRAPS):
        times_drawn = rng.multinomial(families, np.full(families, 1 / families))
        draws.append(curves.of(kinds, np.bincount(code, times_drawn[root_cell], len(kinds)), grid))
    return percentile_interval(np.stack(draws))


def fraction(row: pd.Series, value: str) -> str:
    """Write an estimate with its interval; an interval of zero width (all families alike) counts as none."""
    ends = interval(row["low"], row["high"], percent)
    if row["low"] == row["high"]:
        ends = f"{NO_INTERVAL}: all families are alike"
    return f"{percent(row[value])} " + (ends if ends[0] in "[(" else f"({ends})")


EVENTS = ("division", "death", "loss")


def incidence_table(families: LineageTrees, seed: int) -> pd.DataFrame:
    """Estimate the cumulative incidence of division, death and loss by age, per condition.

    A loss is a competing event; see :func:`cineseq.lineage.time_to_event.curves_by_age`.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.lineage.FATE_INCIDENCE`; ``none`` is the fraction of cells without
        an event so far.

    References
    ----------
    Aalen and Johansen, Scand. J. Stat. 5 (1978) 141.
    """
    return curves_by_age(families, INCIDENCE, seed)


def _aalen_johansen(kinds: np.ndarray, cells: np.ndarray, grid: np.ndarray) -> np.ndarray:
    # Estimates step at event times; evaluate them at the grid, shape (events, times). The last row is no event.
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


INCIDENCE = Curves(FATE_INCIDENCE, FATE_EVENTS, "incidence", _aalen_johansen)


def incidence_lines(table: pd.DataFrame) -> list[str]:
    """Report the cumulative incidences per condition at the last age at which a tenth of the cells were at risk."""
    lines = []
    for condition, rows in table.groupby("condition", sort=True):
        if rows["incidence"].isna().any():
            lines.append(f"{condition}: the cumulative incidence of fates is {rows['note'].iloc[0]}.")
            continue
        last = last_observed(rows)
        fractions = ", ".join(
            f"{fraction(last.loc[e], 'incidence')} {word}"
            for e, word in zip(EVENTS, ("had divided", "had died", "had been lost"), strict=True)
        )
        at = quantity(last["time"].iloc[0], last["unit"].iloc[0])
        lines.append(f"{condition}: {at} after birth, {fractions} (competing risks, cells born in the movie).")
    return lines


ENDED_BY = {"survival": DEATH, "undivided": DIVISION}


def survival_table(families: LineageTrees, seed: int) -> pd.DataFrame:
    """Estimate, per condition, the fraction of cells alive and the fraction undivided by age, one event at a time.

    Every other end is censored, including a loss. This assumes that censored cells have the same risk as the others, an
    assumption that competing risks do not need. See :func:`cineseq.lineage.time_to_event.curves_by_age`.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.lineage.FATE_SURVIVAL`.

    References
    ----------
    Kaplan and Meier, J. Am. Stat. Assoc. 53 (1958) 457.
    """
    return curves_by_age(families, SURVIVAL, seed)


def _kaplan_meier(kinds: np.ndarray, cells: np.ndarray, grid: np.ndarray) -> np.ndarray:
    there = cells > 0
    ages, event, weights = kinds[there, 0], kinds[there, 1], cells[there].astype(float)
    curves = []
    for ending in ENDED_BY.values():
        fitted = SurvfuncRight(ages, event == ending, freq_weights=weights)
        place = np.searchsorted(fitted.surv_times, grid, side="right")
        curves.append(np.concatenate([[1.0], fitted.surv_prob])[place])
    return np.stack(curves)


SURVIVAL = Curves(FATE_SURVIVAL, SURVIVAL_EVENTS, "share", _kaplan_meier)


def survival_lines(table: pd.DataFrame) -> list[str]:
    """Report the survival and undivided fractions per condition when a tenth of the cells were at risk."""
    lines = []
    for condition, rows in table.groupby("condition", sort=True):
        if rows["share"].isna().any():
            continue  # the sentence on competing risks has the reason
        last = last_observed(rows)
        lines.append(
            f"{condition}: {quantity(last['time'].iloc[0], last['unit'].iloc[0])} after birth, death alone would leave "
            f"{fraction(last.loc['survival'], 'share')} alive, and division alone would leave "
            f"{fraction(last.loc['undivided'], 'share')} undivided (Kaplan-Meier; other ends are censored)."
        )
    return lines
