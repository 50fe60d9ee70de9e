"""Contracts of tables: columns, types, units and keys, checked whenever a table is written or read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cineseq.errors import reading
from cineseq.files import replacing
from cineseq.text import count as how_many

Kind = Literal["text", "integer", "number", "truth"]
_WORDS = {"text": "text", "integer": "a whole number", "number": "a number", "truth": "true or false"}
_DTYPES = {"text": "string", "integer": "Int64", "number": "float64", "truth": "boolean"}


@dataclass(frozen=True)
class Column:
    """One column, or one family of columns when ``name`` ends in ``*``.

    Attributes
    ----------
    name
        Exact name, or a prefix followed by ``*``.
    kind
        ``text``, ``integer``, ``number`` or ``truth``.
    meaning
        One phrase for the data dictionary.
    unit
        Unit of the values; empty where there is none.
    missing
        Whether values may be missing, that is unknown.
    low, high
        Inclusive range; None where it is open.
    values
        The allowed texts; empty for any.
    optional
        Whether the whole column may be absent.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    missing: bool = False
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    optional: bool = False

    @property
    def is_family(self) -> bool:
        """Whether the name means every column with its prefix."""
        return self.name.endswith("*")

    @property
    def expected(self) -> str:
        """The values that the column may have, for messages."""
        what = f"one of {', '.join(self.values)}" if self.values else _WORDS[self.kind]
        if self.low is not None:
            what += f" of at least {self.low}"
        if self.high is not None:
            what += f"{' and' if self.low is not None else ' of'} at most {self.high}"
        return what + (", or nothing where it is unknown" if self.missing else " in every row")


@dataclass(frozen=True)
class Table:
    """The contract of one table: its name, columns and key."""

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...] = field(default=())

    def columns_of(self, names: list[str]) -> dict[str, Column]:
        """Return the declaration of each column name; raise ValueError for an undeclared one."""
        exact = {c.name: c for c in self.columns if not c.is_family}
        families = [c for c in self.columns if c.is_family]
        found: dict[str, Column] = {}
        for name in names:
            column = exact.get(name) or next((c for c in families if name.startswith(c.name[:-1])), None)
            if column is None:
                msg = f"table '{self.name}' has an undeclared column '{name}'"
                raise ValueError(msg)
            found[name] = column
        return found

    def check(self, frame: pd.DataFrame, where: str = "") -> pd.DataFrame:
        """Return ``frame`` with the declared types and column order.

        Raises
        ------
        ValueError
            When a column is missing, undeclared or of the wrong type, a value is missing or out of range, or the
            key is not unique. The message names the table, the column and the first wrong row.
        """
        prefix = f"{where}: " if where not in ("", self.name) else ""
        columns = self.columns_of([str(c) for c in frame.columns])
        absent = [c.name for c in self.columns if not (c.optional or c.is_family or c.name in columns)]
        if absent:
            msg = f"{prefix}table '{self.name}' lacks the columns {absent}"
            raise ValueError(msg)
        declared = [c.name for c in self.columns]
        order = sorted(frame.columns, key=lambda n: declared.index(columns[n].name))
        typed = pd.DataFrame(
            {n: _typed(frame[n], columns[n], f"{prefix}table '{self.name}'") for n in order}, index=frame.index
        ).reset_index(drop=True)
        twice = typed.duplicated(list(self.key)) if self.key else pd.Series(dtype=bool)
        if twice.any():
            row = typed.loc[twice.idxmax(), list(self.key)].to_dict()
            msg = f"{prefix}table '{self.name}' has {how_many(twice.sum(), 'repeated key')}, the first {row}"
            raise ValueError(msg)
        return typed


def _typed(values: pd.Series, column: Column, where: str) -> pd.Series:
    try:
        typed = values.astype(_DTYPES[column.kind], copy=False)
    except (TypeError, ValueError) as error:
        msg = f"{where}: column '{values.name}' should hold {column.expected} ({error})"
        raise ValueError(msg) from None
    wrong = _outside(typed, column)
    if wrong.any():
        first = int(wrong.argmax())
        value = values.iloc[first]
        msg = (
            f"{where}: column '{values.name}' has {how_many(wrong.sum(), 'wrong value')}, the first in row "
            f"{values.index[first]}: {repr(value) if isinstance(value, str) else value}; expected {column.expected}"
        )
        raise ValueError(msg)
    return typed


