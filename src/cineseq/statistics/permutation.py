"""P-values from permutations, and permutations that respect strata and families."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from cineseq.statistics import ALPHA


def p_value(observed: np.ndarray | float, null: np.ndarray) -> np.ndarray | float:
    """Return the one-sided permutation p-value (b + 1) / (m + 1), large values of the statistic being extreme.

    Parameters
    ----------
    observed
        The statistic, a scalar or shape (...).
    null
        Its values under permutation, shape (permutations, ...). Values that are not finite are left out, in b and m.

    Returns
    -------
    float or numpy.ndarray
        Never 0; NaN where the statistic is not finite or no permutation was done.

    References
    ----------
    Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) 39.
    """
    statistic = np.asarray(observed, float)
    null = np.asarray(null, float)
    finite = np.isfinite(null)
    drawn = finite.sum(axis=0)
    as_extreme = (finite & (null >= statistic)).sum(axis=0)
    p = np.where(np.isfinite(statistic) & (drawn > 0), (as_extreme + 1) / (drawn + 1), np.nan)
    return float(p) if p.ndim == 0 else p


def exchangeable_blocks(strata: np.ndarray, families: np.ndarray) -> list[np.ndarray]:
    """Find what may be exchanged: families of equal size in the same stratum.

    Parameters
    ----------
    strata, families
        Labels of the cells, each shape (cells,).

    Returns
    -------
    list of numpy.ndarray
        Arrays of row positions, shape (blocks, size): their rows may be exchanged with each other. Families of one
        size in one stratum make one array. A family whose size no other family of its stratum shares cannot move as
        a block; its cells are exchanged among themselves, shape (size, 1).
    """
    cells = pd.DataFrame({"stratum": pd.factorize(strata)[0], "family": pd.factorize(families)[0]})
    cells["size"] = cells.groupby(["stratum", "family"])["family"].transform("size")
    ordered = cells.sort_values(["stratum", "size", "family"], kind="stable")
    blocks = []
    for (_, size), rows in ordered.groupby(["stratum", "size"], sort=True):
        block = rows.index.to_numpy().reshape(-1, size)
        blocks.append(block if len(block) > 1 else block.reshape(-1, 1))
    return blocks


def draw_rows(blocks: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Draw one permutation of the rows that moves only exchangeable blocks, shape (cells,)."""
    rows = np.empty(sum(block.size for block in blocks), dtype=np.intp)
    for block in blocks:
        rows[block] = block[rng.permutation(len(block))]
    return rows


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Return Benjamini-Hochberg adjusted p-values (q-values).

    Parameters
    ----------
    p
        P-values of any shape; NaN marks a test that could not be done. It stays NaN and is not counted.

    Returns
    -------
    numpy.ndarray
        Adjusted values of the same shape, never below their p-value and never above 1.

    References
    ----------
    Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995) 289.
    """
    values = np.asarray(p, float)
    adjusted = np.full(values.shape, np.nan)
    known = np.isfinite(values)
    adjusted[known] = false_discovery_control(values[known], method="bh")
    return adjusted


def coarse(permutations: int, p: np.ndarray, tests: str) -> str:
    """Return a warning where the least p-value possible is so large that one test alone cannot pass; else nothing.

    Parameters
    ----------
    permutations
        Permutations that each p-value rests on.
    p
        P-values that are adjusted together; NaN marks a test that could not be done.
    tests
        What is tested, in the plural.
    """
    number = int(np.isfinite(p).sum())
    together = int(np.ceil(number / (permutations + 1) / ALPHA))
    if together <= 1:
        return ""
    if together > number:
        return f"{permutations} permutations for {number} {tests}: none can pass"
    return f"{permutations} permutations for {number} {tests}: {together} or more can pass together, fewer cannot"


CHUNK = 4_000_000
"""Values permuted at once; bounds memory."""


def permuted_within(values: np.ndarray, blocks: list[np.ndarray], count: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``count`` permutations of ``values`` (cells,) that move only exchangeable blocks, shape (count, cells)."""
    return np.stack([values[draw_rows(blocks, rng)] for _ in range(count)])


def permuted_statistics(
    values: np.ndarray,
    blocks: list[np.ndarray],
    permutations: int,
    rng: np.random.Generator,
    statistic: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Return a statistic of values of which exchangeable blocks are permuted.

    Parameters
    ----------
    values
        Of each cell, shape (cells,).
    blocks
        From :func:`cineseq.statistics.permutation.exchangeable_blocks`.
    permutations
        Number of them; none gives an empty array.
    rng
        Draws them.
    statistic
        Of several permutations at once, shape (some, cells), to shape (some, ...).
    """
    step = max(1, CHUNK // len(values))
    parts = [
        statistic(permuted_within(values, blocks, min(step, permutations - start), rng))
        for start in range(0, permutations, step)
    ]
    return np.concatenate(parts) if parts else np.empty(0)
