"""Precision and recall of called deaths from reviewed ends."""

import numpy as np
import pandas as pd
import pytest

import cineseq as cs
from cineseq.errors import UserError


def tracks_of(calls, others):
    kinds = ["death"] * calls + ["lost"] * others + ["division", "end_of_movie"]
    return pd.DataFrame(
        {"track_id": [f"a/1/{i}" for i in range(len(kinds))], "sample": "a", "fov": "1", "end_kind": kinds,
         "end_frame": range(len(kinds)), "end_y_px": 1.0, "end_x_px": 2.0}
    )  # fmt: skip


def test_recall_weighs_the_ends_that_were_not_called():
    # 40 calls, 36 of 40 reviewed died; 400 other ends, 2 of 100 reviewed died: 8 missed for 36 found
    tracks = tracks_of(40, 400)
    rows = [("death", i) for i in range(36)] + [("not_death", i) for i in range(36, 40)]
    rows += [("death", i) for i in (40, 41)] + [("exit", i) for i in range(42, 140)]
    scores = cs.death_scores(
        tracks, pd.DataFrame(rows, columns=["action", "n"]).assign(note=lambda t: "a/1/" + t["n"].astype(str))
    )
    assert scores["value"].to_dict() == pytest.approx({"precision": 0.9, "recall": 36 / 44, "missed": 0.02})
    assert scores.loc["precision", ["low", "high"]].tolist() == pytest.approx([0.7695, 0.9604], abs=1e-3)
    assert (scores["low"] < scores["value"]).all()
    assert (scores["high"] > scores["value"]).all()
    assert scores["reviewed"].tolist() == [40, 140, 100]


def test_ends_are_drawn_from_both_groups_and_only_from_open_ends():
    tracks = tracks_of(5, 300)
    drawn = cs.ends_to_review(tracks, called=60, others=20, seed=3)
    kinds = tracks.set_index("track_id")["end_kind"].reindex(drawn["note"])
    assert kinds.value_counts().to_dict() == {"lost": 20, "death": 5}
    assert drawn.equals(cs.ends_to_review(tracks, called=60, others=20, seed=3))
    assert drawn["action"].eq("").all()


def test_empty_actions_do_not_count_and_nothing_reviewed_is_an_error():
    tracks = tracks_of(20, 20)
    drawn = cs.ends_to_review(tracks)
    with pytest.raises(UserError, match="fill in action"):
        cs.death_scores(tracks, drawn)
    drawn.loc[0, "action"] = "death"
    scores = cs.death_scores(tracks, drawn)
    assert scores.loc["precision", "value"] == 1
    assert np.isnan(scores.loc["recall", "value"])


def test_recall_is_0_when_no_death_was_called_and_some_were_missed():
    tracks = tracks_of(0, 50)
    reviewed = pd.DataFrame({"note": [f"a/1/{i}" for i in range(50)], "action": ["death"] * 5 + ["not_death"] * 45})
    scores = cs.death_scores(tracks, reviewed)
    assert scores.loc["recall", ["value", "low", "high"]].tolist() == [0, 0, 0]
    assert np.isnan(scores.loc["precision", "value"])
    none = cs.death_scores(tracks, reviewed.assign(action="not_death"))
    assert np.isnan(none.loc["recall", "value"])
    assert cs.death_scores(tracks_of(5, 0), reviewed.head(5)).loc["recall", "value"] == 1


def test_rows_that_contradict_each_other_are_refused_and_repeated_ones_count_once():
    tracks = tracks_of(20, 20)
    rows = [("a/1/0", "death"), ("a/1/0", "death"), ("a/1/1", "exit"), ("a/1/1", "not_death")]
    reviewed = pd.DataFrame(rows, columns=["note", "action"])
    assert cs.death_scores(tracks, reviewed).loc["precision", ["value", "reviewed"]].tolist() == [0.5, 2]
    reviewed.loc[1, "action"] = "not_death"
    with pytest.raises(UserError, match=r"track 'a/1/0' disagree on whether it died \(death and not_death\)"):
        cs.death_scores(tracks, reviewed)


def test_tracks_with_replayed_edits_are_refused():
    tracks = tracks_of(20, 20).assign(end_confidence=1.0)
    drawn = cs.ends_to_review(tracks).assign(action="death")
    with pytest.raises(UserError, match="run without these edits"):
        cs.death_scores(tracks, drawn)
