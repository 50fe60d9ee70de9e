"""Variance of function between clusters and along principal components."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kruskal

from cineseq.expression.exchange import Exchange
from cineseq.statistics import ALPHA
from cineseq.statistics.epsilon_squared import WithinStrata, indicators, normal_upper_end
from cineseq.statistics.jackknife import FEWEST_GROUPS, JackknifeT
from cineseq.statistics.permutation import (
    TIE,
    benjamini_hochberg,
)
from cineseq.statistics.sequential import SequentialDesign, SequentialTest, floor_notes, sequential_test
from cineseq.statistics.streams import stream
from cineseq.statistics.verdicts import judge
from cineseq.tables.contract import empty
from cineseq.tables.expression import FUNCTION_BY_CLUSTER, FUNCTION_BY_COMPONENT
from cineseq.text import count, percent, readable
from cineseq.text import p_value as written_p

FEWEST_CELLS = 10
FEWEST_WITHIN = 10
"""Fewest cells beyond one per stratum."""


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
    member = indicators(codes)
    centred = values - values.mean(axis=-1, keepdims=True)
    sums = centred @ member  # (..., groups)
    between = (sums**2 / member.sum(axis=0).clip(min=1)).sum(axis=-1)
    total = (centred**2).sum(axis=-1)
    # A total within rounding error of zero means that the values do not vary.
    scale = np.abs(values).max(axis=-1)
    varies = total > len(codes) * (1e-12 * scale) ** 2
    return np.divide(between, total, out=np.full(np.shape(total), np.nan), where=varies)


def variance_between_clusters(function: pd.DataFrame, clusters: pd.Series, exchange: Exchange) -> pd.DataFrame:
    """Measure the fraction of each function's variance within strata that lies between clusters.

    Parameters
    ----------
    function
        One column per function, one row per cell; missing values are left out.
    clusters
        Cluster of each cell; missing for cells that were not clustered.
    exchange
        Strata, families and permutations of the null.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.expression.FUNCTION_BY_CLUSTER`. The p-value is of ``epsilon2``; ``eta2`` has
        the part between strata, too.
    """
    design = exchange.design(len(function.columns))
    rows = [
        _one(function[name], clusters, exchange, stream(exchange.seed, "clusters", str(name)), design)
        for name in function.columns
    ]
    table = pd.DataFrame(rows, columns=list(empty(FUNCTION_BY_CLUSTER).columns))
    return _judged(table.assign(function=list(function.columns)), exchange, "functions")


def _one(
    function: pd.Series, clusters: pd.Series, exchange: Exchange, rng: np.random.Generator, design: SequentialDesign
) -> dict[str, Any]:
    usable = np.isfinite(function.to_numpy(float)) & clusters.notna().to_numpy()
    values, strata = function.to_numpy(float)[usable], exchange.strata[usable]
    codes, found = pd.factorize(clusters[usable], sort=True)
    row: dict[str, Any] = {"n": len(values), "clusters": len(found), "strata": 0, "permutations": 0}
    reason = _why_not(values, len(found), int(clusters.nunique()))
    if reason:
        return row | {"note": f"not estimable: {reason}"}
    row |= {"eta2": float(eta_squared(values, codes))}
    row |= {"kruskal_h": float(kruskal(*(values[codes == code] for code in range(len(found)))).statistic)}
    within = WithinStrata.of(indicators(codes), strata)
    own, unit = within.centred(values), stratum_word(exchange.within)
    reason = _why_not_within(within, own, values, unit)
    if not reason and not within.rank:
        reason = f"no {unit} has cells of two clusters"
    if reason:
        return row | {"note": f"not estimable: {reason}"}
    # Permutations keep the mean of every stratum, so the same means are taken out of permuted values.
    means = values - own

    def statistics(drawn: np.ndarray) -> np.ndarray:
        return np.stack([within.together(drawn - means), eta_squared(drawn, codes)], axis=-1)[:, None]

    found = within.jackknife_together(own)
    draw, row["position_share"] = exchange.null(values, usable, statistics)
    null, test = _tested(np.atleast_1d(found.estimate), draw, rng, design)
    row |= _with_interval(found, within, within.rank, unit, int(test.permutations[0]))
    if len(null):
        row |= {"eta2_null": float(null[:, 0, 1].mean()), "p_value": test.p_value[0]}
    return row


def _tested(
    observed: np.ndarray, permuted: Callable[..., np.ndarray], rng: np.random.Generator, design: SequentialDesign
) -> tuple[np.ndarray, SequentialTest]:
    """Return the statistics of the first permutations, shape (permutations, tests, 2), and tests by the first of each.

    ``permuted`` maps a number of permutations and a generator to statistics (n, tests, 2).
    """
    first, later = permuted(permutations=design.first, rng=rng), rng.spawn(1)[0]
    first = first.reshape(design.first, len(observed), 2)

    def more(number: int, still: np.ndarray) -> np.ndarray:
        return permuted(permutations=number, rng=later)[:, still, 0]

    return first, sequential_test(observed - TIE, first[..., 0], more, design)


def _with_interval(
    found: JackknifeT, within: WithinStrata, rank: int, unit: str, permutations: int | np.ndarray
) -> dict[str, Any]:
    """Return the columns of epsilon squared and its interval; of several predictors, each an array.

    The upper end that can show absence is the larger of two, of which one is exact for few cells and the other allows
    for alike cells.
    """
    low, high = found.interval()
    upper = np.maximum(found.upper_end(), normal_upper_end(found.estimate, within.freedom, rank))
    strata = int(np.max(found.groups))
    notes = [] if np.any(permutations) else ["permutations are switched off"]
    if strata < FEWEST_GROUPS:
        notes.append(f"no interval: {count(strata, unit)} with two cells or more, {FEWEST_GROUPS} are required")
    numbers = {
        "strata": strata,
        "epsilon2": found.estimate,
        "epsilon2_low": low,
        "epsilon2_high": high,
        "epsilon2_upper": upper,
    }
    return numbers | {"permutations": permutations, "note": "; ".join(notes)}


def _judged(table: pd.DataFrame, exchange: Exchange, tests: str) -> pd.DataFrame:
    """Add q-values over all rows, the margin and the verdict; ``tests`` is what the rows are, in the plural."""
    q = benjamini_hochberg(table["p_value"].to_numpy(float))
    upper = table["epsilon2_upper"].to_numpy(float)
    # Without an interval, with few fields, the test alone decides.
    low = table["epsilon2_low"].to_numpy(float)
    shown = (q <= ALPHA) & ~(low <= 0)
    rows = zip(table["epsilon2"].notna(), shown, upper < exchange.margin, strict=True)
    verdict = pd.Series([judge(is_estimated=e, is_shown=s, is_absent=a) for e, s, a in rows], table.index)
    within = ", ".join(exchange.within)
    table = table.assign(q_value=q, margin=exchange.margin, within=within, verdict=verdict.astype(object))
    return table.assign(note=floor_notes(table, tests))


def stratum_word(within: Collection[str] | str) -> str:
    """Return what a stratum is called in a sentence, from the columns that define it or from their joined names."""
    columns = within.split(", ") if isinstance(within, str) else within
    named = {"fov": "field", "sample": "sample"}
    return next((word for column, word in named.items() if column in columns), "group")


def _why_not(values: np.ndarray, clusters_with_it: int, clusters: int) -> str:
    if len(values) < FEWEST_CELLS:
        return f"measured in {count(len(values), 'clustered cell')}, {FEWEST_CELLS} are required"
    if does_not_vary(values):
        return "it is the same in every cell"
    if clusters < 2:
        return "there is one cluster" if clusters else "there are no clusters"
    return "it was measured in one cluster only" if clusters_with_it < 2 else ""


def _why_not_within(within: WithinStrata, own: np.ndarray, values: np.ndarray, unit: str) -> str:
    """Return why epsilon squared is not estimable, for values and the same values centred within strata."""
    if within.freedom < FEWEST_WITHIN:
        return f"cells exceed {unit}s by {within.freedom}, {FEWEST_WITHIN} are required"
    if does_not_vary(own, values):
        return f"it is the same in all cells of a {unit}"
    return "cells are too few for so many clusters" if within.rank >= within.freedom else ""


def does_not_vary(values: np.ndarray, before: np.ndarray | None = None) -> bool:
    """Return whether values, centred or not, are equal up to rounding of those ``before``; each shape (cells,)."""
    return bool(np.ptp(values) <= 1e-12 * np.abs(values if before is None else before).max())


NAMED = 3
"""Number of components named in a sentence."""


def variance_along_components(function: pd.DataFrame, components: pd.DataFrame, exchange: Exchange) -> pd.DataFrame:
    """Measure the fraction of each function's variance within strata that each principal component explains.

    Parameters
    ----------
    function
        One column per function, one row per cell; missing values are left out.
    components
        One column per principal component; missing for cells that were not clustered.
    exchange
        Strata, families and permutations of the null.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.expression.FUNCTION_BY_COMPONENT`; no rows without components, because the cells
        were then not clustered. The p-value is of ``epsilon2``; ``r2`` has the part between strata, too.
    """
    if not len(function.columns) or not len(components.columns):
        return empty(FUNCTION_BY_COMPONENT)
    design = exchange.design(len(function.columns) * len(components.columns))
    parts = [
        _along_one(function[name], components, exchange, stream(exchange.seed, "components", str(name)), design)
        for name in function.columns
    ]
    table = pd.concat(parts, ignore_index=True).reindex(columns=empty(FUNCTION_BY_COMPONENT).columns)
    return _judged(table, exchange, "functions and components")


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
    exchange: Exchange,
    rng: np.random.Generator,
    design: SequentialDesign,
) -> pd.DataFrame:
    measured = components.to_numpy(float)
    # Function (cells,) and components (cells, components) of the cells that have both.
    usable = np.isfinite(function.to_numpy(float)) & np.isfinite(measured).all(axis=1)
    values, strata, axes = function.to_numpy(float)[usable], exchange.strata[usable], measured[usable]
    table = pd.DataFrame({"component": components.columns, "n": len(values), "strata": 0, "permutations": 0})
    table = table.assign(function=function.name)
    reason = _why_not_along(values)
    if reason:
        return table.assign(note=f"not estimable: {reason}")
    table = table.assign(r2=squared_correlation(values, axes))
    within = WithinStrata.of(axes, strata)
    own, unit = within.centred(values), stratum_word(exchange.within)
    reason = _why_not_within(within, own, values, unit)
    if reason:
        return table.assign(note=f"not estimable: {reason}")
    means = values - own

    def statistics(drawn: np.ndarray) -> np.ndarray:
        return np.stack([within.apart(drawn - means), squared_correlation(drawn, axes)], axis=-1)

    # Epsilon squared of each component within strata, with its jackknife; then the null of both statistics.
    found = within.jackknife_apart(own)
    draw, share = exchange.null(values, usable, statistics)
    null, test = _tested(found.estimate, draw, rng, design)
    table = table.assign(position_share=share, **_with_interval(found, within, 1, unit, test.permutations))
    if not len(null):
        return table
    return table.assign(r2_null=null[..., 1].mean(axis=0), p_value=test.p_value)


def _why_not_along(values: np.ndarray) -> str:
    if len(values) < FEWEST_CELLS:
        return f"measured in {count(len(values), 'clustered cell')}, {FEWEST_CELLS} are required"
    return "it is the same in every cell" if does_not_vary(values) else ""


def component_lines(table: pd.DataFrame) -> list[str]:
    """Return one sentence per function on the components that it is associated with."""
    return [_line(readable(name), rows) for name, rows in table.groupby("function", sort=False)]


def _line(name: str, rows: pd.DataFrame) -> str:
    if rows["epsilon2"].isna().all():
        return f"The association of {name} with the principal components of expression is {rows['note'].iloc[0]}."
    if rows["q_value"].isna().all():
        return f"The association of {name} with the principal components is not tested: {rows['note'].iloc[0]}."
    found = rows[rows["verdict"] == "shown"].sort_values("epsilon2", ascending=False, kind="stable")
    unit, among = stratum_word(rows["within"].iloc[0]), f"of {count(len(rows), 'principal component')} of expression"
    if found.empty:
        absent = int((rows["verdict"] == "shown_absent").sum())
        lowest, margin = written_p(rows["q_value"].min(), "q"), percent(rows["margin"].iloc[0])
        return (
            f"{name} is not shown to be associated with any {among} (lowest {lowest}); {absent} of these are shown to "
            f"explain less than {margin} of its variance within {unit}s, the others are unresolved."
        )
    named = "; ".join(
        f"{row.component.removeprefix('pc_')}: {percent(row.epsilon2)}, {written_p(row.q_value, 'q')}"
        for row in found.head(NAMED).itertuples()
    )
    return (
        f"{name} is associated with {count(len(found))} {among} at a false discovery rate of {percent(ALPHA, 0)} "
        f"(share of its variance within {unit}s that a component explains: component {named})."
    )
