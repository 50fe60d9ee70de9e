"""Summaries of time courses whose truth is planted."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from tests.unit.features.feature_fields import make_tracks

import cineseq as cs
from cineseq.config.features import SUMMARIES, Function, Score
from cineseq.errors import UserError
from cineseq.features.function_scores import live_values, score_table
from cineseq.features.kinetics import saturating_fits
from cineseq.features.summaries import steps

HOURS = 0.25


def as_course(values, hours=HOURS) -> pd.DataFrame:
    values = np.atleast_2d(np.asarray(values, float))
    tracks, frames = np.indices(values.shape)
    course = pd.DataFrame({"track_id": tracks.ravel(), "hours": frames.ravel() * hours, "value": values.ravel()})
    return course.dropna()


def noise(rng, shape, correlation=0.0):
    made = rng.normal(size=shape)
    for frame in range(1, shape[1]):
        made[:, frame] = correlation * made[:, frame - 1] + np.sqrt(1 - correlation**2) * made[:, frame]
    return made


def rises(seed=0, cells=60, snr=10.0, frames=48):
    rng = np.random.default_rng(seed)
    rate, plateau = np.exp(rng.uniform(np.log(0.4), np.log(4), cells)), np.exp(rng.normal(0, 0.4, cells))
    onset = rng.uniform(8, 24, cells) * HOURS
    since = np.maximum(np.arange(frames) * HOURS - onset[:, None], 0)
    values = plateau[:, None] * (1 - np.exp(-rate[:, None] * since)) + rng.normal(0, 1 / snr, (cells, frames))
    return values, {"rate": rate, "plateau": plateau, "onset": onset, "time_to_half": np.log(2) / rate}


def test_a_saturating_fit_ranks_rate_plateau_and_onset():
    values, truth = rises()
    course = as_course(values)
    for summary, least in (("rate", 0.85), ("plateau", 0.97), ("onset", 0.97), ("time_to_half", 0.85)):
        assert spearmanr(cs.score(course, summary), truth[summary])[0] > least
    assert abs((cs.score(course, "onset") - truth["onset"]).mean()) < 0.3 * HOURS
    assert np.median(cs.score(course, "plateau") / truth["plateau"]) == pytest.approx(1, abs=0.05)
    assert (cs.score(course, "responded") == 1).all()


def test_standard_errors_of_the_fit_are_those_of_its_errors():
    values, truth = rises(cells=120)
    for summary in ("plateau", "onset"):
        found = cs.score(as_course(values), summary, details=True)
        z = (found["value"] - truth[summary]) / found["standard_error"]
        assert 0.7 < np.std(z) < 1.5


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_flat_tracks_score_zero_and_have_no_onset(correlation):
    values = 20 + noise(np.random.default_rng(1), (300, 48), correlation)
    found = saturating_fits(as_course(values).rename(columns={"hours": "time"}), 0.01)
    flat = found["responded"] == 0
    assert flat.mean() > 0.97
    assert (found.loc[flat, ["rate", "plateau"]] == 0).all(axis=None)
    assert found.loc[flat, ["onset", "time_to_half"]].isna().all(axis=None)
    assert set(found.loc[flat, "rate_note"]) == {"the signal does not rise"}


def test_a_constant_and_a_fall_do_not_rise():
    found = cs.score(as_course([[5.0] * 20, list(np.linspace(9, 1, 20))]), "rate", details=True)
    assert found["value"].tolist() == [0, 0]
    assert cs.score(as_course([[5.0] * 20]), "responded").tolist() == [0]


def test_a_jump_is_not_resolved_and_stands_at_one_per_frame():
    values = np.where(np.arange(40) >= 15, 10.0, 0.0) + np.random.default_rng(2).normal(0, 0.1, (20, 40))
    found = cs.score(as_course(values), "rate", details=True)
    assert (found["value"] == 1 / HOURS).all()
    assert found["note"].str.startswith("not resolved").all()
    assert found["standard_error"].isna().all()


def test_few_frames_have_no_fit_and_say_so():
    found = cs.score(as_course([[1, 2, 3, 4, 5, np.nan], [np.nan] * 5 + [3]]), "rate", details=True)
    assert found["value"].isna().all()
    assert set(found["note"]) == {"fewer than 6 frames"}
    assert cs.score(as_course([[1, 2, 3, 4, 5]]), "responded").isna().all()


def test_a_gap_and_irregular_times_hardly_move_a_fit():
    values, truth = rises(cells=40)
    values[:, 20:26] = np.nan
    course = as_course(values)
    course["hours"] += np.random.default_rng(0).uniform(0, 0.05, len(course))
    assert spearmanr(cs.score(course, "plateau"), truth["plateau"])[0] > 0.95
    assert spearmanr(cs.score(course, "onset"), truth["onset"])[0] > 0.88


def test_tracks_of_a_long_movie_are_fitted_as_well_as_those_of_a_short_one():
    values, truth = rises(seed=1, cells=150)
    short = as_course(values)
    starts = np.random.default_rng(2).integers(0, 960 - 48, 150)
    long = short.assign(hours=short["hours"] + HOURS * starts[short["track_id"]])
    ranks = [spearmanr(cs.score(course, "rate"), truth["rate"])[0] for course in (short, long)]
    assert ranks[0] > 0.88
    assert ranks[1] == pytest.approx(ranks[0], abs=0.02)
    onset = cs.score(long, "onset")
    assert spearmanr(onset - HOURS * starts, truth["onset"])[0] > 0.97


@pytest.mark.parametrize(("frames", "cells", "most"), [(48, 30, 0.03), (300, 30, 0.03), (960, 12, 0.06)])
def test_without_noise_the_rate_is_the_planted_one(frames, cells, most):
    values, truth = rises(seed=1, cells=cells, snr=1e9, frames=frames)
    error = np.abs(cs.score(as_course(values), "rate") / truth["rate"] - 1)
    assert error.max() < most


@settings(max_examples=10, deadline=None)
@given(st.floats(0.1, 1000), st.floats(-500, 500))
def test_fits_follow_gain_and_offset(gain, offset):
    values, _ = rises(seed=3, cells=12)
    plain, changed = as_course(values), as_course(values * gain + offset)
    for summary, factor in (("rate", 1), ("onset", 1), ("plateau", gain)):
        wanted = cs.score(plain, summary) * factor
        assert cs.score(changed, summary).to_numpy() == pytest.approx(wanted.to_numpy(), rel=1e-3)


def test_area_per_hour_does_not_grow_with_the_time_seen():
    line = list(np.linspace(0, 24, 25))
    values = np.full((3, 25), np.nan)
    values[0], values[1, :13], values[2, :6] = line, line[:13], line[:6]
    found = cs.score(as_course(values, hours=1), "auc_per_hour", details=True)
    assert found["value"].iloc[:2].tolist() == pytest.approx([6, 6])
    assert np.isnan(found["value"].iloc[2])
    assert found["note"].iloc[2] == "the track does not cover the window from 0 to 12"
    asked = cs.score(as_course(values, hours=1), "auc_per_hour", window=(0.5, 4.5))
    assert asked.tolist() == pytest.approx([2.5, 2.5, 2.5])


def test_the_window_of_frames_is_the_one_asked_for():
    course = as_course(np.tile(np.arange(10.0), (2, 1))).assign(sample="s", fov="1", channel="lipid", background=0.0)
    course["frame"] = (course["hours"] / HOURS).astype(int)
    course = course[(course["track_id"] == 0) | (course["frame"] >= 4)]
    tracks = make_tracks([(0, 9, "lost"), (4, 9, "lost")])
    course["track_id"] = course["track_id"].map(tracks["track_id"])

    def area(**frames):
        score = Score(name="a", channel="lipid", summary="auc_per_hour", **frames)
        return score_table(course, tracks, Function(scores=[score]))["function_a"].tolist()

    assert area() == pytest.approx([6.5, 6.5])
    assert area(from_frame=0) == pytest.approx([4.5, np.nan], nan_ok=True)
    assert area(from_frame=5, to_frame=7) == pytest.approx([6, 6])
    assert area(from_frame=2, to_frame=30) == pytest.approx([np.nan, np.nan], nan_ok=True)


@pytest.mark.parametrize("summary", SUMMARIES)
def test_an_empty_table_and_one_without_values_are_scored(summary):
    level = {"threshold": 1.0} if summary == "time_above" else {}
    empty = pd.DataFrame({"track_id": [], "hours": [], "value": []})
    assert cs.score(empty, summary, **level).empty
    found = cs.score(empty.reindex(range(2)).assign(track_id="a", hours=[0, 1]), summary, details=True, **level)
    assert found["note"].tolist() == ["there is no value"]


def test_the_steepest_window_finds_a_ramp_whatever_surrounds_it():
    ramp = np.concatenate([np.full(10, 3.0), 3 + 2 * np.arange(1, 8), np.full(10, 17.0)])
    found = cs.score(as_course([ramp, -ramp]), "slope", slope_frames=6)
    assert found.tolist() == pytest.approx([8, 0], abs=1e-9)
    assert cs.score(as_course([[0, 1, 2, np.nan], [1, 2, np.nan, np.nan]]), "slope").tolist() == pytest.approx(
        [4, np.nan], nan_ok=True
    )


def test_the_maximum_of_noise_hardly_depends_on_the_number_of_frames():
    rng = np.random.default_rng(0)
    long, short = (cs.score(as_course(rng.normal(size=(300, n))), "maximum").mean() for n in (192, 12))
    assert long / short < 1.1
    assert cs.score(as_course([[1.0, 7.0, 2.0]]), "maximum").tolist() == [7]
    highest = rng.normal(size=(2, 100))
    assert cs.score(as_course(highest), "maximum", maximum_quantile=1).tolist() == highest.max(1).tolist()


def test_growth_time_above_and_steps():
    values = [0.0] * 6 + [10.0] * 6 + [30.0] * 6
    course = as_course(values, hours=1)
    assert cs.score(course, "growth").tolist() == [30]
    assert cs.score(course, "time_above", threshold=5).tolist() == pytest.approx([11.5])
    assert cs.score(course, "time_above", threshold=99).tolist() == [0]
    assert cs.score(course, "steps").tolist() == [2]
    assert cs.score(course, "first_step").tolist() == [6]
    found = steps(course.rename(columns={"hours": "time"}), Function())
    assert found["time"].tolist() == [6, 12]
    assert found["height"].tolist() == [10, 20]
    with pytest.raises(UserError, match="time_above needs a level"):
        cs.score(course, "time_above")


def test_counts_have_few_steps_and_equal_steps_are_one():
    rng = np.random.default_rng(6)
    for level in (0.1, 0.3, 1.0):
        assert (cs.score(as_course(rng.poisson(level, (200, 48))), "steps") > 0).mean() < 0.05
    assert cs.score(as_course([[1.0] * 10 + [2.0] * 10]), "steps").tolist() == [0]
    assert cs.score(as_course([[0.5] * 10 + [20.5] * 10]), "steps").tolist() == [1]
    ramp = [0.0] * 6 + [30.0, 60.0, 90.0, 120.0, 150.0] + [180.0] * 8
    found = steps(as_course([ramp], hours=1).rename(columns={"hours": "time"}), Function())
    assert (found["time"].diff().dropna() >= 3).all()
    few = cs.score(as_course([[0.0, 0.0, 9.0, 9.0, 9.0]]), "first_step", details=True)
    assert few["note"].tolist() == ["fewer than 6 frames"]


def test_notes_give_the_one_reason_that_holds():
    course = as_course([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, *[np.nan] * 5]])
    notes = {
        "time_above": ["its standard error is not estimable", "a single frame has no time"],
        "steps": ["a count has no standard error", "fewer than 6 frames"],
        "growth": ["one frame has no standard error", "fewer than 2 frames: the first and the last 1"],
    }
    for summary, wanted in notes.items():
        level = 0.0 if summary == "time_above" else None
        found = cs.score(course, summary, details=True, threshold=level, endpoint_frames=1)
        assert found["note"].tolist() == wanted, summary


def test_a_plateau_beyond_the_data_is_said_to_be_extrapolated():
    frames = np.arange(48)
    line = np.random.default_rng(7).normal(0, 0.1, (20, 48)) + 0.2 * np.maximum(frames - 10, 0)
    for summary in ("rate", "plateau", "time_to_half"):
        found = cs.score(as_course(line), summary, details=True)
        assert found["note"].str.startswith("not reached: extrapolated").mean() > 0.9
        values, _ = rises(cells=20)
        assert cs.score(as_course(values), summary, details=True)["note"].isna().mean() > 0.7
    assert cs.score(as_course(line), "onset", details=True)["note"].isna().all()


def test_noise_has_few_steps():
    course = as_course(np.random.default_rng(5).normal(size=(200, 48)))
    assert (cs.score(course, "steps") > 0).mean() < 0.05


def test_the_workflow_and_the_function_give_the_same():
    values, _ = rises(cells=30)
    values[3, 30:] = np.nan
    course = as_course(values)
    course = course.assign(
        sample="s", fov="1", frame=(course["hours"] / HOURS).astype(int), channel="lipid", background=0.0
    )
    tracks = make_tracks([(0, 47, "lost")] * 30)
    course["track_id"] = course["track_id"].map(tracks["track_id"])
    for summary in SUMMARIES:
        level = {"threshold": 0.5} if summary == "time_above" else {}
        score = Score(name="a", channel="lipid", summary=summary, **level)
        table = score_table(course, tracks, Function(scores=[score])).set_index("track_id")["function_a"]
        mine = cs.score(course, summary, **level).reindex(table.index)
        assert table.to_numpy() == pytest.approx(mine.to_numpy(float), nan_ok=True), summary


def test_responders_can_be_scored_apart():
    values, _ = rises(cells=20)
    values = np.vstack([values, np.random.default_rng(1).normal(0, 0.1, (20, 48))])
    course = as_course(values).assign(sample="s", fov="1", channel="lipid", background=0.0)
    course["frame"] = (course["hours"] / HOURS).astype(int)
    tracks = make_tracks([(0, 47, "lost")] * 40)
    course["track_id"] = course["track_id"].map(tracks["track_id"])
    asked = [
        Score(name="how_much", channel="lipid", summary="rate", responders_only=True),
        Score(name="rate", channel="lipid", summary="rate"),
        Score(name="whether", channel="lipid", summary="responded"),
    ]
    table = score_table(course, tracks, Function(scores=asked))
    assert table["function_how_much"].notna().tolist() == [True] * 20 + [False] * 20
    assert (table["function_rate"].iloc[20:] == 0).all()
    assert table["responded_rate"].tolist() == [True] * 20 + [False] * 20
    assert table["function_whether"].tolist() == [1.0] * 20 + [0.0] * 20
    assert live_values(course, tracks, Function())["track_id"].nunique() == 40


def test_scores_of_two_measures_do_not_share_a_fit():
    values, _ = rises(cells=12)
    course = as_course(values).assign(sample="s", fov="1", channel="lipid", background=0.0)
    course["frame"] = (course["hours"] / HOURS).astype(int)
    tracks = make_tracks([(0, 47, "lost")] * 12)
    course = course.assign(track_id=course["track_id"].map(tracks["track_id"]), integrated=course["value"] * 50)
    asked = [Score(name=m or "own", channel="lipid", summary="plateau", measure=m) for m in (None, "integrated")]
    table = score_table(course, tracks, Function(measure="mean", scores=asked))
    ratio = table["function_integrated"] / table["function_own"]
    assert ratio.to_numpy() == pytest.approx(np.full(12, 50), rel=1e-3)


def test_a_threshold_is_for_time_above_only():
    with pytest.raises(ValueError, match="threshold: must be a level where summary is time_above"):
        Score(name="a", channel="lipid", summary="time_above")
    with pytest.raises(ValueError, match="only there"):
        Score(name="a", channel="lipid", summary="rate", threshold=2)


def test_a_measure_can_be_named():
    course = as_course([[1.0, 2.0, 3.0]]).assign(mean=[4.0, 5.0, 6.0])
    assert cs.score(course, "endpoint", measure="mean").tolist() == [5]
    with pytest.raises(UserError, match="no column 'sum'; its columns are track_id, hours, value, mean"):
        cs.score(course, measure="sum")
