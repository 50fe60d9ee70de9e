"""What the values of a user's table mean: names as they are written, numbers, and references to names."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd

from cineseq.io.text_files import BLANKS
from cineseq.text import count

logger = logging.getLogger(__name__)

NOTHING = frozenset(
    [
        *("", "na", "n/a", "nan", "-nan", "null", "none", "nil", "<na>", "#n/a", "#na", "#n/a n/a"),
        *("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
    ]
)
"""Words for a missing value, in lower case. They mean it among numbers and references; names are what is written."""
NO_REFERENCE = r"(?:-1|0+)(?:\.0*)?"
"""Numbers that refer to nothing."""
TOTALS = ("total", "totals", "sum", "mean", "average", "median", "sd", "std", "stdev", "sem", "min", "max")
"""Names of rows that sum up those above them."""
LARGEST_WHOLE = 2**53
"""From here on, numbers do not tell whole numbers apart."""
MOST_DAUGHTERS = 2


def as_text(values: pd.Series) -> pd.Series:
    """Return names as text, without blanks around them; an empty one is missing.

    Text is what is written: ``001``, ``1.10``, ``1e-3``, ``NA`` and ``None`` are names. Whole numbers that a typed file
    stores as 1.0 because of missing values become 1.
    """
    if pd.api.types.is_float_dtype(values) and (np.asarray(values.dropna(), float) % 1 == 0).all():
        values = values.astype("Int64")
    text = values.astype("string").str.strip().str.strip(BLANKS)
    return text.mask(text == "")


def says_nothing(values: pd.Series) -> pd.Series:
    """Return where a value is missing, or a word for that, such as ``NA``, ``NaN``, ``null`` or ``#N/A``."""
    text = as_text(values)
    return text.isna() | text.str.lower().isin(NOTHING).fillna(value=True)


def rows_of_cells(names: pd.Series) -> int:
    """Return the number of rows up to those at the end that sum up the others, such as their mean; at least one."""
    sums = as_text(names).str.lower().isin(TOTALS).fillna(value=False).to_numpy(bool)
    return len(names) - int(np.cumprod(sums[::-1])[: len(names) - 1].sum())


