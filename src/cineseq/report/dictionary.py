"""The data dictionary: every column of every table, from the contracts of the tables.

It covers the tables of the registry of products, and the tables that users may bring.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import pandas as pd

from cineseq.files import write_text
from cineseq.tables import crossmodal, expression, generative, imaging, lineage, prediction, simulation
from cineseq.tables.contract import Column, Table, contract_named, declared_in
from cineseq.text import significant
from cineseq.workflow import products

MODULES = (imaging, expression, prediction, crossmodal, generative, lineage, simulation)
EXTERNAL = (imaging.COMPARTMENTS, imaging.BARCODES)


def every_table() -> list[Table]:
    """Return the contracts of all tables that a run makes or that users bring, in order of declaration."""
    made = [contract_named(product.contract) for product in products.PRODUCTS if product.contract]
    return [table for table in chain.from_iterable(map(declared_in, MODULES)) if table in made or table in EXTERNAL]


def dictionary(tables: Iterable[Table]) -> pd.DataFrame:
    """Return one row per column of each table."""
    rows = [
        {
            "table": table.name,
            "column": column.name,
            "kind": column.kind,
            "unit": column.unit,
            "meaning": column.meaning,
            "may_be_missing": "yes" if column.missing or column.optional else "no",
            "allowed": _allowed(column),
            "key": "yes" if column.name in table.key else "no",
        }
        for table in tables
        for column in table.columns
    ]
    return pd.DataFrame(rows)


def _allowed(column: Column) -> str:
    if column.values:
        return " | ".join(column.values)
    low = "" if column.low is None else f"{significant(column.low, 6)} ≤ "
    high = "" if column.high is None else f" ≤ {significant(column.high, 6)}"
    return f"{low}value{high}" if low or high else ""


def write_dictionary(path: Path) -> None:
    """Write the data dictionary of all tables as tab-separated text."""
    write_text(dictionary(every_table()).to_csv(sep="\t", index=False), path)
