"""Variance of function between clusters and along principal components."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import kruskal

from cineseq.statistics import ALPHA
from cineseq.statistics.permutation import (
    benjamini_hochberg,
    exchangeable_blocks,
    p_value,
    permuted_statistics,
)
from cineseq.tables.contract import empty
from cineseq.tables.expression import FUNCTION_BY_COMPONENT
from cineseq.text import count, percent, readable
from cineseq.text import p_value as written_p

FEWEST_CELLS = 10


def eta_squared(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the fraction of variance between groups (eta squared).

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
    # Sums of squares between groups and in total, from centred values; member has shape (cells, groups).
    groups = int(codes.max()) + 1
    member = np.zeros((len(codes), groups))
    member[np.arange(len(codes)), codes] = 1.0
    centred = values - values.mean(axis=-1, keepdims=True)
    sums = centred @ member  # (..., groups)
    between = (sums**2 / member.sum(axis=0).clip(min=1)).sum(axis=-1)
    total = (centred**2).sum(axis=-1)
    # A total within rounding error of zero means that the values do not vary.
    scale = np.abs(values).max(axis=-1)
    varies = total > len(codes) * (1e-12 * scale) ** 2
    return np.divide(between, total, out=np.full(np.shape(total), np.nan), where=varies)


def variance_between_clusters(
    function: pd.DataFrame,
    clusters: pd.Series,
    samples: pd.Series,
    permutations: int,
    seed: int,
    *,
    families: np.ndarray,
) -> pd.DataFrame:
    """Measure the fraction of each function's variance that lies between clusters.

    Parameters
    ----------
    function
        One column per function, one row per cell; missing values are left out.
    clusters
        Cluster of each cell; missing for cells that were not clustered.
    samples
        Sample of each cell. The null permutes function within samples, so a difference between samples that
        differ in their clusters is part of the null.
    permutations
        Number of permutations.
    seed
        Seed of the permutations.
    families
        Family of each cell, shape (cells,). Relatives are similar, so a family is permuted as a block.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.expression.FUNCTION_BY_CLUSTER`.
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
    note = "" if len(null) else "permutations are switched off"
    return (len(values), len(found), observed, mean, h, p_value(observed, null), len(null), note)


def _why_not(values: np.ndarray, clusters_with_it: int, clusters: int) -> str:
    if len(values) < FEWEST_CELLS:
        return f"measured in {count(len(values), 'clustered cell')}, {FEWEST_CELLS} are required"
    if does_not_vary(values):
        return "it is the same in every cell"
    if clusters < 2:
        return "there is one cluster" if clusters else "there are no clusters"
    return "it was measured in one cluster only" if clusters_with_it < 2 else ""


def does_not_vary(values: np.ndarray) -> bool:
    """Return whether all values are equal up to rounding; shape (cells,), at least one."""
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())


NAMED = 3
"""Number of components named in a sentence."""


def variance_along_components(
    function: pd.DataFrame,
    components: pd.DataFrame,
    samples: pd.Series,
    permutations: int,
    seed: int,
    *,
    families: np.ndarray,
) -> pd.DataFrame:
    """Measure the fraction of each function's variance that each principal component explains.

    Parameters
    ----------
    function
        One column per function, one row per cell; missing values are left out.
    components
        One column per principal component; missing for cells that were not clustered.
    samples
        Sample of each cell. The null permutes function within samples, so a difference between samples that
        differ in their components is part of the null.
    permutations
        Number of permutations.
    seed
        Seed of the permutations.
    families
        Family of each cell, shape (cells,). Relatives are similar, so a family is permuted as a block.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.expression.FUNCTION_BY_COMPONENT`; no rows without
        components, because the cells were then not clustered.
    """
    rng = np.random.default_rng(seed)
    parts = [
        _along_one(function[name], components, samples, permutations, rng, families=families)
        for name in function.columns
    ]
    if not parts or not len(components.columns):
        return empty(FUNCTION_BY_COMPONENT)
    table = pd.concat(parts, ignore_index=True)
    table["q_value"] = benjamini_hochberg(table["p_value"].to_numpy(float))
    return table[list(empty(FUNCTION_BY_COMPONENT).columns)]


def squared_correlation(values: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Return R² of a linear regression on each component.

    Parameters
    ----------
    values
        Shape (..., cells).
    components
        Shape (cells, k).

    Returns
    -------
    numpy.ndarray
        Shape (..., k); NaN where either does not vary.
    """
    # Squared Pearson correlation: squared covariance over the product of the sums of squares, shape (..., k).
    centred = values - values.mean(axis=-1, keepdims=True)
    axes = components - components.mean(axis=0)
    scale = (centred**2).sum(axis=-1)[..., None] * (axes**2).sum(axis=0)
    return np.divide((centred @ axes) ** 2, scale, out=np.full(scale.shape, np.nan), where=scale > 0)


def _along_one(
    function: pd.Series,
    components: pd.DataFrame,
    samples: pd.Series,
    permutations: int,
    rng: np.random.Generator,
    *,
    families: np.ndarray,
) -> pd.DataFrame:
    measured = components.to_numpy(float)
    usable = np.isfinite(function.to_numpy(float)) & np.isfinite(measured).all(axis=1)
    values = function.to_numpy(float)[usable]
    table = pd.DataFrame({"component": components.columns, "n": len(values)}).assign(function=function.name)
    reason = _why_not_along(values)
    if reason:
        return table.assign(r2=np.nan, r2_null=np.nan, p_value=np.nan, permutations=0, note=f"not estimable: {reason}")
    axes = measured[usable]
    blocks = exchangeable_blocks(samples[usable].to_numpy(), families[usable])
    observed = squared_correlation(values, axes)
    null = permuted_statistics(values, blocks, permutations, rng, lambda drawn: squared_correlation(drawn, axes))
    mean = null.mean(axis=0) if len(null) else np.full(len(observed), np.nan)
    note = "" if len(null) else "permutations are switched off"
    p = p_value(observed, null) if len(null) else np.nan
    return table.assign(r2=observed, r2_null=mean, p_value=p, permutations=len(null), note=note)


def _why_not_along(values: np.ndarray) -> str:
    if len(values) < FEWEST_CELLS:
        return f"measured in {count(len(values), 'clustered cell')}, {FEWEST_CELLS} are required"
    return "it is the same in every cell" if does_not_vary(values) else ""


def component_lines(table: pd.DataFrame) -> list[str]:
    """Return one sentence per function on the components that it is associated with."""
    return [_line(readable(name), rows) for name, rows in table.groupby("function", sort=False)]


def _line(name: str, rows: pd.DataFrame) -> str:
    if rows["r2"].isna().all():
        return f"The association of {name} with the principal components of expression is {rows['note'].iloc[0]}."
    if rows["q_value"].isna().all():
        return f"The association of {name} with the principal components is not tested: {rows['note'].iloc[0]}."
    found = rows[rows["q_value"] <= ALPHA].sort_values("r2", ascending=False, kind="stable")
    among = f"of {count(len(rows), 'principal component')} of expression, each against permutation within samples"
    if found.empty:
        return f"{name} is associated with none {among} (lowest {written_p(rows['q_value'].min(), 'q')})."
    named = "; ".join(
        f"{row.component.removeprefix('pc_')}: R² = {percent(row.r2)}, permuted {percent(row.r2_null)}, "
        f"{written_p(row.q_value, 'q')}"
        for row in found.head(NAMED).itertuples()
    )
    return (
        f"{name} is associated with {count(len(found))} {among} at a false discovery rate of {percent(ALPHA, 0)} "
        f"(component {named})."
    )
