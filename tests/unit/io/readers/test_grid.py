"""Which axis of an array is time and which holds the channels, in TIFF and in OME-Zarr."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.io.readers.ome_examples import image_xml, ome_xml

from cineseq.errors import UserError
from cineseq.io.readers import ReadOptions, open_source

LENGTHS = {"T": 7, "C": 3, "Z": 1, "Y": 18, "X": 21}


def planes_of(path: Path, **options) -> np.ndarray:
    with open_source([path], options=ReadOptions(**options)) as source:
        info = source.info
        planes = [[source.plane(t, c) for c in range(info.channels)] for t in range(info.frames)]
        assert np.shape(planes)[2:] == (info.height, info.width)
        return np.array(planes)


def notices_of(path: Path, **options) -> str:
    with open_source([path], options=ReadOptions(**options)) as source:
        return " ".join(source.info.notices)


def refusal(path: Path, **options) -> str:
    with pytest.raises(UserError) as caught:
        planes_of(path, **options)
    return str(caught.value)


def array_with(axes: str, **lengths: int) -> tuple[np.ndarray, np.ndarray]:
    """An array of some axes, and its planes in the order time, channel, rows, columns."""
    sizes = LENGTHS | lengths
    shape = [sizes[axis] if axis in axes else 1 for axis in "TCZYX"]
    full = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    kept = full.reshape([n for axis, n in zip("TCZYX", shape, strict=True) if axis in axes])
    order = [a for a in "TCZYX" if a in axes]
    return kept.transpose([order.index(axis) for axis in axes]), full[:, :, 0]


def write_plain(path: Path, array: np.ndarray, **metadata) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tifffile.imwrite(path, array, photometric="minisblack", **metadata)
    return path


@given(axes=st.permutations("TCZYX"), left=st.sets(st.sampled_from("TCZ")), named=st.booleans())
@settings(max_examples=60, deadline=None)
def test_stated_axes_are_read_in_any_order(axes, left, named):
    letters = "".join(axis for axis in axes if axis not in left)
    array, planes = array_with(letters)
    with tempfile.TemporaryDirectory() as folder:
        more = {"metadata": {"axes": letters}} if named else {}
        path = write_plain(Path(folder) / "a.tif", array, **more)
        np.testing.assert_array_equal(planes_of(path, axes=letters), planes)
        short = "".join(axis for axis in letters if axis != "Z")
        np.testing.assert_array_equal(planes_of(path, axes=short), planes)
        if named:
            np.testing.assert_array_equal(planes_of(path), planes)


@given(
    axes=st.sampled_from(["TCYX", "CTYX", "TCZYX", "ZTCYX", "TZCYX", "CZTYX"]),
    frames=st.integers(2, 12),
    channels=st.integers(2, 6),
    expected=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_unnamed_axes_are_read_by_their_lengths_or_refused_with_what_to_state(axes, frames, channels, expected):
    array, planes = array_with(axes, T=frames, C=channels)
    with tempfile.TemporaryDirectory() as folder:
        path = write_plain(Path(folder) / "a.tif", array)
        options = {"channels": channels} if expected else {}
        clear = frames != channels if expected else channels <= 5 < frames
        swapped = not expected and frames <= 5 < channels
        if clear:
            np.testing.assert_array_equal(planes_of(path, **options), planes)
            assert f"read as {frames} frames of {channels} channels" in notices_of(path, **options)
        elif not swapped:
            said = refusal(path, **options)
            assert "unnamed axes" in said
            assert "inputs.axes: " in said
        # The advice, followed.
        np.testing.assert_array_equal(planes_of(path, axes=axes, **options), planes)


@pytest.mark.parametrize("ones", [(1,), (1, 2), (0,)])
def test_axes_of_length_one_are_dropped(tmp_path, ones):
    movie = array_with("TYX", T=9)[0]
    path = write_plain(tmp_path / "a.tif", np.expand_dims(movie, ones))
    np.testing.assert_array_equal(planes_of(path)[:, 0], movie)


def test_a_short_axis_after_one_of_length_one_may_be_channels(tmp_path):
    path = write_plain(tmp_path / "a.tif", array_with("CYX")[0][None])
    assert "2 unnamed axes" in refusal(path)
    assert planes_of(path, channels=3).shape[:2] == (1, 3)
    assert planes_of(path, axes="TCYX").shape[:2] == (1, 3)
    assert planes_of(path, axes="CTYX").shape[:2] == (3, 1)


@given(frames=st.integers(1, 6), channels=st.integers(2, 5), contiguous=st.booleans(), named=st.booleans())
@settings(max_examples=30, deadline=None)
def test_channels_that_come_last_are_read(frames, channels, contiguous, named):
    array, planes = array_with("TYXC" if frames > 1 else "YXC", T=frames, C=channels)
    axes = ("TYXS" if contiguous else "TYXC")[1 - (frames > 1) :]
    more = {"planarconfig": "contig"} if contiguous else {}
    with tempfile.TemporaryDirectory() as folder:
        path = write_plain(Path(folder) / "a.tif", array, **more, **({"metadata": {"axes": axes}} if named else {}))
        np.testing.assert_array_equal(planes_of(path), planes if frames > 1 else planes[:1])


def test_colour_is_refused_unless_axes_are_stated(tmp_path):
    array, planes = array_with("TYXC")
    tifffile.imwrite(tmp_path / "rgb.tif", array, photometric="rgb")
    said = refusal(tmp_path / "rgb.tif")
    assert "a colour (RGB) image" in said
    assert "inputs.axes: TYXC" in said
    np.testing.assert_array_equal(planes_of(tmp_path / "rgb.tif", axes="TYXC"), planes)


@given(
    planes=st.sampled_from([3, 4]),
    frames=st.integers(6, 9),
    kind=st.sampled_from(["uint8", "uint16", "float32"]),
    masks=st.booleans(),
)
@settings(max_examples=20, deadline=None)
def test_three_or_four_planes_are_no_colour(planes, frames, kind, masks):
    # tifffile takes a third axis from the end of this length for red, green and blue.
    stack = array_with("TYX", T=planes)[0].astype(kind)
    several = array_with("TCYX", T=frames, C=planes)[0].astype(kind)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        path = Path(folder) / "a.tif"
        tifffile.imwrite(path, stack)
        with open_source([path], options=ReadOptions(masks=masks)) as source:
            assert (source.info.frames, source.info.channels) == (planes, 1)
            assert "states colours" in source.info.notices[0]
            np.testing.assert_array_equal(source.plane(planes - 1, 0), stack[-1])
        with open_source([path], options=ReadOptions(channels=planes)) as source:
            assert (source.info.frames, source.info.channels) == (1, planes)
        with open_source([path], options=ReadOptions(axes="TYX")) as source:
            assert source.info.notices == ()
        tifffile.imwrite(path, several)
        np.testing.assert_array_equal(planes_of(path), several)
        # Without the metadata of tifffile, nothing tells the array from a colour.
        tifffile.imwrite(path, stack, metadata=None)
        advised = refusal(path).split("if these are frames, inputs.axes: ")[1].rstrip(".")
        np.testing.assert_array_equal(planes_of(path, axes=advised)[:, 0], stack)


def test_axes_that_do_not_fit_are_refused(tmp_path):
    path = write_plain(tmp_path / "a.tif", array_with("TCYX")[0])
    assert "inputs.axes states 3 axes (TYX), but the array has 4 axes, shape (7, 3, 18, 21)" in refusal(
        path, axes="TYX"
    )
    stack = write_plain(tmp_path / "z.tif", array_with("TZYX", Z=4)[0])
    assert "has axes other than time and channel: Z (4)" in refusal(stack, axes="TZYX")


def test_masks_are_read_with_the_axes_of_their_movie(tmp_path):
    path = write_plain(tmp_path / "a.tif", array_with("TYX")[0])
    assert planes_of(path, axes="TCYX", masks=True).shape == (7, 1, 18, 21)
    assert "inputs.axes states 4 axes" in refusal(path, axes="TCYX")


def test_frames_that_were_written_one_by_one_are_one_movie(tmp_path):
    movie = array_with("TYX")[0]
    with tifffile.TiffWriter(tmp_path / "loop.tif") as tiff:
        for frame in movie:
            tiff.write(frame)
    np.testing.assert_array_equal(planes_of(tmp_path / "loop.tif")[:, 0], movie)
    with tifffile.TiffWriter(tmp_path / "two.tif") as tiff:
        for _ in range(2):
            tiff.write(movie, photometric="minisblack")
            movie = movie + 1
    assert "holds 2 images" in refusal(tmp_path / "two.tif")
    np.testing.assert_array_equal(planes_of(tmp_path / "two.tif", series="1")[:, 0], movie - 1)


@pytest.mark.parametrize(("pages", "read"), [(4, 1), (8, 2), (6, None), (9, None), (12, 3)])
def test_pages_of_imagej_agree_or_end_on_a_whole_time_point(tmp_path, pages, read):
    described = "ImageJ=1.54f\nimages=12\nchannels=4\nframes=3\nhyperstack=true\n"
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for i in range(pages):
            tiff.write(
                np.full((6, 7), i, np.uint16),
                metadata=None,
                contiguous=False,
                description=described if i == 0 else None,
            )
    if read is None:
        assert "but its ImageJ metadata state 12 images (4 for each time point)" in refusal(tmp_path / "a.tif")
        return
    assert planes_of(tmp_path / "a.tif")[:, :, 0, 0].tolist() == np.arange(pages).reshape(read, 4).tolist()
    assert ("an acquisition that was stopped" in notices_of(tmp_path / "a.tif")) == (read < 3)


UNITS = ["\\u00B5m", "micron", "microns", "um", "micrometer", "micrometres"]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(("time", "every"), [("sec", 600), ("min", 10), ("minutes", 10), ("hr", 1 / 6), ("ms", 6e5)])
def test_units_of_imagej(tmp_path, unit, time, every):
    tifffile.imwrite(
        tmp_path / "a.tif",
        array_with("TCYX")[0],
        imagej=True,
        resolution=(1 / 0.65, 1 / 0.65),
        metadata={"axes": "TCYX", "unit": unit, "finterval": every, "tunit": time},
    )
    with open_source([tmp_path / "a.tif"]) as source:
        assert source.info.pixel_size_um == pytest.approx(0.65)
        assert source.info.frame_interval_min == pytest.approx(10)
        assert source.info.pixel_aspect == 1


def write_zarr(folder: Path, array: np.ndarray, axes: list[dict], scale: list[float] | None = None, **more) -> Path:
    group = zarr.open_group(folder, mode="a", zarr_format=2)
    group.create_array("0", data=np.ascontiguousarray(array))
    transform = [{"type": "scale", "scale": scale}] if scale else []
    level = {"path": "0", "coordinateTransformations": transform}
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [level]} | more]
    return folder


WORDS = {
    "T": ("time", ["t", "time", "frames"]),
    "C": ("channel", ["c", "channel", "wavelength"]),
    "Y": ("space", ["y", "row", "dim_3"]),
    "X": ("space", ["x", "col", "dim_4"]),
}


@given(axes=st.sampled_from(["TCYX", "CTYX", "TYXC", "YXTC", "TYX", "CYX", "YX"]), data=st.data())
@settings(max_examples=40, deadline=None)
def test_axes_of_ome_zarr_are_known_by_their_types(axes, data):
    array, planes = array_with(axes)
    named = [{"type": WORDS[a][0], "name": data.draw(st.sampled_from(WORDS[a][1]))} for a in axes]
    with tempfile.TemporaryDirectory() as folder:
        path = write_zarr(Path(folder) / "a.zarr", array, named)
        np.testing.assert_array_equal(planes_of(path), planes)


def test_units_of_ome_zarr_may_be_in_the_plural(tmp_path):
    units = {"t": "minutes", "y": "micrometers", "x": "micrometers"}
    axes = [{"name": n, "type": WORDS[n.upper()][0]} | ({"unit": units[n]} if n in units else {}) for n in "tcyx"]
    path = write_zarr(tmp_path / "a.zarr", array_with("TCYX")[0], axes, [10, 1, 1.3, 0.65])
    with open_source([path]) as source:
        assert source.info.frame_interval_min == 10
        assert source.info.pixel_size_um == pytest.approx((0.65 * 1.3) ** 0.5)
        assert source.info.pixel_aspect == pytest.approx(2)


def test_z_planes_of_ome_zarr_are_read_as_time_and_said(tmp_path):
    movie = array_with("ZYX", Z=5)[0]
    path = write_zarr(tmp_path / "a.zarr", movie, [{"name": n, "type": "space"} for n in "zyx"])
    np.testing.assert_array_equal(planes_of(path)[:, 0], movie)
    assert "the 5 z planes are read as time" in notices_of(path)
    assert notices_of(path, axes="TYX") == ""
    assert "axes other than time and channel: Z (5)" in refusal(path, axes="ZYX")


def test_images_of_bioformats2raw_are_chosen_by_number_or_name(tmp_path):
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    axes = [{"name": n, "type": WORDS[n.upper()][0]} for n in "tcyx"]
    movies = [array_with("TCYX")[0] + position for position in range(11)]
    for position, movie in enumerate(movies):
        write_zarr(tmp_path / "a.zarr" / str(position), movie, axes, name=f"pos{position}")
    said = refusal(tmp_path / "a.zarr")
    assert "holds 11 images" in said
    assert "10 ('pos10')" in said
    for series in ("10", "pos10"):
        np.testing.assert_array_equal(planes_of(tmp_path / "a.zarr", series=series), movies[10])
    # The OME-XML beside them knows names and times.
    times = "".join(f'<Plane TheC="0" TheT="{t}" TheZ="0" DeltaT="{t**2}" DeltaTUnit="min"/>' for t in range(7))
    images = [image_xml(p, (7, 3, 18, 21), "", name=f"well {p}", planes=times) for p in range(11)]
    (tmp_path / "a.zarr" / "OME").mkdir()
    (tmp_path / "a.zarr" / "OME" / "METADATA.ome.xml").write_text(ome_xml(images, None))
    with open_source([tmp_path / "a.zarr"], options=ReadOptions(series="well 4")) as source:
        assert int(source.plane(0, 0)[0, 0]) == int(movies[4].flat[0])
        assert source.info.times_min == (0, 1, 4, 9, 16, 25, 36)


def test_labels_and_thumbnails_of_ome_zarr_are_no_images(tmp_path):
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    axes = [{"name": n, "type": WORDS[n.upper()][0]} for n in "tcyx"]
    movie = array_with("TCYX")[0]
    write_zarr(tmp_path / "a.zarr" / "0", movie, axes, name="scan")
    write_zarr(tmp_path / "a.zarr" / "1", movie[:1, :, ::3, ::3], axes, name="label image")
    write_zarr(tmp_path / "a.zarr" / "0" / "labels" / "cells", movie[:, 0], axes[:1] + axes[2:])
    np.testing.assert_array_equal(planes_of(tmp_path / "a.zarr"), movie)
    np.testing.assert_array_equal(planes_of(tmp_path / "a.zarr" / "0" / "labels" / "cells")[:, 0], movie[:, 0])


@pytest.mark.parametrize("kind", ["tif", "zarr"])
def test_a_mistake_of_our_own_is_not_one_of_the_file(kind, tmp_path, monkeypatch):
    path = tmp_path / f"a.{kind}"
    if kind == "tif":
        write_plain(path, array_with("TYX")[0])
    else:
        group = zarr.open_group(path, mode="w", zarr_format=2)
        group.create_array("0", data=array_with("TYX")[0])
        group.attrs["multiscales"] = [{"axes": ["t", "y", "x"], "datasets": [{"path": "0"}]}]
    assert planes_of(path).shape == (7, 1, 18, 21)
    monkeypatch.setattr(f"cineseq.io.readers.{kind.replace('tif', 'tiff')}.layout_of", lambda *_: {}["mistake"])
    with pytest.raises(KeyError, match="mistake"):
        planes_of(path)
