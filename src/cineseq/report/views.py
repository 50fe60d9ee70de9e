"""Tables on the page: the first rows, with rounded numbers and explained headings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from cineseq.tables.contract import Column, Table
from cineseq.text import count, known, p_size, readable, significant, unit_of

UNKNOWN = "–"


@dataclass(frozen=True)
class Heading:
    """The heading of a column: its name in words, its meaning, and whether it holds numbers."""

    text: str
    meaning: str
    is_number: bool


@dataclass(frozen=True)
class TableView:
    """A table as it is shown."""

    title: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[str, ...], ...]
    total: int
    file: str = ""

    @property
    def is_cut(self) -> bool:
        """Whether only the first rows are shown."""
        return self.total > len(self.rows)


def show_table(frame: pd.DataFrame, contract: Table, title: str, rows: int, file: str = "") -> TableView:
    """Show the first rows of a table.

    Columns without any value are left out.

    Parameters
    ----------
    frame
        The table, with its rows in the order in which they are shown.
    contract
        The contract of the table, which explains the headings.
    title
        Title of the table on the page.
    rows
        Number of rows that are shown.
    file
        Link to the whole table.
    """
    names = [str(name) for name in frame.columns if frame[name].notna().any()]
    declared = contract.columns_of(names)
    headings = tuple(_heading(name, declared[name]) for name in names)
    shown = frame[names].head(rows)
    columns = [[show_value(value, declared[name]) for value in shown[name]] for name in names]
    return TableView(title, headings, tuple(zip(*columns, strict=True)), len(frame), file)


def plain_table(frame: pd.DataFrame, title: str, meanings: dict[str, str] | None = None) -> TableView:
    """Show a small table without a contract; the names of its columns are the headings."""
    explained = meanings or {}
    headings = tuple(
        Heading(str(name), explained.get(str(name), ""), pd.api.types.is_numeric_dtype(frame[name])) for name in frame
    )
    columns = [[show_value(value, None) for value in frame[name]] for name in frame]
    return TableView(title, headings, tuple(zip(*columns, strict=True)), len(frame))


def _heading(name: str, column: Column) -> Heading:
    unit = f" ({unit_of(column.unit)})" if column.unit else ""
    return Heading(name.replace("_", " ") + unit, column.meaning, column.kind in ("number", "integer"))


def show_value(value: Any, column: Column | None) -> str:
    """Return one value of a table as text; a dash where it is unknown."""
    if isinstance(value, str):
        return readable(value) if column is not None and (column.values or column.name == "function") else value
    if value is None or value is pd.NA or not known(value):
        return UNKNOWN
    if isinstance(value, bool) or (column is not None and column.kind == "truth"):
        return "yes" if value else "no"
    if column is not None and column.kind == "integer":
        return count(value)
    if column is not None and column.name in ("p_value", "q_value", "p_permutation", "p_gee", "p_fewer"):
        return p_size(value)
    return significant(float(value))
