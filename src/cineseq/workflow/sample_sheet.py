"""Read the sample sheet: one row per field of view, which names the user's data."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from cineseq.config.base import NAME_PATTERN, FieldOfView
from cineseq.errors import UserError, reason
from cineseq.io.named_files import hint, named_files
from cineseq.io.text_files import BLANKS, opened, separator_of, stated_separator

FIELD_PATHS = ("images", "masks", "cell_masks", "points", "tracks", "edits", "features")
"""Columns that belong to one field of view."""
IMAGE_COLUMNS = ("images", "masks", "cell_masks")
"""Columns of images, some formats of which are spread over several files."""
SAMPLE_PATHS = ("compartments", "barcodes", "counts")
"""Columns of files of a whole sample; all rows of the sample must agree on them."""
SHARED_PATHS = ("compartments", "barcodes")
"""Columns of a sample whose files may contain several samples."""
STUDY_PATHS = ("cells", "paired", "lineage")
"""Columns of data with which the pipeline starts after the imaging steps."""


@dataclass(frozen=True)
class Entry:
    """One row of the sheet; placeholders in paths are filled, and paths are empty if the row has none."""

    sample: str
    fov: str = "1"
    condition: str = ""
    replicate: str = ""
    frame_step: int = 1
    series: str = ""
    images: str = ""
    masks: str = ""
    cell_masks: str = ""
    points: str = ""
    tracks: str = ""
    edits: str = ""
    features: str = ""
    compartments: str = ""
    barcodes: str = ""
    counts: str = ""
    cells: str = ""
    paired: str = ""
    lineage: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    row: int = field(default=0, compare=False)

    @property
    def identity(self) -> FieldOfView:
        """The field of view, as passed to the per-field steps."""
        return FieldOfView(
            sample=self.sample,
            fov=self.fov,
            condition=self.condition,
            replicate=self.replicate,
            frame_step=self.frame_step,
            metadata=self.metadata,
            series=self.series,
        )


COLUMNS = tuple(f.name for f in fields(Entry) if f.name not in ("row", "metadata"))
GROUP = "group_"
"""What may stand before the name of a column of metadata, which is a group of cells."""
SHORT_NAME = 5
"""Up to this many letters, one letter makes the difference to another name; above, two do."""


def read_sheet(path: Path, frame_step: int = 1, **places: str) -> list[Entry]:
    """Read and check the sample sheet (separated by tabs, commas or semicolons, by its header).

    Lines that begin with a # are comments; see :func:`rows_left_out`.

    A column of another name than :data:`COLUMNS` is metadata of the field of view.

    Parameters
    ----------
    path
        The sheet.
    frame_step
        Frame step of rows without one.
    places
        Values of the placeholders that its paths may use, such as ``data`` and ``run``.

    Returns
    -------
    list of Entry
        In the order of the sheet.

    Raises
    ------
    UserError
        When the file is missing, a column is missing or its name is almost a known one, a name is invalid, a field of
        view is listed twice, rows of one sample disagree, or a row has no data; the message names the row.
    """
    if not path.is_file():
        msg = f"samples: there is no sheet '{path}'{_from_here(path)}; give the path of a tab-separated sample sheet."
        raise UserError(msg)
    lines, _, separator = _lines(path)
    reader = csv.DictReader([text for _, text in lines], delimiter=separator, strict=True)
    try:
        reader.fieldnames = [name.strip().strip(BLANKS) for name in reader.fieldnames or []]
        # Row numbers are line numbers of the file, as in an editor; comments and empty lines count.
        rows = [(lines[reader.line_num - 1][0], row) for row in reader if not _is_empty(row)]
        _check_header(path, reader.fieldnames, rows)
        usual = {"frame_step": str(frame_step)}
        entries = [_entry(path, number, usual, row, places) for number, row in rows]
    except csv.Error as error:
        row = lines[min(reader.line_num, len(lines) - 1)][0]
        msg = f"{path}, row {row}: not readable ({error}); check quotes, tabs and commas."
        raise UserError(msg) from None
    if not entries:
        msg = f"{path}: no rows; list at least one sample."
        raise UserError(msg)
    _check_repeats(path, entries)
    _check_samples_agree(path, entries)
    _check_one_start(path, entries)
    return entries


def _is_empty(row: dict[str | None, Any]) -> bool:
    """Whether a row holds separators alone, as a spreadsheet writes below the last row."""
    return not any(
        text.strip() for value in row.values() for text in (value if isinstance(value, list) else [value or ""])
    )


def _lines(path: Path) -> tuple[list[tuple[int, str]], list[int], str]:
    """Return the lines that are read, each with its number, the numbers of rows behind a #, and the separator.

    The first line is the header, also where it begins with a #, as some programs write it.
    """
    try:
        with opened(path, newline="") as stream:
            every = list(enumerate(stream, start=1))
    except (UnicodeError, EOFError, OSError) as error:
        msg = f"{path}: not a text file in UTF-8 ({reason(error)}); save the sheet as tab-separated text."
        raise UserError(msg) from None
    stated = stated_separator(every[0][1]) if every else ""
    every = every[1:] if stated else every
    lines = [(number, line) for number, line in every if not line.startswith("#")]
    separator = stated or separator_of(lines[0][1] if lines else "")
    hidden = [(number, line) for number, line in every if line.startswith("#")]
    if lines and "sample" not in _names(lines[0][1], separator):
        above = [(number, line.lstrip("# ")) for number, line in hidden if number < lines[0][0]]
        headers = [line for line in above if "sample" in _names(line[1], separator)]
        lines, hidden = [*headers[-1:], *lines], [line for line in hidden if not headers or line[0] != headers[-1][0]]
    many = lines[0][1].count(separator) if lines else 0
    rows = [number for number, line in hidden if many and line.count(separator) == many and number > lines[0][0]]
    return lines, rows, separator


def _names(line: str, separator: str) -> list[str]:
    return [name.strip().strip(BLANKS) for name in line.replace('"', "").split(separator)]


def rows_left_out(path: Path) -> list[int]:
    """Return the numbers of the rows of a sheet that begin with a #, and would be fields of view without it."""
    return _lines(path)[1]


