"""The smallest association that the families could have shown, where several states are tested."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from cineseq.statistics import ALPHA
from cineseq.text import count, ratio

POWER = 0.8
"""As for :func:`cineseq.lineage.state_by_sister.detectable_odds_ratio`."""


def at_level(odds_ratio: float, rate: float, level: float) -> float:
    """Return the odds ratio that is detected with the same power at another level.

    Parameters
    ----------
    odds_ratio
        Smallest odds ratio above 1 that is detected with 80 % power at the two-sided level of .05.
    rate
        Fraction with the state in the other arm.
    level
        The two-sided level asked for.

    Returns
    -------
    float
        NaN where no odds ratio is detectable.

    References
    ----------
    Cohen, Statistical Power Analysis for the Behavioral Sciences (1988), chapter 6 (arcsine transformation).
    """
    if not (np.isfinite(odds_ratio) and 0 < rate < 1):
        return np.nan
    # Distance of both rates on the arcsine scale, in units of the sum of normal quantiles that it must reach.
    odds = odds_ratio * rate / (1 - rate)
    start, end = (np.arcsin(np.sqrt(share)) for share in (rate, odds / (1 + odds)))
    reach = (norm.isf(level / 2) + norm.ppf(POWER)) / (norm.isf(ALPHA / 2) + norm.ppf(POWER))
    angle = start + (end - start) * reach
    if angle >= np.pi / 2:
        return np.nan
    other = np.sin(angle) ** 2
    return float(other / (1 - other) * (1 - rate) / rate)


@dataclass(frozen=True)
class Detectable:
    """Smallest odds ratios above 1 that are detected with 80 % power.

    Attributes
    ----------
    alone
        If the state were the only one tested; NaN where there is none.
    together
        At the level of the first of all tested states, .05 divided by their number; NaN where there is none.
    states
        Number of tested states.
    """

    alone: float
    together: float
    states: int

    @classmethod
    def of(cls, alone: float, rate: float, states: int) -> Detectable:
        """Return both numbers from the first one and the fraction with the state in the other arm."""
        return cls(alone, at_level(alone, rate, ALPHA / max(states, 1)), states)

    def sentence(self) -> str:
        """Report, for a state without a demonstrated association, the smallest effect that could be detected."""
        if not np.isfinite(self.alone):
            return "No odds ratio is detectable with these families, so this result is uninformative."
        if self.states < 2:
            found = f"An odds ratio of {ratio(self.alone)} or more is detectable with 80 % power"
            return f"{found}; a smaller one is not excluded."
        single = f"{ratio(self.alone)} or more if it were the only state"
        over = f"over {count(self.states, 'state')}"
        if not np.isfinite(self.together):
            return f"No odds ratio is detectable with 80 % power {over} ({single}), so an association is not excluded."
        found = f"An odds ratio of {ratio(self.together)} or more is detectable with 80 % power {over} ({single})"
        return f"{found}; a smaller one is not excluded."
