"""Divisions that may be false, because other events look like them, and what then cannot be claimed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from cineseq.report.steps import StepReport
from cineseq.text import count, known

EXPECTED = "divisions_expected_false"
"""Number of the report of tracking: divisions of a field that are expected to be false, by their probabilities."""
MOSTLY = 0.5
"""From this fraction of false divisions on, nothing is claimed of lineages."""
OFTEN = 0.1
"""From this fraction on, a reader is warned."""
REASON = (
    "This follows from their probabilities, which are low where much looks like a division in the reversed movie: "
    "cells that come to touch, or that leave beside others."
)
"""Why divisions may be false, for readers."""


def false_divisions(steps: Iterable[StepReport]) -> int:
    """Return the number of divisions of all fields that may be false."""
    values: list[Any] = [step.numbers.get(EXPECTED) for step in steps if step.step in ("track", "track_points")]
    return round(sum(float(value) for value in values if known(value)))


def divisions_found(quality: pd.DataFrame) -> int:
    """Return the divisions of all fields, from :func:`cineseq.report.fields.read_quality`."""
    return int(quality["divisions"].sum()) if "divisions" in quality else 0


def doubt_of_lineages(false: int, found: int) -> str:
    """Say that so many divisions may be false that nothing can be claimed of lineages; empty where that is not so."""
    if not found or false < MOSTLY * found:
        return ""
    which = "all of them" if false >= found else f"about {count(false)}"
    return (
        f"Make no claim on lineages, sisters or their fates from this run: of {count(found, 'division')} found, "
        f"{which} may be false. {REASON}"
    )


def warning_of(false: int, found: int) -> str:
    """Say how many of the divisions may be false where these are many, but not most; else empty."""
    if not found or not OFTEN * found <= false < MOSTLY * found:
        return ""
    return (
        f"Of {count(found, 'division')} found, about {count(false)} may be false. {REASON} Look at the "
        "least certain events before you use lineages."
    )
