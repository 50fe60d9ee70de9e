"""Each reader on small files written here, and what each refuses."""

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from cineseq.errors import UserError
from cineseq.io.readers import ReadOptions, open_source

SHAPE = (4, 2, 20, 30)


@pytest.fixture
def movie() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 1000, SHAPE, dtype=np.uint16)


def all_planes(source) -> np.ndarray:
    info = source.info
    return np.array([[source.plane(t, c) for c in range(info.channels)] for t in range(info.frames)])


def write_ome(path: Path, movie: np.ndarray, axes: str = "TCYX", **metadata) -> Path:
    tifffile.imwrite(path, movie, photometric="minisblack", ome=True, metadata={"axes": axes, **metadata})
    return path


def test_ome_tiff_gives_names_and_scales(tmp_path, movie):
    scales = {"PhysicalSizeX": 500, "PhysicalSizeXUnit": "nm", "TimeIncrement": 120.0, "TimeIncrementUnit": "s"}
    path = write_ome(tmp_path / "a.ome.tif", movie, Channel={"Name": ["DNA", "lipid"]}, **scales)
    with open_source([path]) as source:
        info = source.info
        assert (info.frames, info.channels, info.height, info.width) == SHAPE
        assert info.names == ("DNA", "lipid")
        assert info.pixel_size_um == pytest.approx(0.5)
        assert info.frame_interval_min == pytest.approx(2)
        np.testing.assert_array_equal(all_planes(source), movie)


def test_ome_channel_names_stay_text(tmp_path, movie):
    path = write_ome(tmp_path / "a.ome.tif", movie, Channel={"Name": ["01", "1e3"]})
    with open_source([path]) as source:
        assert source.info.names == ("01", "1e3")


def test_ome_tiff_in_another_axis_order(tmp_path, movie):
    path = write_ome(tmp_path / "a.ome.tif", movie.swapaxes(0, 1), axes="CTYX")
    with open_source([path]) as source:
        np.testing.assert_array_equal(all_planes(source), movie)


def test_ome_tiff_takes_the_interval_from_plane_times(tmp_path, movie):
    times = [30.0 * t for t in range(4) for _ in range(2)]
    plane = {"DeltaT": times, "DeltaTUnit": ["min"] * 8}
    path = write_ome(tmp_path / "a.ome.tif", movie, Plane=plane)
    with open_source([path]) as source:
        assert source.info.frame_interval_min == pytest.approx(30)


def test_imagej_hyperstack(tmp_path, movie):
    path = tmp_path / "a.tif"
    metadata = {"axes": "TCYX", "finterval": 600, "unit": "um"}
    tifffile.imwrite(path, movie, imagej=True, metadata=metadata, resolution=(4, 4))
    with open_source([path]) as source:
        assert source.info.pixel_size_um == pytest.approx(0.25)
        assert source.info.frame_interval_min == pytest.approx(10)
        np.testing.assert_array_equal(all_planes(source), movie)


def test_plain_stack_is_frames_or_interleaved_channels(tmp_path, movie):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, movie.reshape(8, 20, 30), photometric="minisblack", metadata=None)
    with open_source([path]) as source:
        assert (source.info.frames, source.info.channels) == (8, 1)
    with open_source([path], options=ReadOptions(channels=2)) as source:
        assert (source.info.frames, source.info.channels) == (4, 2)
        np.testing.assert_array_equal(all_planes(source), movie)
    with (
        pytest.raises(UserError, match=r"8 pages cannot be divided among the 3 channels"),
        open_source([path], None, ReadOptions(channels=3)),
    ):
        pass


def test_z_planes_without_time_are_taken_as_time(tmp_path, movie):
    path = write_ome(tmp_path / "a.ome.tif", movie[:, 0], axes="ZYX")
    with open_source([path]) as source:
        assert source.info.frames == 4
        assert "z planes are read as time" in source.info.notices[0]


