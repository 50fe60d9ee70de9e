"""Families of tracks: parents, sisters and generations; impossible lineages are refused."""

import numpy as np
import pandas as pd
import pytest

from cineseq.config.base import FieldOfView
from cineseq.io.stacks import MovieInfo
from cineseq.tracking.lineage import (
    ImpossibleLineageError,
    TrackLineage,
    ancestors,
    detection_table,
    fates,
    sisters,
    track_table,
)
from cineseq.tracking.validate import validate

INFO = MovieInfo(6, 50, 50, (), None, 30.0)
FIELD = FieldOfView(sample="s", fov="f")


def family() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Track 1 divides into 2 and 3 at frame 2; 3 divides into 4 and 5 at frame 4; 6 is alone."""
    number = np.array([1, 6, 1, 6, 2, 3, 6, 2, 3, 6, 2, 4, 5, 6, 2, 4, 5])
    frame = np.array([0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5])
    objects = pd.DataFrame({"frame": frame, "y_px": 1.0 * number, "x_px": 2.0 * number, "area_px": 9.0})
    objects = objects.assign(label=number, touches_border=False)
    families = TrackLineage(number, {2: 1, 3: 1, 4: 3, 5: 3}, {})
    tracks = track_table(objects, families, FIELD, INFO)
    tracks["end_kind"] = ["division", "end_of_movie", "division", "end_of_movie", "end_of_movie", "lost"]
    tracks["start_kind"] = ["first_frame", *["division"] * 4, "first_frame"]
    return detection_table(objects, number, FIELD), pd.concat([tracks, fates(tracks["end_kind"])], axis=1)


def test_family_table_says_who_descends_from_whom():
    _, tracks = family()
    tracks = tracks.set_index("number")
    assert tracks["generation"].tolist() == [0, 1, 1, 2, 2, 0]
    assert tracks["founder_id"].tolist() == ["s/f/1"] * 5 + ["s/f/6"]
    assert tracks["sister_id"].fillna("-").tolist() == ["-", "s/f/3", "s/f/2", "s/f/5", "s/f/4", "-"]
    assert tracks["start_hours"].tolist() == [0.0, 1.0, 1.0, 2.0, 2.0, 0.0]
    assert tracks["alive_at_end"].isna().tolist() == [True, False, True, False, False, True]
    assert tracks["fate"].tolist() == ["division", "unknown", "division", "unknown", "unknown", "unknown"]


def test_validator_accepts_a_possible_family():
    validate(*family())


def test_unknown_frame_interval_leaves_hours_missing():
    objects = pd.DataFrame({"frame": [0], "y_px": [1.0], "x_px": [1.0], "area_px": [4.0]})
    table = track_table(objects, TrackLineage(np.array([1]), {}, {}), FIELD, MovieInfo(1, 5, 5, (), None, None))
    assert table["end_hours"].isna().all()


def _edit(column: str, number: int, value: object, kind: str = "tracks"):
    def edit(detections: pd.DataFrame, tracks: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        table = tracks if kind == "tracks" else detections
        table.loc[table["number" if kind == "tracks" else "track_id"].eq(number), column] = value
        return detections, tracks

    return edit


def _shared_object(detections, tracks):
    return pd.concat([detections, detections.iloc[[0]].assign(track_id="s/f/6")]), tracks


def _two_objects_in_a_frame(detections, tracks):
    return pd.concat([detections, detections.iloc[[0]].assign(label=99)]), tracks


def _early_daughter(detections, tracks):
    early = detections[detections["track_id"] == "s/f/2"].iloc[[0]].assign(frame=1, label=77)
    tracks.loc[tracks["number"] == 2, ["start_frame", "frames"]] = [1, 5]
    return pd.concat([detections, early]), tracks


def _one_daughter(detections, tracks):
    tracks.loc[tracks["number"] == 5, ["parent_id", "sister_id", "founder_id"]] = [pd.NA, pd.NA, "s/f/5"]
    tracks.loc[tracks["number"] == 5, ["generation", "start_kind"]] = [0, "appeared"]
    return detections, tracks


def _three_daughters(detections, tracks):
    late = detections[detections["track_id"] == "s/f/6"].iloc[[0]].assign(frame=5, label=98, track_id="s/f/7")
    third = tracks[tracks["number"] == 5].assign(track_id="s/f/7", number=7, start_frame=5, frames=1)
    return pd.concat([detections, late]), pd.concat([tracks, third], ignore_index=True)


def _cycle(detections, tracks):
    tracks.loc[tracks["number"].isin([1, 6]), "parent_id"] = ["s/f/2", "s/f/2"]
    return detections, tracks


def _unknown_parent(detections, tracks):
    tracks.loc[tracks["number"] == 6, "parent_id"] = "s/f/66"
    return detections, tracks


IMPOSSIBLE = {
    "in two tracks": _shared_object,
    "two objects in one frame": _two_objects_in_a_frame,
    "starts before its parent ends: 's/f/2'": _early_daughter,
    "one daughter only: 's/f/3'": _one_daughter,
    "more than two daughters: 's/f/3'": _three_daughters,
    "its own ancestor": _cycle,
    "parent of a track does not exist: 's/f/6'": _unknown_parent,
    "founder of a track contradicts": _edit("founder_id", 4, "s/f/6"),
    "generation of a track contradicts": _edit("generation", 4, 1),
    "sister of a track contradicts": _edit("sister_id", 4, "s/f/2"),
    "end_frame of a track contradicts": _edit("end_frame", 6, 5),
    "without daughters": _edit("end_kind", 6, "division"),
    "without a parent": _edit("start_kind", 6, "division"),
    "unknown track": _edit("track_id", "s/f/2", "s/f/9", "detections"),
    "has the same number|have the same number": _edit("number", 6, 5),
    "a track has no object": lambda d, t: (
        d,
        pd.concat([t, t.iloc[[5]].assign(track_id="s/f/8", number=8)], ignore_index=True),
    ),
    "a track is listed twice": lambda d, t: (d, pd.concat([t, t.iloc[[5]]], ignore_index=True)),
}


@pytest.mark.parametrize("said", IMPOSSIBLE)
def test_validator_refuses_an_impossible_lineage(said):
    with pytest.raises(ImpossibleLineageError, match=said):
        validate(*IMPOSSIBLE[said](*family()))


def test_own_ancestor_is_refused_before_it_loops():
    with pytest.raises(ImpossibleLineageError, match="its own ancestor"):
        ancestors(np.array([1, 2, 3]), {1: 3, 2: 1, 3: 2})


def test_only_two_daughters_are_sisters():
    assert sisters(np.array([1, 2, 3, 4, 5]), {2: 1, 3: 1, 5: 4}).tolist() == [0, 3, 2, 0, 0]
