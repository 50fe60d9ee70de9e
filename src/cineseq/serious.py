"""Serious remarks on how data were read: a line of the log, and a notice at the top of the report."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from cineseq.files import write_json


def warn_of(logger: logging.Logger, text: str) -> None:
    """Log a sentence on the data that a reader of the results must see; the step's report gets it as a notice."""
    logger.warning("%s", text, extra={"serious": True})


class SeriousRemarks(logging.Handler):
    """Keep the texts of :func:`warn_of`, each once, for the report of a step."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text of a serious record."""
        if getattr(record, "serious", False) and record.getMessage() not in self.texts:
            self.texts.append(record.getMessage())

    def add_to(self, report: Path) -> None:
        """Add what was kept to the lines and notices of a report that a step has written."""
        content = json.loads(report.read_text(encoding="utf-8"))
        notices = content.setdefault("notices", [])
        content["lines"] += [text for text in self.texts if text not in content["lines"]]
        said = [notice["text"] for notice in notices]
        notices += [{"level": "serious", "text": text} for text in self.texts if text not in said]
        write_json(content, report)