def test_series_sorts_numbers_as_numbers(tmp_path, movie):
    paths = [tmp_path / f"t{t}.tif" for t in (8, 9, 10, 11)]
    for path, frame in zip(paths, movie[:, 0], strict=True):
        tifffile.imwrite(path, frame)
    with open_source(sorted(paths)) as source:
        np.testing.assert_array_equal(all_planes(source)[:, 0], movie[:, 0])
    with open_source([tmp_path]) as source:
        assert source.info.frames == 4


def test_series_of_multi_page_files(tmp_path, movie):
    paths = [tmp_path / f"t{t}.tif" for t in range(4)]
    for path, frame in zip(paths, movie, strict=True):
        tifffile.imwrite(path, frame, photometric="minisblack", metadata=None)
    with open_source(paths, options=ReadOptions(channels=2)) as source:
        np.testing.assert_array_equal(all_planes(source), movie)


def write_by_channel(folder: Path, movie: np.ndarray) -> list[Path]:
    paths = []
    for t in range(len(movie)):
        for c, name in enumerate("GR"):
            paths.append(folder / f"HC01501_{name}_B2_1_00d{t:02d}h30m.tif")
            tifffile.imwrite(paths[-1], movie[t, c])
    return paths


@pytest.mark.parametrize("pattern", [r"_(?P<channel>[A-Z])_B", r"_(?P<channel>[A-Z])_B.*_(?P<frame>\d+d\d+h\d+m)"])
def test_series_with_channels_in_names(tmp_path, movie, pattern):
    with open_source(write_by_channel(tmp_path, movie), pattern) as source:
        assert source.info.names == ("G", "R")
        np.testing.assert_array_equal(all_planes(source), movie)


def test_one_stack_per_channel(tmp_path, movie):
    paths = [tmp_path / "a_DNA.tif", tmp_path / "a_lipid.tif"]
    for c, path in enumerate(paths):
        tifffile.imwrite(path, movie[:, c], photometric="minisblack")
    with open_source(paths, r"_(?P<channel>\w+)\.tif") as source:
        assert (source.info.frames, source.info.names) == (4, ("DNA", "lipid"))
        np.testing.assert_array_equal(all_planes(source), movie)


def write_ome_zarr(path: Path, movie: np.ndarray, version: int) -> Path:
    store = zarr.storage.ZipStore(path, mode="w") if path.suffix == ".zip" else zarr.storage.LocalStore(path)
    with store:
        root = zarr.open_group(store, mode="w", zarr_format=version)
        root.create_array("0", data=movie, chunks=(1, 1, 20, 30))
        kinds = {
            "t": ("time", "minute"),
            "c": ("channel", None),
            "y": ("space", "micrometer"),
            "x": ("space", "micrometer"),
        }
        axes = [{"name": n, "type": k} | ({"unit": u} if u else {}) for n, (k, u) in kinds.items()]
        scale = {"type": "scale", "scale": [15.0, 1.0, 0.5, 0.5]}
        metadata = {
            "multiscales": [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}],
            "omero": {"channels": [{"label": "DNA"}, {"label": "lipid"}]},
        }
        root.attrs.update({"ome": metadata | {"version": "0.5"}} if version == 3 else metadata)
    return path


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("suffix", [".zarr", ".zarr.zip"])
def test_ome_zarr(tmp_path, movie, version, suffix):
    path = write_ome_zarr(tmp_path / f"a{suffix}", movie, version)
    with open_source([path]) as source:
        info = source.info
        assert (info.frames, info.channels, info.height, info.width) == SHAPE
        assert (info.names, info.pixel_size_um, info.frame_interval_min) == (("DNA", "lipid"), 0.5, 15)
        np.testing.assert_array_equal(all_planes(source), movie)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_png_series(tmp_path, movie, kind):
    frames = movie[:, 0].astype(kind)
    for t, frame in zip((8, 9, 10, 11), frames, strict=True):
        Image.fromarray(frame).save(tmp_path / f"t{t}.png")
    with open_source([tmp_path]) as source:
        assert (source.info.frames, source.info.channels) == (4, 1)
        found = all_planes(source)[:, 0]
    assert found.dtype == kind
    np.testing.assert_array_equal(found, frames)
    tifffile.imwrite(tmp_path / "stack.tif", movie[:2, 0])
    with open_source([tmp_path]) as source:
        assert source.info.frames == 2


