"""Series of files as movies: cameras with several channels, lost frames, hidden files, and other formats."""

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cineseq.config.imaging import Channels, Inputs
from cineseq.errors import UserError
from cineseq.io.readers import ReadOptions, open_source
from cineseq.preprocessing.movie import Recording, Tally, corrected_planes, estimate_corrections, plan_movie

FILM = np.random.default_rng(0).integers(50, 900, (6, 4, 12, 16)).astype(np.uint16)


def planes(paths: list[Path], pattern: str | None = None, **options: bool) -> np.ndarray:
    with open_source(paths, pattern, ReadOptions(**options)) as source:
        info = source.info
        return np.stack([[source.plane(t, c) for c in range(info.channels)] for t in range(info.frames)])


def test_cameras_with_several_channels_each(tmp_path: Path) -> None:
    paths = []
    for t in range(6):
        for i, camera in enumerate("AB"):
            paths.append(tmp_path / f"t{t}_cam{camera}.tif")
            tifffile.imwrite(paths[-1], FILM[t, 2 * i : 2 * i + 2], imagej=True, metadata={"axes": "CYX"})
    with open_source(paths, "cam(?P<channel>[AB])") as source:
        assert source.info.names == ("A 0", "A 1", "B 0", "B 1")
    assert np.array_equal(planes(paths, "cam(?P<channel>[AB])"), FILM)


def test_stacks_of_cameras_with_several_channels_each(tmp_path: Path) -> None:
    paths = [tmp_path / f"cam{camera}.ome.tif" for camera in "AB"]
    for i, path in enumerate(paths):
        tifffile.imwrite(path, FILM[:, 2 * i : 2 * i + 2], metadata={"axes": "TCYX", "Channel": {"Name": ["x", "y"]}})
    with open_source(paths, "cam(?P<channel>[AB])") as source:
        assert source.info.names == ("A x", "A y", "B x", "B y")
        with pytest.raises(
            UserError, match=r"no channel 'B' .* \(2 channels in each file of A, 2 channels in each file"
        ):
            plan_movie(source, Inputs(), Channels(function=["B"]), 1)
    assert np.array_equal(planes(paths, "cam(?P<channel>[AB])"), FILM)


def test_more_stacks_than_stay_open(tmp_path: Path) -> None:
    stacks = np.arange(20 * 3 * 64, dtype=np.uint16).reshape(20, 3, 8, 8)
    paths = [tmp_path / f"c{i}.tif" for i in range(20)]
    for path, stack in zip(paths, stacks, strict=True):
        tifffile.imwrite(path, stack, photometric="minisblack")
    assert np.array_equal(planes(paths, r"c(?P<channel>\d+)"), stacks.swapaxes(0, 1))


def test_a_lost_frame_is_kept_without_cells_and_is_no_black_frame(tmp_path: Path) -> None:
    for t in (0, 1, 2, 4, 5):
        tifffile.imwrite(tmp_path / f"t{t}.tif", FILM[t, 0])
    with pytest.raises(UserError, match=r"t4\.tif: follows t2\.tif, so the frame numbered 3 is missing"):
        planes([tmp_path])
    inputs = Inputs(missing_frames="empty", flat_field="estimate", drift="translation")
    with open_source([tmp_path], None, None, "empty") as source:
        assert source.missing == (3,)
        assert source.info.notes == ("1 frame of the series has no file and is kept without cells: frame 3.",)
        plan = plan_movie(source, inputs, Channels(), 1)
        corrections = estimate_corrections(source, plan, inputs)
        tally = Tally()
        film = list(corrected_planes(Recording.of(source, plan, corrections, inputs), tally))
    assert len(film) == 6
    assert film[3].max() == 0
    assert tally.black == []


def test_masks_take_the_pattern_of_the_images_only_if_it_fits_them(tmp_path: Path) -> None:
    masks = [tmp_path / f"m{t}.tif" for t in range(3)]
    for path in masks:
        tifffile.imwrite(path, FILM[0, 0])
    assert planes(masks, "_(?P<channel>[PR])_", masks=True).shape == (3, 1, 12, 16)
    with pytest.raises(UserError, match="does not match"):
        planes(masks, "_(?P<channel>[PR])_")


