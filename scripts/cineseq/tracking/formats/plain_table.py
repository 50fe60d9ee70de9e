"""A plain table, one row per object: its frame and track, its label or position, and the track's parent."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cineseq.errors import UserError
from cineseq.tracking.formats.given import GivenTracks

NAME = "a table (.csv or .tsv) with columns frame, track, parent and either label or y and x"
SEPARATORS = {".csv": ",", ".tsv": "\t"}


def recognises(path: Path) -> bool:
    """Whether the path is a table by its suffix."""
    return path.suffix in SEPARATORS


def read(path: Path, columns: dict[str, str]) -> GivenTracks:
    """Read a table of objects.

    ``parent`` is empty or 0 where a track has none; the column may be absent. Every object of a track must name the
    same parent.

    Raises
    ------
    UserError
        When the table is empty, a column is missing, a value is no number, or a track names two parents.
    """
    table = pd.read_csv(path, sep=SEPARATORS[path.suffix])
    names = {what: columns.get(what, what) for what in ("frame", "track", "label", "y", "x", "parent")}
    by_label = names["label"] in table
    needed = ["frame", "track", *(["label"] if by_label else ["y", "x"])]
    missing = [names[what] for what in needed if names[what] not in table]
    if missing:
        msg = (
            f"{path}: no column {missing[0]!r} among {list(table.columns)}; name the columns in track.given_columns"
            " (frame, track, parent, and label or y and x)."
        )
        raise UserError(msg)
    if table.empty:
        msg = f"{path}: the table of tracks has no rows; give at least one object."
        raise UserError(msg)
    read_as = {"y": "y_px", "x": "x_px"}
    rows = pd.DataFrame({read_as.get(w, w): _numbers(table[names[w]], path, whole=w not in read_as) for w in needed})
    parents: dict[int, int] = {}
    if names["parent"] in table:
        mother = _numbers(table[names["parent"]].fillna(0), path, whole=True)
        parents = _parents(rows["track"], mother, path)
    return GivenTracks(rows, parents)


def _numbers(values: pd.Series, path: Path, *, whole: bool) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    wrong = numbers.isna() | (whole & (numbers % 1 != 0))
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        kind = "a whole number" if whole else "a number"
        msg = f"{path}, row {row + 2}: column '{values.name}' should be {kind}, not {values.iloc[row]!r}; mend it."
        raise UserError(msg)
    return numbers.astype("int64" if whole else "float64")


def _parents(track: pd.Series, mother: pd.Series, path: Path) -> dict[int, int]:
    pairs = pd.DataFrame({"track": track, "mother": mother}).drop_duplicates()
    twice = pairs[pairs["track"].duplicated()]
    if len(twice):
        msg = f"{path}: track {twice['track'].iloc[0]} names more than one parent; give each track one parent or none."
        raise UserError(msg)
    born = pairs[pairs["mother"] > 0]
    return dict(zip(born["track"].tolist(), born["mother"].tolist(), strict=True))
