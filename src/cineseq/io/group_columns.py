"""Columns that group cells: which ones are categories, and their values as text."""

from __future__ import annotations

import logging

import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.errors import warn_of
from cineseq.io.written import as_numbers, as_text, says_nothing
from cineseq.text import count

logger = logging.getLogger(__name__)
GROUP = "group_"
"""Prefix of columns of groups from the user's tables and sheet."""
ONE_VALUE = "it has one value"
MOST_NUMBERS = 50
"""Whole numbers count as categories up to this many different ones."""
FEWEST_EACH = 5
"""Whole numbers count as categories from this many cells of each on average."""
FEWEST_OF_NAME = 2
"""Names count as categories from this many cells of each on average; with fewer they name the cells."""


def why_no_group(values: pd.Series) -> str:
    """Return why a column does not group its rows; empty where it does.

    Text, truth values and whole numbers of few levels, such as plates 1, 2 and 3, are categories, also where these
    numbers are written as text. Fractions, numbers with many levels and names of single cells are not.
    """
    known = values[~says_nothing(values)] if _are_numbers(values) else values.dropna()
    levels = known.astype("string").nunique()
    if levels + (len(known) < len(values)) < 2:
        return ONE_VALUE if levels else "it has no value"
    numbers = pd.to_numeric(known.astype("string"), errors="coerce")
    if numbers.notna().all() and not pd.api.types.is_bool_dtype(known):
        if (numbers % 1 != 0).any():
            return "it holds numbers with fractions"
        if levels > MOST_NUMBERS or len(known) < FEWEST_EACH * levels:
            return f"it holds {levels} different numbers in {len(known)} rows"
    elif len(known) < FEWEST_OF_NAME * levels:
        return f"it names {levels} groups in {len(known)} rows, fewer than {FEWEST_OF_NAME} of each"
    return ""


def _are_numbers(values: pd.Series) -> bool:
    """Return whether a column holds numbers, beside words for a missing value."""
    numbers, wrong = as_numbers(values)
    return bool(numbers.notna().any() and not wrong.any())


def sheet_columns(field: FieldOfView) -> dict[str, str]:
    """Return what the sample sheet states of a field of view, by the columns of tables of cells; empty is not stated.

    Other columns of the sheet, such as donor, are groups: ``group_donor``.
    """
    groups = {f"{GROUP}{name.removeprefix(GROUP)}": value for name, value in field.metadata}
    return {"condition": field.condition, "replicate": field.replicate} | groups


def with_sheet(cells: pd.DataFrame, field: FieldOfView, where: str) -> pd.DataFrame:
    """Return cells with what the sample sheet states of their field of view, where their table does not say it.

    Parameters
    ----------
    cells
        Cells of a user's table, indexed by their name, with any of the columns of :func:`sheet_columns`.
    field
        Row of the sheet that the table belongs to.
    where
        The table, for messages.

    Notes
    -----
    A table may state another value than the sheet, since it knows single cells: its value counts, with a serious
    notice.
    """
    stated = {name: value for name, value in sheet_columns(field).items() if value}
    for name, value in stated.items():
        own = as_text(cells[name]) if name in cells else pd.Series(pd.NA, cells.index, dtype="string")
        wrong = (own.notna() & (own != value)).fillna(value=False)
        if wrong.any():
            cell, column = wrong.idxmax(), name.removeprefix(GROUP)
            warn_of(
                logger,
                f"{where}: cell '{cell}' has the {column} '{own[cell]}', but the sample sheet gives sample "
                f"'{field.sample}' the {column} '{value}' ({count(int(wrong.sum()), 'such cell')}); the table counts. "
                "Correct one of them, or leave the column out of the sheet.",
            )
        cells = cells.assign(**{name: own.fillna(value)})
    return cells
