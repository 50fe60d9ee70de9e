"""Read lineages with fates; impossible lineages are refused, and nothing is repaired."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.config.external import External, LineageColumns
from cineseq.errors import UserError, warn_of
from cineseq.external.cell_columns import FAMILY, cell_table, chosen_columns, without_totals
from cineseq.io.delimited import read_plain, rows_of
from cineseq.io.end_words import ENDS, plain_words
from cineseq.io.written import as_named, as_numbers, as_parents, as_text, says_nothing
from cineseq.statistics.pedigree import OwnAncestorError, ancestry
from cineseq.tables.contract import FIELD
from cineseq.tables.imaging import CELLS, FATES
from cineseq.text import count, listed
from cineseq.tracking.validate import born_before_parent_ends, ends_before_it_begins

logger = logging.getLogger(__name__)


def read_families(path: Path, field: FieldOfView, external: External) -> pd.DataFrame:
    """Read a table with one row per cell, its parent, times and fate.

    Parameters
    ----------
    path
        The table.
    field
        Row of the sample sheet that it belongs to.
    external
        The section ``external`` of the configuration; ``external.lineage`` names the columns.

    Returns
    -------
    pandas.DataFrame
        As :data:`cineseq.tables.imaging.CELLS`. A cell of unknown fate is ``end_of_movie`` (and alive) if it is in the
        last frame of its movie, else ``lost`` (and whether it is alive is unknown).

    Raises
    ------
    UserError
        When a column is missing; when a cell is listed twice; when a parent is not in the table, descends from
        itself, has more than two daughters, did not divide, or ended after the birth of a daughter; when times are
        not frame numbers or run backwards; when a fate is not configured; or when the generation disagrees. The
        message names the row.
    """
    table = read_plain(path)
    names = external.lineage
    _check_columns(table, path, external)
    cell = next(c for c in external.id if c in table.columns)
    table = without_totals(table, cell, path)
    family = pd.DataFrame({"row": table.index})
    table = table.reset_index(drop=True)
    scope = _scope(table, names.scope, path, family)
    own = as_text(table[cell])
    _check_rows(own.isna(), path, f"the cell has no name in column '{cell}'; give it one", family)
    family["id"] = own if scope is None else scope + "/" + own
    _check_rows(family["id"].duplicated(), path, "cell '{id}' is listed twice; keep one row for each cell", family)
    family["parent_id"] = as_parents(table[names.parent], family["id"], names.no_parent, scope)
    times = _times(table, names, path, family, external.frame_interval_min)
    family["start_frame"], family["end_frame"] = times.frames["birth"], times.frames["end"]
    family["fate"] = _fates(table, names, path, family)
    parent = pd.Index(family["id"]).get_indexer(family["parent_id"].fillna(""))
    _check_family(family, parent, path)
    family = _with_ancestry(family, path)
    _check_generation(table, names, family, path)
    columns = chosen_columns(table.set_index(pd.Index(family["id"])), external, str(path)).drop(
        columns=FAMILY, errors="ignore"
    )
    cells = cell_table(columns, field, str(path))
    _warn_of_fields(family, cells, parent, path)
    return CELLS.check(cells.assign(**_lineage(family, cells, times)), str(path))


def _check_columns(table: pd.DataFrame, path: Path, external: External) -> None:
    names = external.lineage
    wanted = {"parent": names.parent, "birth": names.birth, "end": names.end, "fate": names.fate}
    wanted |= {key: value for key in ("movie_end", "generation") if (value := getattr(names, key))}
    wanted |= {f"scope[{i}]": column for i, column in enumerate(names.scope)}
    for key, column in wanted.items():
        if column not in table.columns:
            msg = f"{path}: no column '{column}' (external.lineage.{key}); the columns are {', '.join(table.columns)}."
            raise UserError(msg)
    if not set(external.id) & set(table.columns):
        msg = f"{path}: no column '{external.id[0]}' (external.id); the columns are {', '.join(table.columns)}."
        raise UserError(msg)


def _check_rows(wrong: pd.Series, path: Path, reason: str, family: pd.DataFrame) -> None:
    """Raise for the first row in which ``wrong`` is true; ``reason`` may use the row's values."""
    wrong = wrong.fillna(value=False).astype(bool).reset_index(drop=True)
    if wrong.any():
        first = family.iloc[int(wrong.idxmax())].to_dict()
        msg = f"{path}, row {first['row']}: {reason.format(**first)} ({int(wrong.sum())} such rows)."
        raise UserError(msg)


