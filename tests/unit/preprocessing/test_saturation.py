"""Saturated pixels of the raw movie survive its corrections."""

import numpy as np
import prepare_movie
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cineseq.preprocessing.saturation import Saturation


@given(arrays(np.uint8, st.tuples(st.integers(1, 5), st.just(3), st.integers(1, 11)), elements=st.integers(0, 4)))
def test_pixels_at_the_highest_level_of_the_movie_are_kept(tmp_path_factory, movie):
    seen = Saturation()
    for frame, plane in enumerate(movie):
        at_top = seen.see(plane, "a")
        if at_top is not None:
            seen.keep(at_top, frame, "a")
    path = tmp_path_factory.mktemp("saturation") / "s.npz"
    seen.write(path, ["a"])
    stored = Saturation.read(path)
    for frame, plane in enumerate(movie):
        assert (stored.of(frame, "a") == (plane == movie.max())).all()
    assert not stored.of(0, "b").any()
    seen.write(path, [])
    assert not Saturation.read(path).of(0, "a").any()


def test_saturation_is_that_of_the_raw_movie_whatever_corrects_it(tmp_path):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:60, :80]
    light = 1 - 0.4 * ((x / 80 - 0.5) ** 2 + (y / 60 - 0.5) ** 2)
    raw = np.clip(rng.poisson(900 * light, (6, 60, 80)), 0, 4095).astype(np.uint16)
    raw[2:, 20:30, 30:50] = 4095
    tifffile.imwrite(tmp_path / "raw.tif", raw, photometric="minisblack")
    chosen = prepare_movie.Settings.model_validate(
        {"inputs": {"flat_field": "estimate"}, "channels": {"names": ["a"]}, "field": {"sample": "s", "frame_step": 2}}
    )
    paths = {name: tmp_path / name for name in ("movie.ome.tif", "saturated.npz", "report.json")}
    prepare_movie.main(
        images=[tmp_path / "raw.tif"],
        movie=paths["movie.ome.tif"],
        report=paths["report.json"],
        saturated=paths["saturated.npz"],
        settings=chosen,
    )
    stored = Saturation.read(paths["saturated.npz"])
    for frame in range(3):
        assert (stored.of(frame, "a") == (raw[2 * frame] == 4095)).all()
