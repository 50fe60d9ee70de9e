"""Review of called deaths: which ends to look at, and what the answers say of precision and recall."""

from __future__ import annotations

import pandas as pd

from cineseq.errors import UserError
from cineseq.evaluation import reviewed_deaths
from cineseq.text import count

NEEDED = ("track_id", "sample", "fov", "end_kind", "end_frame", "end_y_px", "end_x_px")


def ends_to_review(tracks: pd.DataFrame, called: int = 60, others: int = 60, seed: int = 0) -> pd.DataFrame:
    """Draw ends of tracks at random, to be looked at in the movie.

    Parameters
    ----------
    tracks : pandas.DataFrame
        Tracks of one or more fields, as :func:`track` returns them or as in ``tracks.parquet``.
    called, others : int
        How many called deaths are drawn, and how many ends that are neither a death nor explained (lost, or left the
        field).
    seed : int
        Seed of the draw.

    Returns
    -------
    pandas.DataFrame
        Rows of a table of edits with an empty ``action``: write ``death``, ``not_death``, ``exit``, ``divide`` or
        ``link`` there (the last two need the cells that follow), and leave empty what cannot be decided. ``note`` is
        the track.

    Raises
    ------
    UserError
        When the table lacks a column of tracks.

    Examples
    --------
    >>> import cineseq as cs
    >>> import pandas as pd
    >>> tracks = pd.DataFrame({"track_id": ["a/1/1", "a/1/2"], "sample": "a", "fov": "1", "end_kind": ["death", "lost"],
    ...                        "end_frame": [7, 9], "end_y_px": [10.0, 80.0], "end_x_px": [20.0, 40.0]})
    >>> cs.ends_to_review(tracks)[["frame", "cell", "note"]].to_numpy().tolist()
    [[7, '10.0 20.0', 'a/1/1'], [9, '80.0 40.0', 'a/1/2']]
    """
    _check(tracks)
    return reviewed_deaths.ends_to_review(tracks, called, others, seed)


def death_scores(tracks: pd.DataFrame, reviewed: pd.DataFrame) -> pd.DataFrame:
    """Estimate the precision and recall of called deaths from reviewed ends.

    Parameters
    ----------
    tracks : pandas.DataFrame
        The tracks from which the ends were drawn, before the edits were replayed.
    reviewed : pandas.DataFrame
        The table of :func:`ends_to_review` with ``action`` filled in.

    Returns
    -------
    pandas.DataFrame
        ``value``, ``low``, ``high`` (95 %) and ``reviewed`` (ends) of ``precision``, ``recall`` and ``missed`` (the
        share of deaths among the other ends). The first two are ``lineage.death_precision`` and
        ``lineage.death_recall``. Missing where no such end was reviewed.

    Raises
    ------
    UserError
        When a column is missing, no reviewed end is one of these tracks, or rows of a track contradict each other.

    Notes
    -----
    Precision and ``missed`` have Wilson intervals. Recall combines both with the numbers of calls and other ends; its
    interval uses the limits of both, so it is wide rather than narrow. Ends of the list of uncertain events are not
    drawn at random and give lower numbers.

    Examples
    --------
    >>> import cineseq as cs
    >>> import pandas as pd
    >>> tracks = pd.DataFrame({"track_id": [f"a/1/{i}" for i in range(40)], "sample": "a", "fov": "1",
    ...                        "end_kind": ["death"] * 20 + ["lost"] * 20, "end_frame": 5,
    ...                        "end_y_px": 1.0, "end_x_px": 2.0})
    >>> drawn = cs.ends_to_review(tracks)
    >>> drawn["action"] = ["death" if int(t.split("/")[2]) < 18 else "not_death" for t in drawn["note"]]
    >>> cs.death_scores(tracks, drawn)["value"].round(2).to_dict()
    {'precision': 0.9, 'recall': 1.0, 'missed': 0.0}
    """
    _check(tracks)
    lacking = [name for name in ("action", "note") if name not in reviewed]
    if lacking:
        msg = f"reviewed: no column '{lacking[0]}'; pass the table of ends_to_review with action filled in."
        raise UserError(msg)
    if "end_confidence" in tracks:
        settled = tracks["end_kind"].isin(["death", "lost"]) & (tracks["end_confidence"] == 1)
        if tracks.loc[settled, "track_id"].isin(reviewed["note"]).any():
            msg = (
                "tracks: edits have already decided some of the reviewed ends, so nothing is left to score; pass the "
                "tracks from which the ends were drawn, of a run without these edits."
            )
            raise UserError(msg)
    scores = reviewed_deaths.death_scores(tracks, reviewed)
    if not scores["recall"].reviewed:
        known = ", ".join(reviewed_deaths.TRUE)
        msg = (
            f"reviewed: none of its {count(len(reviewed), 'row')} has an action ({known}) for an end of these tracks; "
            "fill in action, and pass the tracks from which the ends were drawn."
        )
        raise UserError(msg)
    return pd.DataFrame({name: vars(share) for name, share in scores.items()}).T.astype({"reviewed": int})


def _check(tracks: pd.DataFrame) -> None:
    lacking = [name for name in NEEDED if name not in tracks]
    if lacking:
        msg = f"tracks: no column '{lacking[0]}'; pass the table of tracks of cs.track or tracks.parquet."
        raise UserError(msg)
