"""Permutation p-values that draw further permutations until the verdict does not depend on them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import betabinom

from cineseq.statistics import ALPHA

EXCEEDANCES = 10
"""A hypothesis is given up once this many permuted statistics reach the observed one."""
MARGIN = 2.0
"""Beyond the first permutations, a hypothesis is settled when its p-value is this many times smaller than required."""
More = Callable[[int, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class SequentialDesign:
    """When the permutations of a hypothesis end.

    All hypotheses have the first permutations. A hypothesis then ends

    - when ``EXCEEDANCES`` permuted statistics reach the observed one (Besag and Clifford, 1991);
    - when so few reach it that its p-value is at most ``ALPHA`` divided by the number of hypotheses of its family, so
      that it is significant at a false discovery rate of ``ALPHA`` whatever the other hypotheses are;
    - at the most permutations.

    A p-value is the probability, under the null hypothesis, of an end that is at least as extreme (Fay, Kim and Hachey,
    2007), so that stopping early does not inflate it: it is at most a with probability at most a, for every a. Ends
    are ordered thus: few exceedances at the look that settles, then by the fraction of exceedances.

    Attributes
    ----------
    first
        Permutations that every hypothesis has; 0 gives no p-values.
    most
        Most permutations of a hypothesis; with fewer than ``first``, all have ``first``.
    family
        Number of hypotheses whose false discovery rate is controlled together.

    References
    ----------
    Besag and Clifford, Biometrika 78 (1991) 301; Fay, Kim and Hachey, J. Comput. Graph. Stat. 16 (2007) 946; Gandy, J.
    Am. Stat. Assoc. 104 (2009) 1504.
    """

    first: int
    most: int
    family: int = 1

    @cached_property
    def settled(self) -> tuple[int, int]:
        """After how many permutations a hypothesis can be settled, and the most exceedances it may then have.

        It is after the first if no exceedance among them is enough.
        """
        needed = ALPHA / max(self.family, 1)
        if _at_most(1 / (self.first + 1), needed):
            allowed = math.floor(needed * (self.first + 1) / MARGIN + 1e-9) - 1
            return self.first, min(max(allowed, 0), EXCEEDANCES - 1)
        return math.ceil(MARGIN / needed - 1e-9) - 1, 0

    @cached_property
    def last(self) -> int:
        """The most permutations that are of use: the first, if no later end has a p-value of at most ``ALPHA``."""
        if not self.first or self.most <= self.first:
            return self.first
        at, exceedances = self.settled
        best = exceedances + 1 if at == self.first else 0
        return self.most if self._at_end(best, self.most) <= ALPHA else self.first

    def looks(self) -> list[int]:
        """Return the numbers of permutations at which batches end; each batch doubles the permutations."""
        looks, at = [self.first], self.settled[0]
        while looks[-1] < self.last:
            following = min(2 * looks[-1] + 1, self.last)
            looks.append(at if looks[-1] < at < following else following)
        return looks

    def p_value(self, exceedances: int, drawn: int) -> float:
        """Return the p-value of a hypothesis that ended.

        Parameters
        ----------
        exceedances, drawn
            Permuted statistics that are at least the observed one, of the permutations until it ended.
        """
        at, few = self.settled
        if drawn == self.first or (drawn == at and exceedances <= few):
            return (exceedances + 1) / (drawn + 1)
        if exceedances < EXCEEDANCES:
            return self._at_end(exceedances, drawn)
        return exceedances / drawn + self._settled_before(exceedances - 1, drawn - 1)

    def _at_end(self, exceedances: int, drawn: int) -> float:
        return (exceedances + 1) / (drawn + 1) + self._settled_before(exceedances, drawn)

    def _settled_before(self, exceedances: int, drawn: int) -> float:
        """Return the probability to be settled and still to have more exceedances than these among so many."""
        at, few = self.settled
        if drawn <= at:
            return 0.0
        # Under the null, each number of exceedances at the look has probability 1 / (at + 1); later ones are
        # beta-binomial given it.
        had = np.arange(few + 1)
        later = betabinom.sf(exceedances - had, drawn - at, had + 1, at - had + 1)
        return float(later.sum() / (at + 1))


@dataclass(frozen=True)
class SequentialTest:
    """P-values of hypotheses.

    Attributes
    ----------
    p_value
        Shape (hypotheses,); NaN where the statistic is not finite or nothing was drawn.
    permutations
        Permutations that each p-value is from, shape (hypotheses,).
    """

    p_value: np.ndarray
    permutations: np.ndarray


@dataclass
class _Counts:
    """Permutations and exceedances of each hypothesis so far, and whether it ended; each of shape (hypotheses,)."""

    drawn: np.ndarray
    exceedances: np.ndarray
    ended: np.ndarray


def sequential_test(observed: np.ndarray, first: np.ndarray, more: More, design: SequentialDesign) -> SequentialTest:
    """Test hypotheses by permutations in growing batches, of which each has as many as it needs.

    Parameters
    ----------
    observed
        Observed statistics, large values of which are extreme; shape (hypotheses,).
    first
        Statistics of the first permutations, shape (design.first, hypotheses). A permuted statistic that is not finite
        counts as an exceedance. The mean of a null is to be taken over these: later permutations are more where the
        observed statistic is far from it.
    more
        Function of a number of permutations and of the positions of the hypotheses that are open, in order; it returns
        their statistics, shape (permutations, open). Its draws must not depend on which are open.
    design
        When the permutations of a hypothesis end.
    """
    observed = np.asarray(observed, float)
    drawn = np.full(len(observed), design.first)
    if not design.first:
        return SequentialTest(np.full(len(observed), np.nan), drawn)
    # The first permutations count for every hypothesis, shape (hypotheses,).
    exceedances = _exceeds(observed, first).sum(axis=0)
    estimable = np.isfinite(observed) & np.isfinite(first).any(axis=0)
    counts = _Counts(drawn, exceedances, ~estimable | (exceedances >= EXCEEDANCES))
    # Batches of further permutations, for the hypotheses that are still open at each look.
    looks = design.looks()
    _settle(counts, design)
    for before, look in pairwise(looks):
        still = np.flatnonzero(~counts.ended)
        if not len(still):
            break
        _add(counts, still, _exceeds(observed[still], more(look - before, still)))
        _settle(counts, design)
    # P-value of each hypothesis, from as many permutations as it had.
    pairs = zip(counts.exceedances, counts.drawn, strict=True)
    p = np.array([design.p_value(int(exceedances), int(drawn)) for exceedances, drawn in pairs])
    return SequentialTest(np.where(estimable, p, np.nan), counts.drawn)


def _exceeds(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    return (null >= observed) | ~np.isfinite(null)


def _add(counts: _Counts, still: np.ndarray, exceeds: np.ndarray) -> None:
    """Count a batch, shape (permutations, open), up to the last exceedance that a hypothesis may have."""
    total = counts.exceedances[still] + exceeds.cumsum(axis=0)
    reached = total >= EXCEEDANCES
    stop = reached.any(axis=0)
    used = np.where(stop, reached.argmax(axis=0) + 1, len(exceeds))
    counts.drawn[still] += used
    counts.exceedances[still] = np.minimum(total[-1], EXCEEDANCES)
    counts.ended[still] |= stop


def _settle(counts: _Counts, design: SequentialDesign) -> None:
    """End the hypotheses that are settled at this number of permutations."""
    at, few = design.settled
    counts.ended |= (counts.drawn == at) & (counts.exceedances <= few)


def floor_notes(rows: pd.DataFrame, hypotheses: str) -> pd.Series:
    """Return the notes of a table, with a sentence where too few permutations were drawn for the row to be significant.

    Parameters
    ----------
    rows
        Columns ``p_value``, ``q_value``, ``permutations`` and ``note``.
    hypotheses
        What q-values are over, in the plural.
    """
    drawn, p = rows["permutations"].to_numpy(float), rows["p_value"].to_numpy(float)
    at_floor = np.isclose(p * (drawn + 1), 1) & (rows["q_value"].to_numpy(float) > ALPHA)
    notes = rows["note"].astype(object)
    said = [
        f"floor of {int(number)} permutations: none reached the observed value, and more of them or fewer "
        f"{hypotheses} are needed for q to be at most {ALPHA}"
        for number in drawn[at_floor]
    ]
    notes[at_floor] = [
        "; ".join([text] if pd.isna(note) or not note else [str(note), text])
        for note, text in zip(notes[at_floor], said, strict=True)
    ]
    return notes


def _at_most(value: float, bound: float) -> bool:
    """Return whether a value is at most a bound, up to rounding."""
    return value <= bound * (1 + 1e-9)
