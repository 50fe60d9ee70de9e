"""The word beside each answer, and the one rule by which it follows from the numbers; see ``docs/verdicts.md``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import pandas as pd

from cineseq.statistics import ALPHA

Verdict = Literal["shown", "no_more_than_covariates", "shown_absent", "unresolved", "not_estimable", "not_run"]
VERDICTS: dict[Verdict, str] = {
    "shown": "shown",
    "no_more_than_covariates": "no more than covariates",
    "shown_absent": "shown absent",
    "unresolved": "unresolved",
    "not_estimable": "not estimable",
    "not_run": "not run",
}
"""Every verdict with its words, in the order in which the verdict of several claims is chosen."""


def is_above(low: float, null: float, q: float) -> bool:
    """Whether an effect is above what chance gives: its interval is, and the false discovery rate is at most 5 %.

    Parameters
    ----------
    low
        Lower end of the 95 % interval of the effect; NaN where there is none.
    null
        The effect that chance gives, such as 0, or the mean of a null.
    q
        Q-value of the test of this effect, in the family of hypotheses of its claim.
    """
    if any(pd.isna(value) for value in (low, null, q)):
        return False
    return bool(low > null and q <= ALPHA)


def judge(*, is_estimated: bool, is_shown: bool, adds: bool | None = None, is_absent: bool = False) -> Verdict:
    """Return the verdict on one claim.

    Parameters
    ----------
    is_estimated
        Whether there is an estimate.
    is_shown
        Whether the effect is beyond chance, see :func:`is_above`.
    adds
        Whether the same is so of what is left when covariates, or a group that was not taken into account, are given;
        None where there are none to compare with.
    is_absent
        Whether the one-sided 95 % interval of the effect ends below the margin of the claim.
    """
    if not is_estimated:
        return "not_estimable"
    if is_shown:
        return "no_more_than_covariates" if adds is False else "shown"
    return "shown_absent" if is_absent else "unresolved"


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of an answer that makes several claims: the first of :data:`VERDICTS` that one of them has."""
    found = set(verdicts)
    return next((verdict for verdict in VERDICTS if verdict in found), "not_estimable")
