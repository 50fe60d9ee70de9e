"""What a simulation of the benchmark of claims declares, and what it measures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.05
CALLED = "share of studies with p <= .05"


def called(p: float) -> float:
    """Return 1 where a p-value is at most .05, else 0; NaN without a p-value."""
    return float(p <= LEVEL) if np.isfinite(p) else math.nan


@dataclass(frozen=True)
class Claim:
    """One number that the simulations measure, with what is required of it.

    Attributes
    ----------
    name
        Key of the row, such as ``sister_test.size.300_families_5_died_alike_0``; the part before the first dot is the
        name of its module in ``benchmarks/truth``.
    design
        What is simulated, in one line.
    measures
        What the number is, such as ``share of studies with p <= .05``.
    study
        Draws one study from a seed and returns its number (1 or 0 where a rate is measured), or NaN where the method
        says that it cannot be estimated.
    studies
        How many are drawn.
    at_least, at_most
        Bounds that are required of the mean; infinite where there is none.
    harder
        Whether this is the harder design at which the method is known to break; nothing is required of it.
    new
        Whether the number did not exist before, so that the tables of numbers before do not hold it.
    """

    name: str
    design: str
    measures: str
    study: Callable[[int], float]
    studies: int
    at_least: float = -math.inf
    at_most: float = math.inf
    harder: bool = False
    new: bool = False

    def quick(self, fraction: float) -> int:
        """Return how many studies are drawn when only a fraction is asked for: at least 20, at most all."""
        return min(self.studies, max(20, math.ceil(self.studies * fraction)))


@dataclass(frozen=True)
class Measured:
    """The mean over studies of what a claim measures.

    Attributes
    ----------
    value, standard_error
        Of the mean over the studies in which it could be estimated; NaN where it could in none.
    studies, not_estimable
        Studies drawn, and those of them in which it could not be estimated.
    """

    value: float
    standard_error: float
    studies: int
    not_estimable: int

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Measured:
        """Return the mean of the studies' numbers; NaN counts as not estimable."""
        drawn = np.asarray(numbers, dtype=float)
        known = drawn[~np.isnan(drawn)]
        if not len(known):
            return cls(math.nan, math.nan, len(drawn), len(drawn))
        error = float(known.std(ddof=1) / math.sqrt(len(known))) if len(known) > 1 else math.nan
        return cls(float(known.mean()), error, len(drawn), len(drawn) - len(known))

    def within(self, claim: Claim) -> bool:
        """Whether the required bounds hold, with two standard errors of allowance."""
        slack = 0.0 if math.isnan(self.standard_error) else 2 * self.standard_error
        return claim.at_least - slack <= self.value <= claim.at_most + slack
