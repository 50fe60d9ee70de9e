"""How much of a function's variance goes with each principal component of expression."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.clustering.function_share import FEWEST_CELLS, does_not_vary, permuted_statistics
from cineseq.names import readable
from cineseq.results import FUNCTION_BY_COMPONENT
from cineseq.statistics.fdr import benjamini_hochberg
from cineseq.statistics.permutation import exchangeable_blocks, p_value
from cineseq.tables import empty

ALPHA = 0.05
NAMED = 3
"""Components that a sentence names."""


def share_along_components(
    function: pd.DataFrame,
    components: pd.DataFrame,
    samples: pd.Series,
    permutations: int,
    seed: int,
    *,
    families: np.ndarray,
) -> pd.DataFrame:
    """Measure, function by function, how much of its variance each principal component explains.

    Parameters
    ----------
    function
        One column per function, one row per cell; missing values are left out.
    components
        One column per principal component; missing for cells that were not clustered.
    samples
        Sample of each cell. The null permutes function within samples, so that a difference between samples that
        differ in their components is part of the null.
    permutations
        Number of permutations.
    seed
        Of the permutations.
    families
        Family of each cell, shape (cells,): kin are alike, so that they are permuted together.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.results.FUNCTION_BY_COMPONENT`; no rows where there are
        no components, for then the cells were not clustered.
    """
    rng = np.random.default_rng(seed)
    parts = [
        _one(function[name], components, samples, permutations, rng, families=families) for name in function.columns
    ]
    if not parts or not len(components.columns):
        return empty(FUNCTION_BY_COMPONENT)
    table = pd.concat(parts, ignore_index=True)
    table["q_value"] = benjamini_hochberg(table["p_value"].to_numpy(float))
    return table[list(empty(FUNCTION_BY_COMPONENT).columns)]


def squared_correlation(values: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Return R2 of the straight line of each component.

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
    centred = values - values.mean(axis=-1, keepdims=True)
    axes = components - components.mean(axis=0)
    scale = (centred**2).sum(axis=-1)[..., None] * (axes**2).sum(axis=0)
    return np.divide((centred @ axes) ** 2, scale, out=np.full(scale.shape, np.nan), where=scale > 0)


def _one(
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
    reason = _why_not(values)
    if reason:
        return table.assign(r2=np.nan, r2_null=np.nan, p_value=np.nan, permutations=0, note=f"not estimable: {reason}")
    axes = measured[usable]
    blocks = exchangeable_blocks(samples[usable].to_numpy(), families[usable])
    observed = squared_correlation(values, axes)
    null = permuted_statistics(values, blocks, permutations, rng, lambda drawn: squared_correlation(drawn, axes))
    mean = null.mean(axis=0) if len(null) else np.full(len(observed), np.nan)
    note = "" if len(null) else "no permutations were asked for"
    p = p_value(observed, null) if len(null) else np.nan
    return table.assign(r2=observed, r2_null=mean, p_value=p, permutations=len(null), note=note)


def _why_not(values: np.ndarray) -> str:
    if len(values) < FEWEST_CELLS:
        return f"measured in {len(values)} clustered cells, {FEWEST_CELLS} are needed"
    return "it is the same in every cell" if does_not_vary(values) else ""


def component_lines(table: pd.DataFrame) -> list[str]:
    """Return one sentence per function on the components that it goes with."""
    return [_line(readable(name), rows) for name, rows in table.groupby("function", sort=False)]


def _line(name: str, rows: pd.DataFrame) -> str:
    if rows["r2"].isna().all():
        return f"The association of {name} with the principal components of expression is {rows['note'].iloc[0]}."
    if rows["q_value"].isna().all():
        return f"The association of {name} with the principal components is not tested: {rows['note'].iloc[0]}."
    found = rows[rows["q_value"] <= ALPHA].sort_values("r2", ascending=False, kind="stable")
    among = f"of {len(rows)} principal components of expression, each against permutation within samples"
    if found.empty:
        return f"{name} goes with none {among} (lowest q = {rows['q_value'].min():.3g})."
    named = "; ".join(
        f"{row.component.removeprefix('pc_')}: R2 = {row.r2:.1%}, permuted {row.r2_null:.1%}, q = {row.q_value:.3g}"
        for row in found.head(NAMED).itertuples()
    )
    return f"{name} goes with {len(found)} {among} at a false discovery rate of {ALPHA:.0%} (component {named})."
