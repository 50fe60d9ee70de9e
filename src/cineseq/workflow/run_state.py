"""The state of a run: which machine it runs on, where its report is, why its steps failed."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from pathlib import Path

from cineseq.files import process_space

STARTED_ON = Path(".snakemake/started_on")
"""Where a run notes its machine, in its working directory."""


def note_machine(folder: Path) -> None:
    """Note in the working directory of a run which machine it runs on: its process space, then its name."""
    note = folder / STARTED_ON
    note.parent.mkdir(exist_ok=True)
    note.write_text(f"{process_space()} {platform.node()}\n", encoding="utf-8")


def noted_machine(folder: Path) -> tuple[str, str]:
    """Return process space and name of the machine that the last run noted; empty where none did."""
    note = folder / STARTED_ON
    space, _, name = note.read_text(encoding="utf-8").strip().partition(" ") if note.is_file() else ("", "", "")
    return space, name


FAILURE = re.compile(r"^\d\d:\d\d:\d\d ERROR (.+)$")


def why_it_failed(logs: Iterable[Path]) -> list[str]:
    """Return what failed steps said of it in Snakemake's logs, where it stands between much else; each once."""
    texts = (log.read_text(encoding="utf-8", errors="replace") for log in logs if log.is_file())
    found = (FAILURE.match(line.strip()) for text in texts for line in text.splitlines())
    return list(dict.fromkeys(match[1] for match in found if match))


def where_the_report_is(results: Path, since: float) -> list[str]:
    """Return where the report is, if it was made since a time, in seconds of the epoch."""
    page = results / "report" / "index.html"
    return [f"Report: {page}"] if page.is_file() and page.stat().st_mtime >= since else []