def _check_header(path: Path, names: Sequence[str], rows: list[tuple[int, dict[str | None, Any]]]) -> None:
    for name in names:
        words = re.split(r"[\s;,]+", name)
        if len(words) > 1 and any(_without_style(word) in COLUMNS for word in words):
            msg = (
                f"{path}: the header holds '{name}'; separate all columns by tabs, or all by commas, and join the "
                "words of one name by an underscore."
            )
            raise UserError(msg)
        if name not in COLUMNS and (near := near_column(name)):
            msg = (
                f"{path}: unknown column '{name}'; did you mean '{near}'? A column of your own, such as donor or dose, "
                "needs a name that is less like it."
            )
            raise UserError(msg)
    if "" in names and any((row[""] or "").strip() for _, row in rows):
        msg = f"{path}: column {names.index('') + 1} has values but no name; give it a name in the header."
        raise UserError(msg)
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        msg = f"{path}: the header names the column '{twice}' twice; join them, with semicolons between files."
        raise UserError(msg)
    prefixed = next((name for name in names if name.startswith(GROUP) and name.removeprefix(GROUP) in names), None)
    if prefixed is not None:
        other = prefixed.removeprefix(GROUP)
        msg = f"{path}: the columns '{prefixed}' and '{other}' would both be the group '{other}'; rename one of them."
        raise UserError(msg)
    if "sample" not in names:
        msg = f"{path}: the column 'sample' is missing from the header."
        raise UserError(msg)


def near_column(name: str) -> str | None:
    """Return the known column that a name is almost, as by a misspelling; None if it is like none of them.

    Two names are alike within two letters that are changed, added, left out or swapped (one letter, where the known
    name has five or fewer), whatever their capitals and dashes.
    """
    plain = _without_style(name)
    letters = {known: _edits(plain, known) for known in COLUMNS}
    near = [known for known in COLUMNS if letters[known] <= (1 if len(known) <= SHORT_NAME else 2)]
    return min(near, key=letters.__getitem__, default=None)


def _without_style(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().casefold())


