"""Bleaching, flicker, saturation and inheritance in time courses whose truth is planted."""

import numpy as np
import pandas as pd
import pytest
from tests.unit.features.feature_fields import make_tracks

import cineseq as cs
from cineseq.config.features import Function, Score
from cineseq.features.corrections import Trend, corrected, warnings_of
from cineseq.features.function_scores import live_values, score_table


def as_course(values) -> pd.DataFrame:
    tracks, frames = np.indices(values.shape)
    course = pd.DataFrame({"track_id": tracks.ravel(), "frame": frames.ravel(), "value": values.ravel()})
    return course.assign(hours=course["frame"] / 4, channel="lipid", sample="s", fov="1", background=0.0)


def bleached(loss=0.01, cells=30, frames=48, seed=0):
    rng = np.random.default_rng(seed)
    level = np.exp(rng.normal(np.log(100), 0.3, (cells, 1)))
    return level, level * (1 - loss) ** np.arange(frames) + rng.normal(0, 3, (cells, frames))


@pytest.mark.parametrize("settings", [{"bleaching": "field"}, {"bleaching": "known", "bleaching_per_frame": 0.01}])
def test_bleaching_is_corrected_if_asked(settings):
    level, values = bleached()
    course = as_course(values)
    plain, mended = (cs.score(corrected(course, Function(**s)), "endpoint") for s in ({}, settings))
    assert np.median(plain / level[:, 0]) == pytest.approx(0.63, abs=0.02)
    assert np.median(mended / level[:, 0]) == pytest.approx(1, abs=0.06)
    (said,) = warnings_of(course, Function())
    assert "a frame, which may be bleaching; function.bleaching corrects it" in said
    assert Trend.of(course).loss == pytest.approx(0.01, abs=0.001)


def test_a_flicker_of_the_lamp_is_said_and_corrected_if_asked():
    _, values = bleached(loss=0)
    values[:, 20] *= 0.7
    course = as_course(values)
    assert list(Trend.of(course).steps) == [20, 21]
    assert "all cells change at once in 2 frames, the first 20 (to 70%)" in warnings_of(course, Function())[0]
    mended = corrected(course, Function(flicker="field"))
    dip = mended.groupby("frame")["value"].median()
    assert dip[20] / dip[19] == pytest.approx(1, abs=0.03)
    assert dip[47] / dip[0] == pytest.approx(1, abs=0.05)


def test_steady_and_rising_fields_are_not_warned_of():
    _, values = bleached(loss=0)
    assert warnings_of(as_course(values), Function()) == []
    assert warnings_of(as_course(values + 2 * np.arange(48)), Function()) == []
    assert warnings_of(as_course(values[:3]), Function()) == []


def test_a_plateau_with_saturated_pixels_is_not_estimable():
    time = np.arange(30) / 4
    values = np.tile(50 * (1 - np.exp(-np.clip(time - 2, 0, None))), (4, 1)) + np.random.default_rng(0).normal(
        0, 1, (4, 30)
    )
    course = as_course(values).assign(saturated=0.0)
    course.loc[(course["track_id"] == 1) & (course["frame"] > 20), "saturated"] = 0.08
    course.loc[course["track_id"] == 2, "saturated"] = 0.04
    found = cs.score(course, "plateau", details=True)
    assert found["value"].isna().tolist() == [False, True, False, False]
    assert found["note"].iloc[1] == "more than 5 % of the pixels are saturated in a frame"
    assert "at most 8% of a cell" in warnings_of(course, Function())[-1]
    tracks = make_tracks([(0, 29, "lost")] * 4)
    named = course.assign(track_id=course["track_id"].map(tracks["track_id"]))
    table = score_table(named, tracks, Function(scores=[Score(name="a", channel="lipid", summary="plateau")]))
    assert table["function_a"].isna().tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("inherited", "daughter"), [("carried", [10.0, 12, 14, 16]), ("halved", [0.0, 2, 4, 6]), ("reset", [-1.0, 1, 3, 5])]
)
def test_a_daughters_inheritance_is_taken_away_as_configured(inherited, daughter):
    tracks = make_tracks([(0, 3, "division"), (4, 7, "lost"), (4, 7, "lost")])
    ids = tracks["track_id"].tolist()
    tracks["parent_id"] = pd.array([None, ids[0], None], dtype="string")
    course = as_course(np.array([[20.0] * 4, [10.0, 12, 14, 16], [10.0, 12, 14, 16]]))
    course["frame"] += np.where(course["track_id"] > 0, 4, 0)
    course["track_id"] = course["track_id"].map(dict(enumerate(ids)))
    live = live_values(course, tracks, Function(inherited=inherited, endpoint_frames=2))
    of = live.groupby("track_id")["value"].apply(list)
    assert of[ids[0]] == [20.0] * 4
    assert of[ids[1]] == daughter
    assert of[ids[2]] == [10.0, 12, 14, 16]


