"""Times of frames and sizes of pixels: what is used of the planes, the file and the configuration."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cineseq.config.imaging import Inputs
from cineseq.io.readers import Source, SourceInfo
from cineseq.preprocessing.scales import frame_times, pixel_scale


def source_of(times: list[float], interval: float | None = None, **info) -> Source:
    described = SourceInfo(len(times) or 5, 1, 4, 4, frame_interval_min=interval, times_min=tuple(times), **info)
    return Source(Path("m.ome.tif"), described, lambda _t, _c: np.zeros((4, 4)))


@given(start=st.floats(0, 1e4), interval=st.floats(0.1, 300), frames=st.integers(2, 40))
def test_regular_planes_give_an_interval_and_nothing_more(start, interval, frames):
    found = frame_times(source_of([start + interval * t for t in range(frames)]), Inputs())
    assert found.interval_min == pytest.approx(interval, rel=1e-3)
    assert (found.minutes, found.notices) == ((), ())


@given(steps=st.lists(st.floats(1, 50), min_size=3, max_size=20), pause=st.floats(100, 1000), step=st.integers(1, 3))
def test_a_pause_is_kept_and_said(steps, pause, step):
    steps[len(steps) // 2] += pause
    times = np.concatenate([[0], np.cumsum(steps)])
    found = frame_times(source_of(list(times)), Inputs())
    np.testing.assert_allclose(found.minutes, times, atol=1e-9)
    assert "irregular times of frames" in found.notices[-1]
    assert f"frame {np.abs(steps - np.median(steps)).argmax() + 1} is" in found.notices[-1]
    kept = found.of(range(0, len(times), step))
    np.testing.assert_allclose(kept.minutes, times[::step], atol=1e-9)


def test_planes_that_contradict_the_stated_interval_win_and_it_is_said():
    found = frame_times(source_of([0, 7, 14, 21], 5), Inputs())
    assert (found.interval_min, found.minutes) == (7, ())
    assert "states 5 min between frames, but its planes are 7 min apart" in found.notices[0]
    # What the sentence advises.
    advised = frame_times(source_of([0, 7, 14, 21], 5), Inputs(frame_times="regular"))
    assert (advised.interval_min, advised.notices) == (5, ())


def test_a_configured_interval_wins_over_planes_that_contradict_it():
    found = frame_times(source_of([0, 7, 14, 200], 7), Inputs(frame_interval_min=10))
    assert (found.interval_min, found.minutes) == (10, ())
    assert "inputs.frame_interval_min is 10, but its planes are 7 min apart" in found.notices[0]
    confirmed = frame_times(source_of([0, 7, 14, 200], 7), Inputs(frame_interval_min=7))
    assert confirmed.minutes == (0, 7, 14, 200)


@pytest.mark.parametrize("times", [[0, 0, 0], [3, 2, 1], [0, 5, 5, 6], [0]])
def test_times_that_do_not_increase_are_not_used(times, caplog):
    found = frame_times(source_of(times, 5), Inputs())
    assert (found.interval_min, found.minutes) == (5, ())
    assert ("do not increase" in caplog.text) == (len(set(times)) > 1)


def test_oblong_pixels_have_two_sizes_unless_one_is_configured():
    oblong = source_of([], pixel_size_um=(0.65 * 1.3) ** 0.5, pixel_aspect=2.0)
    found = pixel_scale(oblong, Inputs())
    assert (found.size_um**2, found.aspect) == (pytest.approx(0.845), 2)
    assert "pixels are oblong, 0.65 µm wide and 1.3 µm high" in found.notices[0]
    configured = pixel_scale(oblong, Inputs(pixel_size_um=0.65))
    assert (configured.size_um, configured.aspect) == (0.65, 1)
    assert "takes them for squares of 0.65 µm" in configured.notices[0]
