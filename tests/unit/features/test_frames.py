"""Which frames stand for a track."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.unit.features.feature_fields import make_tracks

from cineseq.config.features import Features
from cineseq.features.frames import feature_frames, last_live_frames


def seen(*frames_of_tracks: list[int]) -> pd.DataFrame:
    rows = [(f"s/1/{i}", f) for i, frames in enumerate(frames_of_tracks, start=1) for f in frames]
    return pd.DataFrame(rows, columns=["track_id", "frame"])


def chosen(detections: pd.DataFrame, tracks: pd.DataFrame, **settings: object) -> list[tuple[str, int]]:
    found = feature_frames(detections, tracks, Features(**settings))
    return list(found.itertuples(index=False, name=None))


def test_last_live_frame_stops_before_death_and_at_division():
    tracks = make_tracks([(0, 9, "end_of_movie"), (0, 6, "division"), (2, 7, "death"), (1, 4, "lost")])
    detections = seen(list(range(10)), list(range(7)), list(range(2, 8)), list(range(1, 5)))
    assert chosen(detections, tracks) == [("s/1/1", 9), ("s/1/2", 6), ("s/1/3", 5), ("s/1/4", 4)]
    assert chosen(detections, tracks, death_margin_frames=0)[2] == ("s/1/3", 7)


def test_a_track_that_was_only_seen_dying_has_no_feature_frame():
    assert chosen(seen([4, 5]), make_tracks([(4, 5, "death")]), death_margin_frames=2) == []


def test_a_gap_at_the_end_moves_the_window_to_the_last_object():
    tracks = make_tracks([(0, 9, "death")])
    assert chosen(seen([0, 1, 2, 3, 4, 8, 9]), tracks, window_frames=2) == [("s/1/1", 3), ("s/1/1", 4)]


def test_endpoint_keeps_only_tracks_that_reached_the_end():
    tracks = make_tracks([(0, 4, "end_of_movie"), (0, 4, "death"), (0, 3, "left_fov")])
    detections = seen(list(range(5)), list(range(5)), list(range(4)))
    assert chosen(detections, tracks, frames="endpoint", window_frames=2) == [("s/1/1", 3), ("s/1/1", 4)]


def test_before_function_ends_one_frame_before_onset():
    tracks = make_tracks([(0, 9, "end_of_movie"), (5, 9, "lost"), (0, 4, "death")])
    detections = seen(list(range(10)), list(range(5, 10)), list(range(5)))
    got = chosen(detections, tracks, frames="before_function", function_onset_frame=4, window_frames=2)
    assert got == [("s/1/1", 2), ("s/1/1", 3), ("s/1/3", 2)]


def test_before_function_needs_its_frame():
    with pytest.raises(ValidationError, match="function_onset_frame: must be a frame number"):
        Features(frames="before_function")


def test_no_tracks_give_no_frames():
    assert chosen(seen(), make_tracks([])) == []


def test_death_margin_counts_for_deaths_alone():
    tracks = make_tracks([(0, 5, "death"), (0, 5, "lost")])
    assert last_live_frames(tracks, 3).tolist() == [2, 5]


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 6), st.sampled_from(["death", "division", "lost", "end_of_movie"])),
        max_size=6,
    ),
    st.sampled_from(["last_live_frame", "endpoint", "before_function"]),
    st.integers(1, 4),
)
def test_only_seen_live_frames_and_at_most_a_window(spans, frames, window):
    spans = [(first, first + more, kind) for first, more, kind in spans]
    detections = seen(*[list(range(first, last + 1)) for first, last, _ in spans])
    settings = Features(frames=frames, window_frames=window, function_onset_frame=3)
    tracks = make_tracks(spans)
    found = feature_frames(detections, tracks, settings)
    assert found.equals(found.drop_duplicates())
    assert len(found.merge(detections)) == len(found)
    assert found.groupby("track_id").size().max() <= window or found.empty
    live = found.merge(tracks.assign(live=last_live_frames(tracks, settings.death_margin_frames)))
    assert (live["frame"] <= live["live"]).all()
