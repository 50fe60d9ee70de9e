"""External masks: kept as they are, or refused."""

import json
from pathlib import Path

import import_masks
import numpy as np
import pytest
import tifffile
from hypothesis import given as drawing
from hypothesis import strategies as st
from skimage.measure import label as connected

from cineseq.config.imaging import Inputs
from cineseq.errors import UserError
from cineseq.io.readers.source import Source, SourceInfo
from cineseq.io.stacks import MovieInfo, open_labels, write_movie
from cineseq.preprocessing.masks import Survey, open_cell_masks, survey


@pytest.fixture
def given() -> np.ndarray:
    labels = np.zeros((4, 20, 30), np.uint16)
    labels[:, 2:6, 3:9] = 7
    labels[:, 10:15, 12:20] = 300
    labels[2, 10:15, 12:20] = 0
    return labels


def take(masks: list[Path], folder: Path, movie: Path | None = None, **settings) -> tuple[np.ndarray, object, dict]:
    labels, report = folder / "out" / "labels.ome.tif", folder / "out" / "report.json"
    chosen = import_masks.Settings.model_validate(settings)
    import_masks.main(masks=masks, labels=labels, report=report, settings=chosen, movie=movie)
    with open_labels(labels) as opened:
        return np.stack(list(opened)), opened.info, json.loads(report.read_text())


def write_series(folder: Path, given: np.ndarray) -> list[Path]:
    paths = [folder / f"man_seg{t:03d}.tif" for t in range(len(given))]
    for path, mask in zip(paths, given, strict=True):
        tifffile.imwrite(path, mask)
    return paths


def write_raw(path: Path, frames: int = 4, height: int = 20) -> Path:
    planes = (np.full((height, 30), t, np.uint16) for t in range(frames))
    write_movie(planes, path, MovieInfo(frames, height, 30, ("DNA",), 0.5, 10.0))
    return path


def test_series_and_stack_are_kept_as_they_are(tmp_path, given):
    tifffile.imwrite(tmp_path / "stack.tif", given, photometric="minisblack")
    for masks in (write_series(tmp_path, given), [tmp_path / "stack.tif"]):
        labels, info, report = take(masks, tmp_path)
        np.testing.assert_array_equal(labels, given)
        assert labels.dtype == np.uint16
        assert (info.pixel_size_um, info.channels) == (None, ())
        assert report["numbers"]["objects"] == 7
        assert report["numbers"]["objects_per_frame_min"] == 1


def test_scales_come_from_the_movie_or_the_configuration(tmp_path, given):
    masks = write_series(tmp_path, given)
    _, info, _ = take(masks, tmp_path, write_raw(tmp_path / "movie.ome.tif"))
    assert (info.pixel_size_um, info.frame_interval_min) == (0.5, 10)
    inputs = {"pixel_size_um": 0.3, "frame_interval_min": 5}
    labels, info, _ = take(masks, tmp_path, inputs=inputs, field={"frame_step": 2})
    assert (info.pixel_size_um, info.frame_interval_min) == (0.3, 10)
    np.testing.assert_array_equal(labels, given[::2])


def test_thinned_masks_fit_a_thinned_movie(tmp_path, given):
    movie = write_raw(tmp_path / "movie.ome.tif", frames=2)
    labels, info, _ = take(write_series(tmp_path, given), tmp_path, movie, field={"frame_step": 2})
    assert len(labels) == 2
    assert info.frame_interval_min == 10


def test_large_labels_are_kept(tmp_path, given):
    big = given.astype(np.int32)
    big[0, 0, 0] = 70_000
    labels, _, _ = take(write_series(tmp_path, big), tmp_path)
    assert labels.dtype == np.uint32
    assert labels.max() == 70_000


def test_whole_floats_are_converted_and_counted(tmp_path, given, caplog):
    labels, _, report = take(write_series(tmp_path, given.astype(np.float32)), tmp_path)
    np.testing.assert_array_equal(labels, given)
    assert report["numbers"]["float_masks"] == 4
    assert "Converted 4 masks" in caplog.text


def test_empty_frames_are_counted(tmp_path, given, caplog):
    given[1] = 0
    _, _, report = take(write_series(tmp_path, given), tmp_path)
    assert report["numbers"]["empty_frames"] == 1
    assert "the mask of frame 1 is empty" in caplog.text


def test_a_field_without_cells_is_legal(tmp_path, given):
    labels, _, report = take(write_series(tmp_path, given * 0), tmp_path)
    assert not labels.any()
    assert report["numbers"]["objects"] == 0


def change(given: np.ndarray, value: float, kind: type) -> np.ndarray:
    changed = given.astype(kind)
    changed[2, 0, 0] = value
    return changed


