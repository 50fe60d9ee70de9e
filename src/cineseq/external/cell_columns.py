"""Select the columns of external tables: names, functions, morphology, embedding, features, states and groups."""

from __future__ import annotations

import logging
from collections.abc import Hashable
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.config.external import External
from cineseq.errors import UserError, warn_of
from cineseq.io.delimited import read_plain
from cineseq.io.group_columns import ONE_VALUE, why_no_group, with_sheet
from cineseq.io.written import as_numbers, as_text, count_words, rows_of_cells, says_nothing, why_no_number
from cineseq.tables.contract import empty
from cineseq.tables.imaging import CELLS
from cineseq.text import count, listed, significant

logger = logging.getLogger(__name__)
PREFIXES = ("function_", "morphology_", "embedding_", "features_", "state_", "group_")
FAMILY = "family"
CLASS = "class"
OWN_GROUPS = ("sample", "fov", "condition", "replicate")
"""Groups with a column of their own in the cells table."""
BATCHES = ("plate", "batch", "run", "donor", "lane", "date", "library", "chip", "sequencing_plate", "sequencing_run")
"""Names of columns that are groups even if the configuration does not name them."""
LARGEST_ANGLE = 4 * np.pi
"""Radians are within one turn, or two where they are unwrapped."""
NUMERIC_FRACTION = 0.5
"""A column that matches a pattern is used if more than this fraction of its values are numbers."""


def read_cells(paths: list[Path], external: External) -> pd.DataFrame:
    """Read tables of the same cells and join them by the names of the cells.

    The first table defines the cells; values of a cell that a later table lacks are missing.

    Returns
    -------
    pandas.DataFrame
        Indexed by the (replaced) name of the cell, in the order of the first table.

    Raises
    ------
    UserError
        When a table has no names, repeats a cell, or has no cell of the first table.
    """
    first, *others = [_named_cells(path, external) for path in paths]
    joined = first
    for path, table in zip(paths[1:], others, strict=True):
        shared = joined.index.isin(table.index)
        if not shared.any():
            msg = (
                f"{path}: none of its cells (such as '{table.index[0]}') is in {paths[0]} (such as "
                f"'{joined.index[0]}'); make names agree with external.id_replace."
            )
            raise UserError(msg)
        logger.info("%s: has %d of the %d cells of %s.", path, int(shared.sum()), len(joined), paths[0])
        repeated = [c for c in table.columns if c in joined.columns]
        joined = joined.join(table.rename(columns={c: f"{c} ({path.name})" for c in repeated}))
    return joined


def _named_cells(path: Path, external: External) -> pd.DataFrame:
    table = read_plain(path)
    first = str(table.columns[0])
    nameless = [first] if first.startswith("Unnamed:") or not first.strip() else []
    column = next((name for name in (*external.id, *nameless) if name in table.columns), None)
    if column is None:
        msg = (
            f"{path}: there is no column with the names of cells, {' or '.join(map(repr, external.id))} (the first "
            f"columns are {list(table.columns[:4])}); name it in external.id."
        )
        raise UserError(msg)
    table = without_totals(table, column, path)
    names = replaced(as_text(table[column]), external.id_replace)
    if names.isna().any():
        msg = f"{path}, row {names.isna().idxmax()}: the cell has no name in column '{column}'; give it one."
        raise UserError(msg)
    if names.duplicated().any():
        row = names.duplicated().idxmax()
        msg = f"{path}, row {row}: the cell '{names[row]}' is listed twice; names of cells must be unique."
        raise UserError(msg)
    return table.drop(columns=column).set_index(pd.Index(names.astype(object), name="cell"))


def without_totals(table: pd.DataFrame, column: str, path: Path) -> pd.DataFrame:
    """Leave out the rows at the end that spreadsheets add below the cells, such as their mean, and say so."""
    kept = rows_of_cells(table[column])
    if kept == len(table):
        return table
    names = listed([f"'{name}'" for name in table[column].iloc[kept:]])
    what = count(len(table) - kept, "row is no cell and is", "rows are no cells and are")
    warn_of(logger, f"{path}, row {table.index[kept]}: {what} left out: {names}.")
    return table.iloc[:kept]


