"""What the groups of the folds and the number of cells cannot show, as sentences beside the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cineseq.prediction.estimands import PRIMARY, interval_note
from cineseq.statistics.correlation import detectable_r2
from cineseq.text import count, known, percent

FIELDS = ("fov", "sample and fov")
"""What ``grouped_by`` is where fields were held out."""


def by_groups(row: Mapping[str, Any]) -> str:
    """Return what the groups of the folds are, as `` by sample and fov``; empty where it is not recorded."""
    grouped_by = row.get("grouped_by")
    return f" by {grouped_by}" if isinstance(grouped_by, str) and grouped_by else ""


def held_out_alone(row: Mapping[str, Any]) -> str:
    """Report what held-out fields, families or single cells cannot show; empty where samples were held out."""
    grouped_by = str(row.get("grouped_by"))
    if grouped_by in FIELDS:
        return (
            "Fields were held out, not whole samples: that models hold in a sample on which they were not trained "
            "cannot be claimed."
        )
    held_out = {"family": "Families", "cell": "Single cells"}.get(grouped_by)
    if held_out is None:
        return ""
    includes = "" if row.get("estimand") == PRIMARY else "R² includes what the cells of a field share, and "
    return (
        f"{held_out} were held out, not fields or samples: {includes}that the result holds in another field or sample "
        "cannot be claimed."
    )


def few_groups(row: Mapping[str, Any]) -> str:
    """Report that there is no interval, or that it is from few groups; empty from twenty groups or without a number."""
    note = interval_note(int(row["groups"])) if known(row["groups"]) else ""
    if note and not known(row["r2_low"]):
        note = f"no interval of {count(row['groups'], 'group')} is estimable" if not note.startswith("no ") else note
    return f"{note[:1].upper()}{note[1:]}." if note else ""


def without_position(row: Mapping[str, Any]) -> str:
    """Report that the null does not keep how values vary with position; empty where it does or that is not recorded."""
    if "position_share" not in row or known(row["position_share"]):
        return ""
    return (
        "The test takes no account of positions in the field (they are unknown, or folds.position_null is off), so "
        "that a gradient within fields is not excluded."
    )


def scope_of(row: Mapping[str, Any]) -> str:
    """Report all that the groups of the folds and the null cannot show, in full sentences; empty where nothing."""
    return " ".join(text for text in (few_groups(row), held_out_alone(row), without_position(row)) if text)


def detectable(cells: Any) -> str:
    """State the smallest effect that so many cells can show; empty where their number is unknown."""
    if not known(cells):
        return ""
    return (
        f"Among {count(cells, 'independent cell')}, one predictor named beforehand is found with 80 % power if it "
        f"explains {percent(detectable_r2(int(cells)))} of the variance; the models add up the effects of genes, so a "
        "product of two genes would be missed."
    )
