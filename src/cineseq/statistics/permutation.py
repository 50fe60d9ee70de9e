"""Permutation p-values, and permutations that respect strata and families."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from cineseq.statistics import ALPHA

TIE = 1e-12
"""A permuted statistic that is smaller than the observed one by no more than this is a tie."""


def p_value(observed: np.ndarray | float, null: np.ndarray) -> np.ndarray | float:
    """Return the one-sided permutation p-value (b + 1) / (m + 1), where large values of the statistic are extreme.

    Parameters
    ----------
    observed
        Observed statistic, a scalar or shape (...).
    null
        Permuted statistics, shape (permutations, ...). Values that are not finite are left out of b and m.

    Returns
    -------
    float or numpy.ndarray
        Never 0; NaN if the statistic is not finite or there are no permutations.

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
    """Return blocks of rows that may be exchanged: families of equal size in the same stratum.

    Parameters
    ----------
    strata, families
        Labels of the cells, each shape (cells,).

    Returns
    -------
    list of numpy.ndarray
        Arrays of row indices, shape (blocks, size), one for each stratum and family size. The blocks of an array may
        be exchanged with each other. A family that is the only one of its size in a stratum cannot move as a block;
        its cells are exchanged among themselves, shape (size, 1).
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
    """Draw a permutation of the rows that moves only exchangeable blocks, shape (cells,)."""
    rows = np.empty(sum(block.size for block in blocks), dtype=np.intp)
    for block in blocks:
        rows[block] = block[rng.permutation(len(block))]
    return rows


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Return Benjamini-Hochberg adjusted p-values (q-values).

    Parameters
    ----------
    p
        P-values of any shape; NaN marks a test that was not possible. It stays NaN and is not counted.

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
    """Return a warning if the smallest possible p-value is too large for a single test to pass; else an empty string.

    Parameters
    ----------
    permutations
        Number of permutations of each p-value.
    p
        P-values that are adjusted together; NaN marks a test that was not possible.
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
"""Number of values permuted at once, which bounds the memory."""


def permuted_within(values: np.ndarray, blocks: list[np.ndarray], count: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``count`` permutations of ``values`` (cells,) that move only exchangeable blocks, shape (count, cells)."""
    permuted = np.tile(values, (count, 1))
    for size in sorted({block.shape[1] for block in blocks}):
        # Blocks of one size, shape (blocks, size): uniform numbers order them at random within their array.
        own = [block for block in blocks if block.shape[1] == size]
        rows, array = np.concatenate(own), np.repeat(np.arange(len(own)), [len(block) for block in own])
        order = np.argsort(array + rng.random((count, len(rows))), axis=1)
        permuted[:, rows.ravel()] = values[rows[order].reshape(count, -1)]
    return permuted


def permuted_statistics(
    values: np.ndarray,
    blocks: list[np.ndarray],
    permutations: int,
    rng: np.random.Generator,
    statistic: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Return a statistic of values whose exchangeable blocks are permuted, shape (permutations, ...).

    Parameters
    ----------
    values
        Value of each cell, shape (cells,).
    blocks
        From :func:`cineseq.statistics.permutation.exchangeable_blocks`.
    permutations
        Number of permutations; 0 returns an empty array.
    rng
        Random generator.
    statistic
        Function that maps permuted values of shape (n, cells) to shape (n, ...).
    """
    # Permute in chunks of (step, cells) to bound the memory.
    step = max(1, CHUNK // len(values))
    parts = [
        statistic(permuted_within(values, blocks, min(step, permutations - start), rng))
        for start in range(0, permutations, step)
    ]
    return np.concatenate(parts) if parts else np.empty(0)