def _scope(table: pd.DataFrame, columns: list[str], path: Path, family: pd.DataFrame) -> pd.Series | None:
    """Return the names within which those of cells are unique, joined by slashes; None without."""
    if not columns:
        return None
    parts = [as_text(table[column]) for column in columns]
    for column, part in zip(columns, parts, strict=True):
        _check_rows(part.isna(), path, f"column '{column}' of external.lineage.scope is empty; fill it in", family)
    return parts[0].str.cat(parts[1:], sep="/") if len(parts) > 1 else parts[0]


@dataclass(frozen=True)
class _Times:
    """Times of birth, end and, where stated, the end of the movie: as frames, and as hours if they are known."""

    frames: dict[str, pd.Series]
    hours: dict[str, pd.Series]
    in_frames: bool


def _times(
    table: pd.DataFrame, names: LineageColumns, path: Path, family: pd.DataFrame, interval: float | None
) -> _Times:
    columns = {"birth": names.birth, "end": names.end} | ({"movie_end": names.movie_end} if names.movie_end else {})
    if names.time_unit == "frame":
        frames = {key: _frames(table, column, path, family) for key, column in columns.items()}
        _warn_of_times(pd.concat(list(frames.values())).unique(), path)
        hours = {} if interval is None else {key: frame * (interval / 60) for key, frame in frames.items()}
        return _Times(frames, hours, in_frames=True)
    hours = {}
    for key, column in columns.items():
        numbers, wrong = as_numbers(table[column])
        wrong |= ~np.isfinite(numbers) | (numbers < 0)
        _check_rows(wrong, path, f"cell '{{id}}' needs a time in {names.time_unit}s in column '{column}'", family)
        hours[key] = numbers * HOURS[names.time_unit]
    every = np.unique(np.concatenate(list(hours.values())))
    step = _step(every) if interval is None else interval / 60
    if step is None:
        warn_of(
            logger,
            f"{path}: its times are not multiples of one step, so frames are their ranks; set "
            "external.frame_interval_min.",
        )
        return _Times({k: pd.Series(np.searchsorted(every, t)) for k, t in hours.items()}, hours, in_frames=False)
    return _Times({k: (t / step).round().astype("int64") for k, t in hours.items()}, hours, in_frames=False)


def _warn_of_times(frames: np.ndarray, path: Path) -> None:
    """Warn where all frame numbers are multiples of a larger number, as times in minutes are."""
    step = int(np.gcd.reduce(frames))
    if step >= LEAST_STEP and len(frames) >= ENOUGH:
        warn_of(
            logger,
            f"{path}: all of its frame numbers are multiples of {step}; if they are times, set "
            "external.lineage.time_unit.",
        )


LEAST_STEP, ENOUGH = 3, 6
"""So many different frame numbers are rarely multiples of such a number by chance."""
HOURS = {"minute": 1 / 60, "hour": 1.0, "day": 24.0}
"""Hours in a unit of time."""
ALMOST_WHOLE = 0.05
"""Times within this fraction of a step of its multiples count as multiples."""


def _step(times: np.ndarray) -> float | None:
    """Return the smallest step between times if all are multiples of it, else None."""
    steps = np.diff(times)
    steps = steps[steps > 1e-6]
    if not len(steps):
        return None
    count_of = times / steps.min()
    return float(steps.min()) if np.abs(count_of - count_of.round()).max() <= ALMOST_WHOLE else None


def _frames(table: pd.DataFrame, column: str, path: Path, family: pd.DataFrame) -> pd.Series:
    numbers, wrong = as_numbers(table[column])
    wrong |= numbers.isna() | (numbers < 0) | (numbers % 1 != 0)
    reason = (
        f"cell '{{id}}' needs a frame number from 0 in column '{column}'; if these are times, set "
        "external.lineage.time_unit"
    )
    _check_rows(wrong, path, reason, family)
    return numbers.astype("int64")


