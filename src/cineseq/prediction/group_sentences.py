"""Sentences on groups that are in neither folds nor strata, for the step's own report and beside the answers."""

from __future__ import annotations

import pandas as pd

from cineseq.prediction.figures import MODEL_NAMES
from cineseq.prediction.group_claims import differs_by_group, explained_by_group, is_left_within, unresolved_by_group
from cineseq.statistics import ALPHA
from cineseq.text import interval, known, listed, number, p_value, percent, readable


def group_sentences(table: pd.DataFrame | None, function: str | None = None) -> tuple[str, ...]:
    """Return a warning for every unused group by which a function differs.

    Parameters
    ----------
    table
        The table ``unused_groups``; None where it is absent.
    function
        Only this function; None for all of them.
    """
    if table is None or table.empty:
        return ()
    rows = table[table.apply(differs_by_group, axis=1)]
    rows = rows if function is None else rows[rows["function"] == function]
    tested = table.groupby("function")["group"].nunique()
    return tuple(
        _sentence(own, int(tested[name])) for (name, _), own in rows.groupby(["function", "group"], sort=False)
    )


def lost_within_groups(table: pd.DataFrame | None, function: str, model: str) -> str:
    """Say that a model is not shown to predict a function within unused groups, or could not be tested in them.

    Empty where it is shown to, or no group matters.
    """
    groups, untested = (of(table, function, model) for of in (explained_by_group, unresolved_by_group))
    parts = [_lost(table, function, model, groups)] if table is not None and groups else []
    if untested:
        parts.append(
            f"Whether {MODEL_NAMES[model]} predicts {readable(function)} within the levels of {listed(untested)} is "
            "not estimable"
        )
    return ". ".join(parts)


def _lost(table: pd.DataFrame, function: str, model: str, groups: tuple[str, ...]) -> str:
    rows = table[(table["function"] == function) & (table["model"] == model)].set_index("group")
    values = [f"{group} (R² = {number(value)})" for group, value in rows.loc[list(groups), "r2_within_group"].items()]
    where = f"within the levels of {listed(values)}"
    return f"{MODEL_NAMES[model].capitalize()} is not shown to predict {readable(function)} {where}"


def _sentence(rows: pd.DataFrame, tested: int) -> str:
    """Say how a function differs by one of the tested groups, what is left of R² within its levels, and what to set."""
    row = rows.iloc[0]
    ends = f", {interval(row['epsilon2_low'], row['epsilon2_high'], percent)}" if known(row["epsilon2_low"]) else ""
    size = f"{percent(row['epsilon2'])} of the variance within {row['within']}{ends}, {p_value(row['p_value'])}"
    size += f", one of {tested} groups that were tested" if tested > 1 else ""
    also = ""
    if known(row["expression_p_value"]) and row["expression_p_value"] <= ALPHA:
        share = f"{percent(row['expression_epsilon2'])} of its main components, {p_value(row['expression_p_value'])}"
        also = f", and so does expression ({share})"
    return (
        f"{row['group']} is in neither folds.groups nor folds.null_strata, and {readable(row['function'])} differs by "
        f"it ({size}){also}. {_left(rows)} To keep these differences in the null, set "
        f"folds.null_strata: [{row['within']}, {row['group']}]."
    )


def _left(rows: pd.DataFrame) -> str:
    """Report R² within the levels of the group, and whether the models are shown to predict there."""
    estimated = rows.dropna(subset=["r2_within_group"])
    if estimated.empty:
        return f"R² within each {rows['group'].iloc[0]} is {rows['note'].iloc[0]}."
    models = [MODEL_NAMES[model] for model in estimated["model"]]
    parts = [f"{number(r2)} by {model}" for r2, model in zip(estimated["r2_within_group"], models, strict=True)]
    lost = [MODEL_NAMES[row["model"]] for _, row in estimated.iterrows() if is_left_within(row) is False]
    verdict = f"; {listed(lost)} {'is' if len(lost) == 1 else 'are'} not shown to predict there" if lost else ""
    across = f"across the levels of {rows['group'].iloc[0]} {listed(map(number, estimated['r2']))}"
    return f"R² within each {rows['group'].iloc[0]} of a field is {listed(parts)} ({across}){verdict}."
