"""Tracks and masks that count other frames, or that do not have the same."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.tracking.imports.external_examples import FRAMES, alone, on_masks, table

from cineseq.config.base import FieldOfView
from cineseq.config.tracking import Track
from cineseq.errors import UserError
from cineseq.tracking.imports.base import ExternalTracks, parent_links
from cineseq.tracking.imports.frames_agree import Counting, frames_without_row

FILE = Path("tracks.csv")


def external(frames: list[int] | np.ndarray, *, spans: bool = False) -> ExternalTracks:
    """Return a track with rows in these frames, or of these frames as spans."""
    if spans:
        table = pd.DataFrame({"track": range(1, len(frames) + 1), "first": frames, "last": frames})
        return ExternalTracks(None, parent_links(), table)
    return ExternalTracks(pd.DataFrame({"frame": frames, "track": 1}), parent_links())


def check(tracks: ExternalTracks, masks: int, settings: Track, frame_step: int = 1) -> list[int]:
    seen = np.ones(masks, bool)
    return frames_without_row(tracks, seen, Counting.of(settings, frame_step), settings, FILE).tolist()


def followed(message: str) -> Track:
    """Return the settings that a message names."""
    keys = dict(re.findall(r"track\.(\w+): (\w+)", message))
    return Track.model_validate({key: int(value) if value.isdigit() else value for key, value in keys.items()})


def refusal(tracks: ExternalTracks, masks: int, frame_step: int) -> str:
    """Return the message of the default settings; empty where the tracks are accepted."""
    try:
        check(tracks, masks, Track(), frame_step)
    except UserError as error:
        return str(error)
    return ""


@given(
    masks=st.integers(2, 30),
    counting=st.tuples(st.integers(0, 5), st.integers(1, 6), st.integers(0, 5)),
    thinned=st.integers(1, 3),
    spans=st.booleans(),
)
def test_every_other_counting_is_refused_with_the_settings_that_read_it(
    masks: int, counting: tuple[int, int, int], thinned: int, *, spans: bool
) -> None:
    # The file has every frame of the movie up to the last mask, and some that were left out after it.
    first, step, extra = counting
    tracks = external(first + np.arange((masks - 1) * step + 1 + min(extra, step - 1)), spans=spans)
    assert check(tracks, masks, Track(external_first_frame=first, external_frame_step=step), thinned) == []
    message = refusal(tracks, masks, thinned)
    if (first, step) == (0, thinned):
        assert not message
    elif message:
        assert message.startswith("tracks.csv: frame ")
        assert check(tracks, masks, followed(message), thinned) == []
    else:
        # Frames that were left out after the last mask hide another counting.
        assert thinned > 1
        assert (masks - 1) * thinned <= tracks_last(tracks) < masks * thinned


def tracks_last(tracks: ExternalTracks) -> int:
    return int(tracks.spans["last"].max() if tracks.rows is None else tracks.rows["frame"].max())


@given(annotated=st.sets(st.integers(0, 11), min_size=1), spans=st.booleans())
def test_frames_without_annotation_are_refused_unless_the_setting_says_so(annotated: set[int], *, spans: bool) -> None:
    tracks, bare = external(sorted(annotated), spans=spans), sorted(set(range(12)) - annotated)
    sparse = Track(external_frames="annotated")
    assert check(tracks, 12, sparse) == bare
    if not bare:
        assert check(tracks, 12, Track()) == []
        return
    with pytest.raises(UserError, match=f"frame {bare[0]} has objects in the masks and no row") as told:
        check(tracks, 12, Track())
    assert "track.external_frames: annotated" in str(told.value)


def test_empty_frames_need_no_row() -> None:
    seen = np.array([True, False, True])
    assert len(frames_without_row(external([0, 2]), seen, Counting(), Track(), FILE)) == 0


@given(frame=st.integers(12, 10**15))
def test_a_row_far_beyond_the_masks_is_refused(frame: int) -> None:
    with pytest.raises(UserError, match=f"frame {frame} of the file is not among the 12 frames of the masks"):
        check(external([*range(12), frame]), 12, Track(external_frames="annotated"))


@pytest.mark.parametrize("by", ["label", "place"])
@pytest.mark.parametrize(("first", "step"), [(1, 1), (0, 2), (3, 2)])
def test_the_advice_reads_the_tracks_as_they_are(by: str, first: int, step: int, tmp_path: Path) -> None:
    expected = on_masks(table(tmp_path, by), tmp_path)[1]
    rows = pd.read_csv(tmp_path / "external.csv")
    rows.assign(frame=rows["frame"] * step + first).to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(UserError, match=r"other\.csv: .*if the file counts .*, set track\.external_") as told:
        on_masks(tmp_path / "other.csv", tmp_path)
    tracks = on_masks(tmp_path / "other.csv", tmp_path, track=followed(str(told.value)))[1]
    pd.testing.assert_frame_equal(tracks, expected)


def test_tracks_of_a_thinned_movie_are_read_with_a_step_of_one(tmp_path: Path) -> None:
    expected = on_masks(table(tmp_path, "place"), tmp_path)[1]
    rows = pd.read_csv(tmp_path / "external.csv")
    thinned = rows[rows["frame"] % 2 == 0].assign(frame=lambda kept: kept["frame"] // 2)
    thinned.to_csv(tmp_path / "thinned.csv", index=False)
    rows.to_csv(tmp_path / "external.csv", index=False)
    with pytest.raises(UserError, match="has objects in the masks and no row"):
        on_masks(tmp_path / "external.csv", tmp_path, field=FieldOfView(frame_step=2))
    own = Track(external_frame_step=1)
    read = on_masks(tmp_path / "external.csv", tmp_path, field=FieldOfView(frame_step=2), track=own)[1]
    assert read["start_frame"].tolist() == expected["start_frame"].tolist()


def test_sparse_annotation_is_said_in_the_report(tmp_path: Path) -> None:
    rows = pd.read_csv(table(tmp_path, "place"))
    rows[rows["frame"] < FRAMES - 1].to_csv(tmp_path / "external.csv", index=False)
    with pytest.raises(UserError, match=r"frame 5 has objects in the masks and no row .*external_frames: annotated"):
        on_masks(tmp_path / "external.csv", tmp_path)
    _, tracks, report = on_masks(tmp_path / "external.csv", tmp_path, track=Track(external_frames="annotated"))
    assert sorted(tracks["frames"]) == [1, 1, 1, 2, 2, 3, 5]
    (notice,) = report["notices"]
    assert notice["level"] == "serious"
    assert notice["text"].startswith("1 frame of 6 with objects is not annotated (track.external_frames: annotated);")
    assert notice["text"] in report["lines"]


def test_points_that_may_be_counted_from_one_are_said_and_the_advice_works(tmp_path: Path) -> None:
    rows = pd.read_csv(table(tmp_path, "place"))
    rows.assign(frame=rows["frame"] + 1).to_csv(tmp_path / "external.csv", index=False)
    _, late, report = alone(tmp_path / "external.csv", tmp_path)
    assert late["start_kind"].tolist()[0] == "appeared"
    assert "The first point is in frame 1" in report["notices"][0]["text"]
    settings = followed(report["notices"][0]["text"])
    _, tracks, report = alone(tmp_path / "external.csv", tmp_path, track=settings)
    assert tracks["start_frame"].tolist() == [0, 3, 3, 0]
    assert report["notices"] == []
    with pytest.raises(UserError, match=r"there are rows before frame 2; set track\.external_first_frame to the first"):
        alone(tmp_path / "external.csv", tmp_path, track=Track(external_first_frame=2))
