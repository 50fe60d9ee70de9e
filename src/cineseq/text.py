"""Format numbers, counts, p-values, intervals and units for messages, figures and the report."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable
from typing import Any

NOT_ESTIMABLE = "not estimable"
NO_INTERVAL = "no interval"
SMALLEST_P = 0.001
"""P-values below this are written as ``< 0.001``."""


def known(value: Any) -> bool:
    """Return whether a value is known: not None, NaN, infinite or pandas' NA."""
    try:
        return value is not None and math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def number(value: Any, digits: int = 2, *, signed: bool = False) -> str:
    """Write a number with fixed decimals, thousands separators and a true minus sign; ``signed`` also writes a plus."""
    if not known(value):
        return NOT_ESTIMABLE
    return _with_sign(f"{float(value):,.{digits}f}", signed=signed)


def significant(value: Any, digits: int = 3) -> str:
    """Write a number with at most ``digits`` significant digits; digits before the decimal point are all kept."""
    if not known(value):
        return NOT_ESTIMABLE
    size = abs(float(value))
    decimals = 0 if size == 0 else digits - 1 - math.floor(math.log10(size))
    if decimals > MOST_DECIMALS:
        return f"{float(value):.{digits - 1}e}".replace("-", MINUS)
    text = _with_sign(f"{float(value):,.{max(decimals, 0)}f}")
    return text.rstrip("0").rstrip(".") if "." in text else text


MOST_DECIMALS = 6
"""Numbers that need more digits are written with a power of ten."""
MINUS = "\N{MINUS SIGN}"


def _with_sign(text: str, *, signed: bool = False) -> str:
    if not text.strip("-0.,"):
        return text.removeprefix("-")  # rounding makes a zero, which has no sign
    return text.replace("-", MINUS) if text.startswith("-") else f"+{text}" if signed else text


def ratio(value: Any) -> str:
    """Write a ratio with two or three significant digits."""
    return number(value, 2 if known(value) and abs(float(value)) < 10 else 0)


def count(value: Any, noun: str = "", plural: str = "") -> str:
    """Write a count with thousands separators and its noun, in the singular for one.

    Parameters
    ----------
    value
        The count.
    noun
        In the singular; empty for the number alone.
    plural
        Where adding an s does not make it.
    """
    written = f"{int(value):,}" if known(value) else "an unknown number of"
    if not noun:
        return written
    return f"{written} {noun if known(value) and int(value) == 1 else plural or noun + 's'}"


def percent(value: Any, digits: int | None = None, *, signed: bool = False) -> str:
    """Write a fraction as a percentage; without ``digits``, one decimal below ten percent and none above.

    ``signed`` also writes a plus.
    """
    if not known(value):
        return NOT_ESTIMABLE
    per_cent = 100 * float(value)
    return number(per_cent, (1 if abs(per_cent) < 10 else 0) if digits is None else digits, signed=signed) + " %"


def share(part: int, whole: int, noun: str = "", plural: str = "") -> str:
    """Write a part of a whole with its percentage: ``3 of 12 cells (25 %)``."""
    of = f"{count(part)} of {count(whole, noun, plural)}"
    return f"{of} ({percent(part / whole)})" if known(whole) and whole else of


def quantity(value: Any, unit: str | None, digits: int = 3) -> str:
    """Write a number with its unit, if it has one; ``digits`` is the number of significant digits."""
    return f"{significant(value, digits)} {unit_of(unit)}".rstrip() if known(value) else NOT_ESTIMABLE


UNITS = {"um": "µm", "um2": "µm²", "px2": "px²", "1/um": "1/µm"}
"""Units for readers, by their ASCII form in tables and settings."""


def unit_of(name: str | None) -> str:
    """Write a unit for readers: ``um2`` becomes µm²; empty without a unit."""
    return UNITS.get(name, name) if name else ""


def p_size(value: Any) -> str:
    """Write a p-value without its name, as in the cell of a table: ``0.02`` or ``< 0.001``, never 0."""
    if not known(value):
        return NOT_ESTIMABLE
    return f"< {SMALLEST_P}" if float(value) < SMALLEST_P else f"{float(value):.2g}"


def p_value(value: Any, name: str = "p") -> str:
    """Write a p-value or, as ``q``, a false discovery rate: ``p = 0.02``, ``p < 0.001``, ``p not estimable``."""
    size = p_size(value)
    return f"{name} = {size}" if size[0].isdigit() else f"{name} {size}"


def interval(low: Any, high: Any, write: Callable[[Any], str] = number, *, named: bool = False) -> str:
    """Write the ends of a 95 % interval in brackets, or that it is not estimable.

    Parameters
    ----------
    low, high
        The ends; one may be infinite, for an interval that is open on that side.
    write
        Writes an end.
    named
        Whether to say what interval it is.
    """
    lower, upper = _end(low, write), _end(high, write)
    if lower is None or upper is None:
        return NO_INTERVAL
    opening, closing = ("(" if lower.endswith(INFINITY) else "["), (")" if upper.endswith(INFINITY) else "]")
    return f"{'95 % interval ' if named else ''}{opening}{lower}, {upper}{closing}"


INFINITY = "∞"


def _end(value: Any, write: Callable[[Any], str]) -> str | None:
    """Write one end of an interval; None if it is unknown."""
    if known(value):
        return write(value)
    try:
        return {math.inf: INFINITY, -math.inf: MINUS + INFINITY}.get(float(value))
    except (TypeError, ValueError):
        return None


def listed(items: Iterable[str]) -> str:
    """Join items as in a sentence: a, b and c."""
    items = list(items)
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1] if items else ""


def natural_order(names: Iterable[str]) -> list[str]:
    """Sort names in natural order: t2 comes before t10."""
    from natsort import natsorted  # noqa: PLC0415 - every step imports this module, few sort names

    return natsorted(sorted(names))  # sorted first, so that names that differ only in leading zeros have a fixed order


def first_sentence(text: str) -> str:
    """Return the first sentence of an answer."""
    return re.split(r"(?<=\.) (?=[A-Z])", text, maxsplit=1)[0]


def tie(text: str) -> str:
    """Keep numbers and their signs, and the ends of an interval, on one line of the page, with no-break spaces."""
    tied = re.sub(r" (?=[=<%] |%)|(?<=[=<]) ", "\N{NO-BREAK SPACE}", text)
    return re.sub(r"(?<=[\[(])([^\[\]() ]{1,20}), (?=[^\[\]() ]{1,20}[\])])", "\\1,\N{NO-BREAK SPACE}", tied)


def clean(value: Any) -> float | int | str | None:
    """Convert a value of a table to a JSON value; None if it is unknown."""
    if isinstance(value, str):
        return value
    if not known(value):
        return None
    return int(value) if float(value).is_integer() and not isinstance(value, float) else float(value)


FUNCTION = "function_"
"""Prefix of the columns of functions."""

COSINE, SINE = "_cos", "_sin"
"""Suffixes of the two columns of an angle."""


def parts_of(function: str, named: Collection[str]) -> list[str]:
    """Return the names of a function in a table with one row per column: its own, or those of the parts of an angle.

    Parameters
    ----------
    function
        Name of the function in ``performance.tsv``; of an angle without the endings of its columns.
    named
        Names of functions in the table.
    """
    return [function] if function in named else [function + COSINE, function + SINE]


def readable(name: str) -> str:
    """Convert a column name to words: ``function_uptake_max`` becomes ``uptake max``."""
    return name.removeprefix(FUNCTION).replace("_", " ")
