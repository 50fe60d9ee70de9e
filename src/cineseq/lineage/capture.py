"""Whether survivors were read more often where their sister died: selection without a map of compartments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from cineseq.lineage.trees import strata

LEVEL = 1e-4
POWER = 0.95
SHARE = 0.2
"""Share of living pairs in one compartment that must be detectable before selection counts as excluded."""

MOST_BINS = 5
SURVIVORS_PER_STRATUM = 10
"""Least mean number of survivors per stratum; bins of birth time are merged to reach it."""


@dataclass(frozen=True)
class Capture:
    """Comparison of how often survivors were read by the fate of the sister.

    Attributes
    ----------
    excess
        Fraction of the read survivors with a dead sister beyond that of all survivors of the same stratum.
    p_value
        One-sided.
    expected_z
        Expected test statistic if a share of the living pairs (:data:`SHARE`) were in one compartment and not read.
    """

    excess: float
    p_value: float
    expected_z: float

    @property
    def selects(self) -> bool:
        """Whether survivors with a dead sister were read more often."""
        return self.p_value < LEVEL

    @property
    def excludes(self) -> bool:
        """Whether such a selection would have been detected."""
        return not self.selects and self.expected_z >= norm.isf(LEVEL) + norm.ppf(POWER)


def capture(cells: pd.DataFrame) -> Capture:
    """Compare how often survivors were read where the sister died and where it lived, within strata.

    Strata of field and birth time remove differences in capture between fields and between ages of cells.

    Parameters
    ----------
    cells
        Survivors with ``field``, ``birth``, ``dead`` (whether the sister died) and ``read``.

    References
    ----------
    Mantel and Haenszel, J. Natl. Cancer Inst. 22 (1959) 719; one-sided, without correction for continuity.
    """
    bins = int(np.clip(len(cells) // max(1, cells["field"].nunique() * SURVIVORS_PER_STRATUM), 1, MOST_BINS))
    code = strata(cells["field"].to_numpy(), cells["birth"].to_numpy(), bins)
    dead, read = cells["dead"].to_numpy(bool), cells["read"].to_numpy(bool)
    # Per stratum, shape (strata,): survivors, with a dead sister, read, and both.
    total, lost, seen, both = (np.bincount(code, w).astype(float) for w in (None, dead, read, dead & read))
    varied = (total > 1) & (lost > 0) & (lost < total) & (seen > 0) & (seen < total)
    total, lost, seen, both = (counts[varied] for counts in (total, lost, seen, both))
    if not len(total):
        return Capture(0.0, 1.0, 0.0)
    # Mantel-Haenszel test: observed less expected count of the hypergeometric, and its variance.
    more = (both - seen * lost / total).sum()
    variance = (seen * (total - seen) * lost * (total - lost) / (total**2 * (total - 1))).sum()
    # Expected difference: a share of the living pairs is not read, all others at one rate.
    rate = np.minimum(seen / (total - SHARE * (total - lost)), 1)
    expected = (rate * lost - seen * lost / total).sum()
    error = np.sqrt(variance)
    return Capture(float(more / seen.sum()), float(norm.sf(more / error)), float(expected / error))
