"""Open tables as text, as spreadsheets and programs write them, and find their separator; planning uses this, too."""

from __future__ import annotations

import gzip
import io
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path
from typing import IO

from cineseq.errors import UserError

SEPARATORS = {"\t": "tab", ",": "comma", ";": "semicolon"}
KINDS = {b"PK\x03\x04": "a zip file or an Excel workbook", b"\xd0\xcf\x11\xe0": "an Excel workbook", b"PAR1": "parquet"}
"""First bytes of files that are often taken for text."""
GZIP = b"\x1f\x8b"
EXCEL = re.compile(r"(?i)\ufeff?sep=(.)\s*")
"""First line by which Excel is told the separator."""
BLANKS = " \t\r\n\f\v\u00a0\u200b\ufeff"
"""What may stand around a value without being seen."""


def opened(path: Path, newline: str | None = None) -> IO[str]:
    """Open a text file, packed by gzip or not, in UTF-8 or UTF-16.

    Raises
    ------
    UserError
        When the file is a workbook, an archive or parquet.
    """
    with path.open("rb") as stream:
        start = stream.read(4)
    kind = next((what for first, what in KINDS.items() if start.startswith(first)), None)
    if kind is not None:
        msg = f"{path}: this is {kind}, not a table as text; export it as comma- or tab-separated text."
        raise UserError(msg)
    if not start.startswith(GZIP):
        return path.open(encoding=_encoding(start), newline=newline)
    with gzip.open(path, "rb") as packed:
        start = packed.read(4)
    return io.TextIOWrapper(gzip.open(path, "rb"), encoding=_encoding(start), newline=newline)


def _encoding(start: bytes) -> str:
    return "utf-16" if start.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"


def stated_separator(first_line: str) -> str:
    """Return the separator that the first line states as ``sep=;``; empty if it states none."""
    stated = EXCEL.fullmatch(first_line)
    return stated[1] if stated else ""


def separator_of(header: str) -> str:
    """Return the separator that a header has most often, outside of what is quoted; a blank between quoted names."""
    bare = "".join(header.split('"')[::2])
    if '" "' in header and not bare.strip():
        return " "  # as R writes tables
    return max(SEPARATORS, key=bare.count)