def _edits(one: str, other: str) -> int:
    """Return the letters that are changed, added, left out or swapped with the next (optimal string alignment)."""
    before: list[int] = []
    above = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        row = [i]
        for j, b in enumerate(other, start=1):
            best = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a != b))
            if i > 1 and j > 1 and (a, one[i - 2]) == (other[j - 2], b):
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before, above = above, row
    return above[-1]


def _entry(path: Path, number: int, usual: dict[str, str], row: dict[str | None, Any], places: dict[str, str]) -> Entry:
    if any(more.strip() for more in row.get(None) or ()) or None in row.values():
        msg = f"{path}, row {number}: expected as many values as the header has columns; check tabs and commas."
        raise UserError(msg)
    told = {name: (value or "").strip().strip(BLANKS) for name, value in row.items() if name}
    values = usual | {name: value for name, value in told.items() if value}
    for name in ("sample", "fov"):
        value = values.get(name, "1" if name == "fov" else "")
        if not re.match(NAME_PATTERN, value):
            what = "should be made of letters, digits, dot, dash and underscore, at most 100"
            msg = f"{path}, row {number}: {name} '{value}' {what}."
            raise UserError(msg)
    step = values.pop("frame_step")
    if not step.isdecimal() or int(step) < 1:
        msg = f"{path}, row {number}: frame_step '{step}' should be a whole number of at least 1."
        raise UserError(msg)
    here = places | {"sample": values["sample"], "fov": values.get("fov", "1")}
    for name in (*FIELD_PATHS, *SAMPLE_PATHS, *STUDY_PATHS):
        if name in values:
            values[name] = _fill(path, number, name, values[name], here)
    metadata = tuple((name, values.pop(name)) for name in list(values) if name not in COLUMNS)
    return Entry(**values, frame_step=int(step), metadata=metadata, row=number)


PLACEHOLDER = re.compile(r"\{(\w+)\}|\{\{|\}\}")
"""A placeholder, or a brace that is written twice to stand for itself."""


def _fill(path: Path, number: int, column: str, text: str, places: dict[str, str]) -> str:
    # Plain replacement: format specifications such as {data:>999999999} and attributes have no meaning here.
    filled = PLACEHOLDER.sub(lambda found: places.get(found[1], found[0]) if found[1] else found[0][0], text)
    if os.path.lexists(filled):
        return filled  # the file is there, braces in its name or not
    left = PLACEHOLDER.sub(lambda found: found[0] if found[1] and found[1] not in places else "", text)
    if "{" in left or "}" in left:
        known = ", ".join("{" + p + "}" for p in places)
        msg = f"{path}, row {number}: {column} '{text}' has an unknown placeholder; the known ones are {known}."
        raise UserError(msg)
    return filled


def _check_repeats(path: Path, entries: list[Entry]) -> None:
    seen: dict[tuple[str, str], int] = {}
    for entry in entries:
        key = (entry.sample, entry.fov)
        if key in seen:
            msg = (
                f"{path}, row {entry.row}: sample '{entry.sample}' with field '{entry.fov}' is listed twice "
                f"(first in row {seen[key]}); give each row a fov of its own."
            )
            raise UserError(msg)
        seen[key] = entry.row


def _check_samples_agree(path: Path, entries: list[Entry]) -> None:
    first: dict[str, Entry] = {}
    for entry in entries:
        other = first.setdefault(entry.sample, entry)
        for name in ("condition", "replicate", *SAMPLE_PATHS, *STUDY_PATHS):
            if getattr(entry, name) != getattr(other, name):
                msg = (
                    f"{path}, row {entry.row}: {name} of sample '{entry.sample}' differs from row {other.row} "
                    f"('{getattr(entry, name)}' against '{getattr(other, name)}'); a sample has one {name}."
                )
                raise UserError(msg)


def _check_one_start(path: Path, entries: list[Entry]) -> None:
    starts = {_start(path, entry) for entry in entries}
    if len(starts) > 1:
        msg = f"{path}: rows start from {' and '.join(sorted(starts))}; put them into separate sheets and runs."
        raise UserError(msg)