def as_numbers(values: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return a column as numbers, float64, and where it holds something else.

    Empty values and words for a missing value (:data:`NOTHING`) are missing. Text that is no number, and whole numbers
    too long to be told apart as numbers, are wrong. Infinity is a number here.
    """
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.astype("Float64").astype("float64")
        return numbers, pd.Series(data=False, index=values.index)
    plain = _plain_numbers(values)
    if plain is not None:
        return plain, pd.Series(data=False, index=values.index)
    text = as_text(values)
    numbers = pd.to_numeric(text, errors="coerce").astype("Float64").astype("float64")
    wrong = numbers.isna() & ~says_nothing(text)
    beyond = (numbers.abs() >= LARGEST_WHOLE) & text.str.fullmatch(r"[+-]?\d+").fillna(value=False)
    return numbers, wrong | beyond


def _plain_numbers(values: pd.Series) -> pd.Series | None:
    """Return a column of text that holds numbers alone, none of them beyond what is told apart; None for others."""
    if values.dtype != "string" or not len(values) or values.hasnans:
        return None
    try:
        numbers = np.asarray(pd.to_numeric(values.to_numpy(object), errors="raise"), float)
    except (ValueError, TypeError):
        return None
    return pd.Series(numbers, values.index, name=values.name) if (np.abs(numbers) < LARGEST_WHOLE).all() else None


def why_no_number(value: object) -> str:
    """Return a hint on a value that is not a number, to end a message with; empty where there is none."""
    text = str(value).strip()
    if text.lstrip("+-").isdecimal():
        return " (it has more digits than a number can hold: is it a name?)"
    if text.count(",") == 1 and text.replace(",", ".").lstrip("+-").replace(".", "", 1).isdecimal():
        return " (write the decimal point as a point, and no mark for thousands)"
    return ""


def count_words(values: pd.Series, where: str) -> None:
    """Log how many values of a column of numbers are words for a missing value, such as ``#N/A``."""
    if pd.api.types.is_numeric_dtype(values):
        return
    text = as_text(values)
    words = text[text.notna() & says_nothing(text)]
    if len(words):
        shown, many = ", ".join(f"'{word}'" for word in words.unique()[:3]), count(len(words), "word")
        logger.info("%s: column '%s' has %s for a missing value (%s).", where, values.name, many, shown)


def as_named(values: pd.Series, names: Collection[str], scope: pd.Series | None = None) -> pd.Series:
    """Return values as the names that they state.

    Parameters
    ----------
    values
        The column.
    names
        The names that there are.
    scope
        Names within which those of ``values`` are unique, joined before them by a slash; None without.

    Returns
    -------
    pandas.Series
        As written, or, where only this is a name, without or with the ending ``.0`` that programs give to whole numbers
        if a value of the column is missing. If a name is a number with a fraction, such as ``1.10``, endings count.
    """
    there = pd.Index(names).unique().astype(str)
    text = as_text(values)
    before = pd.Series("", index=text.index, dtype="string") if scope is None else scope + "/"
    full = before + text
    if there.str.fullmatch(r"(?:.*/)?\d*\.\d*[1-9]\d*").any():
        return full
    whole = text.str.replace(r"^(-?\d+)\.0+$", r"\1", regex=True)
    for other in (whole, text.str.replace(r"^(-?\d+)$", r"\1.0", regex=True)):
        better = ~full.isin(there) & (before + other).isin(there)
        if better.any():
            first = better.idxmax()
            logger.info(
                "Column '%s': read %s such as '%s' as '%s'.",
                *(values.name, count(int(better.sum()), "name"), text[first], other[first]),
            )
            full = full.mask(better, before + other)
    return full


def as_references(
    values: pd.Series, names: Collection[str], none: Iterable[str] = (), scope: pd.Series | None = None
) -> pd.Series:
    """Return a column of references to names, such as parents or compartments; missing where it refers to nothing.

    Empty values, words for a missing value (:data:`NOTHING`), ``0``, ``-1`` and the values of ``none`` mean nothing
    unless they are a name. Other parameters are those of :func:`as_named`.
    """
    text, full = as_text(values), as_named(values, names, scope)
    named = full.isin(pd.Index(names).astype(str))
    return full.mask((is_nothing(text) | text.isin(list(none))) & ~named)


def is_nothing(values: pd.Series) -> pd.Series:
    """Return where a value refers to nothing, unless it is a name: a word for a missing value, 0 or -1."""
    text = as_text(values)
    return says_nothing(text) | text.str.fullmatch(NO_REFERENCE).fillna(value=True)


def as_parents(
    values: pd.Series, own: pd.Series, none: Iterable[str] = (), scope: pd.Series | None = None
) -> pd.Series:
    """Return the parent of each row, as :func:`as_references` does; none where a row's own name says so.

    Some programs write the own name of a cell for an unknown parent. If numbers begin at 0 and 0 also stands for an
    unknown parent, it is the own name of the first cell and the parent of more than two others, which no cell is.

    Parameters
    ----------
    values, none, scope
        As in :func:`as_references`.
    own
        Names of the rows, within their scope.
    """
    parents = as_references(values, own.dropna(), none, scope)
    itself = (parents == own).fillna(value=False).astype(bool)
    zero = is_nothing(values) & parents.notna()
    for name in own[itself & zero].unique():
        mine = (parents == name).fillna(value=False)
        if own[mine & ~itself].nunique() > MOST_DAUGHTERS:
            parents = parents.mask(mine)
            itself &= ~mine
    if itself.any():
        many = count(int(itself.sum()), "row names itself", "rows name themselves")
        logger.info("Column '%s': %s; the parent is unknown there.", values.name, many)
    return parents.mask(itself)