def replaced(names: pd.Series, replacements: dict[str, str]) -> pd.Series:
    """Apply the replacements of ``external.id_replace`` (regular expressions) to names, in order."""
    for pattern, replacement in replacements.items():
        names = names.str.replace(pattern, replacement, regex=True)
    return names


def chosen_columns(table: pd.DataFrame, external: External, where: str) -> pd.DataFrame:
    """Return the configured columns, renamed to ``function_*``, ``morphology_*`` and so on.

    Parameters
    ----------
    table
        The joined tables, indexed by cell.
    external
        The section ``external`` of the configuration.
    where
        The files, for error messages.

    Returns
    -------
    pandas.DataFrame
        Same index; groups are ``sample``, ``fov``, ``family``, ``condition``, ``replicate`` or ``group_*``.

    Raises
    ------
    UserError
        When a configured column does not exist, a column has text instead of numbers, or a function has no value.
    """
    chosen: dict[str, pd.Series] = {c: table[c] for c in table.columns if str(c).startswith(PREFIXES)}
    chosen |= {_target("groups", c): table[c] for c in (*OWN_GROUPS, FAMILY, CLASS) if c in table.columns}
    configured = set(external.groups.values())
    for column in (c for c in table.columns if str(c).lower() in BATCHES and c not in configured):
        chosen.setdefault(_target("groups", str(column).lower()), table[column])
    used = {series.name for series in chosen.values()}
    for key, names in (("groups", external.groups), ("states", external.states), ("function", external.function)):
        for name, column in names.items():
            chosen[_target(key, name)] = _column(table, column, f"external.{key}.{name}", where)
            used.add(column)
    for key in ("morphology", "embedding", "features"):
        for column in _matching(table, getattr(external, key), used, f"external.{key}", where):
            chosen[f"{key}_{column}"] = table[column]
            used.add(column)
    _warn_of_capitals(table, used, where)
    _check_functions({name: series for name, series in chosen.items() if name.startswith("function_")}, where)
    numeric = ("function_", "morphology_", "embedding_", "features_")
    typed = {name: numbers(v, where) if name.startswith(numeric) else as_text(v) for name, v in chosen.items()}
    return _circular(pd.DataFrame(typed, index=table.index), external, where)


def _warn_of_capitals(table: pd.DataFrame, used: set[Hashable], where: str) -> None:
    """Name columns that group cells and would be read if they were in small letters.

    Samples and fields are those of the sheet, so that a column with such a name need not be one of them.
    """
    usual = ("condition", "replicate", FAMILY, CLASS)
    alike = {c: str(c).strip().lower() for c in table.columns if c not in used and str(c).strip().lower() in usual}
    for column, name in alike.items():
        if name not in table and why_no_group(table[column]) in ("", ONE_VALUE):
            warn_of(
                logger,
                f"{where}: column '{column}' is not read; call it '{name}' if it is the {name} of the cells, or name "
                f"it in external.groups.",
            )


def _target(key: str, name: str) -> str:
    if key == "function":
        return f"function_{name}"
    if key == "states":
        return f"state_{name}"
    return name if name in (*OWN_GROUPS, FAMILY) else f"group_{name}"


def _column(table: pd.DataFrame, column: str, key: str, where: str) -> pd.Series:
    if column not in table.columns:
        msg = f"{key}: there is no column '{column}' in {where}; the columns are {', '.join(map(str, table.columns))}."
        raise UserError(msg)
    return table[column]


def _matching(table: pd.DataFrame, patterns: list[str], used: set[str], key: str, where: str) -> list[str]:
    """Return the columns that match patterns, in the order of the table; text columns only if named in full."""
    chosen: set[str] = set()
    for pattern in patterns:
        if pattern in table.columns:
            chosen.add(pattern)
            continue
        # Brackets are special in fnmatch, but literal in column names such as "width [um]".
        met = [c for c in table.columns if c not in used and fnmatchcase(str(c), pattern.replace("[", "[[]"))]
        text = [c for c in met if _is_text(table[c])]
        if len(met) == len(text):
            msg = f"{key}: no numeric column of {where} is called '{pattern}'; check its spelling."
            raise UserError(msg)
        if text:
            logger.info("%s: left out %s, which hold text.", key, text)
        chosen |= set(met) - set(text)
    return [c for c in table.columns if c in chosen]


