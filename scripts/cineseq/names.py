"""What columns are called where a person reads of them."""

FUNCTION = "function_"
"""How the names of columns that hold a function begin."""


def readable(name: str) -> str:
    """Turn a column name into words: ``function_uptake_max`` becomes ``uptake max``."""
    return name.removeprefix(FUNCTION).replace("_", " ")