def _outside(typed: pd.Series, column: Column) -> np.ndarray:
    """Return where a value breaks the contract of its column, shape (rows,); a missing value is in every range."""
    missing = typed.isna().to_numpy()
    wrong = np.zeros(len(typed), dtype=bool) if column.missing else missing.copy()
    if column.values:
        wrong |= ~missing & ~typed.isin(column.values).to_numpy(dtype=bool)
    if column.kind == "number":
        wrong |= np.isinf(typed.to_numpy())
    if column.kind in ("number", "integer") and (column.low is not None or column.high is not None):
        values = typed.to_numpy() if column.kind == "number" else typed.to_numpy(dtype="int64", na_value=0)
        low = -np.inf if column.low is None else column.low
        high = np.inf if column.high is None else column.high
        wrong |= ~missing & ((values < low) | (values > high))
    return wrong


def empty(table: Table) -> pd.DataFrame:
    """Return a table of the contract with no rows (families have no columns)."""
    names = [c for c in table.columns if not c.is_family]
    return pd.DataFrame({c.name: pd.Series(dtype=_DTYPES[c.kind]) for c in names})


def as_written(frame: pd.DataFrame, table: Table, where: str = "") -> pd.DataFrame:
    """Return a table as its file holds it: checked against its contract, and sorted by its key."""
    checked = table.check(frame, where)
    return checked.sort_values(list(table.key), kind="stable", ignore_index=True) if table.key else checked


NO_REMARKS: Mapping[str, str] = MappingProxyType({})


def write_table(frame: pd.DataFrame, path: Path, table: Table, remarks: Mapping[str, str] = NO_REMARKS) -> None:
    """Check ``frame`` against its contract and write the complete file, or none.

    The format follows the suffix: ``.parquet`` (zstd), ``.tsv`` or ``.csv``. Rows are sorted by the key, so that
    the same content gives the same file. Only ``.parquet`` has a place for ``remarks``, texts by name.
    """
    checked = as_written(frame, table, path.name)
    with replacing(path) as temporary:
        if path.suffix == ".parquet":
            arrow = pa.Table.from_pandas(checked, preserve_index=False)
            arrow = arrow.replace_schema_metadata({"cineseq_table": table.name, **remarks})
            pq.write_table(arrow, temporary, compression="zstd")
        else:
            separator = "\t" if path.suffix == ".tsv" else ","
            _quoted(checked).to_csv(temporary, sep=separator, index=False, float_format="%.6g")


def read_table(path: Path, table: Table) -> pd.DataFrame:
    """Read a table and check it against its contract.

    Raises
    ------
    UserError
        When the file cannot be read or breaks its contract; delete it and run the workflow again.
    """
    with reading(path, f"not a readable '{table.name}' table", "delete it and run the workflow again"):
        frame = pq.read_table(path).to_pandas() if path.suffix == ".parquet" else _read_delimited(path, table)
        return table.check(frame, str(path))


def _read_delimited(path: Path, table: Table) -> pd.DataFrame:
    separator = "\t" if path.suffix == ".tsv" else ","
    columns = table.columns_of(list(pd.read_csv(path, sep=separator, nrows=0).columns))
    text = {name: "string" for name, column in columns.items() if column.kind == "text"}
    # A gene or a condition may be called NA or None; these words mean a missing value in numeric columns only.
    absent = {name: [""] if name in text else ["", "NA", "NaN", "nan"] for name in columns}
    frame = pd.read_csv(path, sep=separator, dtype=text, keep_default_na=False, na_values=absent)
    return frame.assign(**{name: frame[name].str.replace(rf"^'(?={STARTS_FORMULA})", "", regex=True) for name in text})


STARTS_FORMULA = r"'*(?:[=@\t\r](?=[\s\S])|[+\-](?=[\s\S])(?![\d.]+(?:[eE][+-]?\d+)?$))"
"""Text that a spreadsheet would run as a formula, or that was quoted as one; a number is none."""


