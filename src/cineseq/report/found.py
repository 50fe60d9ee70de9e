"""What the answers share: the kind of thing that an answer is, and why one is not estimable."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cineseq.statistics.verdicts import Verdict

Found = tuple[str, Verdict, dict[str, Any]]
"""Text, verdict and numbers of an answer. The number ``verdicts`` holds the verdict of each of several claims."""


def not_estimable(reason: str) -> Found:
    """Return the answer that there is none, with the reason."""
    reason = reason.removeprefix("not estimable: ").rstrip(".")
    return f"Not estimable because {reason}.", "not_estimable", {}


def not_run(what: str) -> Found:
    """Return the answer that the step was not part of the run; ``what`` says what there is not, and what it needs."""
    return f"Not run: this run has no {what}.", "not_run", {}


def note_of(row: pd.Series, otherwise: str) -> str:
    """Return the note of a row, or other words where it has none."""
    note = row.get("note")
    return note if isinstance(note, str) and note else otherwise
