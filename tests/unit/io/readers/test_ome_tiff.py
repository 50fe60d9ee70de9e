"""OME-TIFF: which image is read for the file that the sheet names, and where pages and metadata disagree."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.io.readers.ome_examples import (
    HEIGHT,
    WIDTH,
    identifier,
    image_xml,
    movie_of,
    ome_xml,
    write_pages,
    write_set,
)

from cineseq.errors import UserError
from cineseq.io.readers import ReadOptions, files_read, open_source


def planes_of(paths: list[Path], series: str = "", pattern: str | None = None, **options) -> np.ndarray:
    with open_source(paths, pattern, ReadOptions(series=series, **options)) as source:
        info = source.info
        return np.array([[source.plane(t, c) for c in range(info.channels)] for t in range(info.frames)])


def refusal(paths: list[Path], series: str = "") -> str:
    with pytest.raises(UserError) as caught:
        planes_of(paths, series)
    return str(caught.value)


SPLITS = {
    "position": lambda p, _t, _c: f"e_s{p}.ome.tif",
    "time": lambda p, t, _c: f"e_s{p}_T{t}.ome.tif",
    "channel": lambda p, _t, c: f"e_s{p}_C{c}.ome.tif",
    "plane": lambda p, t, c: f"e_s{p}_T{t}_C{c}.ome.tif",
}


@given(
    split=st.sampled_from(sorted(SPLITS)),
    lengths=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    channels=st.integers(1, 3),
    renamed=st.booleans(),
    data=st.data(),
)
@settings(max_examples=40, deadline=None)
def test_any_file_of_a_set_gives_the_image_whose_pages_it_holds(split, lengths, channels, renamed, data):
    movies = [movie_of(p, frames, channels) for p, frames in enumerate(lengths)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_set(folder, movies, SPLITS[split])
        file = data.draw(st.sampled_from(files))
        position = int(file.name.split("_s")[1].split("_")[0].split(".")[0])
        mine = [f for f in files if f.name.startswith((f"e_s{position}.", f"e_s{position}_"))]
        if renamed:
            file = file.rename(folder / "renamed.ome.tif")
        assert set(files_read([file])) == {file, *(f for f in mine if f.exists())}
        np.testing.assert_array_equal(planes_of([file]), movies[position])
        # The whole list is the same movie, whatever its order.
        if len(mine) > 1 and not renamed:
            np.testing.assert_array_equal(planes_of(mine), movies[position])
        if len(mine) > 2 and not renamed:
            assert f"{mine[-1].name}: is not in the list" in refusal(mine[:-1])


@given(count=st.integers(2, 5), frames=st.integers(1, 3), channels=st.integers(1, 2), data=st.data())
@settings(max_examples=20, deadline=None)
def test_one_file_of_several_images_needs_their_name_or_number(count, frames, channels, data):
    movies = [movie_of(p, frames, channels) for p in range(count)]
    with tempfile.TemporaryDirectory() as name:
        (file,) = write_set(Path(name), movies, lambda *_: "all.ome.tif")
        said = refusal([file])
        assert f"holds {count} images" in said
        assert all(f"{p} ('pos{p}')" in said for p in range(count))
        chosen = data.draw(st.integers(0, count - 1))
        for series in (str(chosen), f"pos{chosen}"):
            np.testing.assert_array_equal(planes_of([file], series), movies[chosen])
        assert "series 'pos9': there is no such series" in refusal([file], "pos9")


def test_positions_of_one_time_point_are_not_a_movie(tmp_path):
    files = write_set(tmp_path, [movie_of(p, 1, 2) for p in range(3)], SPLITS["position"])
    assert "the files are positions and not the frames of one movie" in refusal(files)
    np.testing.assert_array_equal(planes_of(files[1:2]), movie_of(1, 1, 2))


def test_a_lost_file_is_named(tmp_path):
    files = write_set(tmp_path, [movie_of(0, 5, 2)], SPLITS["time"])
    files[3].unlink()
    said = refusal(files[:1])
    assert "e_s0_T3.ome.tif: missing" in said
    shutil.copy(files[2], files[3])
    assert "e_s0_T3.ome.tif: is not the file of this name" in refusal(files[:1])


def test_a_copy_of_one_position_is_read_alone(tmp_path):
    files = write_set(tmp_path, [movie_of(p, 3, 2) for p in range(3)], SPLITS["position"])
    (tmp_path / "alone").mkdir()
    copy = shutil.copy(files[2], tmp_path / "alone" / "mine.ome.tif")
    np.testing.assert_array_equal(planes_of([Path(copy)]), movie_of(2, 3, 2))
    assert files_read([Path(copy)]) == [Path(copy)]


def binary_only(folder: Path) -> tuple[Path, Path]:
    """An OME-TIFF whose metadata are in a companion file."""
    movie = movie_of(0, 4, 2)
    pointer = f'<BinaryOnly MetadataFile="a.companion.ome" UUID="{identifier("companion")}"/>'
    file = write_pages(folder / "a.ome.tif", movie.reshape(-1, HEIGHT, WIDTH), ome_xml([pointer], "a.ome.tif"))
    data = f'<TiffData IFD="0" PlaneCount="8"><UUID FileName="a.ome.tif">{identifier("a.ome.tif")}</UUID></TiffData>'
    xml = image_xml(0, movie.shape, data, names=("DNA", "lipid"))
    (folder / "a.companion.ome").write_text(ome_xml([xml], "companion"))
    return file, folder / "a.companion.ome"


def test_a_companion_file_is_followed_both_ways(tmp_path):
    file, companion = binary_only(tmp_path)
    for named in (file, companion):
        np.testing.assert_array_equal(planes_of([named]), movie_of(0, 4, 2))
        assert set(files_read([named])) == {file, companion}
    np.testing.assert_array_equal(planes_of([file, companion]), movie_of(0, 4, 2))
    with open_source([file]) as source:
        assert source.info.names == ("DNA", "lipid")
    companion.unlink()
    assert "a.companion.ome, which is missing; copy it beside" in refusal([file])


@given(
    frames=st.integers(1, 4),
    channels=st.integers(1, 3),
    order=st.sampled_from(["XYCZT", "XYTCZ", "XYZCT"]),
    counted=st.booleans(),
    kept=st.integers(1, 14),
)
@settings(max_examples=60, deadline=None)
def test_pages_and_metadata_agree_or_end_on_a_whole_time_point(frames, channels, order, counted, kept):
    movie = movie_of(0, frames, channels)
    # Pages in the order of the file, one more time point, cut after some pages.
    longer = movie_of(0, frames + 1, channels)
    axes = (1, 0) if order == "XYTCZ" else (0, 1)
    stated = movie.transpose(*axes, 2, 3).reshape(-1, HEIGHT, WIDTH)
    surplus = longer[frames]
    pages = np.concatenate([stated, surplus])[:kept]
    data = f'<TiffData IFD="0" PlaneCount="{len(stated)}"/>' if counted else "<TiffData/>"
    with tempfile.TemporaryDirectory() as name:
        file = write_pages(
            Path(name) / "a.ome.tif", pages, ome_xml([image_xml(0, movie.shape, data, order=order)], None)
        )
        whole = len(pages) // channels
        time_is_slow = order != "XYTCZ" or channels == 1
        if len(pages) == len(stated):
            np.testing.assert_array_equal(planes_of([file]), movie)
        elif len(pages) < len(stated) and len(pages) % channels == 0 and time_is_slow:
            np.testing.assert_array_equal(planes_of([file]), movie[:whole])
            with open_source([file]) as source:
                assert f"but it holds {whole}, as after an acquisition that was stopped" in source.info.notices[0]
        else:
            said = refusal([file])
            assert "a.ome.tif: holds" in said
            assert f"OME-XML states {len(stated)}" in said or f"of the {len(stated)} planes" in said


def test_reduced_copies_and_overviews_are_no_positions(tmp_path):
    sizes = {
        "scan": (64, 96),
        "scan [res 1]": (32, 48),
        "scan [res 2]": (16, 24),
        "label image": (20, 20),
        "macro": (9, 30),
    }
    images, pages = [], []
    for number, (name, size) in enumerate(sizes.items()):
        movie = movie_of(number, 2 if name.startswith("scan") else 1, 1, size)
        data = f'<TiffData IFD="{len(pages)}" PlaneCount="{len(movie)}"/>'
        images.append(image_xml(number, movie.shape, data, name=name))
        pages += list(movie[:, 0])
    file = write_pages(tmp_path / "scan.ome.tif", pages, ome_xml(images, None))
    np.testing.assert_array_equal(planes_of([file]), movie_of(0, 2, 1, (64, 96)))
    np.testing.assert_array_equal(planes_of([file], "label image"), movie_of(3, 1, 1, (20, 20)))


def test_channel_elements_that_are_not_as_many_as_the_channels_name_none(tmp_path):
    movie = movie_of(0, 4, 1)
    xml = image_xml(0, movie.shape, '<TiffData IFD="0" PlaneCount="4"/>', names=("c488", "c640", "cBF"))
    file = write_pages(tmp_path / "a.ome.tif", movie[:, 0], ome_xml([xml], None))
    with open_source([file]) as source:
        assert (source.info.channels, source.info.names) == (1, ())


def test_units_times_and_oblong_pixels(tmp_path):
    movie = movie_of(0, 4, 2)
    extra = 'PhysicalSizeX="650" PhysicalSizeXUnit="nm" PhysicalSizeY="1.3" TimeIncrement="5" TimeIncrementUnit="min"'
    planes = "".join(
        f'<Plane TheC="{c}" TheT="{t}" TheZ="0" DeltaT="{420 * t + c}" DeltaTUnit="s"/>'
        for t in range(4)
        for c in range(2)
    )
    xml = image_xml(0, movie.shape, '<TiffData IFD="0" PlaneCount="8"/>', extra=extra, planes=planes)
    file = write_pages(tmp_path / "a.ome.tif", movie.reshape(-1, HEIGHT, WIDTH), ome_xml([xml], None))
    with open_source([file]) as source:
        info = source.info
    assert info.pixel_size_um == pytest.approx((0.65 * 1.3) ** 0.5)
    assert info.pixel_aspect == pytest.approx(2)
    assert (info.frame_interval_min, info.times_min) == (5, (0, 7, 14, 21))


def test_damaged_xml_is_refused(tmp_path):
    pages = movie_of(0, 2, 1)[:, 0]
    for name, xml in {
        "cut": ome_xml([], None)[:-20] + "</OME>",
        "word": ome_xml([image_xml(0, (2, 1, 6, 9), "").replace('SizeT="2"', 'SizeT="two"')], None),
    }.items():
        file = write_pages(tmp_path / f"{name}.ome.tif", pages, xml)
        assert f"{name}.ome.tif: its OME-XML is not readable" in refusal([file])
    entity = '<?xml version="1.0"?><! DOCTYPE OME [<!ENTITY a "b">]>' + ome_xml([], None).split("?>")[1]
    file = write_pages(tmp_path / "entity.ome.tif", pages, entity)
    assert "entity.ome.tif: its XML defines entities" in refusal([file])
    none = write_pages(tmp_path / "none.ome.tif", pages, ome_xml([], None))
    assert "describes no image" in refusal([none])


def test_a_channel_without_a_name_is_numbered_and_the_others_keep_theirs(tmp_path):
    file = tmp_path / "m.ome.tif"
    names = {"Channel": {"Name": ["DAPI", "GFP", ""]}}
    tifffile.imwrite(file, np.zeros((2, 3, 9, 9), np.uint16), metadata={"axes": "TCYX", **names})
    with open_source([file]) as source:
        assert source.info.names == ("DAPI", "GFP", "C2")
