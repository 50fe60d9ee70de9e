"""P-values from permutations, and permutations that respect strata and families."""

from __future__ import annotations

import numpy as np
import pandas as pd


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
