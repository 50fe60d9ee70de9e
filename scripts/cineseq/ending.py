"""What a run says last: where its report is, or once more why steps failed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

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
