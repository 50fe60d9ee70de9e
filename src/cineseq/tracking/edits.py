"""Edits of tracks: the user's table of corrections, read, matched to the objects and checked."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.errors import UserError, reading

COLUMNS = ("action", "frame", "cell", "next_frame", "next_cell", "second_cell", "note", "sample", "fov")
CELLS_AFTER = {
    "link": (1,),
    "unlink": (0, 1),
    "divide": (2,),
    "not_divide": (0,),
    "death": (0,),
    "not_death": (0,),
    "exit": (0,),
    "delete": (0,),
}
"""The actions, and the numbers of cells of a later frame that each one may name."""
END_KINDS = {"death": "death", "not_death": "lost", "exit": "left_fov"}
"""Actions that state how a track ended, and the end kind that they set."""


@dataclass(frozen=True)
class Edit:
    """One row of the file, with its cells as rows of the table of objects.

    Attributes
    ----------
    row
        Line in the file.
    action
        One of :data:`CELLS_AFTER`.
    source
        The object that the edit concerns.
    targets
        The objects of a later frame that it names.
    """

    row: int
    action: str
    source: int
    targets: tuple[int, ...] = ()


@dataclass(frozen=True)
class Edits:
    """The edits of one field.

    Attributes
    ----------
    path
        The file.
    applicable
        Edits whose objects are in the masks; none contradicts another.
    missing
        Lines of the file that name an object which is not there.
    """

    path: Path
    applicable: tuple[Edit, ...]
    missing: tuple[int, ...]


def read_edits(edits: Path | pd.DataFrame, objects: pd.DataFrame, field: FieldOfView) -> Edits:
    """Read the edits of one field and find their objects.

    A cell is named by its frame and either its label in the masks or its position: row and column in px, separated by
    a space. Neither depends on the tracking. If the file has a column ``sample`` or ``fov``, rows of other fields are
    left out.

    Parameters
    ----------
    edits
        A comma- or tab-separated file with a header, or a table; columns as in :data:`COLUMNS`, of which ``action``,
        ``frame`` and ``cell`` are required.
    objects
        The objects of the field: ``frame``, ``label``, ``y_px``, ``x_px``, ``area_px``.
    field
        Sample and field of view.

    Raises
    ------
    UserError
        For an unreadable file, an unknown column or action, a row with too few or too many cells, a next frame that is
        not later, and two rows that contradict each other.
    """
    path = edits if isinstance(edits, Path) else Path("edits")
    rows = _read(edits) if isinstance(edits, Path) else _as_text(edits)
    for name, value in (("sample", field.sample), ("fov", field.fov)):
        if name in rows:
            rows = rows[rows[name].isin(["", value])]
    find = _finder(objects)
    applicable: list[Edit] = []
    missing: list[int] = []
    for row, record in zip(rows.index, rows.to_dict("records"), strict=True):
        edit = _edit(path, row, record, find)
        if edit is None:
            missing.append(row)
        else:
            applicable.append(edit)
    check_contradictions(path, applicable)
    return Edits(path, tuple(applicable), tuple(missing))


def _read(path: Path) -> pd.DataFrame:
    """Return the rows as text, indexed by line in the file, without empty lines."""
    with reading(path, "not readable as a table", "save the edits as comma-separated text in UTF-8"):
        text = path.read_text(encoding="utf-8-sig")
        delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
        lines = list(csv.reader(text.splitlines(), delimiter=delimiter, strict=True))
    header = [name.strip() for name in lines[0]] if lines else []
    _check_header(path, header)
    kept = {n: cells for n, cells in enumerate(lines[1:], start=2) if any(c.strip() for c in cells)}
    uneven = next((n for n, cells in kept.items() if len(cells) > len(header)), None)
    if uneven is not None:
        msg = f"{path}, row {uneven}: more entries than the header has columns; check the separators."
        raise UserError(msg)
    padded = [[c.strip() for c in cells] + [""] * (len(header) - len(cells)) for cells in kept.values()]
    return pd.DataFrame(padded, index=list(kept), columns=header, dtype=object)


def _as_text(edits: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table as they would be in a file: whole numbers without a point, nothing where missing."""
    _check_header(Path("edits"), [str(name) for name in edits.columns])

    def text(value: object) -> str:
        if pd.isna(value):
            return ""
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()

    return pd.DataFrame({name: [text(v) for v in edits[name]] for name in edits.columns}, dtype=object)


def _check_header(path: Path, header: list[str]) -> None:
    unknown = [name for name in header if name not in COLUMNS]
    lacking = [name for name in COLUMNS[:3] if name not in header]
    if unknown or lacking or len(set(header)) < len(header):
        wrong = f"unknown column '{unknown[0]}'" if unknown else "a column is missing or occurs twice"
        msg = f"{path}: {wrong}; the columns are {', '.join(COLUMNS)}, of which the first three are required."
        raise UserError(msg)


Finder = Callable[[int, str], int]
Claimed = tuple[str, int]
"""Kind of a claim (``before``, ``after`` or ``end``), and its object."""


