"""Cumulative incidence of division, death and loss after birth, each competing with the others."""

from __future__ import annotations

import numpy as np
import pandas as pd
from statsmodels.duration.survfunc import CumIncidenceRight

from cineseq.family_results import FATE_EVENTS, FATE_INCIDENCE
from cineseq.kinship.ages import Curves, curves_by_age, last_watched, share
from cineseq.kinship.families import Families

EVENTS = ("division", "death", "loss")


def incidence_table(families: Families, seed: int) -> pd.DataFrame:
    """Estimate, per condition, how many cells have divided, died or been lost by each age.

    A loss competes with the fates and is neither; see :func:`cineseq.kinship.ages.curves_by_age`.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.family_results.FATE_INCIDENCE`; ``none`` is the share to which nothing has
        happened yet.

    References
    ----------
    Aalen and Johansen, Scand. J. Stat. 5 (1978) 141.
    """
    return curves_by_age(families, INCIDENCE, seed)


def _aalen_johansen(kinds: np.ndarray, cells: np.ndarray, grid: np.ndarray) -> np.ndarray:
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
    """Say, per condition, what had become of the cells by the last age at which a tenth of them were still watched."""
    lines = []
    for condition, rows in table.groupby("condition", sort=True):
        if rows["incidence"].isna().any():
            lines.append(f"{condition}: the cumulative incidence of fates is {rows['note'].iloc[0]}.")
            continue
        last = last_watched(rows)
        shares = ", ".join(
            f"{share(last.loc[e], 'incidence')} {word}"
            for e, word in zip(EVENTS, ("had divided", "had died", "had been lost"), strict=True)
        )
        at = f"{last['time'].iloc[0]:.3g} {last['unit'].iloc[0]}"
        lines.append(f"{condition}: {at} after birth {shares} (competing risks, cells born in sight).")
    return lines
