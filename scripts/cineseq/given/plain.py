"""Reading a plain table, whatever separates its columns."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd

from cineseq.errors import UserError


def read_plain(path: Path, text: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a csv, tsv (either may be .gz) or parquet table; the header tells tabs from commas and semicolons.

    Parameters
    ----------
    path
        The table.
    text
        Columns to be kept as text, so that ``01`` stays ``01``.

    Raises
    ------
    UserError
        When the file is not there, cannot be read, or has no rows.
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
    return frame


def _separator(path: Path) -> str:
    opened = gzip.open if path.suffix == ".gz" else Path.open
    with opened(path, "rt", encoding="utf-8-sig") as stream:
        header = stream.readline()
    return max("\t,;", key=header.count)
