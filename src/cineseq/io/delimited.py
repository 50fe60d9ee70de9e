"""Read plain tables with any separator: their shape is checked, and every value is text as written."""

from __future__ import annotations

import csv
import io
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

import pandas as pd
import pyarrow.parquet as pq

from cineseq.config.base import FieldOfView
from cineseq.errors import UserError, reading, warn_of
from cineseq.io.text_files import BLANKS, GZIP, SEPARATORS, opened, separator_of, stated_separator
from cineseq.io.written import as_numbers, as_text
from cineseq.text import count

logger = logging.getLogger(__name__)

ENOUGH = 3
DAMAGED = ("not a readable table", "copy it again, or save it again as text in UTF-8 or as parquet")


@dataclass(frozen=True)
class Layout:
    """Shape of a delimited text file.

    Attributes
    ----------
    separator
        Between values.
    header
        Names of the columns, without blanks around them.
    skipped
        Lines up to and with the header.
    width
        Values in each row; one more than names where the first column has no name, as R writes row names.
    rows
        Line number of each row.
    """

    separator: str
    header: list[str]
    skipped: int
    width: int
    rows: list[int]


def read_plain(path: Path) -> pd.DataFrame:
    """Read a csv, tsv (optionally .gz) or parquet table; the separator (tab, comma, semicolon) is found in the header.

    Lines before the header that begin with ``#`` are comments. Blanks around values are left out. Values of text files
    are text as written, and an empty one is missing; :mod:`cineseq.io.written` reads them as numbers or references.

    Parameters
    ----------
    path
        The table.

    Returns
    -------
    pandas.DataFrame
        Indexed by row number, as in an editor or a spreadsheet: the header of a text file is row 1. A column without a
        name is called ``Unnamed: `` and its number from 0; if it has no value either, it is left out.

    Raises
    ------
    UserError
        When the file does not exist, cannot be read, has no rows, repeats the name of a column, or has rows of unequal
        length.
    """
    if not path.is_file():
        msg = f"{path}: there is no such table; check its path in the sample sheet."
        raise UserError(msg)
    if path.suffix == ".parquet":
        with reading(path, *DAMAGED):
            frame = pd.read_parquet(path)
        if frame.empty:
            msg = f"{path}: the table has no rows; at least one was expected."
            raise UserError(msg)
        return frame.set_axis(range(1, len(frame) + 1))
    layout = layout_of(path)
    named = [name or f"Unnamed: {number}" for number, name in enumerate(["", *layout.header][-layout.width :])]
    twice = next((name for name, times in Counter(layout.header).items() if name and times > 1), None)
    if twice is not None:
        msg = f"{path}: the header names the column '{twice}' twice; give each column a name of its own."
        raise UserError(msg)
    frame = _as_text(values_of(path, layout)).set_axis(named, axis=1)
    if layout.width > len(layout.header) and frame.iloc[:, -1].isna().all():
        msg = f"{path}: rows have more values than the header; name every column, and end no row with a separator."
        raise UserError(msg)
    frame = frame.dropna(how="all")
    if frame.empty:
        msg = f"{path}: the table has no rows; at least one was expected."
        raise UserError(msg)
    marked = frame.index[frame.iloc[:, 0].str.startswith("#").fillna(value=False).to_numpy(bool)]
    if 0 < len(marked) <= len(frame) / 2:
        what = count(len(marked), "row begins", "rows begin")
        warn_of(
            logger, f"{path}, row {marked[0]}: {what} with # and {'is' if len(marked) == 1 else 'are'} read like the "
            "others; only lines above the header are comments, so delete such a row if it is one.",
        )  # fmt: skip
    return frame[[name for name in frame if not name.startswith("Unnamed: ") or frame[name].notna().any()]]


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the values as text, see :func:`as_text`: all at once, since tables can have many columns."""
    rows = len(frame)
    text = as_text(pd.Series(frame.to_numpy(object).ravel(order="F"))).array
    return pd.DataFrame({k: text[k * rows : (k + 1) * rows] for k in range(frame.shape[1])}, index=frame.index)


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a table that :func:`read_plain` reads, from its header alone.

    Raises
    ------
    UserError
        When the header cannot be read.
    """
    with reading(path, *DAMAGED):
        if path.suffix == ".parquet":
            return [str(name) for name in pq.read_schema(path).names]
        with opened(path) as stream:
            return _header(path, stream, "")[2]


def values_of(path: Path, layout: Layout, *, numbers: bool = False) -> pd.DataFrame:
    """Return the values of a checked text file, by row number: all as text, or only those of the first column.

    With ``numbers``, other columns are numbers where all of their values are.
    """
    with reading(path, *DAMAGED), opened(path) as stream:
        for _ in range(layout.skipped):
            stream.readline()
        frame = pd.read_csv(
            stream, sep=layout.separator, header=None, names=range(layout.width), index_col=False, na_filter=False,
            dtype={0: str} if numbers else str, skipinitialspace=True, low_memory=False,
        )  # fmt: skip
    if len(frame) != len(layout.rows):
        msg = f"{path}: {count(len(layout.rows), 'row')} were expected, and {len(frame)} can be read; check its quotes."
        raise UserError(msg)
    check_last_line(path, layout.rows[-1], frame.iloc[:, -1])
    return frame.set_axis(layout.rows)


def layout_of(path: Path, separator: str = "") -> Layout:
    """Read the header of a delimited text file and check the shape of every row; without a separator, find it.

    Raises
    ------
    UserError
        When the file is no UTF-8 or UTF-16 text, holds NUL characters, is cut, has no row or no separator, or has rows
        of unequal length.
    """
    with reading(path, *DAMAGED), opened(path) as stream:
        try:
            return _layout(path, stream, separator)
        except UnicodeDecodeError as error:
            msg = f"{path}: not text in UTF-8 ({error.reason} at byte {error.start}); save the table as text in UTF-8."
            raise UserError(msg) from error