def _finder(objects: pd.DataFrame) -> Finder:
    """Return a function from frame and cell to the row of the object, -1 where there is none."""
    keys = zip(objects["frame"].tolist(), objects["label"].tolist(), strict=True)
    labels = {key: row for row, key in enumerate(keys)}
    points = objects[["y_px", "x_px"]].to_numpy(float)
    frame = objects["frame"].to_numpy(np.int64)
    reach = np.sqrt(objects["area_px"].to_numpy(float) / np.pi)

    def find(at: int, cell: str) -> int:
        if cell.isdecimal():
            return labels.get((at, int(cell)), -1)
        here = np.arange(*np.searchsorted(frame, [at, at + 1]))
        apart = np.hypot(*(points[here] - [float(part) for part in cell.split()]).T)
        near = here[apart <= reach[here]]
        return int(near[np.argmin(apart[apart <= reach[here]])]) if len(near) else -1

    return find


def _edit(path: Path, row: int, record: dict[str, str], find: Finder) -> Edit | None:
    """Return one edit; None if an object is not in the masks."""
    action = record["action"]
    if action not in CELLS_AFTER:
        msg = f"{path}, row {row}: unknown action '{action}'; the actions are {', '.join(CELLS_AFTER)}."
        raise UserError(msg)
    named = [record.get(name, "") for name in ("next_cell", "second_cell")]
    after = [cell for cell in named if cell]
    if len(after) not in CELLS_AFTER[action]:
        wanted = " or ".join(map(str, CELLS_AFTER[action]))
        msg = f"{path}, row {row}: '{action}' names {len(after)} cells of a later frame; expected {wanted}."
        raise UserError(msg)
    for cell in (record["cell"], *after):
        if not _is_cell(cell):
            msg = f"{path}, row {row}: cell '{cell}' should be a label (17) or a position y x in px (103.5 220)."
            raise UserError(msg)
    frame = _frame(path, row, "frame", record["frame"])
    later = frame + 1
    if after and record.get("next_frame"):
        later = _frame(path, row, "next_frame", record["next_frame"])
    if later <= frame:
        msg = f"{path}, row {row}: next_frame {later} should be after frame {frame}."
        raise UserError(msg)
    source, *targets = find(frame, record["cell"]), *(find(later, cell) for cell in after)
    if min(source, *targets, source) < 0:
        return None
    if len(set(targets)) < len(targets):
        msg = f"{path}, row {row}: the two daughters are the same cell; name two different cells."
        raise UserError(msg)
    return Edit(row, action, source, tuple(targets))


def _is_cell(text: str) -> bool:
    parts = text.split()
    try:
        return text.isdecimal() or (len(parts) == 2 and bool(np.isfinite([float(part) for part in parts]).all()))
    except ValueError:
        return False


def _frame(path: Path, row: int, column: str, text: str) -> int:
    if not text.isdecimal():
        msg = f"{path}, row {row}: {column} '{text}' should be a frame number, from 0."
        raise UserError(msg)
    return int(text)


def check_contradictions(path: Path, edits: list[Edit]) -> None:
    """Check that all edits can be true together, whatever the tracking.

    Raises
    ------
    UserError
        For the first two rows that contradict each other.
    """
    claims: dict[Claimed, tuple[frozenset[object], Edit]] = {}
    for edit in edits:
        for key, value in _claims(edit):
            known, by = claims.setdefault(key, (value, edit))
            if known != value:
                raise UserError(contradiction(path, by, edit))
    named = [(o, e) for e in edits for o in (e.source, *e.targets)]
    for edit in edits:
        after, by = claims.get(("after", edit.source), (frozenset(), edit))
        parted = edit.action == "unlink" and set(edit.targets) & after
        single = edit.action == "not_divide" and len(after) == 2
        if parted or single:
            raise UserError(contradiction(path, by, edit))
        if edit.action == "delete":
            other = next((e for o, e in named if o == edit.source and e.action != "delete"), None)
            if other is not None:
                raise UserError(contradiction(path, other, edit))


def _claims(edit: Edit) -> list[tuple[Claimed, frozenset[object]]]:
    """Return the claims of an edit: which object precedes another, which ones follow it, how its track ends."""
    claims: list[tuple[Claimed, frozenset[object]]] = []
    if edit.action in ("link", "divide"):
        claims += [(("before", target), frozenset({edit.source})) for target in edit.targets]
    ends = edit.action in ("death", "exit") or (edit.action == "unlink" and not edit.targets)
    if ends or edit.action in ("link", "divide"):
        claims.append((("after", edit.source), frozenset(edit.targets)))
    if edit.action in END_KINDS:
        claims.append((("end", edit.source), frozenset({edit.action})))
    return claims


def contradiction(path: Path, one: Edit, other: Edit) -> str:
    """Return the error message for two rows that cannot both be true."""
    early, late = sorted((one, other), key=lambda edit: edit.row)
    return (
        f"{path}, row {late.row}: '{late.action}' contradicts '{early.action}' in row {early.row}; keep the"
        " correct one."
    )
