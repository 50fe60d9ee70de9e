"""The smallest odds ratio that the families at hand could have shown."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

POWER = 0.8
LEVEL = 0.05


def detectable_odds_ratio(effective: float, state_rate: float) -> float:
    """Return the smallest odds ratio above 1 that is detected with 80 % power at a two-sided level of .05.

    Parameters
    ----------
    effective
        Sum over strata of n1 n0 / (n1 + n0), n1 and n0 being the independent survivors of both arms.
    state_rate
        Share with the state in the other arm.

    Returns
    -------
    float
        NaN where no odds ratio is detectable or the rate is 0 or 1.

    References
    ----------
    Cohen, Statistical Power Analysis for the Behavioral Sciences (1988), chapter 6 (arcsine transformation).
    """
    if effective <= 0 or not 0 < state_rate < 1:
        return np.nan
    needed = (norm.ppf(1 - LEVEL / 2) + norm.ppf(POWER)) / np.sqrt(effective)
    angle = np.arcsin(np.sqrt(state_rate)) + needed / 2
    if angle >= np.pi / 2:
        return np.nan
    rate = np.sin(angle) ** 2
    return float(rate / (1 - rate) * (1 - state_rate) / state_rate)
