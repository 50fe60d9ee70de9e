"""Function scores on synthetic time courses and fields with known answers."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from score_function import Settings, main
from tests.unit.features.feature_fields import Field, make_tracks

from cineseq.config.features import Function, Score
from cineseq.errors import UserError
from cineseq.features.function_scores import live_values, score_tracks
from cineseq.features.summaries import onsets
from cineseq.features.timecourse import bleed_through
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import SCORES, TIMECOURSE


def course(*values: list[float], first: int = 0) -> pd.DataFrame:
    rows = [
        ("s", "1", f"s/1/{i}", f, "lipid", v, 10.0)
        for i, track in enumerate(values, start=1)
        for f, v in enumerate(track, start=first)
    ]
    return pd.DataFrame(rows, columns=["sample", "fov", "track_id", "frame", "channel", "value", "background"])


def score(summary: str, values: pd.DataFrame, hours: float = 0.5, tracks: pd.DataFrame | None = None, **more):
    chosen = Function(**{k: v for k, v in more.items() if k in Function.model_fields})
    asked = Score(
        name="a", channel="lipid", summary=summary, **{k: v for k, v in more.items() if k in Score.model_fields}
    )
    if tracks is None:
        spans = values.groupby("track_id", sort=False)["frame"].agg(["min", "max"])
        tracks = make_tracks([(a, b, "lost") for a, b in spans.to_numpy()])
    timed = values.assign(hours=values["frame"] * hours)
    return score_tracks(live_values(timed, tracks, chosen), asked, chosen)


def run(
    folder, paths: dict, scores: list[dict], death: str | None = None, **sections: object
) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    made = {
        "timecourse": folder / "t.parquet",
        "scores": folder / "s.parquet",
        "report": folder / "r.json",
        "regions": folder / "r.png",
    }
    whole_cells = {"measure": "mean", "region": "mask", "background": "ring"}
    given_settings = {
        "field": {"sample": "s", "fov": "1"},
        "channels": {"function": ["lipid"], "death": death},
        "function": {"scores": scores, **whole_cells, **sections},
    }
    main(**paths, **made, settings=Settings.model_validate(given_settings))
    said = json.loads(made["report"].read_text())
    return read_table(made["timecourse"], TIMECOURSE), read_table(made["scores"], SCORES), said


def test_endpoint_maximum_and_area():
    values = course([0, 2, 4, 9, 6, 3], [5])
    assert score("endpoint", values).to_dict() == {"s/1/1": 6, "s/1/2": 5}
    assert score("endpoint", values, endpoint_frames=2)["s/1/1"] == 4.5
    assert score("maximum", values).to_dict() == {"s/1/1": 9, "s/1/2": 5}
    area = score("auc", values)
    assert area["s/1/1"] == pytest.approx(np.trapezoid([0, 2, 4, 9, 6, 3], dx=0.5))
    assert np.isnan(area["s/1/2"])
    assert score("auc", values, hours=np.nan)["s/1/1"] == pytest.approx(22.5)


def test_area_spans_gaps_in_the_track():
    values = course([0, 1, 2, 3, 4])
    assert score("auc", values[values["frame"] != 2])["s/1/1"] == pytest.approx(score("auc", values)["s/1/1"])


def test_frames_that_count_can_be_chosen():
    values = course([0, 2, 4, 9, 6, 3])
    assert score("maximum", values, from_frame=4)["s/1/1"] == 6
    assert score("maximum", values, to_frame=2)["s/1/1"] == 4
    assert score("maximum", values, from_frame=9).empty


def test_dying_frames_are_not_scored():
    values = course([1, 1, 1, 50, 60])
    tracks = make_tracks([(0, 4, "death")])
    assert score("maximum", values, tracks=tracks)["s/1/1"] == 1
    assert score("maximum", values, tracks=tracks, death_margin_frames=0)["s/1/1"] == 60


def test_missing_values_are_skipped_and_all_missing_is_missing():
    values = course([1, np.nan, 3], [np.nan, np.nan, np.nan])
    assert score("endpoint", values).to_dict() == {"s/1/1": 2}


@pytest.mark.parametrize("slope", [4.0, 12.0])
def test_onset_and_slope_are_recovered_under_noise(slope):
    rng = np.random.default_rng(3)
    frames = np.arange(40)
    clean = 20 + slope * np.clip(frames - 14, 0, None)
    noisy = [list(clean + rng.normal(0, 1, 40)) for _ in range(60)]
    live = live_values(course(*noisy), make_tracks([(0, 39, "lost")] * 60), Function())
    found = onsets(live.assign(time=live["frame"]), Function())
    assert found.notna().all()
    assert 14 <= found.median() <= 17
    assert score("slope_after_onset", course(*noisy)).median() == pytest.approx(slope * 2, rel=0.05)


def test_no_signal_rarely_has_an_onset():
    rng = np.random.default_rng(4)
    flat = [list(rng.normal(100, 3, 40)) for _ in range(200)]
    assert score("slope_after_onset", course(*flat)).notna().sum() < 4


def test_one_bright_frame_is_no_onset_and_a_constant_has_none():
    three = score("slope_after_onset", course([5, 5, 5, 5, 5, 5, 90, 5, 5, 5], [5.0] * 12, [5] * 6 + [90] * 6))
    assert three.dropna().index.tolist() == ["s/1/3"]


def test_a_rise_without_noise_has_its_slope_and_two_frames_have_none():
    assert score("slope_after_onset", course([5] * 6 + [7, 9, 11]), baseline_frames=5)["s/1/1"] == pytest.approx(4)
    short = score("slope_after_onset", course([5] * 6 + [7, 9]))
    assert short.isna().all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=6, max_size=20), st.floats(0.1, 20), st.floats(-100, 100))
def test_scores_follow_gain_and_offset(values, gain, offset):
    plain, changed = course(values), course([v * gain + offset for v in values])
    for summary in ("endpoint", "maximum"):
        wanted = score(summary, plain)["s/1/1"] * gain + offset
        assert score(summary, changed)["s/1/1"] == pytest.approx(wanted, abs=1e-6)


def ramps() -> np.ndarray:
    frames = np.arange(20)[:, None]
    return 50 + np.array([0.0, 10.0, 20.0]) * np.clip(frames - 8, 0, None)


def test_step_recovers_planted_slopes_in_micrographs(tmp_path):
    paths = Field(tmp_path, frames=20, values={"lipid": ramps()}).write()
    asked = [{"name": n, "channel": "lipid", "summary": n} for n in ("endpoint", "maximum", "auc", "slope_after_onset")]
    timecourse, scores, report = run(tmp_path, paths, asked)
    assert len(timecourse) == 60
    assert timecourse["background"].to_numpy() == pytest.approx(200, abs=2)
    assert np.isnan(scores["function_slope_after_onset"].iloc[0])
    assert scores["function_slope_after_onset"].iloc[1:].tolist() == pytest.approx([20, 40], rel=0.03)
    assert scores["function_endpoint"].tolist() == pytest.approx([50, 150, 250], abs=3)
    wanted = np.trapezoid(ramps(), dx=0.5, axis=0)
    assert scores["function_auc"].tolist() == pytest.approx(wanted, rel=0.03)
    assert report["numbers"]["onsets_lipid"] == 2
    assert report["numbers"]["scored_slope_after_onset"] == 2


def test_bleed_through_is_reported_and_absent_on_unrelated_channels(tmp_path):
    rng = np.random.default_rng(5)
    lipid = rng.uniform(100, 900, (8, 3))
    for name, nuclear in (("mixed", 50 + 0.5 * lipid), ("apart", rng.uniform(100, 900, (8, 3)))):
        folder = tmp_path / name
        folder.mkdir()
        paths = Field(folder, frames=8, values={"lipid": lipid, "nuclear": nuclear}).write()
        _, _, report = run(folder, paths, [{"name": "a", "channel": "lipid"}])
        value = report["numbers"]["bleed_through_lipid_nuclear"]
        assert value > 0.95 if name == "mixed" else abs(value) < 0.6


def test_bleed_through_does_not_measure_the_stain_of_dead_cells(tmp_path):
    paths = Field(tmp_path).write()
    *_, report = run(tmp_path, paths, [{"name": "fat", "channel": "lipid"}], death="nuclear")
    assert not [name for name in report["numbers"] if name.startswith("bleed_through")]


def test_bleed_through_of_few_objects_or_a_constant_is_not_estimable():
    both = course(list(range(12)))
    other = both.assign(channel="nuclear", value=3.0)
    brightness = pd.concat([both, other]).assign(label=1).rename(columns={"value": "mean"})
    assert bleed_through(brightness, ["lipid"]) == {("lipid", "nuclear"): None}
    few = brightness[brightness["frame"] < 4].assign(mean=lambda t: t["frame"] * 1.0)
    assert bleed_through(few, ["lipid"]) == {("lipid", "nuclear"): None}


def test_a_percentile_of_the_frame_can_be_the_background(tmp_path):
    paths = Field(tmp_path).write()
    timecourse, _, _ = run(tmp_path, paths, [{"name": "a", "channel": "lipid"}], background="percentile")
    assert timecourse["background"].nunique() <= 3
    assert timecourse["background"].to_numpy() == pytest.approx(195, abs=4)


@pytest.mark.parametrize("frames", [1, 3])
def test_no_cells_and_single_frames_are_legal(tmp_path, frames):
    paths = Field(tmp_path, frames=frames, centres=()).write()
    asked = [{"name": "a", "channel": "lipid", "summary": "slope_after_onset"}]
    timecourse, scores, report = run(tmp_path, paths, asked)
    assert (len(timecourse), len(scores), report["numbers"]["scored_a"]) == (0, 0, 0)
    assert "function_a" in scores.columns
    paths = Field(tmp_path, frames=frames).write()
    _, scores, _ = run(tmp_path, paths, asked)
    assert scores["function_a"].isna().all()


def test_without_a_frame_interval_time_is_in_frames(tmp_path):
    paths = Field(tmp_path, frames=20, values={"lipid": ramps()}, frame_interval_min=None).write()
    _, scores, report = run(tmp_path, paths, [{"name": "a", "channel": "lipid", "summary": "slope_after_onset"}])
    assert scores["function_a"].iloc[1] == pytest.approx(10, rel=0.03)
    assert "time is in frames" in report["lines"][0]


def test_a_channel_that_is_not_in_the_movie_is_refused(tmp_path):
    paths = Field(tmp_path).write()
    with pytest.raises(UserError, match=r"no channel 'lpid' as named in function.scores; the movie has nuclear, lipid"):
        run(tmp_path, paths, [{"name": "a", "channel": "lpid"}])
    assert not (tmp_path / "s.parquet").exists()


def test_settings_refuse_a_name_twice_and_frames_backwards():
    one = {"name": "a", "channel": "lipid"}
    with pytest.raises(ValidationError, match="the name 'a' is used twice"):
        Function(scores=[one, one])
    with pytest.raises(ValidationError, match="to_frame: must not be before from_frame"):
        Score(**one, from_frame=5, to_frame=4)
