"""Sentences on what is added to covariates, for the step's own report and for the answers."""

from __future__ import annotations

from functools import partial

import pandas as pd

from cineseq.prediction.figures import MODEL_NAMES
from cineseq.statistics.verdicts import is_above
from cineseq.text import interval, known, listed, number, p_value, percent, readable

KINDS = {"size": "size", "cycle": "cell cycle", "technical": "technical covariates"}


def adds(row: pd.Series) -> bool:
    """Return whether a row of ``beyond_covariates`` shows an increment; see :func:`is_above`."""
    return is_above(row["low"], 0.0, row["q_value"])


def covariates_as_measured(covariates: pd.DataFrame | None) -> str:
    """Name the covariates that were taken into account, and how reliably size was measured."""
    if covariates is None or covariates.empty:
        return "size, cell cycle and technical covariates as measured"
    kinds = listed([name for kind, name in KINDS.items() if (covariates["block"] == kind).any()])
    estimated = covariates.dropna(subset=["reliability"])
    if estimated.empty:
        return f"{kinds} as measured (with unknown reliability)"
    least = estimated.loc[estimated["reliability"].idxmin()]
    return (
        f"{kinds} as measured (reliability from adjacent frames {number(least['reliability'])} for "
        f"{readable(str(least['covariate']))}"
        + (", the least reliable of those measured on images)" if len(estimated) > 1 else ")")
    )


def beyond_sentence(rows: pd.DataFrame, covariates: pd.DataFrame | None) -> str:
    """Report what adds to the covariates and what is not shown to, with the increments; that which is not comes first.

    Parameters
    ----------
    rows
        Rows of ``beyond_covariates`` of one function.
    covariates
        The table ``covariates``; None where it is absent.

    Returns
    -------
    str
        Without a full stop; empty without an estimate.
    """
    estimated = rows.dropna(subset=["delta_r2"])
    if estimated.empty:
        return ""
    by_verdict: dict[bool, list[str]] = {verdict: [] for verdict in (False, True)}
    for _, row in estimated.iterrows():
        by_verdict[adds(row)].append(_named(row["added"]))
    what = covariates_as_measured(covariates)
    silent, speaking = by_verdict[False], by_verdict[True]
    is_are = "is" if len(silent) == 1 else "are"
    lead = f"{listed(silent)} {is_are} not shown to add to {what}" if silent else ""
    if speaking:
        verb = "adds" if len(speaking) == 1 else "add"
        lead += f", {listed(speaking)} {verb}" if lead else f"{listed(speaking)} {verb} to {what}"
    alone = estimated["r2_covariates"].iloc[0]
    worse = ", no better than the mean" if alone <= 0 else ""
    numbers = "; ".join(
        f"{_named(row['added'])} ΔR² = {number(row['delta_r2'], signed=True)} "
        f"{interval(row['low'], row['high'], partial(number, signed=True))}{_tested(row)}"
        for _, row in estimated.iterrows()
    )
    return (
        f"{lead}. Within fields, R² of the covariates is {number(alone)}{worse}, and held-out increments are {numbers}"
    )


def _tested(row: pd.Series) -> str:
    """Return the p-value with the fraction that it is of."""
    if not known(row["p_value"]):
        return ", not tested"
    return f" ({percent(row['partial_r2'])} of what curves of the covariates leave, {p_value(row['p_value'])})"


def _named(added: str) -> str:
    return "expression with shape" if added == "both" else MODEL_NAMES[added]
