"""Movies and label stacks come back as they were written, one page at a time."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from cineseq.errors import UserError
from cineseq.io.stacks import MovieInfo, open_labels, open_movie, write_labels, write_movie

INFO = MovieInfo(3, 8, 10, ("nuclear", "lipid"), 0.65, 30.0)
PLANES = [np.full((8, 10), n, np.uint16) for n in range(6)]


def test_planes_are_found_by_frame_and_channel(tmp_path: Path) -> None:
    write_movie(iter(PLANES), tmp_path / "m.ome.tif", INFO)
    with open_movie(tmp_path / "m.ome.tif") as movie:
        assert movie.info == INFO
        assert [int(movie.plane(t, c)[0, 0]) for t in range(3) for c in INFO.channels] == [0, 1, 2, 3, 4, 5]
        assert movie.planes(1, ["lipid", "nuclear"])[:, 0, 0].tolist() == [3, 2]
        assert movie.plane(0, "lipid").dtype == np.uint16


def test_what_was_seen_of_shifted_frames_comes_back(tmp_path: Path) -> None:
    info = replace(INFO, origins=((0, 0), (-2, 3), (4, -1)))
    write_movie(PLANES, tmp_path / "m.ome.tif", info)
    write_labels(PLANES[:3], tmp_path / "l.ome.tif", info)
    with open_movie(tmp_path / "m.ome.tif") as movie, open_labels(tmp_path / "l.ome.tif") as labels:
        assert movie.info == info
        assert labels.info.seen.tolist() == [[[0, 0], [8, 10]], [[0, 3], [6, 10]], [[4, 0], [8, 9]]]
        assert labels[1][labels.info.seen_part(1)].shape == (6, 7)
    assert INFO.seen.tolist() == [[[0, 0], [8, 10]]] * 3


def test_other_programs_find_axes_channels_and_scales(tmp_path: Path) -> None:
    write_movie(PLANES, tmp_path / "m.ome.tif", INFO)
    with tifffile.TiffFile(tmp_path / "m.ome.tif") as tiff:
        assert tiff.is_ome
        assert tiff.series[0].axes == "TCYX"
        assert tiff.series[0].shape == (3, 2, 8, 10)
        assert tiff.pages[0].compression.name == "ZSTD"
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (pixels["PhysicalSizeX"], pixels["PhysicalSizeXUnit"]) == (0.65, "µm")
    assert (pixels["TimeIncrement"], pixels["TimeIncrementUnit"]) == (30.0, "min")


@settings(deadline=None, max_examples=25)
@given(
    frames=st.integers(1, 3),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    channels=st.lists(st.from_regex(r"[A-Za-z0-9 ,._µé+-]{0,6}[A-Za-z0-9]", fullmatch=True), max_size=3, unique=True),
    size=st.one_of(st.none(), st.sampled_from([0.1083, 0.65, 1.0])),
    minutes=st.one_of(st.none(), st.sampled_from([0.5, 5.0, 30.0])),
    dtype=st.sampled_from([np.uint8, np.uint16, np.uint32, np.float32]),
)
def test_a_movie_comes_back_as_it_was(  # noqa: PLR0917 - drawn by name
    frames, height, width, channels, size, minutes, dtype, tmp_path_factory: pytest.TempPathFactory
) -> None:
    info = MovieInfo(frames, height, width, tuple(channels), size, minutes)
    count = frames * max(len(channels), 1)
    pages = np.random.default_rng(0).integers(0, 255, (count, height, width)).astype(dtype)
    path = tmp_path_factory.mktemp("movies") / "m.ome.tif"
    write_movie(pages, path, info)
    with open_movie(path) as movie:
        assert movie.info == info
        for t in range(frames):
            for c, name in enumerate(channels):
                np.testing.assert_array_equal(movie.plane(t, name), pages[t * len(channels) + c])
                assert movie.plane(t, name).dtype == dtype


@pytest.mark.parametrize("names", [("01", "1e3"), ("True", "None"), ("405,488", "a & <b>")])
def test_names_that_look_like_numbers_stay_names(names: tuple[str, ...], tmp_path: Path) -> None:
    write_movie(PLANES, tmp_path / "m.ome.tif", MovieInfo(3, 8, 10, names, None, None))
    with open_movie(tmp_path / "m.ome.tif") as movie:
        assert movie.info.channels == names
        assert movie.plane(0, names[1])[0, 0] == 1


def test_the_same_pixels_make_the_same_file(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_movie(PLANES, tmp_path / folder / "m.ome.tif", INFO)
    assert (tmp_path / "a/m.ome.tif").read_bytes() == (tmp_path / "b/m.ome.tif").read_bytes()


def test_labels_are_indexed_by_frame(tmp_path: Path) -> None:
    stack = np.arange(3 * 8 * 10, dtype=np.uint32).reshape(3, 8, 10) + 70_000
    write_labels(stack, tmp_path / "l.ome.tif", INFO)
    with open_labels(tmp_path / "l.ome.tif") as labels:
        assert labels.info == MovieInfo(3, 8, 10, (), 0.65, 30.0)
        assert len(labels) == 3
        np.testing.assert_array_equal(np.stack(list(labels)), stack)
        assert labels[2].dtype == np.uint32
        for frame in (-1, 3):
            with pytest.raises(IndexError):
                labels[frame]


def test_hours_are_unknown_without_an_interval() -> None:
    assert INFO.hours(np.array([0, 1, 4])).tolist() == [0.0, 0.5, 2.0]
    assert np.isnan(MovieInfo(3, 8, 10, (), None, None).hours(np.array([0, 1]))).all()


def test_a_channel_that_is_not_there(tmp_path: Path) -> None:
    write_movie(PLANES, tmp_path / "m.ome.tif", INFO)
    with (
        open_movie(tmp_path / "m.ome.tif") as movie,
        pytest.raises(UserError, match=r"no channel 'fat'; the movie has nuclear, lipid; correct channels"),
    ):
        movie.plane(0, "fat")


def test_too_few_planes_leave_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "m.ome.tif"
    write_movie(PLANES, path, INFO)
    before = path.read_bytes()
    with pytest.raises(RuntimeError):
        write_movie(PLANES[:5], path, INFO)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("part", [0, 4, 20, 200, 0.5, 0.99])
def test_a_truncated_movie_says_what_to_do(part: float, tmp_path: Path) -> None:
    path = tmp_path / "m.ome.tif"
    write_movie(PLANES, path, INFO)
    content = path.read_bytes()
    path.write_bytes(content[: int(part if part >= 1 else part * len(content))])
    with (
        pytest.raises(UserError, match=r"not a readable OME-TIFF .*; delete it and run the"),
        open_movie(path),
    ):
        pass


def test_files_that_are_no_movies(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "plain.tif", PLANES[0])
    for name in ("plain.tif", "none.tif"):
        with pytest.raises(UserError, match=rf"{name}: not a readable OME-TIFF"), open_labels(tmp_path / name):
            pass


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(st.floats(0.01, 1e4), min_size=1, max_size=8),
    aspect=st.floats(0.2, 5),
    channels=st.integers(0, 2),
    shifted=st.booleans(),
)
def test_irregular_times_and_oblong_pixels_are_read_back(steps, aspect, channels, shifted):
    times = (0.0, *np.cumsum(steps).tolist())
    names = tuple("ab"[:channels])
    origins = tuple((t, -t) for t in range(len(times))) if shifted else ()
    info = MovieInfo(len(times), 5, 6, names, 0.5, float(np.median(steps)), origins, aspect, times)
    planes = np.zeros((len(times) * max(channels, 1), 5, 6), np.uint16)
    with tempfile.TemporaryDirectory() as folder:
        write_movie(planes, Path(folder) / "m.ome.tif", info)
        with open_movie(Path(folder) / "m.ome.tif") as movie:
            back = movie.info
    assert (back.origins, back.channels, back.frames) == (origins, names, len(times))
    assert back.pixel_size_um == pytest.approx(0.5)
    assert back.pixel_aspect == pytest.approx(aspect)
    np.testing.assert_allclose(back.hours(np.arange(len(times))), np.array(times) / 60)
    assert back.hours(np.array(len(times))) == pytest.approx((times[-1] + np.median(steps)) / 60)
