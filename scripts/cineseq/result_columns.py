"""Columns that many result tables share."""

from cineseq.tables import Column

NOTE = Column("note", "text", "Why a value is missing or how to read it", missing=True)
P = Column("p_value", "number", "Permutation p-value, (b + 1) / (m + 1)", missing=True, low=0, high=1)
Q = Column("q_value", "number", "Benjamini-Hochberg false discovery rate", missing=True, low=0, high=1)
FUNCTION = Column("function", "text", "Function score; an angle is one, named without the _cos and _sin of its columns")
FUNCTION_COLUMN = Column(
    "function",
    "text",
    "Column of the function score; an angle has two, ending in _cos and _sin: without the ending it is the function of "
    "the performance table",
)
GENE = Column("gene", "text", "Gene")


def number(name: str, meaning: str, unit: str = "") -> Column:
    """Return an optional number."""
    return Column(name, "number", meaning, unit, missing=True)


def count(name: str, meaning: str) -> Column:
    """Return an optional count."""
    return Column(name, "integer", meaning, missing=True, low=0)