@pytest.mark.parametrize(
    ("value", "kind", "match"),
    [
        (0.5, np.float32, r"man_seg002\.tif: the mask of frame 2 has fractions"),
        (np.nan, np.float32, "frame 2 has fractions"),
        (-1, np.int16, "frame 2 has negative labels"),
    ],
)
def test_values_that_are_no_labels_are_refused(tmp_path, given, value, kind, match):
    with pytest.raises(UserError, match=match):
        take(write_series(tmp_path, change(given, value, kind)), tmp_path)
    assert not (tmp_path / "out").exists()


def test_black_and_white_masks_are_refused(tmp_path):
    dots = np.zeros((3, 20, 30), np.uint8)
    dots[:, 2::5, 2::5] = 255
    with pytest.raises(UserError, match="black-and-white"):
        take(write_series(tmp_path, dots), tmp_path)


discs = st.lists(st.tuples(st.integers(5, 44), st.integers(5, 54), st.integers(2, 4)), min_size=1, max_size=8)


def drawn(objects: list[tuple[int, int, int]], labelled: bool = True) -> np.ndarray:
    plane = np.zeros((50, 60), np.int64)
    yy, xx = np.mgrid[:50, :60]
    for i, (y, x, radius) in enumerate(objects):
        plane[np.hypot(yy - y, xx - x) <= radius] = i + 1 if labelled else 1
    return plane


def surveyed(masks: np.ndarray) -> Survey:
    info = SourceInfo(len(masks), 1, *masks.shape[1:])
    return survey(Source(Path("m.tif"), info, lambda frame, _: masks[frame]), range(len(masks)))


@drawing(frames=st.lists(discs, min_size=1, max_size=4), white=st.sampled_from([1, 255, 65535]))
def test_masks_of_one_label_are_refused_only_where_it_is_in_several_pieces(
    frames: list[list[tuple[int, int, int]]], white: int
) -> None:
    masks = np.stack([drawn(objects, labelled=False) * white for objects in frames])
    pieces = [connected(mask > 0).max() for mask in masks]
    sizes = [np.bincount(connected(mask > 0).ravel())[1:] for mask in masks]
    if any((size < 0.1 * size.max()).any() for size in sizes):
        return  # what is small against the largest piece is no cell of its own
    if max(pieces) == 1:
        assert surveyed(masks).counts == (1,) * len(masks)
        return
    with pytest.raises(UserError, match=f"one label only, {white}, which is in {max(pieces)} separate pieces"):
        surveyed(masks)
    surveyed(np.stack([connected(mask > 0) for mask in masks]))  # as the message advises


def test_a_colony_that_grows_is_black_and_white_in_any_frame() -> None:
    with pytest.raises(UserError, match="in 3 separate pieces in frame 1, so it is a black-and-white mask"):
        surveyed(np.stack([drawn([(10, 10, 4)], False), drawn([(10, 10, 4), (30, 30, 4), (40, 10, 4)], False)]))


def test_one_cell_with_a_speck_is_one_cell() -> None:
    mask = drawn([(20, 20, 9)], labelled=False)
    mask[40, 40] = 1
    assert surveyed(mask[None]).counts == (1,)


@drawing(frames=st.lists(discs, min_size=1, max_size=4), background=st.sampled_from([1, 9, 300]))
def test_a_background_with_a_label_is_no_cell(frames: list[list[tuple[int, int, int]]], background: int) -> None:
    plain = np.stack([drawn(objects) for objects in frames])
    masks = np.where(plain == 0, background, plain + 1000)
    with pytest.raises(UserError, match=f"label {background} lies along all sides") as raised:
        surveyed(masks)
    assert f"(masks[masks == {background}] = 0)" in str(raised.value)
    masks[masks == background] = 0
    assert surveyed(masks).counts == tuple(len(np.unique(mask)) - 1 for mask in plain)


def test_white_background_and_black_cells() -> None:
    masks = np.stack([255 * (drawn([(10, 10, 4), (30, 30, 4)]) == 0)] * 2)
    with pytest.raises(UserError, match=r"label 255 is all around 2 separate areas of 0 in frame 0, so background and"):
        surveyed(masks)
    assert surveyed(np.stack([connected(mask == 0) for mask in masks])).counts == (2, 2)  # as the message advises


def test_a_cell_that_fills_the_field_is_a_cell() -> None:
    assert surveyed(np.ones((3, 12, 12), np.uint8)).counts == (1, 1, 1)
    hollow = np.ones((2, 12, 12), np.uint8)
    hollow[:, 4:6, 4:6] = 0
    assert surveyed(hollow).counts == (1, 1)
    sides = np.ones((2, 12, 12), np.uint8)
    sides[:, :, 6:] = 2
    assert surveyed(sides).counts == (2, 2)