def test_masks_of_cellpose_beside_the_images(tmp_path: Path) -> None:
    for t in range(3):
        tifffile.imwrite(tmp_path / f"img_{t}.tif", FILM[t, 0])
        tifffile.imwrite(tmp_path / f"img_{t}_cp_masks.tif", FILM[t, 1])
    with pytest.raises(UserError, match="of several kinds"):
        planes([tmp_path])
    assert np.array_equal(planes([tmp_path], "cellpose_masks"), FILM[:3, :1])
    assert np.array_equal(planes([tmp_path], "cellpose_masks", masks=True), FILM[:3, 1:2])


def test_hidden_files_of_a_folder_are_passed_over_and_named_where_they_are_listed(tmp_path: Path) -> None:
    for t in range(3):
        tifffile.imwrite(tmp_path / f"t{t}.tif", FILM[t, 0])
        (tmp_path / f"._t{t}.tif").write_bytes(b"\x00\x05\x16\x07")
    assert np.array_equal(planes([tmp_path]), FILM[:3, :1])
    with pytest.raises(UserError, match=r"\._t0\.tif: a hidden file of macOS"):
        planes(sorted(tmp_path.iterdir()))


def test_folders_inside_a_folder_are_searched_with_a_pattern(tmp_path: Path) -> None:
    for t in range(12):
        (tmp_path / f"TimePoint_{t + 1}").mkdir()
        tifffile.imwrite(tmp_path / f"TimePoint_{t + 1}" / "e_A01_s1_w1.tif", FILM[t % 6, 0] + np.uint16(t))
    with pytest.raises(UserError, match="a folder without TIFF or PNG files"):
        planes([tmp_path])
    assert np.array_equal(planes([tmp_path], "imagexpress")[:, 0], [FILM[t % 6, 0] + t for t in range(12)])


def test_what_to_do_with_arrays_of_numpy_works(tmp_path: Path) -> None:
    labels = FILM[:, 0] % 5
    np.save(tmp_path / "a_seg.npy", {"masks": labels}, allow_pickle=True)  # type: ignore[arg-type]
    np.savez(tmp_path / "segm.npz", labels)
    for name in ("a_seg.npy", "segm.npz"):
        with pytest.raises(UserError) as raised:
            planes([tmp_path / name])
        advice = re.search(r"tifffile\.imwrite\('masks\.tif', (.*)\)\.$", str(raised.value))
        assert advice is not None
        values = eval(advice[1], {"numpy": np, "path": tmp_path / name})
        tifffile.imwrite(tmp_path / "masks.tif", values)
        assert np.array_equal(planes([tmp_path / "masks.tif"])[:, 0], labels)


@pytest.mark.parametrize("name", ["RoiSet.zip", "f_0.jpg", "f_0.JPEG", "a.roi"])
def test_other_formats_are_answered_with_what_to_save(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UserError, match=rf"{name}: .*label images"):
        planes([tmp_path / name])


def test_files_of_a_series_have_the_same_channels_and_the_same_scale(tmp_path: Path) -> None:
    plane = np.arange(2 * 20 * 24, dtype=np.uint16).reshape(2, 20, 24)

    def written(folder: str, *frames: tuple[list[str], float]) -> list[Path]:
        (tmp_path / folder).mkdir()
        files = [tmp_path / folder / f"t{k}.ome.tif" for k in range(len(frames))]
        for file, (names, size) in zip(files, frames, strict=True):
            scale = {"PhysicalSizeX": size, "PhysicalSizeY": size}
            tifffile.imwrite(file, plane, metadata={"axes": "CYX", "Channel": {"Name": names}, **scale})
        return files

    with open_source(written("fine", (["DAPI", "GFP"], 0.5), (["DAPI", "GFP"], 0.501))) as source:
        assert source.plane(1, 1)[0, 0] == plane[1, 0, 0]
    swapped = written("swapped", (["DAPI", "GFP"], 0.5), (["GFP", "DAPI"], 0.5))
    with open_source(swapped) as source, pytest.raises(UserError, match=r"t1.*channels GFP, DAPI, frame 0 DAPI, GFP"):
        source.plane(1, 0)
    zoomed = written("zoomed", (["DAPI", "GFP"], 0.5), (["DAPI", "GFP"], 0.25))
    with open_source(zoomed) as source, pytest.raises(UserError, match=r"t1.*0.25 µm, frame 0 of 0.5 µm"):
        source.plane(1, 0)
