"""What columns are called where a person reads of them."""

from collections.abc import Collection

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