def _fates(table: pd.DataFrame, names: LineageColumns, path: Path, family: pd.DataFrame) -> pd.Series:
    text = as_named(table[names.fate], names.fates)
    # What the configuration explains comes first; words that all tables share need no explanation.
    words = plain_words(text)
    fates = text.map(names.fates).astype("string").fillna(words.map(ENDS).astype("string"))
    known = says_nothing(text) | fates.notna()
    stated = f"cell '{{id}}' has the fate '{text[~known].iloc[0]}'" if not known.all() else ""
    _check_rows(
        ~known, path, f"{stated}, which external.lineage.fates does not explain; add it there or correct it", family
    )
    return fates.fillna("unknown").astype("string")


def _check_family(family: pd.DataFrame, position: np.ndarray, path: Path) -> None:
    has_parent = family["parent_id"].notna()
    parent = family.loc[position.clip(min=0), ["end_frame", "fate"]].reset_index(drop=True)
    shown = family.assign(parent_end=parent["end_frame"], parent_fate=parent["fate"])
    _check_rows(
        pd.Series(ends_before_it_begins(family)), path, "cell '{id}' ends before it begins; correct its frames", shown
    )
    absent = has_parent & (position < 0)
    rounded = absent & family["parent_id"].str.fullmatch(r"[+-]?\d(?:\.\d+)?[eE]\+?\d+")
    _check_rows(
        rounded,
        path,
        "the parent '{parent_id}' of cell '{id}' is a number that the program which wrote the table has rounded, so "
        "it names no cell; export identifiers as text, with all of their digits",
        shown,
    )
    _check_rows(
        absent,
        path,
        "the parent '{parent_id}' of cell '{id}' is not in the table; add its row, correct the name, or, where it "
        "means that the parent is unknown, list it in external.lineage.no_parent",
        shown,
    )
    number = pd.Series(position).groupby(position).cumcount()
    _check_rows(
        has_parent & (number > 1),
        path,
        "the parent '{parent_id}' of cell '{id}' has more than two daughters; keep the two that are its own",
        shown,
    )
    _check_rows(
        pd.Series(born_before_parent_ends(family, position)),
        path,
        "cell '{id}' is born in frame {start_frame}, before its parent '{parent_id}' ends in frame {parent_end}; "
        "correct a frame or the parent",
        shown,
    )
    undivided = has_parent & (parent["fate"] != "division").to_numpy(bool, na_value=False)
    _check_rows(
        undivided,
        path,
        "cell '{id}' has a parent '{parent_id}' whose fate is {parent_fate}, not division; correct one of them",
        shown,
    )


