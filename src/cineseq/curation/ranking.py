"""Ranking of the least certain events of a field, with the edits that settle them."""

from __future__ import annotations

import pandas as pd

EDIT_HEADER = "action,frame,cell,next_frame,next_cell,second_cell"
CLAIMS = {
    "link": "Same cell",
    "division": "Division",
    "possible_division": "No division",
    "death": "Death",
    "left_fov": "Left the field",
    "lost": "Lost, fate unknown",
}
"""The claim of each kind of event, as shown on the page."""
EDITS = {
    "link": ("link", "unlink"),
    "division": ("divide", "not_divide"),
    "possible_division": ("not_divide", "divide"),
    "death": ("death", "not_death"),
    "left_fov": ("exit", "death"),
    "lost": ("not_death", "death"),
}
"""The action that confirms each kind of event, and the most likely action that corrects it."""


def least_certain(events: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Return the least certain events that have not been edited.

    Parameters
    ----------
    events
        With the contract EVENTS, of one field.
    rows
        Largest number of events.

    Returns
    -------
    pandas.DataFrame
        With the contract CURATION, the least certain event first.
    """
    unedited = events[~events["edited"].astype(bool)]
    order = ["confidence", "kind", "frame", "label"]
    worst = unedited.sort_values(order, kind="stable").head(rows).reset_index(drop=True)
    rank = worst.index + 1
    names = [
        f"{n:04d}_{kind}_frame{frame}_cell{label}.png"
        for n, kind, frame, label in zip(rank, worst["kind"], worst["frame"], worst["label"], strict=True)
    ]
    settled = [_rows(event) for event in worst.to_dict("records")]
    return worst.drop(columns="edited").assign(
        rank=rank,
        strip=pd.Series(names, dtype="string"),
        edit_if_right=pd.Series([right for right, _ in settled], dtype="string"),
        edit_if_wrong=pd.Series([wrong for _, wrong in settled], dtype="string"),
    )


def _rows(event: dict[str, object]) -> tuple[str, str]:
    """Return the edits that confirm and that correct an event; empty where no single edit can.

    A division whose daughters start in different frames has no edit of its own.
    """
    right, wrong = (_row(action, event) for action in EDITS[str(event["kind"])])
    if event["kind"] == "link" and pd.notna(event["other_label"]):
        wrong = _row("link", event | {"next_label": event["other_label"]})
    return right, wrong


def _row(action: str, event: dict[str, object]) -> str:
    """Return one row of the table of edits as text; empty where a cell that it needs is missing."""
    named = {"link": ("next_label",), "unlink": ("next_label",), "divide": ("next_label", "other_label")}.get(
        action, ()
    )
    cells = [event[name] for name in named]
    if any(pd.isna(cell) for cell in cells):
        return ""
    later = [event["next_frame"], *cells] if cells else []
    parts = [action, event["frame"], event["label"], *later]
    return ",".join([*map(str, parts), *[""] * (EDIT_HEADER.count(",") + 1 - len(parts))])