def test_png_with_a_palette_gives_its_entries(tmp_path):
    entries = np.arange(6, dtype=np.uint8).reshape(2, 3)
    image = Image.fromarray(entries, "P")
    image.putpalette([200 - i for i in range(18)])
    image.save(tmp_path / "a.png")
    with open_source([tmp_path / "a.png"]) as source:
        np.testing.assert_array_equal(source.plane(0, 0), entries)
        assert "its palette indices are used as values" in source.info.notes[0]


def test_what_png_cannot_be_is_refused(tmp_path, movie):
    refused([tmp_path / "none.png"], r"none\.png: there is no such file")
    Image.new("RGB", (30, 20)).save(tmp_path / "rgb.png")
    refused([tmp_path / "rgb.png"], "colours or transparency")
    pages = [Image.fromarray(frame.astype(np.uint8)) for frame in movie[:, 0]]
    pages[0].save(tmp_path / "film.png", save_all=True, append_images=pages[1:])
    refused([tmp_path / "film.png"], "an animation of 4 pictures")
    whole = tmp_path / "whole.png"
    pages[0].save(whole)
    for share in (0, 0.5, 0.9):
        (tmp_path / "cut.png").write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
        refused([tmp_path / "cut.png"], "not a whole PNG file")


def test_ome_zarr_of_bioformats2raw(tmp_path, movie):
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    write_ome_zarr(tmp_path / "a.zarr" / "0", movie, 2)
    with open_source([tmp_path / "a.zarr"]) as source:
        np.testing.assert_array_equal(all_planes(source), movie)


def refused(paths: list[Path], match: str, pattern: str | None = None) -> None:
    with pytest.raises(UserError, match=match), open_source(paths, pattern) as source:
        all_planes(source)


def test_missing_files_are_refused(tmp_path):
    refused([tmp_path / "none.tif"], r"none\.tif: there is no such file")
    refused([tmp_path / "none.zarr"], "there is no such OME-Zarr")
    refused([], "no file was named")
    refused([tmp_path], "a folder without TIFF or PNG files")


def test_other_formats_are_refused(tmp_path):
    (tmp_path / "a.nd2").touch()
    refused([tmp_path / "a.nd2"], "convert it to OME-TIFF first")
    (tmp_path / "a.tif").write_text("no image")
    refused([tmp_path / "a.tif"], "not a whole TIFF file")
    zarr.open_group(tmp_path / "a.zarr", mode="w")
    refused([tmp_path / "a.zarr"], "not a readable OME-Zarr image")
    (tmp_path / "b.zarr.zip").write_text("no zip")
    refused([tmp_path / "b.zarr.zip"], "not a readable OME-Zarr image")


def test_plate_is_refused(tmp_path):
    zarr.open_group(tmp_path / "p.zarr", mode="w").attrs["ome"] = {"plate": {}}
    refused([tmp_path / "p.zarr"], "a plate; give the path of one field")