def _layout(path: Path, stream: IO[str], separator: str) -> Layout:
    skipped, separator, header = _header(path, stream, separator)
    rows, lengths = [], []
    for number, length in _rows(path, stream, separator, skipped):
        rows.append(number)
        lengths.append(length)
    if not rows:
        msg = f"{path}: the table has no rows; at least one was expected."
        raise UserError(msg)
    width = lengths[0]
    if width not in (len(header), len(header) + 1):
        more = "more" if width > len(header) else "fewer"
        msg = (
            f"{path}, row {rows[0]}: {count(width, 'value')}, {more} than the {count(len(header), 'column')} of the "
            "header; give every column a name, and every row a value, or nothing between separators, for each."
        )
        raise UserError(msg)
    uneven = next((k for k, length in enumerate(lengths) if length != width), None)
    if uneven is not None:
        msg = (
            f"{path}, row {rows[uneven]}: {count(lengths[uneven], 'value')}, but {width} in row {rows[0]}; give every "
            "row as many separators as the others (the file may be cut, or a value with a separator not be quoted)."
        )
        raise UserError(msg)
    return Layout(separator, header, skipped, width, rows)


def _header(path: Path, stream: IO[str], separator: str) -> tuple[int, str, list[str]]:
    """Return the number of lines up to the header, the separator, and the names of columns."""
    stated, skipped = "", 0
    while line := stream.readline():
        skipped += 1
        _check_is_text(path, skipped, line)
        if skipped == 1 and (stated := stated_separator(line)):
            continue
        if line.strip() and not _is_comment(line, stream):
            break
    if not line.strip():
        msg = f"{path}: not a readable table (it is empty); a header and rows were expected."
        raise UserError(msg)
    separator = stated or separator or separator_of(line)
    names = next(csv.reader([line.removeprefix("# ")], delimiter=separator, skipinitialspace=True))
    return skipped, separator, [name.strip().strip(BLANKS) for name in names]


def _check_is_text(path: Path, row: int, line: str) -> None:
    if "\0" in line:
        msg = f"{path}, row {row}: there is a NUL character, so this is not text, or damaged; export the table again."
        raise UserError(msg)


def _is_comment(line: str, stream: IO[str]) -> bool:
    """Return whether a line that begins with # is no header.

    A header has as many separators as the next line; after ``# ``, as some programs write a header, that line also has
    a number.
    """
    if not line.startswith("#"):
        return False
    place = stream.tell()
    following = stream.readline()
    stream.seek(place)
    separator = max(SEPARATORS, key=following.count)
    if following.startswith("#") or line.count(separator) != following.count(separator):
        return True
    numbers, wrong = as_numbers(pd.Series(following.split(separator), dtype="string"))
    return line[1:2] in " #!" and not (numbers.notna() & ~wrong).any()


def _rows(path: Path, stream: IO[str], separator: str, line_number: int) -> Iterator[tuple[int, int]]:
    """Yield the line number and the number of values of each row that is not empty."""
    for line in stream:
        line_number += 1
        _check_is_text(path, line_number, line)
        if '"' not in line:
            if line.strip(" \n"):
                yield line_number, line.count(separator) + 1
            continue
        quoted = csv.reader(chain([line], stream), delimiter=separator, skipinitialspace=True, strict=True)
        try:
            values = next(quoted)
        except csv.Error as error:
            msg = f"{path}, row {line_number}: a quoted value does not end as it should ({error}); check its quotes."
            raise UserError(msg) from error
        yield line_number, len(values)
        line_number += quoted.line_num - 1


def check_last_line(path: Path, row: int, values: pd.Series) -> None:
    """Refuse a text file whose last line has no end where its last value may be cut.

    A packed file has a checksum, a quote shows where a value ends, and a value as in at least three other rows is
    complete: the same text, with which no other begins, the same number as all of them, or of the length of all.

    Parameters
    ----------
    path, row
        The file, and the number of its last row.
    values
        Values of the last column.
    """
    with path.open("rb") as stream:
        start = stream.read(2)
        stream.seek(-1, io.SEEK_END)
        last = stream.read(1)
    if start == GZIP or last in b'\n\r"\0':
        return
    text = values.astype("string")
    mine, others = text.iloc[-1], text.iloc[:-1]
    is_number = bool(as_numbers(text.iloc[-1:])[0].notna().all())
    known = (others == mine).sum() >= ENOUGH and not (others.str.startswith(mine) & (others != mine)).any()
    constant = bool((others == mine).all())
    if (known and (constant or not is_number)) or (
        len(others) >= ENOUGH and len(mine) > 1 and (others.str.len() == len(mine)).all()
    ):
        return
    msg = (
        f"{path}, row {row}: the last line has no end, so its last value '{mine}' may be cut; if it is complete, add a "
        "line break at the end of the file, otherwise copy the file again."
    )
    raise UserError(msg)


STUDY = FieldOfView(sample="study")
"""Used instead of a row of the sheet if a step is run without one."""


def fields_of(paths: list[Path], fields: list[FieldOfView]) -> list[FieldOfView]:
    """Return the fields of view of files in folders ``<sample>/<fov>``: all, or those that are not set aside."""
    if len(paths) in (0, len(fields)):
        return fields
    there = {path.parts[-3:-1] for path in paths}
    return [field for field in fields if (field.sample, field.fov) in there]


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