def test_a_known_loss_is_a_share():
    with pytest.raises(ValueError, match="bleaching_per_frame: must be a share"):
        Function(bleaching="known")


def measured(level: float, frames: int, track: str, measure: str, start: int = 0) -> pd.DataFrame:
    """Return a steady course of all measures: an area of 50 px and two spots per grey level."""
    course = as_course(np.full((1, frames), level)).assign(track_id=track)
    course = course.assign(mean=level, integrated=50 * level, spot_count=2 * level, spot_intensity=5 * level)
    return course.assign(frame=course["frame"] + start, value=course[measure])


MEASURES = ["mean", "integrated", "spot_count", "spot_intensity"]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("settings", [{"bleaching": "known", "bleaching_per_frame": 0.5}, {"flicker": "field"}])
def test_levels_are_corrected_and_numbers_of_spots_are_not(measure, settings):
    course = pd.concat([measured(8.0, 12, f"t{i}", measure) for i in range(6)], ignore_index=True)
    course.loc[course["frame"] >= 6, [*MEASURES, "value"]] /= 2
    mended = corrected(course, Function(measure=measure, **settings))
    assert mended["spot_count"].equals(course["spot_count"])
    assert mended["value"].equals(mended[measure].rename("value"))
    factor = 0.5 ** course["frame"] if "bleaching" in settings else np.where(course["frame"] >= 6, 0.5, 1)
    for name, per_level in (("mean", 1), ("integrated", 50), ("spot_intensity", 5)):
        assert (mended[name] * factor).to_numpy() == pytest.approx(course[name].to_numpy())
        assert course[name].iloc[0] == 8 * per_level


def test_a_course_of_counts_alone_is_not_corrected():
    course = as_course(np.full((6, 12), 8.0))
    asked = Function(measure="spot_count", bleaching="known", bleaching_per_frame=0.5)
    assert corrected(course, asked)["value"].tolist() == [8.0] * 72


@pytest.mark.parametrize("measure", MEASURES)
def test_a_daughter_inherits_half_of_an_amount_and_all_of_a_concentration(measure):
    tracks = make_tracks([(0, 3, "division"), (4, 7, "lost")])
    mother, daughter = tracks["track_id"]
    tracks["parent_id"] = pd.array([None, mother], dtype="string")
    course = pd.concat([measured(20.0, 4, mother, measure), measured(30.0, 4, daughter, measure, start=4)])
    live = live_values(course, tracks, Function(inherited="halved", measure=measure)).set_index("track_id")
    kept = live.loc[daughter].iloc[0]
    assert kept[MEASURES].tolist() == [30 - 20, 50 * (30 - 10), 2 * (30 - 10), 5 * (30 - 10)]
    assert kept["value"] == kept[measure]
    reset = live_values(course, tracks, Function(inherited="reset", measure=measure)).set_index("track_id")
    assert reset.loc[daughter, [*MEASURES, "value"]].to_numpy().tolist() == [[0] * 5] * 4
    assert reset.loc[mother, "value"].equals(live.loc[mother, "value"])


def test_unknown_saturation_is_said():
    course = as_course(np.full((3, 4), 100.0)).assign(saturated=np.nan)
    assert "which cells have saturated pixels is not known" in warnings_of(course, Function())[-1]
    assert warnings_of(course.assign(saturated=0.0), Function()) == []
