"""Numbers as words: one way to write counts, effects, intervals and p-values everywhere on the report page."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from typing import Any

from natsort import natsorted

NOT_ESTIMABLE = "not estimable"


def known(value: Any) -> bool:
    """Whether a value is there: not None, not NaN, not pandas' NA."""
    try:
        return value is not None and math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def number(value: Any, digits: int = 2) -> str:
    """Write an effect with fixed decimals and a true minus sign."""
    if not known(value):
        return NOT_ESTIMABLE
    text = f"{float(value):.{digits}f}"
    return (text[1:] if float(text) == 0 and text.startswith("-") else text).replace("-", "−")


def ratio(value: Any) -> str:
    """Write a ratio with two or three significant digits."""
    return number(value, 2 if known(value) and abs(float(value)) < 10 else 0)


def count(value: Any) -> str:
    """Write a count with thousands separated."""
    return f"{int(value):,}" if known(value) else "an unknown number of"


def counted(value: Any, what: str) -> str:
    """Write a count and its noun, singular for one."""
    return f"{count(value)} {what.removesuffix('s') if known(value) and int(value) == 1 else what}"


def percent(value: Any) -> str:
    """Write a share as a percentage; one decimal below ten percent."""
    if not known(value):
        return NOT_ESTIMABLE
    share = 100 * float(value)
    return number(share, 1 if abs(share) < 10 else 0) + " %"


def p_value(value: Any, name: str = "p") -> str:
    """Write a p-value or q-value."""
    if not known(value):
        return f"{name} {NOT_ESTIMABLE}"
    return f"{name} < 0.001" if float(value) < 0.001 else f"{name} = {float(value):.2g}"


def interval(low: Any, high: Any, write: Any = number) -> str:
    """Write a 95 % interval, or say that there is none."""
    if not (known(low) and known(high)):
        return "no interval"
    return f"95 % interval {write(low)} to {write(high)}"


def listed(items: Iterable[str]) -> str:
    """Join items as in a sentence: a, b and c."""
    items = list(items)
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1] if items else ""


def natural_order(names: Iterable[str]) -> list[str]:
    """Sort names so that the numbers in them count as numbers: t2 comes before t10."""
    return natsorted(sorted(names))  # names that differ only in zeros before a number have an order too


def first_sentence(text: str) -> str:
    """Return the first sentence of an answer."""
    return re.split(r"(?<=\.) (?=[A-Z])", text, maxsplit=1)[0]


def tie(text: str) -> str:
    """Keep numbers and their signs on one line of the page, with no-break spaces."""
    return re.sub(r" (?=[=<%] |%)|(?<=[=<]) ", "\N{NO-BREAK SPACE}", text)


def clean(value: Any) -> float | int | str | None:
    """Turn a table's value into what JSON can hold; None where it is unknown."""
    if isinstance(value, str):
        return value
    if not known(value):
        return None
    return int(value) if float(value).is_integer() and not isinstance(value, float) else float(value)


FUNCTION = "function_"
"""How the names of columns that hold a function begin."""

COSINE, SINE = "_cos", "_sin"
"""How the names of the two columns of an angle end."""


def parts_of(function: str, named: Collection[str]) -> list[str]:
    """Return under which names a table with a row per column has a function: its own, or those of an angle's two parts.

    Parameters
    ----------
    function
        Name of the function in ``performance.tsv``; of an angle without the endings of its columns.
    named
        Names of functions in the table.
    """
    return [function] if function in named else [function + COSINE, function + SINE]


def readable(name: str) -> str:
    """Turn a column name into words: ``function_uptake_max`` becomes ``uptake max``."""
    return name.removeprefix(FUNCTION).replace("_", " ")
