"""Survival and time to division after birth: the share that one fate alone would have left, the others censored."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.family_results import FATE_SURVIVAL, SURVIVAL_EVENTS
from cineseq.kinship.ages import DEATH, DIVISION, Curves, curves_by_age, last_watched, share
from cineseq.kinship.families import Families

ENDED_BY = {"survival": DEATH, "undivided": DIVISION}


def survival_table(families: Families, seed: int) -> pd.DataFrame:
    """Estimate, per condition, the share of cells that death has left, and the share that division has left, by age.

    Every other end censors, also a loss. That takes censored cells to be like those still watched, which competing
    risks do not need; the curves say what one fate alone would do. See :func:`cineseq.kinship.ages.curves_by_age`.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.family_results.FATE_SURVIVAL`.

    References
    ----------
    Kaplan and Meier, J. Am. Stat. Assoc. 53 (1958) 457.
    """
    return curves_by_age(families, SURVIVAL, seed)


def _kaplan_meier(kinds: np.ndarray, cells: np.ndarray, grid: np.ndarray) -> np.ndarray:
    ages, at = np.unique(kinds[:, 0], return_inverse=True)
    ended = np.bincount(at, cells, len(ages))
    at_risk = ended[::-1].cumsum()[::-1]
    place = np.searchsorted(ages, grid, side="right")
    curves = []
    for event in ENDED_BY.values():
        ends = np.bincount(at, cells * (kinds[:, 1] == event), len(ages))
        left = np.cumprod(1 - ends / np.maximum(at_risk, 1))
        curves.append(np.concatenate([[1.0], left])[place])
    return np.stack(curves)


SURVIVAL = Curves(FATE_SURVIVAL, SURVIVAL_EVENTS, "share", _kaplan_meier)


def survival_lines(table: pd.DataFrame) -> list[str]:
    """Say, per condition, what each fate alone would have left when a tenth of the cells were still watched."""
    lines = []
    for condition, rows in table.groupby("condition", sort=True):
        if rows["share"].isna().any():
            continue  # the sentence on competing risks has the reason
        last = last_watched(rows)
        lines.append(
            f"{condition}: {last['time'].iloc[0]:.3g} {last['unit'].iloc[0]} after birth death alone would have left "
            f"{share(last.loc['survival'], 'share')} alive, and division alone "
            f"{share(last.loc['undivided'], 'share')} undivided (Kaplan-Meier, other ends censored)."
        )
    return lines
