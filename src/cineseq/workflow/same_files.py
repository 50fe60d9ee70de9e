"""Find rows of the sheet that name the same data twice: the same file, or copies with the same content."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeVar

from cineseq.errors import UserError
from cineseq.io.named_files import named_files
from cineseq.workflow.fingerprint import ENDS
from cineseq.workflow.sample_sheet import IMAGE_COLUMNS, Entry, first_of_samples

logger = logging.getLogger(__name__)
BLOCK = 1 << 20
"""Bytes that are compared at a time."""
Item = TypeVar("Item")
FIELD_DATA = ("images", "masks", "cell_masks", "points", "tracks")
"""Columns whose files show the cells of one field of view."""
SAMPLE_DATA = ("cells", "paired", "lineage")
"""Columns whose files list the cells of one sample."""


@dataclass(frozen=True)
class Named:
    """The files of one column of one row.

    Attributes
    ----------
    row
        Row of the sheet.
    part
        What of the files is meant, such as one series of them, or the rows of one field; rows of the sheet with another
        part do not repeat each other.
    files
        The files or folders, in order.
    """

    row: int
    part: str
    files: tuple[str, ...]


def check_repeats(sheet: Path, entries: Sequence[Entry]) -> None:
    """Check that no two rows name the same data, whose cells would count several times, or be those of another field.

    Raises
    ------
    UserError
        When two rows name one file, or files with the same content, or one row names a file twice; the message names
        the rows and the file. Tables of tracks with the same content are warned of, since drawn ones may be alike; the
        report says it of their cells, see :func:`cineseq.features.cells.fields_alike`.
    """
    for column in (*FIELD_DATA, *SAMPLE_DATA):
        rows = entries if column in FIELD_DATA else first_of_samples(entries)
        named = [_named(entry, column) for entry in rows if getattr(entry, column)]
        found = named_twice(named)
        if found is not None:
            first, second, file = found
            if first is second:
                msg = f"{sheet}, row {second.row}: {column} names the file '{file}' twice; name it once."
                raise UserError(msg)
            raise _repeated(sheet, column, first, second, f"the same file '{file}'")
        for first, second in same_content(named):
            if _shows_nothing(column, first.files):
                continue  # fields without a cell are alike, and count nothing twice
            refusal = _repeated(sheet, column, first, second, f"copies of one file, '{first.files[0]}'")
            if column != "tracks":
                raise refusal
            logger.warning("%s", refusal)


def _named(entry: Entry, column: str) -> Named:
    # What is not there is refused where a rule needs it.
    files, _ = named_files(getattr(entry, column))
    if column in IMAGE_COLUMNS and len(files) == 1 and Path(files[0]).is_file():
        from cineseq.io.readers import files_read  # noqa: PLC0415 - image readers are imported for image files only

        beside = files_read([Path(files[0])], entry.series, metadata=False)[1:]
        files = [*files, *map(str, beside)]
    return Named(entry.row, _own_rows(entry, files) if column == "points" else entry.series, tuple(files))


def _own_rows(entry: Entry, files: Sequence[str]) -> str:
    """Return which rows of a table of several fields are those of one row of the sheet; empty where all are."""
    if len(files) != 1 or not Path(files[0]).is_file():
        return ""
    from cineseq.io.delimited import column_names  # noqa: PLC0415 - pandas is imported for tables of points only

    try:
        names = column_names(Path(files[0]))
    except UserError:
        return ""  # refused where the table is read
    return "/".join(getattr(entry, name) for name in ("sample", "fov") if name in names)


def _shows_nothing(column: str, files: Sequence[str]) -> bool:
    """Whether masks are all background, or a table of tracks has no row below its header."""
    if column == "tracks" and all(Path(file).is_file() for file in files):
        return all(len(Path(file).read_bytes().strip().splitlines()) < 2 for file in files)
    if column not in ("masks", "cell_masks"):
        return False
    from cineseq.io.readers import open_source  # noqa: PLC0415 - only for copies of masks

    try:
        with open_source([Path(file) for file in files]) as source:
            return not any(source.plane(frame, 0).any() for frame in range(source.info.frames))
    except UserError:
        return False


def _repeated(sheet: Path, column: str, first: Named, second: Named, what: str) -> UserError:
    so = (
        "function would be measured in the cells of another field"
        if column == "cell_masks"
        else "the same cells would count twice"
    )
    return UserError(
        f"{sheet}, row {second.row}: {column} '{second.files[0]}' and those of row {first.row} are {what}, so {so}; "
        "correct the path, or remove the row."
    )


def named_twice(named: Sequence[Named]) -> tuple[Named, Named, str] | None:
    """Return the first two rows that name one file, after symbolic links, and the file; None if no rows do.

    A row that names one file twice is returned as both.
    """
    seen: dict[tuple[str, str], Named] = {}
    for row in named:
        for file in row.files:
            key = (os.path.realpath(file), row.part)
            if key in seen:
                return seen[key], row, file
            seen[key] = row
    return None


def same_content(named: Sequence[Named]) -> list[tuple[Named, Named]]:
    """Return pairs of rows whose files have the same content, in order.

    Rows are told apart step by step, and files are read only as long as they agree: first by size and both ends of the
    first file, then by the whole content. Rows with files that are not there yet are passed over.
    """
    present = [row for row in named if row.files and all(Path(file).exists() for file in row.files)]
    groups = [group for group in _grouped(present, lambda row: (row.part, len(row.files))) if len(group) > 1]
    pairs = []
    for group in groups:
        for same in _refined([(row, _pieces(row.files)) for row in group]):
            pairs += [(same[0], other) for other in same[1:]]
    return pairs


def _refined(members: list[tuple[Named, Iterator[object]]]) -> list[list[Named]]:
    """Split a group by one piece of content after the other; return the groups of rows that agree to the end."""
    open_groups, same = [members], []
    while open_groups:
        group = open_groups.pop()
        drawn = [(row, pieces, next(pieces, None)) for row, pieces in group]
        for part in _grouped(drawn, lambda item: item[2]):
            if len(part) > 1 and part[0][2] is None:
                same.append([row for row, _, _ in part])
            elif len(part) > 1:
                open_groups.append([(row, pieces) for row, pieces, _ in part])
    return sorted(same, key=lambda rows: rows[0].row)


def _grouped(items: Sequence[Item], key: Callable[[Item], object]) -> list[list[Item]]:
    groups: dict[object, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def _pieces(files: Sequence[str]) -> Iterator[object]:
    """Yield what tells files apart, the cheap first: sizes and ends of each file, then its blocks."""
    for file in files:
        path = Path(file)
        inside = _files_in(path) if path.is_dir() else iter([path])
        yield from chain.from_iterable(_of_file(one, str(one.relative_to(path))) for one in inside)


def _files_in(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _files_in(path)
        else:
            yield path


def _of_file(path: Path, name: str) -> Iterator[object]:
    size = path.stat().st_size
    yield name, size
    yield _digest(path, (0, ENDS), (max(size - ENDS, 0), ENDS))
    for start in range(ENDS, max(size - ENDS, 0), BLOCK):
        yield _digest(path, (start, BLOCK))


def _digest(path: Path, *parts: tuple[int, int]) -> bytes:
    """Hash parts of a file (start and length), which is closed again: a sheet has more rows than files can be open."""
    content = hashlib.sha256()
    with path.open("rb") as stream:
        for start, length in parts:
            stream.seek(start)
            content.update(stream.read(length))
    return content.digest()
