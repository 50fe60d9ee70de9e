"""Content fingerprints of the code that a rule runs, and of the user's files that it reads.

Snakemake's own triggers look at times: they do not see imported modules, nor a file that was replaced by an older one.
These look at content and do.
"""

import csv
import hashlib
import os
import time
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path

from cineseq.errors import UserError
from cineseq.files import digest
from cineseq.io.text_files import BLANKS, opened, separator_of, stated_separator
from cineseq.workflow.sample_sheet import MADE_BY_RULES
from cineseq.workflow.used_code import Package

SOURCE = Path(__file__).resolve().parents[2]
"""Folder that contains the package."""

PACKAGE = "cineseq"
ENDS = 65_536
"""Bytes at both ends of a file that count, and that are compared before all of it."""
SAMPLES, SAMPLE = 16, 4_096
"""Pieces of the rest of a file that count, evenly spread, and their bytes."""
FILES_OF_FOLDER = 64
"""Files of a folder of which more than name and size counts, evenly spread."""

SETTLED = 2_000_000_000
"""Nanoseconds after its last change from which a file is read once."""


def fingerprint(script: Path, templates: str | None = None) -> str:
    """Hash the code that a script uses: its own, and each definition of the package that it reaches.

    Comments, layout, docstrings, file times, the version of the package and code that is not reached do not count; see
    :mod:`cineseq.workflow.used_code` for the limits.

    Parameters
    ----------
    script
        The file of the script.
    templates
        Folder of template files in the package, such as ``report/templates``; their content counts too.

    Returns
    -------
    str
        Twelve hexadecimal digits.
    """
    used = Package(SOURCE, PACKAGE).used_by(script)
    content = ["\0".join(map("\0".join, [(*place, text) for place, text in sorted(used.items())])).encode()]
    content += [path.read_bytes() for path in sorted((SOURCE / PACKAGE / templates).iterdir())] if templates else []
    return digest(b"".join(content))[:12]


def content_of(names: Sequence[str], sample: str = "", shared: Collection[str] = ()) -> dict[str, str]:
    """Return what tells the content of the user's files: twelve hexadecimal digits of sizes, ends and samples.

    Files that rules make, which Snakemake follows itself, are passed over. Planning must not read whole movies, so a
    change of few bytes inside a large file whose size stays may be missed; the date of the file tells Snakemake then.

    Parameters
    ----------
    names
        Files and folders.
    sample
        The sample of the step; empty for a step on the whole study.
    shared
        Tables that several samples share, of which only the rows of the sample count, see :func:`rows_of`.
    """
    there = [name for name in names if not name.startswith(MADE_BY_RULES) and Path(name).exists()]
    own = {name: rows_of(Path(name), sample) for name in there if sample and name in shared}
    return {name: own.get(name) or _content(Path(name)) for name in there}


def rows_of(path: Path, sample: str) -> str:
    """Return twelve hexadecimal digits of the header of a table as text and of its rows of one sample, in order.

    Empty where they cannot be told: the file is no text, or it has no column ``sample`` or no such row.
    """
    state = path.stat() if path.is_file() else None
    return "" if state is None else _rows(path, (state.st_size, state.st_mtime_ns, state.st_ino)).get(sample, "")


@cache
def _rows(path: Path, state: tuple[int, ...]) -> dict[str, str]:  # noqa: ARG001 - tells one content from the next
    try:
        with opened(path, newline="") as stream:
            first = next(stream, "")
            header = next(stream, "") if stated_separator(first) else first
            rows = csv.reader(stream, delimiter=stated_separator(first) or separator_of(header))
            names = next(csv.reader([header], delimiter=stated_separator(first) or separator_of(header)), [])
            at = [name.strip(BLANKS) for name in names].index("sample")
            found: dict[str, hashlib._Hash] = {}
            for row in rows:
                sample = row[at].strip(BLANKS) if len(row) > at else ""
                total = found.setdefault(sample, hashlib.sha256(repr(names).encode()))
                total.update(repr(row).encode())
    except (UserError, OSError, ValueError, EOFError, csv.Error):
        return {}  # the step that reads it says what is wrong
    return {sample: total.hexdigest()[:12] for sample, total in found.items()}


def _content(path: Path) -> str:
    if not path.is_dir():
        state = path.stat()
        # The clock of a file system may be too coarse to tell two changes that follow each other closely.
        old = time.time_ns() - state.st_ctime_ns > SETTLED
        read = _content_of_file if old else _content_of_file.__wrapped__
        return read(path.resolve(), (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino))
    total = hashlib.sha256()
    found = sorted(Path(folder) / name for folder, _, names in os.walk(path) for name in names)
    sizes = [file.stat().st_size for file in found]
    for file, size in zip(found, sizes, strict=True):
        total.update(f"{file.relative_to(path).as_posix()} {size}\n".encode())
    for i in sorted(
        {round(k * (len(found) - 1) / (FILES_OF_FOLDER - 1)) for k in range(FILES_OF_FOLDER)} if found else ()
    ):
        _add(found[i], sizes[i], total)
    return total.hexdigest()[:12]


@cache
def _content_of_file(path: Path, state: tuple[int, ...]) -> str:
    """Hash one file, once while its state (size first) stays: fields ask for the maps and tables that they share."""
    total = hashlib.sha256()
    _add(path, state[0], total)
    return total.hexdigest()[:12]


def _add(path: Path, size: int, total: "hashlib._Hash") -> None:
    """Add the size of a file, its ends and evenly spread samples of the rest to a hash."""
    total.update(f"{size}\n".encode())
    with path.open("rb") as stream:
        total.update(stream.read(ENDS))
        if size > ENDS:
            rest = max(0, size - 2 * ENDS - SAMPLE)
            places = [ENDS + round(k * rest / (SAMPLES - 1)) for k in range(SAMPLES)] if rest else [ENDS]
            for at in places:
                stream.seek(at)
                total.update(stream.read(SAMPLE))
            stream.seek(max(ENDS, size - ENDS))
            total.update(stream.read())