def _quoted(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with an apostrophe before text that a spreadsheet would take for a formula."""
    texts = [name for name, kind in frame.dtypes.items() if isinstance(kind, pd.StringDtype)]
    return frame.assign(**{name: frame[name].str.replace(rf"^(?={STARTS_FORMULA})", "'", regex=True) for name in texts})


FIELD = ["sample", "fov"]
"""Columns that together name a field of view."""

NOTE = Column("note", "text", "Why a value is missing or how to read it", missing=True)
P = Column("p_value", "number", "Permutation p-value, (b + 1) / (m + 1)", missing=True, low=0, high=1)


def zero_to_one(name: str, description: str) -> Column:
    """Return a column of numbers from 0 to 1, such as p-values, which may be missing."""
    return Column(name, "number", description, missing=True, low=0, high=1)


def false_discovery_rate(family: str, name: str = "q_value") -> Column:
    """Return the column of q-values; ``family`` says over which hypotheses, such as ``genes``."""
    return zero_to_one(name, f"Benjamini-Hochberg false discovery rate over {family}")


FUNCTION = Column(
    "function", "text", "Function score; an angle is one score, named without the _cos and _sin of its two columns"
)
FUNCTION_COLUMN = Column(
    "function",
    "text",
    "Column of the function score; an angle has two, with the endings _cos and _sin. Without the ending it is the "
    "function of the performance table",
)

GENE = Column("gene", "text", "Gene")
GROUPED_BY = Column(
    "grouped_by",
    "text",
    "What outer folds never split: samples, fields within samples, families, or single cells",
    missing=True,
    optional=True,
)
ESTIMANDS = ("within", "within_class", "between", "pooled")
ESTIMAND = Column(
    "estimand",
    "text",
    "What the numbers of the row are about: within fields of a sample (both sides centred in each field; the primary "
    "result), within_class (class means taken out), between samples (their means; descriptive below 20 samples), or "
    "pooled over all cells, where differences between fields and samples count as well",
    values=ESTIMANDS,
)
SHARES = (
    Column(
        "share",
        "number",
        "Share of the variance that a linear function of the predictors has, by restricted maximum likelihood; unlike "
        "R² it is not lowered by the error of estimated coefficients, and it is at least R²; a lower bound of what any "
        "model could explain",
        missing=True,
        low=0,
        high=1,
    ),
    Column("share_low", "number", "Lower end of its 95 % interval", missing=True, low=0, high=1),
    Column("share_high", "number", "Upper end of it", missing=True, low=0, high=1),
)
POSITION_SHARE = Column(
    "position_share",
    "number",
    "Share of the variance of the function within fields that follows the position of a cell, which permuted functions "
    "keep; missing where the null does not keep it, so that gradients within fields count as associations",
    missing=True,
    low=0,
    high=1,
)
ABOVE_NULL = Column(
    "r2_above_null", "number", "R² minus r2_null; its interval is that of R² minus r2_null", missing=True
)


def number(name: str, meaning: str, unit: str = "") -> Column:
    """Return a column of numbers that may be missing."""
    return Column(name, "number", meaning, unit, missing=True)


def count(name: str, meaning: str) -> Column:
    """Return a column of counts that may be missing."""
    return Column(name, "integer", meaning, missing=True, low=0)


def columns_by_sample(effect: str, description: str, unit: str, grouped_by: tuple[str, ...]) -> tuple[Column, ...]:
    """Return the columns of an effect by sample.

    Parameters
    ----------
    effect, description
        Name of the column of the effect, and what it is.
    unit
        What ``groups`` counts within a sample.
    grouped_by
        What the groups may be.
    """
    return (
        Column(
            "part",
            "text",
            "A sample; the mean over samples; or one more sample, whose interval is the prediction interval",
            values=("sample", "mean", "new_sample"),
        ),
        Column("sample", "text", "Sample; all in rows over samples"),
        count("n", "Cells"),
        count("groups", f"{unit}; samples in rows over samples"),
        Column("grouped_by", "text", "What these groups are", values=(*grouped_by, "sample"), missing=True),
        number(effect, description),
        number(f"{effect}_low", "Lower end of its 95 % interval"),
        number(f"{effect}_high", "Upper end of it"),
        number("spread", "Standard deviation of the effect over samples beyond the error of each, over samples"),
        NOTE,
    )


def contract_named(name: str) -> Table:
    """Return the contract ``module.NAME`` of ``cineseq.tables``, such as ``lineage.FATE_ODDS``."""
    module, _, table = name.partition(".")
    return getattr(import_module(f"cineseq.tables.{module}"), table)


def declared_in(module: ModuleType) -> tuple[Table, ...]:
    """Return the tables of a module in order of declaration."""
    return tuple(v for v in vars(module).values() if isinstance(v, Table))