@pytest.mark.parametrize("how", ["ome", "shaped", "plain", "imagej", "zlib", "appended"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_truncated_tiff_is_refused(tmp_path, movie, how, share):
    path = tmp_path / "a.tif"
    if how == "ome":
        write_ome(path, movie)
    elif how == "imagej":
        tifffile.imwrite(path, movie, imagej=True, metadata={"axes": "TCYX"})
    elif how == "appended":
        with tifffile.TiffWriter(path) as tiff:
            for plane in movie[:, 0]:
                tiff.write(plane, contiguous=False, metadata=None)
    else:
        options = {"metadata": None} if how == "plain" else {"compression": "zlib"} if how == "zlib" else {}
        tifffile.imwrite(path, movie[:, 0], photometric="minisblack", **options)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    refused([path], "not a whole TIFF file")


def test_colour_and_z_stacks_are_refused(tmp_path, movie):
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((3, 20, 30, 3), np.uint8), photometric="rgb")
    refused([tmp_path / "rgb.tif"], "colour")
    colours = np.random.default_rng(0).integers(0, 255, (4, 20, 30, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "rgb.ome.tif", colours, photometric="rgb", metadata={"axes": "TYXS"})
    refused([tmp_path / "rgb.ome.tif"], "a colour .RGB. image; .* state its axes: inputs.axes: TYXC")
    grey = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unspecified"] * 2}
    tifffile.imwrite(tmp_path / "grey.ome.tif", colours, metadata={"axes": "TYXS"}, **grey)
    for name, options in (("rgb", ReadOptions(axes="TYXC")), ("grey", ReadOptions())):  # the first is what is advised
        with open_source([tmp_path / f"{name}.ome.tif"], None, options) as source:
            assert (all_planes(source) == colours.transpose(0, 3, 1, 2)).all()
    path = write_ome(tmp_path / "z.ome.tif", movie, axes="TZYX")
    refused([path], r"axes other than time and channel: Z \(2\)")


@pytest.mark.parametrize("shape", [(4, 2, 20, 30), (1, 2, 20, 30), (2, 4, 2, 20, 30)])
def test_several_unnamed_axes_are_refused(tmp_path, shape):
    values = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    tifffile.imwrite(tmp_path / "p.tif", values)
    refused([tmp_path / "p.tif"], rf"p\.tif: an array of shape {re.escape(str(shape))} with {len(shape) - 2} unnamed")
    if len(shape) == 4:
        tifffile.imwrite(tmp_path / "named.tif", values, photometric="minisblack", metadata={"axes": "TCYX"})
        with open_source([tmp_path / "named.tif"]) as source:
            np.testing.assert_array_equal(all_planes(source), values)


def test_unnamed_axes_of_length_one_are_one_plane(tmp_path, movie):
    tifffile.imwrite(tmp_path / "one.tif", movie[:1, :1])
    with open_source([tmp_path / "one.tif"]) as source:
        np.testing.assert_array_equal(all_planes(source), movie[:1, :1])


def test_frames_of_different_shapes_are_refused(tmp_path, movie):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(movie[0, 0], metadata=None)
        tiff.write(movie[1, 0], metadata=None)
        tiff.write(movie[2, 0, :10], metadata=None)
    refused([tmp_path / "a.tif"], r"page 2 has the shape \(10, 30\)")
    folder = tmp_path / "s"
    folder.mkdir()
    for t, rows in enumerate((20, 20, 10)):
        tifffile.imwrite(folder / f"t{t}.tif", movie[t, 0, :rows])
    refused([folder], "frame 2 has the shape 10 x 30 px")


def test_series_with_holes_are_refused(tmp_path, movie):
    paths = write_by_channel(tmp_path, movie)
    pattern = r"_(?P<channel>[A-Z])_B"
    refused([*paths[:3], *paths[4:]], "00d01h30m.tif: this frame has no file of channel R", pattern)
    refused([*paths, tmp_path / "other.tif"], "does not match inputs.channel_pattern", pattern)
    refused(paths, "same frame and channel", r"_(?P<channel>[A-Z])_B(?P<frame>2)")
    for t in (0, 1, 3):
        tifffile.imwrite(tmp_path / f"t{t}.tif", movie[0, 0])
    refused([tmp_path / f"t{t}.tif" for t in (0, 1, 3)], "the frame numbered 2 is missing")


def test_stacks_in_a_series_of_frames_are_refused(tmp_path, movie):
    for t in range(2):
        tifffile.imwrite(tmp_path / f"t{t}.tif", movie[:, 0], photometric="minisblack", metadata=None)
    refused([tmp_path / "t0.tif", tmp_path / "t1.tif"], "holds 4 frames, but is one of 2 files")


def test_labels_that_a_jpeg_has_changed_are_refused(tmp_path: Path) -> None:
    labels = np.zeros((2, 32, 32), np.uint8)
    labels[:, 4:20, 4:20] = 5
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, labels, compression="jpeg")
    with pytest.raises(UserError, match=r"m\.tif: these masks are compressed as JPEG"):
        open_source([path], options=ReadOptions(masks=True)).__enter__()
    tifffile.imwrite(path, labels, compression="zlib")  # as the message advises
    with open_source([path], options=ReadOptions(masks=True)) as source:
        assert (source.plane(1, 0) == labels[1]).all()
