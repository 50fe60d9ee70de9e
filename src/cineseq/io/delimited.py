"""Reading a plain table, whatever separates its columns."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.errors import UserError


def read_plain(path: Path, text: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a csv, tsv (either may be .gz) or parquet table; the header tells tabs from commas and semicolons.

    Parameters
    ----------
    path
        The table.
    text
        Columns to be kept as text, so that ``01`` stays ``01``.

    Returns
    -------
    pandas.DataFrame
        Indexed by the number of the row, as an editor or a spreadsheet counts: the header of a text file is row 1.

    Raises
    ------
    UserError
        When the file is not there, cannot be read, has no rows, or all of its rows end with a separator.
    """
    if not path.is_file():
        msg = f"{path}: there is no such table; check its path in the sample sheet."
        raise UserError(msg)
    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
        else:
            dtypes = dict.fromkeys(text, "string")
            frame = pd.read_csv(path, sep=_separator(path), dtype=dtypes, encoding="utf-8-sig", low_memory=False)
    except (OSError, ValueError, EOFError) as error:
        msg = f"{path}: not a readable table ({error})."
        raise UserError(msg) from error
    if frame.empty:
        msg = f"{path}: the table has no rows; at least one was expected."
        raise UserError(msg)
    if path.suffix == ".parquet":
        return frame.set_axis(range(1, len(frame) + 1))
    # R writes the names of rows without a header, which pandas takes for an index; a separator that ends all rows would
    # shift every column by one.
    if not isinstance(frame.index, pd.RangeIndex) and frame.iloc[:, -1].isna().all():
        msg = f"{path}: rows hold more values than the header names; name every column, end no row with a separator."
        raise UserError(msg)
    return frame.set_axis(_rows(path, len(frame)))


def _separator(path: Path) -> str:
    with _text(path) as stream:
        header = stream.readline()
    return max("\t,;", key=header.count)


def _rows(path: Path, count: int) -> Sequence[int]:
    """Return the line of each row; pandas passes over empty lines, and a value in quotes may hold a line break."""
    with _text(path) as stream:
        lines = [number for number, line in enumerate(stream, 1) if line.strip()][1:]
    return lines if len(lines) == count else range(2, count + 2)


def _text(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8-sig") if path.suffix == ".gz" else path.open(encoding="utf-8-sig")


STUDY = FieldOfView(sample="study")
"""Stands for the row where a step is run without a sheet."""


def rows_of(paths: list[Path], rows: list[FieldOfView]) -> list[FieldOfView]:
    """Return one row of the sheet per table; without a sheet all tables belong to the same.

    Raises
    ------
    UserError
        When there are not as many rows as tables.
    """
    if rows and len(rows) != len(paths):
        msg = f"rows: one row of the sample sheet was expected for each of the {len(paths)} tables, got {len(rows)}."
        raise UserError(msg)
    return rows or [STUDY] * len(paths)
