"""Read external features by frame and label, or by cell, and check them against the tracks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.errors import UserError
from cineseq.io.delimited import read_plain
from cineseq.io.written import as_numbers, as_text, count_words, why_no_number
from cineseq.tables.contract import FIELD

PREFIX = "features_"
OBJECT = ["frame", "label"]
CELL = "track_id"


@dataclass(frozen=True)
class FeatureTables:
    """External features of one field of view.

    Attributes
    ----------
    objects
        Columns ``frame``, ``label`` and ``features_*``, one row per object that has any; None without such a table.
    cells
        Columns ``track_id`` and ``features_*``, one row per cell that has any; None without such a table.
    """

    objects: pd.DataFrame | None = None
    cells: pd.DataFrame | None = None


def read_features(
    paths: Sequence[Path], detections: pd.DataFrame, tracks: pd.DataFrame, field: FieldOfView
) -> FeatureTables:
    """Read the feature tables of one field of view.

    A table has the columns ``frame`` and ``label`` (one row per object of the masks) or ``track_id`` (one row per
    cell). All other columns are features and hold numbers; each becomes ``features_<column>``, unless it has the
    prefix. Rows of other fields of view, by their columns ``sample`` and ``fov`` or by ``track_id``, are left out.

    Parameters
    ----------
    paths
        Tables (.csv, .tsv or .parquet).
    detections, tracks
        As :data:`cineseq.tables.imaging.DETECTIONS` and :data:`cineseq.tables.imaging.TRACKS`, of this field.
    field
        The field of view; only every ``frame_step``-th frame of a table is used.

    Raises
    ------
    UserError
        When a table has no key columns, no row of this field, a repeated or unknown key, a value that is not a
        number, or a column of another table; the message names the file and the row.
    """
    by_kind: dict[str, list[pd.DataFrame]] = {"objects": [], "cells": []}
    owner: dict[str, Path] = {}
    for path in paths:
        table = _of_field(read_plain(path), field)
        by_object = set(OBJECT) <= set(table.columns)
        if not by_object and CELL not in table:
            msg = (
                f"{path}: there are neither columns frame and label nor a column track_id; rows need one or the other."
            )
            raise UserError(msg)
        read = _by_object if by_object else _by_cell
        rows = read(table, detections if by_object else tracks, field, path)
        for name in rows.columns:
            if owner.setdefault(name, path) != path:
                msg = f"{path}: the feature '{name}' is in {owner[name]} too; give it another name in one of them."
                raise UserError(msg)
        by_kind["objects" if by_object else "cells"].append(rows)
    return FeatureTables(**{kind: pd.concat(rows, axis=1).reset_index() for kind, rows in by_kind.items() if rows})


def _of_field(table: pd.DataFrame, field: FieldOfView) -> pd.DataFrame:
    """Return the rows of one field of view, if the table has columns for it."""
    mine = pd.Series(data=True, index=table.index)
    for name in (c for c in FIELD if c in table):
        mine &= (as_text(table[name]) == getattr(field, name)).fillna(value=False).astype(bool)
    return table[mine]


def _by_object(table: pd.DataFrame, detections: pd.DataFrame, field: FieldOfView, path: Path) -> pd.DataFrame:
    """Return features indexed by frame and label."""
    if len(detections) and detections["touches_border"].isna().all():
        msg = (
            f"{path}: features by frame and label need masks, and {_named(field)} has points or tracks only; give them "
            "by track_id, one row per cell."
        )
        raise UserError(msg)
    keys = pd.DataFrame({name: _whole(table[name], path) for name in OBJECT})
    kept = keys["frame"] % field.frame_step == 0
    table, keys = table[kept], keys[kept]
    index = pd.MultiIndex.from_arrays([keys["frame"] // field.frame_step, keys["label"]], names=OBJECT)
    known = pd.MultiIndex.from_frame(detections[OBJECT])

    def described(row: int) -> str:
        return f"object {keys.loc[row, 'label']} of frame {keys.loc[row, 'frame']}"

    _check_keys(index, known, described, table=table, path=path, field=field)
    return _numbers(table.drop(columns=[*OBJECT, CELL], errors="ignore"), path).set_axis(index)


def _by_cell(table: pd.DataFrame, tracks: pd.DataFrame, field: FieldOfView, path: Path) -> pd.DataFrame:
    """Return features indexed by cell; names of cells begin with their sample and field of view."""
    names = as_text(table[CELL]).fillna("")
    elsewhere = (names.str.count("/") >= 2) & ~names.str.startswith(f"{field.sample}/{field.fov}/")
    table, names = table[~elsewhere], names[~elsewhere]
    index = pd.Index(names.astype(object), name=CELL)
    known = pd.Index(tracks[CELL].astype(object))
    _check_keys(index, known, lambda row: f"cell '{names[row]}'", table=table, path=path, field=field)
    return _numbers(table.drop(columns=CELL), path).set_axis(index)


def _check_keys(
    index: pd.Index,
    known: pd.Index,
    described: Callable[[int], str],
    *,
    table: pd.DataFrame,
    path: Path,
    field: FieldOfView,
) -> None:
    """Refuse a table without rows of this field, or with a key that is unknown or repeated."""
    shown = known[0] if len(known) else None
    example = "/".join(map(str, shown)) if isinstance(shown, tuple) else repr(shown)
    if not len(index) and len(known):
        msg = f"{path}: no row is of {_named(field)}; its keys are like {example}."
        raise UserError(msg)
    strange = ~index.isin(known)
    if strange.any():
        row = table.index[strange][0]
        kind = "frame/label" if isinstance(index, pd.MultiIndex) else "track_id"
        have = f"its keys ({kind}) are like {example}" if len(known) else "it has none"
        msg = f"{path}, row {row}: {_named(field)} has no {described(row)}; {have}."
        raise UserError(msg)
    twice = index.duplicated()
    if twice.any():
        row = table.index[twice][0]
        msg = f"{path}, row {row}: {described(row)} is listed twice; give one row for each."
        raise UserError(msg)


def _numbers(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the features as numbers, under their names; an empty cell is missing."""
    values = {}
    for column in table.drop(columns=list(FIELD), errors="ignore"):
        name = str(column) if str(column).startswith(PREFIX) else f"{PREFIX}{column}"
        numbers, wrong = as_numbers(table[column])
        wrong |= np.isinf(numbers)
        if wrong.any():
            row = table.index[wrong][0]
            msg = (
                f"{path}, row {row}: column '{column}' should hold numbers, not '{table.loc[row, column]}'"
                f"{why_no_number(table.loc[row, column])}; correct it or remove the column."
            )
            raise UserError(msg)
        count_words(table[column], str(path))
        if name in values:
            msg = f"{path}: two columns are the feature '{name}'; give one of them another name."
            raise UserError(msg)
        values[name] = numbers
    if not values:
        msg = f"{path}: there is no column of features beside the keys; add at least one column of numbers."
        raise UserError(msg)
    return pd.DataFrame(values, index=table.index)


def _whole(values: pd.Series, path: Path) -> pd.Series:
    numbers, wrong = as_numbers(values)
    wrong |= numbers.isna() | (numbers % 1 != 0) | (numbers < 0)
    if wrong.any():
        row = wrong.idxmax()
        msg = f"{path}, row {row}: {values.name} should be a whole number, not '{values[row]}'; correct it."
        raise UserError(msg)
    return numbers.astype("int64")


def _named(field: FieldOfView) -> str:
    return f"field '{field.fov}' of sample '{field.sample}'"