def _is_text(values: pd.Series) -> bool:
    """Return whether at most :data:`NUMERIC_FRACTION` of the values that there are is numbers."""
    known = as_numbers(values)[0].notna()
    return not known.all() and bool(known.sum() <= NUMERIC_FRACTION * (~says_nothing(values)).sum())


def numbers(values: pd.Series, where: str) -> pd.Series:
    """Return a column as finite numbers; words for a missing value are missing, and counted in the log.

    Raises
    ------
    UserError
        When a value is not a number; the message names the cell.
    """
    found, wrong = as_numbers(values)
    if wrong.any():
        cell = wrong.idxmax()
        msg = (
            f"{where}: column '{values.name}' should hold numbers, but cell '{cell}' has '{values[cell]}'"
            f"{why_no_number(values[cell])}; correct it, or leave it empty where the value is not known."
        )
        raise UserError(msg)
    if found.isna().any():
        count_words(values, where)
    infinite = np.isinf(found)
    if infinite.any():
        cells = count(int(infinite.sum()), "cell")
        warn_of(logger, f"{where}: column '{values.name}' is infinite in {cells}; they count as missing.")
    return found.mask(infinite)


def _check_functions(functions: dict[str, pd.Series], where: str) -> None:
    for name, column in functions.items():
        missing = int(says_nothing(column).sum())
        if missing == len(column):
            of = "" if column.name == name else f" (column '{column.name}')"
            msg = f"{where}: {name}{of} has no value in any of the {len(column)} cells; leave it out or correct it."
            raise UserError(msg)
        if missing:
            logger.info("%s is missing in %d of %d cells; they stay unknown.", name, missing, len(column))


def _circular(frame: pd.DataFrame, external: External, where: str) -> pd.DataFrame:
    """Replace each angle by its cosine and sine, because a circular function can only be predicted in this form."""
    for name in external.circular:
        angle = frame.pop(f"function_{name}")
        if angle.abs().max() > LARGEST_ANGLE:
            msg = (
                f"{where}: function_{name} is listed in external.circular, whose angles are in radians, but reaches "
                f"{significant(angle.abs().max(), 4)}; convert degrees, or other parts of a cycle, to radians."
            )
            raise UserError(msg)
        frame[f"function_{name}_cos"], frame[f"function_{name}_sin"] = np.cos(angle), np.sin(angle)
    return frame


def cell_table(columns: pd.DataFrame, field: FieldOfView, where: str, prefix: str = "") -> pd.DataFrame:
    """Return chosen columns as a table of cells; other columns come from the sample sheet or are missing.

    Parameters
    ----------
    columns
        As returned by :func:`chosen_columns`.
    field
        Row of the sample sheet that the table belongs to.
    where
        The table, for messages.
    prefix
        Prefix of the names of cells that makes them unique in the study.

    Returns
    -------
    pandas.DataFrame
        As :data:`cineseq.tables.imaging.CELLS`.
    """
    columns = with_sheet(columns, field, where)
    lineage = [c for c in empty(CELLS).columns if c not in ("track_id", *OWN_GROUPS, "feature_frame", "y_px", "x_px")]
    blank = empty(CELLS)[[c for c in lineage if not c.startswith(PREFIXES)]].reindex(range(len(columns)))
    own = pd.DataFrame({"track_id": prefix + columns.index.astype(str)})
    for name in OWN_GROUPS:
        stated = getattr(field, name) or pd.NA
        own[name] = columns[name].to_numpy() if name in columns else stated
        if name in columns and name in ("sample", "fov"):
            own[name] = own[name].astype("string").fillna("unknown")
    if FAMILY in columns:
        blank["founder_id"] = columns[FAMILY].to_numpy()
    rest = columns.drop(columns=[*OWN_GROUPS, FAMILY], errors="ignore").reset_index(drop=True)
    positions = empty(CELLS)[["feature_frame", "y_px", "x_px"]].reindex(range(len(columns)))
    return pd.concat([own, blank, positions, rest], axis=1)
