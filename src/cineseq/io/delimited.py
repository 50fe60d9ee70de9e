"""Read plain tables with any separator."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.errors import UserError, reading


def read_plain(path: Path, text: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a csv, tsv (optionally .gz) or parquet table; the separator (tab, comma, semicolon) is found in the header.

    Parameters
    ----------
    path
        The table.
    text
        Columns to read as text, so that ``01`` stays ``01``.

    Returns
    -------
    pandas.DataFrame
        Indexed by row number, as in an editor or a spreadsheet: the header of a text file is row 1.

    Raises
    ------
    UserError
        When the file does not exist, cannot be read, has no rows, or all of its rows end with a separator.
    """
    if not path.is_file():
        msg = f"{path}: there is no such table; check its path in the sample sheet."
        raise UserError(msg)
    with reading(path, "not a readable table", "save it again as text in UTF-8 or as parquet"):
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
        else:
            dtypes = dict.fromkeys(text, "string")
            frame = pd.read_csv(path, sep=_separator(path), dtype=dtypes, encoding="utf-8-sig", low_memory=False)
    if frame.empty:
        msg = f"{path}: the table has no rows; at least one was expected."
        raise UserError(msg)
    if path.suffix == ".parquet":
        return frame.set_axis(range(1, len(frame) + 1))
    # R writes row names without a header, which pandas would read as an index; a separator at the end of all rows would
    # shift every column by one.
    if not isinstance(frame.index, pd.RangeIndex) and frame.iloc[:, -1].isna().all():
        msg = f"{path}: rows have more values than the header; name every column, and end no row with a separator."
        raise UserError(msg)
    return frame.set_axis(_rows(path, len(frame)))


def _separator(path: Path) -> str:
    with _text(path) as stream:
        header = stream.readline()
    return max("\t,;", key=header.count)


def _rows(path: Path, count: int) -> Sequence[int]:
    """Return the line number of each row; pandas skips empty lines, and a quoted value may contain a line break."""
    with _text(path) as stream:
        lines = [number for number, line in enumerate(stream, 1) if line.strip()][1:]
    return lines if len(lines) == count else range(2, count + 2)


def _text(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8-sig") if path.suffix == ".gz" else path.open(encoding="utf-8-sig")


STUDY = FieldOfView(sample="study")
"""Used instead of a row of the sheet if a step is run without one."""


def rows_of(paths: list[Path], rows: list[FieldOfView]) -> list[FieldOfView]:
    """Return one row of the sheet per table; without a sheet, the same placeholder for all.

    Raises
    ------
    UserError
        When the numbers of rows and tables differ.
    """
    if rows and len(rows) != len(paths):
        msg = f"rows: one row of the sample sheet was expected for each of the {len(paths)} tables, got {len(rows)}."
        raise UserError(msg)
    return rows or [STUDY] * len(paths)
