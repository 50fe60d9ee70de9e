"""What the answers share: the kind of thing that an answer is, and why one is not estimable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from cineseq.statistics.verdicts import Verdict
from cineseq.text import NO_INTERVAL, interval, known, number, p_value

NONE = "–"


@dataclass(frozen=True)
class Claim:
    """One claim of an answer in numbers, as a row of the table below the question.

    Attributes
    ----------
    name
        What is claimed, such as ``expression predicts lipid``.
    verdict
        The verdict on it.
    effect
        The effect with its 95 % interval.
    by_chance
        The value that chance gives.
    test
        P-value and q-value.
    samples
        In how many samples the effect is on its side of the value that chance gives.
    one_more
        95 % prediction interval for one more sample.
    """

    name: str
    verdict: Verdict
    effect: str
    by_chance: str = NONE
    test: str = NONE
    samples: str = NONE
    one_more: str = NONE


@dataclass(frozen=True)
class Found:
    """An answer.

    Attributes
    ----------
    lead
        Sentences that are always shown: the result with its number, interval and test, and what limits it.
    verdict
        The verdict.
    numbers
        Numbers of the answer; ``verdicts`` holds the verdict of each of several claims.
    more
        Further numbers, limits and how to interpret them.
    claims
        The claims in numbers, in the order of the answer.
    """

    lead: str
    verdict: Verdict
    numbers: dict[str, Any] = field(default_factory=dict)
    more: str = ""
    claims: tuple[Claim, ...] = ()

    @property
    def text(self) -> str:
        """The whole answer."""
        return f"{self.lead} {self.more}".strip()


def not_estimable(reason: str) -> Found:
    """Return the answer that there is none, with the reason."""
    reason = reason.removeprefix("not estimable: ").rstrip(".")
    return Found(f"Not estimable because {reason}.", "not_estimable")


def not_run(what: str) -> Found:
    """Return the answer that the step was not part of the run; ``what`` says what there is not, and what it needs."""
    return Found(f"Not run: this run has no {what}.", "not_run")


def note_of(row: pd.Series, otherwise: str) -> str:
    """Return the note of a row, or other words where it has none."""
    note = row.get("note")
    return note if isinstance(note, str) and note else otherwise


def tested(p: Any, q: Any) -> str:
    """Return a p-value and its q-value, as ``p = 0.02, q = 0.04``; the q-value where it is known."""
    return f"{p_value(p)}, {p_value(q, 'q')}" if known(q) else p_value(p)


def with_interval(value: Any, low: Any, high: Any, form: Callable[[Any], str] = number, unit: str = "") -> str:
    """Return a value with its 95 % interval, as ``0.2 [0.1, 0.3]``; ``unit`` stands between them."""
    span = interval(low, high, form)
    return f"{form(value)}{unit}{',' if span == NO_INTERVAL else ''} {span}"
