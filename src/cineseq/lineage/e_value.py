"""How strong an unmeasured common cause would have to be to explain an odds ratio away."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.tables.lineage import SISTER_DIED
from cineseq.text import ratio

RARE = 0.15
"""Frequency of a state up to which an odds ratio is close to a ratio of risks."""


def e_values(odds_ratio: float, low: float, high: float, rate: float) -> tuple[float, float]:
    """Return the E-value of an odds ratio and of the end of its interval that is closer to 1.

    It is the smallest ratio of risks by which an unmeasured common cause would have to be associated with the arm and
    with the state, within strata, to explain the odds ratio away. Where the state is not rare, the square root of the
    odds ratio stands for the ratio of risks.

    Parameters
    ----------
    odds_ratio, low, high
        Odds ratio with the ends of its 95 % interval; NaN where there is none.
    rate
        Fraction with the state in the other arm.

    Returns
    -------
    tuple of float
        At least 1. That of the interval is 1 where the interval holds 1.

    References
    ----------
    VanderWeele and Ding, Ann. Intern. Med. 167 (2017) 268.
    """
    end = low if odds_ratio >= 1 else high
    if (end - 1) * (odds_ratio - 1) <= 0:
        end = 1.0
    power = 1.0 if rate <= RARE else 0.5
    first, second = (_e_value(value**power) for value in (odds_ratio, end))
    return first, second


def _e_value(risk_ratio: float) -> float:
    ratio = max(risk_ratio, 1 / risk_ratio) if risk_ratio > 0 else np.nan
    return float(ratio + np.sqrt(ratio * (ratio - 1)))


def e_value_lines(compared: pd.DataFrame, state: str | None) -> list[str]:
    """Report the E-value of the odds ratio of one state by the fate of the sister."""
    if not len(compared):
        return []
    rows = compared[(compared["contrast"] == SISTER_DIED) & (compared["state"] == state)]
    return [
        f"An unmeasured common cause would explain the odds ratio of '{state}' if it were associated with the sister's "
        f"death and with the state by ratios of risks of at least {ratio(row.e_value)} each, and would move the "
        f"interval to 1 if by at least {ratio(row.e_value_interval)} (E-values)."
        for row in rows.itertuples()
        if np.isfinite(row.e_value) and np.isfinite(row.e_value_interval)
    ]
