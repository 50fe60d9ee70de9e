"""Precision and recall of called deaths from ends that a person has looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from cineseq.errors import UserError
from cineseq.text import listed

CALLED = "death"
TRUE = {"death": True, "not_death": False, "exit": False, "link": False, "divide": False}
"""Whether a cell died, by the action of the reviewed row."""


@dataclass(frozen=True)
class DeathScore:
    """A share with its 95 % interval, and the counts behind it; NaN where nothing was reviewed."""

    value: float
    low: float
    high: float
    reviewed: int


def ends_to_review(tracks: pd.DataFrame, called: int, others: int, seed: int) -> pd.DataFrame:
    """Draw called deaths, and other ends that neither the lineage nor the end of the movie explains, at random.

    Returns
    -------
    pandas.DataFrame
        Rows for the table of edits, by field and frame: ``action`` (empty, to be filled in), ``frame``, ``cell`` (the
        last position, row and column in px), ``next_frame``, ``next_cell``, ``second_cell`` (empty), ``note`` (the
        track), ``sample`` and ``fov``.
    """
    open_ends = tracks[tracks["end_kind"].isin(["death", "left_fov", "lost"])]
    is_death = open_ends["end_kind"] == CALLED
    rng = np.random.default_rng(seed)
    drawn = [
        group.iloc[rng.permutation(len(group))[:most]]
        for group, most in ((open_ends[is_death], called), (open_ends[~is_death], others))
    ]
    rows = pd.concat(drawn).sort_values(["sample", "fov", "end_frame", "track_id"])
    cell = [f"{round(y, 1)} {round(x, 1)}" for y, x in zip(rows["end_y_px"], rows["end_x_px"], strict=True)]
    empty = dict.fromkeys(("next_frame", "next_cell", "second_cell"), "")
    return pd.DataFrame(
        {
            "action": "",
            "frame": rows["end_frame"].to_numpy(),
            "cell": cell,
            **empty,
            "note": rows["track_id"].to_numpy(),
            "sample": rows["sample"].to_numpy(),
            "fov": rows["fov"].to_numpy(),
        }
    )


def death_scores(tracks: pd.DataFrame, reviewed: pd.DataFrame) -> dict[str, DeathScore]:
    """Return precision and recall of the called deaths among all open ends.

    Precision is the share of deaths among the reviewed calls. The share of deaths among the reviewed other ends, times
    their number, estimates the deaths that were missed; recall follows from both. Intervals of shares are Wilson's;
    that of recall combines the limits of both shares, so it is wide rather than narrow.

    Parameters
    ----------
    tracks
        Tracks before the review, with the contract TRACKS.
    reviewed
        ``note`` (the track) and ``action``; only actions of :data:`TRUE` count.

    Raises
    ------
    UserError
        When two rows of a track disagree on its death.
    """
    answer = reviewed.assign(died=reviewed["action"].map(TRUE)).dropna(subset=["died"])
    answer = answer.drop_duplicates(["note", "died"])
    if answer["note"].duplicated().any():
        track = answer.loc[answer["note"].duplicated(), "note"].iloc[0]
        msg = (
            f"reviewed: rows of track '{track}' disagree on whether it died "
            f"({listed(list(reviewed.loc[reviewed['note'] == track, 'action']))}); keep one of them."
        )
        raise UserError(msg)
    ends = tracks[tracks["end_kind"].isin(["death", "left_fov", "lost"])].set_index("track_id")["end_kind"]
    answer = answer[answer["note"].isin(ends.index)]
    is_call = (answer["note"].map(ends) == CALLED).to_numpy()
    died = answer["died"].to_numpy(bool)
    precision, missed = _share(died[is_call]), _share(died[~is_call])
    calls, others = int((ends == CALLED).sum()), int((ends != CALLED).sum())
    value, low, high = (
        _recall(calls, p, others, m)
        for p, m in ((precision.value, missed.value), (precision.low, missed.high), (precision.high, missed.low))
    )
    return {"precision": precision, "recall": DeathScore(value, low, high, len(answer)), "missed": missed}


def _share(true: np.ndarray) -> DeathScore:
    if not len(true):
        return DeathScore(np.nan, np.nan, np.nan, 0)
    low, high = proportion_confint(int(true.sum()), len(true), method="wilson")
    return DeathScore(float(true.mean()), float(low), float(high), len(true))


def _recall(calls: int, precision: float, others: int, missed: float) -> float:
    """Return recall from the numbers of calls and other ends, and the shares of deaths among them.

    It is 0 without any call if deaths were missed, and NaN where one of the two groups was not reviewed.
    """
    found = calls * precision if calls else 0.0
    deaths = found + (others * missed if others else 0.0)
    return found / deaths if deaths > 0 else np.nan
