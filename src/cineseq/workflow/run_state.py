"""The state of a run: its machine, its report and its error messages."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from pathlib import Path

from cineseq.files import process_space
from cineseq.workflow.set_aside import Status, listed_once

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


LOGS = re.compile(r"^log: (.+) \(check log file\(s\) for error details\)$")


def why_it_failed(logs: Iterable[Path]) -> list[str]:
    """Return the error messages of failed steps, each once, from the logs that Snakemake's own logs name."""
    named = (LOGS.match(line.strip()) for log in logs for line in _lines(log))
    own = (Path(name) for match in named if match for name in match[1].split(", "))
    found = (FAILURE.match(line.strip()) for log in dict.fromkeys(own) for line in _lines(log))
    return list(dict.fromkeys(match[1] for match in found if match))


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []


def set_aside_lines(failed: Iterable[Status]) -> list[str]:
    """Return what is said of fields of view that are set aside, at the end of a run."""
    lines = listed_once(failed)
    return ["Fields of view that are left out since a step could not process them:", *lines] if lines else []


def where_the_report_is(results: Path, since: float) -> list[str]:
    """Return the location of the report, if it was written after ``since`` (seconds since the epoch)."""
    page = results / "report" / "index.html"
    return [f"Report: {page}"] if page.is_file() and page.stat().st_mtime >= since else []