def test_channels_in_masks_are_refused(tmp_path, given):
    tifffile.imwrite(tmp_path / "a.ome.tif", given, photometric="minisblack", ome=True, metadata={"axes": "CYX"})
    with pytest.raises(UserError, match="4 channels in a label image"):
        take([tmp_path / "a.ome.tif"], tmp_path)


@pytest.mark.parametrize(("frames", "height"), [(3, 20), (4, 21)])
def test_masks_unlike_the_movie_are_refused(tmp_path, given, frames, height):
    movie = write_raw(tmp_path / "movie.ome.tif", frames, height)
    with pytest.raises(
        UserError, match=f"4 masks of 20 x 30 px, but the movie has {frames} frames of {height} x 30 px"
    ):
        take(write_series(tmp_path, given), tmp_path, movie)


def test_masks_of_a_movie_that_is_moved_are_refused(tmp_path, given):
    movie = write_raw(tmp_path / "movie.ome.tif")
    with pytest.raises(UserError, match=r"set inputs\.drift to none"):
        take(write_series(tmp_path, given), tmp_path, movie, inputs={"drift": "translation"})


def test_missing_frame_is_refused(tmp_path, given):
    paths = write_series(tmp_path, given)
    with pytest.raises(UserError, match="the frame numbered 1 is missing"):
        take([paths[0], *paths[2:]], tmp_path)


@pytest.mark.data
def test_real_masks(data_folder, tmp_path):
    masks = sorted((data_folder / "ctc_sim01/01_GT/SEG").glob("*.tif"))
    labels, _, report = take(masks, tmp_path)
    assert labels.shape == (10, 495, 534)
    assert report["numbers"]["objects"] == 163


def test_masks_of_one_frame_are_refused_unless_asked_for(tmp_path, given):
    paths = write_series(tmp_path, given)
    with pytest.raises(UserError, match=r"man_seg000\.tif: one frame was found, .*inputs\.allow_single_frame"):
        take(paths[:1], tmp_path)
    with pytest.raises(UserError, match="frame_step leaves one of 4 frames"):
        take(paths, tmp_path, field={"frame_step": 4})
    assert not (tmp_path / "out").exists()
    labels, _, _ = take(paths[:1], tmp_path, inputs={"allow_single_frame": True})
    assert len(labels) == 1


def test_masks_of_whole_cells_are_those_of_the_series_in_the_sheet(given, tmp_path):
    with tifffile.TiffWriter(tmp_path / "cells.ome.tif", ome=True) as file:
        for masks in (given, given[::-1]):
            file.write(masks, metadata={"axes": "TYX"})
    movie = MovieInfo(4, 20, 30, (), None, None)
    with open_cell_masks([tmp_path / "cells.ome.tif"], movie, Inputs(), 1, series="1") as cells:
        assert (cells(0) == given[3]).all()


def test_masks_of_whole_cells_are_shifted_with_the_movie(given, tmp_path):
    tifffile.imwrite(tmp_path / "cells.tif", given, photometric="minisblack")
    still = MovieInfo(2, 20, 30, (), None, None)
    moved = MovieInfo(2, 20, 30, (), None, None, origins=((0, 0), (3, -2)))
    with open_cell_masks([tmp_path / "cells.tif"], still, Inputs(), 2) as cells:
        assert (cells(0) == given[0]).all()
        assert (cells(1) == given[2]).all()
    with open_cell_masks([tmp_path / "cells.tif"], moved, Inputs(), 2) as cells:
        assert (cells(1)[3:, :-2] == given[2][:-3, 2:]).all()
        assert not cells(1)[:3].any()
        assert not cells(1)[:, -2:].any()
    with open_cell_masks([], still, Inputs(), 1) as cells:
        assert cells is None
    with (
        pytest.raises(UserError, match="4 masks of 20 x 30 px, but the movie has 2 frames"),
        open_cell_masks([tmp_path / "cells.tif"], still, Inputs(), 1),
    ):
        pass


def test_masks_of_classes_of_pixels_are_refused(tmp_path):
    masks = np.zeros((6, 30, 60), np.uint8)
    for k in range(3):
        masks[:, 5:15, 5 + 18 * k : 17 + 18 * k] = 2
        masks[:, 7:13, 7 + 18 * k : 15 + 18 * k] = 1
    tifffile.imwrite(tmp_path / "classes.tif", masks)
    with pytest.raises(UserError, match=r"labels 1 and 2, each in at least 3 separate pieces in frame 0, so they are"):
        take([tmp_path / "classes.tif"], tmp_path)
    masks[0, 20:25, 20:25] = 3
    masks[:, 20:25, 40:45] = 4
    tifffile.imwrite(tmp_path / "objects.tif", masks)
    np.testing.assert_array_equal(take([tmp_path / "objects.tif"], tmp_path)[0], masks)
