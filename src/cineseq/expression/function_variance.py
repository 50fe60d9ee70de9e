"""How much of a function's variance lies between clusters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import kruskal

from cineseq.statistics.fdr import benjamini_hochberg
from cineseq.statistics.permutation import draw_rows, exchangeable_blocks, p_value

FEWEST_CELLS = 10
CHUNK = 4_000_000
"""Values permuted at once; bounds memory."""


def eta_squared(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the share of variance between groups.

    Parameters
    ----------
    values
        Shape (..., cells).
    codes
        Group of each cell, from 0; shape (cells,).

    Returns
    -------
    numpy.ndarray
        Sum of squares between groups over the total, shape (...); NaN where the values do not vary.
    """
    groups = int(codes.max()) + 1
    member = np.zeros((len(codes), groups))
    member[np.arange(len(codes)), codes] = 1.0
    centred = values - values.mean(axis=-1, keepdims=True)
    sums = centred @ member
    between = (sums**2 / member.sum(axis=0).clip(min=1)).sum(axis=-1)
    total = (centred**2).sum(axis=-1)
    scale = np.abs(values).max(axis=-1)
    varies = total > len(codes) * (1e-12 * scale) ** 2
    return np.divide(between, total, out=np.full(np.shape(total), np.nan), where=varies)


def permuted_within(values: np.ndarray, blocks: list[np.ndarray], count: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``count`` permutations of ``values`` (cells,) that move only exchangeable blocks, shape (count, cells)."""
    return np.stack([values[draw_rows(blocks, rng)] for _ in range(count)])


def share_between_clusters(
    function: pd.DataFrame,
    clusters: pd.Series,
    samples: pd.Series,
    permutations: int,
    seed: int,
    *,
    families: np.ndarray,
) -> pd.DataFrame:
    """Measure, function by function, how much of its variance lies between clusters.

    Parameters
    ----------
    function
        One column per function, one row per cell; missing values are left out.
    clusters
        Cluster of each cell; missing for cells that were not clustered.
    samples
        Sample of each cell. The null permutes function within samples, so that a difference between samples that
        differ in their clusters is part of the null.
    permutations
        Number of permutations.
    seed
        Of the permutations.
    families
        Family of each cell, shape (cells,): kin are alike, so that they are permuted together.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.results.FUNCTION_BY_CLUSTER`.
    """
    rng = np.random.default_rng(seed)
    rows = [
        (name, *_one(function[name], clusters, samples, permutations, rng, families=families))
        for name in function.columns
    ]
    names = ["function", "n", "clusters", "eta2", "eta2_null", "kruskal_h", "p_value", "permutations", "note"]
    table = pd.DataFrame(rows, columns=names)
    table.insert(7, "q_value", benjamini_hochberg(table["p_value"].to_numpy(float)))
    return table


def _one(
    function: pd.Series,
    clusters: pd.Series,
    samples: pd.Series,
    permutations: int,
    rng: np.random.Generator,
    *,
    families: np.ndarray,
) -> tuple:
    usable = np.isfinite(function.to_numpy(float)) & clusters.notna().to_numpy()
    values = function.to_numpy(float)[usable]
    codes, found = pd.factorize(clusters[usable], sort=True)
    blocks = exchangeable_blocks(samples[usable].to_numpy(), families[usable])
    reason = _why_not(values, len(found), int(clusters.nunique()))
    if reason:
        return (len(values), len(found), np.nan, np.nan, np.nan, np.nan, 0, f"not estimable: {reason}")
    observed = float(eta_squared(values, codes))
    null = permuted_statistics(values, blocks, permutations, rng, lambda drawn: eta_squared(drawn, codes))
    h = float(kruskal(*(values[codes == code] for code in range(len(found)))).statistic)
    mean = float(null.mean()) if len(null) else np.nan
    note = "" if len(null) else "no permutations were asked for"
    return (len(values), len(found), observed, mean, h, p_value(observed, null), len(null), note)


def _why_not(values: np.ndarray, clusters_with_it: int, clusters: int) -> str:
    if len(values) < FEWEST_CELLS:
        return f"measured in {len(values)} clustered cells, {FEWEST_CELLS} are needed"
    if does_not_vary(values):
        return "it is the same in every cell"
    if clusters < 2:
        return "there is one cluster" if clusters else "there are no clusters"
    return "it was measured in one cluster only" if clusters_with_it < 2 else ""


def does_not_vary(values: np.ndarray) -> bool:
    """Return whether values are the same but for rounding; shape (cells,), at least one."""
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())


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
