"""The state of a run: its machine, its report and its error messages."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from pathlib import Path

from cineseq.files import process_space

STARTED_ON = Path(".snakemake/started_on")
"""File in the working directory in which a run records its machine."""


def note_machine(folder: Path) -> None:
    """Record the machine of a run in its working directory: process space, then name."""
    note = folder / STARTED_ON
    note.parent.mkdir(exist_ok=True)
    note.write_text(f"{process_space()} {platform.node()}\n", encoding="utf-8")


def noted_machine(folder: Path) -> tuple[str, str]:
    """Return the process space and name of the machine that the last run recorded; empty without a record."""
    note = folder / STARTED_ON
    space, _, name = note.read_text(encoding="utf-8").strip().partition(" ") if note.is_file() else ("", "", "")
    return space, name


FAILURE = re.compile(r"^\d\d:\d\d:\d\d ERROR (.+)$")


def why_it_failed(logs: Iterable[Path]) -> list[str]:
    """Return the error messages of failed steps in Snakemake's logs, each once."""
    texts = (log.read_text(encoding="utf-8", errors="replace") for log in logs if log.is_file())
    found = (FAILURE.match(line.strip()) for text in texts for line in text.splitlines())
    return list(dict.fromkeys(match[1] for match in found if match))


def where_the_report_is(results: Path, since: float) -> list[str]:
    """Return the location of the report, if it was written after ``since`` (seconds since the epoch)."""
    page = results / "report" / "index.html"
    return [f"Report: {page}"] if page.is_file() and page.stat().st_mtime >= since else []
