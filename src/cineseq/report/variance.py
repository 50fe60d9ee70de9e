"""The variance of one modality that the other explains, as a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cineseq.text import count, interval, known, p_value, percent


def beats_null(row: Mapping[str, Any], alpha: float) -> bool:
    """Whether R² is above its null with shuffled pairing; it may still be below zero."""
    return bool(known(row["p_value"]) and row["p_value"] <= alpha)


def is_explained(row: Mapping[str, Any], alpha: float) -> bool:
    """Whether R² is above zero and above its null with shuffled pairing."""
    return bool(beats_null(row, alpha) and row["r2"] > 0)


def variance_sentence(row: Mapping[str, Any], source: str, target: str, alpha: float) -> str:
    """State which fraction of the variance of ``target`` ``source`` explains, or why none was shown.

    Parameters
    ----------
    row
        One row of the table ``crossmodal_summary``, with an R².
    source, target
        Names of the modalities; ``source`` is the first word of the sentence.
    alpha
        Significance level.
    """
    span = interval(row["low"], row["high"], percent, named=True)
    within = f"{percent(row['r2_within_class'])} within classes; {count(row['n'], 'cell')}"
    null, p = percent(row["r2_null"]), p_value(row["p_value"])
    if is_explained(row, alpha):
        return (
            f"{source} explains {percent(row['r2'])} of the variance of {target} in held-out groups "
            f"({span}; {null} with shuffled pairing, {p}; {within})."
        )
    more, yet = ("more than", ", but not above zero") if beats_null(row, alpha) else ("not shown to be more than", "")
    return (
        f"{source} was not shown to explain any of the variance of {target} in held-out groups: "
        f"R² = {percent(row['r2'])} ({span}; {within}) is {more} with shuffled pairing ({null}, {p}){yet}."
    )