def _with_ancestry(family: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Add root cell, generation and sister of each cell; check that none descends from itself."""
    try:
        return family.assign(**ancestry(family["id"], family["parent_id"]))
    except OwnAncestorError as cell:
        row = family.loc[family["id"] == str(cell), "row"].iloc[0]
        msg = f"{path}, row {row}: cell '{cell}' descends from itself; correct its parent or that of an ancestor."
        raise UserError(msg) from None


def _check_generation(table: pd.DataFrame, names: LineageColumns, family: pd.DataFrame, path: Path) -> None:
    if names.generation is None:
        return
    stated = as_numbers(table[names.generation])[0]
    # Root cells are generation 0 in some tables and 1 in others.
    shown = family.assign(expected=family["generation"] + int(stated.min() if stated.notna().any() else 0))
    wrong = stated.notna() & (stated != shown["expected"])
    reason = f"column '{names.generation}' should be {{expected}} for cell '{{id}}', by its ancestors"
    _check_rows(wrong, path, reason, shown)


def _warn_of_fields(family: pd.DataFrame, cells: pd.DataFrame, parent: np.ndarray, path: Path) -> None:
    """Warn about the first cell whose parent is in another field of view; its family is not used for relatives."""
    field = cells.groupby(FIELD).ngroup().to_numpy()
    elsewhere = (parent >= 0) & (field[parent] != field)
    if elsewhere.any():
        row = int(elsewhere.argmax())
        cell = family.iloc[row]
        own, other = ("/".join(cells[FIELD].iloc[k]) for k in (row, parent[row]))
        warn_of(
            logger,
            f"{path}, row {cell['row']}: cell '{cell['id']}' is in field {own}, its parent '{cell['parent_id']}' in "
            f"{other} ({count(int(elsewhere.sum()), 'such row')}): families in two fields of view are left out where "
            "relatives are compared; give a family one field.",
        )


def _lineage(family: pd.DataFrame, cells: pd.DataFrame, times: _Times) -> dict[str, pd.Series | str | float]:
    field = [cells[c] for c in FIELD]
    last = times.frames.get("movie_end", family["end_frame"].groupby(field).transform("max"))
    first = family["start_frame"].groupby([cells[c] for c in FIELD]).transform("min")
    is_root, unknown = family["parent_id"].isna(), family["fate"] == "unknown"
    seen_last = family["end_frame"] >= last
    start_kind = np.select([~is_root, family["start_frame"] <= first], ["division", "first_frame"], "appeared")
    end_kind = np.select([~unknown, seen_last], [family["fate"].astype(object), "end_of_movie"], "lost")
    alive = pd.Series(pd.NA, index=family.index, dtype="boolean").mask(unknown & seen_last, other=True)
    names = ("parent_id", "founder_id", "sister_id", "generation", "start_frame", "end_frame", "fate")
    movie_end = (
        {} if times.in_frames or "movie_end" not in times.hours else {"movie_end_hours": times.hours["movie_end"]}
    )
    return (
        {name: family[name] for name in names}
        | movie_end
        | {
            "start_hours": times.hours.get("birth", float("nan")),
            "end_hours": times.hours.get("end", float("nan")),
            "start_kind": pd.Series(start_kind),
            "end_kind": pd.Series(end_kind),
            "movie_end_frame": last,
            "fate_known": ~unknown,
            "alive_at_end": alive.mask(~unknown, other=False),
        }
    )


def read_all_families(paths: list[Path], rows: list[FieldOfView], external: External) -> pd.DataFrame:
    """Read one or more tables; with several, names are prefixed by sample and field.

    Raises
    ------
    UserError
        As :func:`read_families`, and when two tables state different conditions for a sample.
    """
    fields = rows_of(paths, rows)
    tables = [read_families(path, field, external) for path, field in zip(paths, fields, strict=True)]
    _check_labels(tables, paths)
    if len(tables) > 1:
        tables = [_prefixed(table, field) for table, field in zip(tables, fields, strict=True)]
    joined = pd.concat(tables, ignore_index=True)
    if joined["track_id"].duplicated().any():
        name = joined.loc[joined["track_id"].duplicated(), "track_id"].iloc[0]
        msg = f"lineage: cell '{name}' is in two tables of one field of view; give the tables a row with a fov each."
        raise UserError(msg)
    return joined


def _check_labels(tables: list[pd.DataFrame], paths: list[Path]) -> None:
    """Check that a sample has one condition in all tables; otherwise one of them is wrong."""
    seen: dict[str, tuple[frozenset[str], Path]] = {}
    for table, path in zip(tables, paths, strict=True):
        for sample, values in table.groupby("sample")["condition"]:
            conditions = frozenset(values.fillna("").unique())
            before, where = seen.setdefault(sample, (conditions, path))
            if before != conditions:
                labels = [listed(f"'{label}'" for label in sorted(names)) for names in (before, conditions)]
                msg = (
                    f"{path}: sample '{sample}' has the condition {labels[1]}, but {labels[0]} in {where}; "
                    "give it one label, that of the experiment."
                )
                raise UserError(msg)


def _prefixed(cells: pd.DataFrame, field: FieldOfView) -> pd.DataFrame:
    names = ("track_id", "parent_id", "founder_id", "sister_id")
    return cells.assign(**{name: f"{field.sample}/{field.fov}/" + cells[name] for name in names})


def families_report(cells: pd.DataFrame) -> dict[str, Any]:
    """Return report lines and numbers on cells, families and fates."""
    fates = {fate: int((cells["fate"] == fate).sum()) for fate in FATES}
    fields, families = cells[FIELD].drop_duplicates().shape[0], cells["founder_id"].nunique()
    pairs = int(cells["sister_id"].notna().sum()) // 2
    lines = [
        f"{count(len(cells), 'cell')} of {count(families, 'family', 'families')} in {count(fields, 'field')} of view, "
        f"with {count(pairs, 'pair')} of sisters.",
        f"{count(fates['division'], 'cell divides', 'cells divide')}, {count(fates['death'])} die, and the fate of "
        f"{count(fates['unknown'])} is unknown ({count((cells['end_kind'] == 'end_of_movie').sum())} of these are "
        "alive when the movie ends).",
    ]
    numbers = {"cells": len(cells), "families": families, "fields": fields, "sister_pairs": pairs}
    return {"lines": lines, "numbers": numbers | {f"fate_{fate}": n for fate, n in fates.items()}}
