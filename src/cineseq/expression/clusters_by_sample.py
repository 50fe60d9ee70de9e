"""The variance of function between clusters in each sample, and what one more sample would show."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cineseq.expression.exchange import Exchange
from cineseq.expression.function_variance import FEWEST_CELLS, does_not_vary, stratum_word
from cineseq.statistics.by_sample import Row, rows_over_samples
from cineseq.statistics.epsilon_squared import WithinStrata, indicators
from cineseq.statistics.jackknife import FEWEST_GROUPS
from cineseq.tables.contract import empty
from cineseq.tables.expression import FUNCTION_BY_SAMPLE
from cineseq.text import count


def function_by_sample(
    function: pd.DataFrame, clusters: pd.Series, samples: pd.Series, exchange: Exchange
) -> pd.DataFrame:
    """Measure the fraction of each function's variance within strata that lies between clusters, sample by sample.

    Parameters
    ----------
    function, clusters, exchange
        As :func:`cineseq.expression.function_variance.variance_between_clusters`.
    samples
        Sample of each cell.

    Returns
    -------
    pandas.DataFrame
        As :data:`cineseq.tables.expression.FUNCTION_BY_SAMPLE`.
    """
    rows: list[Row] = []
    for name in function.columns:
        usable = (np.isfinite(function[name].to_numpy(float)) & clusters.notna().to_numpy(bool)).nonzero()[0]
        found: list[tuple[Row, float]] = []
        for sample in pd.unique(samples):
            own = usable[(samples.iloc[usable] == sample).to_numpy(bool)]
            codes = pd.factorize(clusters.iloc[own])[0]
            row, error = _of_sample(function[name].to_numpy(float)[own], codes, exchange, own)
            found.append(({"part": "sample", "sample": sample, "n": len(own)} | row, error))
        each = [row for row, _ in found]
        over = rows_over_samples(each, [error for _, error in found], "epsilon2", most=1.0) if found else []
        rows += [{"function": name} | row for row in (*each, *over)]
    return pd.DataFrame(rows, columns=list(empty(FUNCTION_BY_SAMPLE).columns))


def _of_sample(values: np.ndarray, codes: np.ndarray, exchange: Exchange, own: np.ndarray) -> tuple[Row, float]:
    """Return the row of one sample, and the standard error of its epsilon squared; NaN where it has none."""
    if len(values) < FEWEST_CELLS or len(np.unique(codes)) < 2:
        few = f"{count(len(values), 'clustered cell')} of {count(len(np.unique(codes)), 'cluster')}"
        return {"epsilon2": np.nan, "note": f"not estimable: {few}"}, np.nan
    # Function centred within strata, shape (cells,), and the strata that tell anything.
    within = WithinStrata.of(indicators(codes), exchange.strata[own])
    centred = within.centred(values)
    strata = int((np.bincount(within.strata) > 1).sum())
    if within.freedom <= within.rank or not within.rank or does_not_vary(centred, values):
        return {"epsilon2": np.nan, "note": "not estimable: clusters or function do not differ within fields"}, np.nan
    found = within.jackknife_together(centred)
    low, high = (float(end) for end in found.interval())
    unit = stratum_word(exchange.within)
    note = None if np.isfinite(low) else f"no interval: {count(strata, unit)}, {FEWEST_GROUPS} are required"
    row: Row = {"groups": strata, "grouped_by": "stratum", "epsilon2": float(found.estimate), "note": note}
    return row | {"epsilon2_low": low, "epsilon2_high": high}, float(found.error) if note is None else np.nan
