"""Distinguish counts of reads from counts of molecules by the size of the counts of rarely detected genes."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from cineseq.text import number

RARE = (0.05, 0.3)
"""Fractions of cells in which a rarely detected gene is detected."""
FEWEST_CELLS, FEWEST_GENES = 3, 20
READS_FROM = 5.0
"""Mean count, where they are detected, from which rarely detected genes are taken to be amplified."""


def count_where_rare(counts: sparse.csr_matrix) -> float:
    """Return the mean count of rarely detected genes in the cells in which they are detected.

    A molecule that is captured once has a count of 1 if molecules are counted (UMIs), so that genes detected in few
    cells have low counts there. If reads are counted, amplification gives each captured molecule tens of reads or more.

    Parameters
    ----------
    counts
        Whole counts, shape (cells, genes).

    Returns
    -------
    float
        Median over the genes that 5-30 % of the cells express (in at least three cells); NaN with fewer than 20.

    References
    ----------
    Islam et al., Nat. Methods 11 (2014) 163; Townes et al., Genome Biol. 20 (2019) 295.
    """
    columns = sparse.csc_matrix(counts)
    detected = columns.getnnz(axis=0)
    share = detected / max(columns.shape[0], 1)
    rare = (share >= RARE[0]) & (share <= RARE[1]) & (detected >= FEWEST_CELLS)
    if rare.sum() < FEWEST_GENES:
        return float("nan")
    totals = np.asarray(columns.sum(axis=0)).ravel()
    return float(np.median(totals[rare] / detected[rare]))


def reads_warning(counts: sparse.csr_matrix) -> str:
    """Return a warning where counts look like reads, which makes noise ceilings by thinning too high; else empty."""
    level = count_where_rare(counts)
    if not level >= READS_FROM:
        return ""
    return (
        f"The counts look like reads, not molecules: genes detected in few cells have {number(level, 0)} counts there, "
        "where molecules would have about one. Reads of one molecule are in both halves of the thinned counts, so the "
        "noise ceilings are too high, and the fractions of them that are explained too low; give counts of molecules "
        "(UMIs) where there are some."
    )
