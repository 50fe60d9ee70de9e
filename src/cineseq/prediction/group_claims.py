"""Whether a claim about a model survives the unused groups by which a function differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from cineseq.statistics import ALPHA
from cineseq.text import known


def differs_by_group(row: Mapping[str, Any]) -> bool:
    """Whether the function of a row of ``unused_groups`` differs by the group within strata (p ≤ .05).

    The p-value is not adjusted for the number of groups. A difference by a group is no discovery but a reason to doubt
    one, and further columns without effect must not take it away.
    """
    return bool(known(row["p_value"]) and row["p_value"] <= ALPHA)


def is_left_within(row: Mapping[str, Any]) -> bool | None:
    """Whether a model is shown to predict function within the levels of the group, too.

    The interval of its R² there is above the mean of the null, and its p-value is at most .05. None where one of these
    is not estimable.
    """
    needed = (row["r2_within_group_low"], row["r2_within_group_null"], row["p_within_group"])
    if not all(map(known, needed)):
        return None
    return bool(row["r2_within_group_low"] > row["r2_within_group_null"] and row["p_within_group"] <= ALPHA)


def explained_by_group(table: pd.DataFrame | None, function: str, model: str) -> tuple[str, ...]:
    """Return the unused groups by which a function differs and within which a model is not shown to predict it.

    A claim about the model must not be called shown where there is one: it may be no more than a difference between
    the levels of that group.

    Parameters
    ----------
    table
        The table ``unused_groups``; None where it is absent.
    function, model
        As in the table ``performance``.

    Returns
    -------
    tuple of str
        Names of groups, in the order of the table; empty where the claim survives, or no group was found to matter.
    """
    return _groups(table, function, model, left=False)


def unresolved_by_group(table: pd.DataFrame | None, function: str, model: str) -> tuple[str, ...]:
    """Return the unused groups by which a function differs and within which a model could not be tested.

    Parameters and result are those of :func:`explained_by_group`. The claim is then neither kept nor lost.
    """
    return _groups(table, function, model, left=None)


def _groups(table: pd.DataFrame | None, function: str, model: str, *, left: bool | None) -> tuple[str, ...]:
    if table is None or table.empty:
        return ()
    rows = table[(table["function"] == function) & (table["model"] == model)]
    differs = [row for _, row in rows.iterrows() if differs_by_group(row)]
    return tuple(str(row["group"]) for row in differs if is_left_within(row) is left)