def _start(path: Path, entry: Entry) -> str:
    given = [name for name in STUDY_PATHS if getattr(entry, name)]
    if entry.images or entry.masks or entry.points or entry.tracks:
        given.append("images")
    _check_points(path, entry)
    if entry.edits and not (entry.images or entry.masks or entry.points):
        msg = f"{path}, row {entry.row}: edits require images, masks or points; add those that they correct."
        raise UserError(msg)
    if entry.cell_masks and not entry.images:
        msg = (
            f"{path}, row {entry.row}: cell_masks are the cells in which function is measured on images; add the "
            "images, or leave cell_masks out."
        )
        raise UserError(msg)
    if entry.features and not (entry.images or entry.masks or entry.points or entry.tracks):
        msg = (
            f"{path}, row {entry.row}: features require images, masks, points or tracks; without them, put features "
            "into columns features_* of the table of cells."
        )
        raise UserError(msg)
    if len(given) != 1:
        found = " and ".join(given) if given else "nothing"
        own = ", ".join(f"'{name}'" for name, _ in entry.metadata)
        taken = f" ({own} {'is' if len(entry.metadata) == 1 else 'are'} taken as metadata)" if own else ""
        msg = (
            f"{path}, row {entry.row}: sample '{entry.sample}' gives {found}{taken}; expected images, masks, points or "
            "tracks, or one of cells, paired and lineage."
        )
        raise UserError(msg)
    if entry.tracks and entry.images and not entry.masks:
        msg = (
            f"{path}, row {entry.row}: images and tracks are listed without masks; add the masks that the tracks were "
            "made on, or leave the images out to use the tracks alone."
        )
        raise UserError(msg)
    return given[0]


def _check_points(path: Path, entry: Entry) -> None:
    """Check that points come with images at most: they stand in for masks and tracks."""
    other = next((name for name in ("masks", "cell_masks", "tracks") if entry.points and getattr(entry, name)), None)
    if other is not None:
        what = {"masks": "the cells by their masks", "tracks": "the tracks"}.get(other, "the cells by their masks")
        msg = (
            f"{path}, row {entry.row}: points and {other} are both listed, which are two statements of the same cells; "
            f"leave the points out to use {what}, or leave {other} out to track the points."
        )
        raise UserError(msg)


MADE_BY_RULES = "results/"


def files_of(text: str, what: str) -> list[str]:
    """Return the files named in a cell of the sheet: paths or patterns, separated by semicolons.

    Files that exist are taken literally first, see :func:`~cineseq.io.named_files.named_files`. Patterns are
    expanded and sorted by the numbers in the names. A path without a pattern is returned unchanged, because it may be
    the product of a rule.

    Raises
    ------
    UserError
        When a pattern matches nothing, or a name holds braces.
    """
    found, unmatched = named_files(text)
    if unmatched:
        msg = f"{what}: no file matches '{unmatched[0]}'; {hint(unmatched[0], 'check the path and the pattern.')}"
        raise UserError(msg)
    braces = next((name for name in found if "{" in name or "}" in name), None)
    if braces is not None:
        msg = (
            f"{what}: the name '{braces}' holds braces, which Snakemake takes for a wildcard; rename the file, or give "
            "the path of a symbolic link to it."
        )
        raise UserError(msg)
    return found


def present(files: list[str], what: str) -> list[str]:
    """Return the files after checking that they exist; files under results/ may still be made by a rule.

    Raises
    ------
    UserError
        When a file does not exist.
    """
    for name in files:
        if not name.startswith(MADE_BY_RULES) and not Path(name).exists():
            usual = "check the path in the sample sheet."
            msg = f"{what}: there is no file '{name}'{_from_here(name)}; {hint(name, usual)}"
            raise UserError(msg)
    return files


def _from_here(path: Path | str) -> str:
    """Return the folder in which a relative path is looked for, which is where Snakemake runs, for messages."""
    return "" if Path(path).is_absolute() else f" in {Path.cwd()}"


def first_of_samples(entries: Iterable[Entry]) -> list[Entry]:
    """Return the first entry of each sample, in order."""
    first: dict[str, Entry] = {}
    for entry in entries:
        first.setdefault(entry.sample, entry)
    return list(first.values())
