"""Preparing movies: what is kept, what is said, and what is refused."""

import json
import logging
from pathlib import Path

import numpy as np
import prepare_movie
import pytest
import tifffile
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import ndimage

from cineseq.config.imaging import Channels, Inputs
from cineseq.errors import UserError
from cineseq.io.readers import Source, SourceInfo
from cineseq.io.stacks import open_movie
from cineseq.preprocessing.channel_names import named_channels

SHAPE = (5, 2, 32, 48)


@pytest.fixture
def raw() -> np.ndarray:
    return np.random.default_rng(0).integers(100, 1000, SHAPE, dtype=np.uint16)


@pytest.fixture
def ome(tmp_path, raw) -> Path:
    path = tmp_path / "raw.ome.tif"
    metadata = {
        "axes": "TCYX",
        "Channel": {"Name": ["DNA", "lipid"]},
        "TimeIncrement": 10.0,
        "TimeIncrementUnit": "min",
    }
    metadata |= {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm"}
    tifffile.imwrite(path, raw, photometric="minisblack", ome=True, metadata=metadata)
    return path


def prepare(images: list[Path], folder: Path, **settings) -> tuple[np.ndarray, object, dict]:
    """Run the step and return planes (frames, channels, height, width), what the movie says, and the report."""
    movie, report = folder / "out" / "movie.ome.tif", folder / "out" / "report.json"
    chosen = prepare_movie.Settings.model_validate(settings)
    prepare_movie.main(images=images, movie=movie, report=report, settings=chosen)
    with open_movie(movie) as opened:
        info = opened.info
        planes = np.stack([opened.planes(t, info.channels) for t in range(info.frames)])
    return planes, info, json.loads(report.read_text())


def test_a_movie_without_corrections_is_unchanged(ome, raw, tmp_path):
    planes, info, report = prepare([ome], tmp_path)
    np.testing.assert_array_equal(planes, raw)
    assert planes.dtype == np.uint16
    assert (info.channels, info.pixel_size_um, info.frame_interval_min) == (("DNA", "lipid"), 0.5, 10)
    assert report["numbers"]["frames"] == 5
    assert report["numbers"]["black_planes"] == 0


def test_frame_step_thins_and_stretches_the_interval(ome, raw, tmp_path):
    planes, info, report = prepare([ome], tmp_path, field={"frame_step": 2})
    np.testing.assert_array_equal(planes, raw[::2])
    assert info.frame_interval_min == 20
    assert report["numbers"]["raw_frames"] == 5


def test_configuration_wins_and_says_so(ome, tmp_path, caplog):
    inputs = {"pixel_size_um": 0.65, "frame_interval_min": 12}
    _, info, _ = prepare([ome], tmp_path, inputs=inputs, channels={"names": {"DNA": "nuclei", "lipid": "fat"}})
    assert (info.channels, info.pixel_size_um, info.frame_interval_min) == (("nuclei", "fat"), 0.65, 12)
    assert "0.65 µm as configured; the file states 0.5" in caplog.text


def test_names_of_the_file_choose_and_order(ome, raw, tmp_path):
    planes, info, _ = prepare([ome], tmp_path, channels={"names": ["lipid"]})
    assert info.channels == ("lipid",)
    np.testing.assert_array_equal(planes, raw[:, 1:])
    planes, _, _ = prepare([ome], tmp_path, channels={"names": ["lipid", "DNA"]})
    np.testing.assert_array_equal(planes, raw[:, ::-1])


def test_unnamed_channels_get_names(tmp_path, raw, caplog):
    tifffile.imwrite(tmp_path / "a.tif", raw[:, 0], photometric="minisblack")
    _, info, _ = prepare([tmp_path / "a.tif"], tmp_path)
    assert info.channels == ("C0",)
    assert info.pixel_size_um is None
    assert "The pixel size is unknown" in caplog.text


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"channels": {"names": ["DNA", "GFP"]}}, r"no channel 'GFP' \(channels.names\); the file has DNA, lipid"),
        ({"channels": {"names": ["a", "b", "c"]}}, r"no channel 'a', 'b' and 'c' .*; the file has DNA, lipid"),
        ({"channels": {"names": {"GFP": "a"}}}, r"no channel 'GFP' \(channels.names\); the file has DNA, lipid"),
        ({"channels": {"function": ["GFP"]}}, r"no channel 'GFP' \(channels.function\); the file has DNA, lipid"),
        ({"channels": {"death": "GFP"}}, r"no channel 'GFP' \(channels.death\); the file has DNA, lipid"),
        ({"inputs": {"drift_channel": "GFP"}}, r"no channel 'GFP' \(inputs.drift_channel\)"),
    ],
)
def test_wrong_channels_are_refused_and_nothing_is_written(ome, tmp_path, settings, match):
    with pytest.raises(UserError, match=match):
        prepare([ome], tmp_path, **settings)
    assert not (tmp_path / "out").exists()


def test_black_frames_are_refused_unless_asked_for(tmp_path, raw, caplog):
    raw[3, 0] = 0
    tifffile.imwrite(tmp_path / "a.tif", raw[:, 0], photometric="minisblack")
    said = r"a\.tif: channel C0 has a single grey level .* in 1 of the 5 frames used, the first of them frame 3; fix"
    with pytest.raises(UserError, match=said):
        prepare([tmp_path / "a.tif"], tmp_path)
    assert not list((tmp_path / "out").glob("*"))
    planes, _, report = prepare([tmp_path / "a.tif"], tmp_path, inputs={"allow_black_frames": True})
    assert (planes[3] == 0).all()
    assert report["numbers"]["black_planes"] == 1
    assert "a.tif: frame 3 of channel C0 has a single grey level" in caplog.text
    assert any("frame 3 of C0" in line for line in report["lines"])


def test_a_black_frame_that_is_not_used_or_shows_function_is_no_fault(tmp_path, raw):
    raw[3] = 0
    tifffile.imwrite(tmp_path / "a.tif", raw[:, 0], photometric="minisblack")
    _, info, report = prepare([tmp_path / "a.tif"], tmp_path, field={"frame_step": 2})
    assert (info.frames, report["numbers"]["black_planes"]) == (3, 0)
    with pytest.raises(UserError, match=r"in 1 of the 2 frames used, the first of them frame 3;"):
        prepare([tmp_path / "a.tif"], tmp_path, field={"frame_step": 3})
    raw[3, 0] = np.arange(raw[3, 0].size).reshape(raw[3, 0].shape)
    tifffile.imwrite(tmp_path / "b.tif", raw, photometric="minisblack", ome=True, metadata={"axes": "TCYX"})
    channels = {"names": ["DNA", "lipid"], "function": ["lipid"]}
    assert prepare([tmp_path / "b.tif"], tmp_path, channels=channels)[2]["numbers"]["black_planes"] == 1


def test_saturation_is_counted(tmp_path, raw, caplog):
    raw[:, 0, :8] = 4095
    tifffile.imwrite(tmp_path / "a.tif", raw[:, 0], photometric="minisblack")
    _, _, report = prepare([tmp_path / "a.tif"], tmp_path)
    assert report["numbers"]["saturated_share_C0"] == pytest.approx(0.25)
    assert "25.00 % of the pixels of channel C0 are saturated" in caplog.text


def test_one_frame_is_refused_unless_asked_for(tmp_path, ome, raw, caplog):
    tifffile.imwrite(tmp_path / "a.tif", raw[0, 0])
    with pytest.raises(UserError, match=r"a\.tif: one frame was found, .*set inputs\.allow_single_frame to true"):
        prepare([tmp_path / "a.tif"], tmp_path)
    with pytest.raises(UserError, match=r"raw\.ome\.tif: frame_step leaves one of 5 frames"):
        prepare([ome], tmp_path, field={"frame_step": 5})
    assert not (tmp_path / "out").exists()
    _, info, report = prepare([tmp_path / "a.tif"], tmp_path, inputs={"allow_single_frame": True})
    assert info.frames == 1
    assert "a.tif: one frame; cells can be measured" in caplog.text
    assert any("one frame" in line for line in report["lines"])


def test_a_channel_that_is_black_throughout_is_refused(tmp_path, raw):
    raw[:, 1] = 7
    tifffile.imwrite(tmp_path / "a.tif", raw, photometric="minisblack", ome=True, metadata={"axes": "TCYX"})
    channels = {"names": ["DNA", "lipid"]}
    with pytest.raises(
        UserError, match=r"a\.tif: channel lipid has a single grey level \(black\) in each of the 5 frames used;"
    ):
        prepare([tmp_path / "a.tif"], tmp_path, channels=channels)
    assert not list((tmp_path / "out").glob("*"))
    # A function that is never lit is an answer.
    _, _, report = prepare([tmp_path / "a.tif"], tmp_path, channels={**channels, "function": ["lipid"]})
    assert report["numbers"]["black_planes"] == 5


def test_float_images_stay_float(tmp_path, raw):
    tifffile.imwrite(tmp_path / "a.tif", raw[:, 0] / 7.0, photometric="minisblack")
    planes, _, _ = prepare([tmp_path / "a.tif"], tmp_path)
    assert planes.dtype == np.float32
    np.testing.assert_allclose(planes[:, 0], raw[:, 0] / 7.0, rtol=1e-6)


def test_odd_values_are_refused(tmp_path, raw):
    broken = raw[:, 0] / 7.0
    broken[2, 0, 0] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", broken, photometric="minisblack")
    with pytest.raises(UserError, match="frame 2 of channel 0 has values that are not finite"):
        prepare([tmp_path / "a.tif"], tmp_path)
    tifffile.imwrite(tmp_path / "b.tif", raw[:, 0] > 500, photometric="minisblack")
    with pytest.raises(UserError, match="frame 0 is of type bool"):
        prepare([tmp_path / "b.tif"], tmp_path)


def test_mixed_types_are_refused(tmp_path, raw):
    for t, kind in enumerate((np.uint16, np.uint16, np.float32)):
        tifffile.imwrite(tmp_path / f"t{t}.tif", raw[t, 0].astype(kind))
    with pytest.raises(UserError, match="frame 2 of channel C0 is float32"):
        prepare([tmp_path], tmp_path)
    assert not list((tmp_path / "out").iterdir())


def test_truncated_file_leaves_nothing(ome, tmp_path):
    ome.write_bytes(ome.read_bytes()[:-5000])
    with pytest.raises(UserError, match="not a whole TIFF file"):
        prepare([ome], tmp_path)
    assert not (tmp_path / "out").exists()


def test_drift_moves_every_channel_alike(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    rng = np.random.default_rng(1)
    scene = 500 + 200 * ndimage.gaussian_filter(rng.normal(size=(2, 100, 100)), (0, 3, 3)) / 0.1
    offsets = [(0, 0), (2, 1), (4, 3), (3, 6)]
    raw = np.stack([scene[:, 20 - dy : 84 - dy, 20 - dx : 84 - dx] for dy, dx in offsets]).astype(np.uint16)
    metadata = {"axes": "TCYX", "Channel": {"Name": ["DNA", "lipid"]}}
    tifffile.imwrite(tmp_path / "a.ome.tif", raw, photometric="minisblack", ome=True, metadata=metadata)
    settings = {"inputs": {"drift": "translation"}, "channels": {"function": ["lipid"]}}
    planes, info, report = prepare([tmp_path / "a.ome.tif"], tmp_path, **settings)
    assert list(zip(report["series"]["drift_y_px"], report["series"]["drift_x_px"], strict=True)) == offsets
    np.testing.assert_array_equal(planes[3, :, :-6, :-6], raw[0, :, :-6, :-6])
    assert report["numbers"]["padded_right_px"] == 6
    assert info.origins == tuple((-dy, -dx) for dy, dx in offsets)
    padded = np.ones((64, 64), bool)
    padded[info.seen_part(3)] = False
    assert (planes[3, 0][padded] == np.median(raw[3, 0]).astype(np.uint16)).all()
    assert padded.sum() == 64 * 64 - 61 * 58
    assert "Drift on DNA" in caplog.text
    assert any("the median of the frame" in line for line in report["lines"])


def test_flat_field_is_logged_and_reported(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    y, x = np.mgrid[-1:1:100j, -1:1:100j]
    light = 1000 * (1 - 0.2 * (x**2 + y**2))
    raw = np.random.default_rng(2).poisson(light, (3, 100, 100)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", raw, photometric="minisblack")
    planes, _, report = prepare([tmp_path / "a.tif"], tmp_path, inputs={"flat_field": "estimate"})
    corner, centre = planes[:, 0, :10, :10].mean(), planes[:, 0, 45:55, 45:55].mean()
    assert corner / centre == pytest.approx(1, abs=0.03)
    assert report["numbers"]["flat_field_lowest_C0"] == pytest.approx(0.7, abs=0.03)
    assert "Flat field of C0" in caplog.text


def test_settings_refuse_bad_patterns_and_names():
    with pytest.raises(ValidationError, match="not a regular expression"):
        Inputs(channel_pattern="(")
    with pytest.raises(ValidationError, match="a group named channel"):
        Inputs(channel_pattern="a")
    with pytest.raises(ValidationError, match="each only once"):
        Channels(names=["a", "a"])


def test_channels_of_different_types_share_the_wider_one(tmp_path, raw):
    for name, plane in (("P", (raw[0, 0] // 4).astype(np.uint8)), ("R", raw[0, 1])):
        tifffile.imwrite(tmp_path / f"a_{name}_0.tif", plane)
    planes, _, _ = prepare(
        [tmp_path], tmp_path, inputs={"channel_pattern": "a_(?P<channel>[PR])_", "allow_single_frame": True}
    )
    assert planes.dtype == np.uint16
    np.testing.assert_array_equal(planes[0], [raw[0, 0] // 4, raw[0, 1]])


@pytest.mark.data
def test_real_series(data_folder, tmp_path):
    images = sorted((data_folder / "hcc_three_channel").glob("HC01501_?_B2_1_00d0[01]h*.tif"))
    settings = {"inputs": {"channel_pattern": "HC01501_(?P<channel>[PRG])_"}, "channels": {"names": ["R", "P"]}}
    planes, info, _ = prepare(images, tmp_path, **settings)
    assert (info.channels, planes.shape) == (("R", "P"), (4, 2, 1040, 1408))
    np.testing.assert_array_equal(planes[1, 0], tifffile.imread(images[0].parent / "HC01501_R_B2_1_00d00h30m.tif"))


def named(names: tuple[str, ...], channels: int | None = None) -> Source:
    info = SourceInfo(2, channels or len(names), 4, 4, names=names)
    return Source(Path("m.ome.tif"), info, lambda _t, _c: np.zeros((4, 4)))


REAL = st.lists(
    st.sampled_from(["BF", "DAPI", "Lipid", "mCherry", "GFP", "nuclei: live", "no"]), min_size=2, unique=True
)
PLACEHOLDERS = ["Channel 0", "C=1", "channel_2", "488", "561 nm", "ch03", "Channel:0:1", "w2", "Default", "C0-1", "12"]


@given(real=REAL, data=st.data())
def test_a_list_of_other_names_is_refused_with_a_mapping_that_works(real, data):
    wanted = [f"new{i}" for i in range(data.draw(st.integers(1, len(real))))]
    with pytest.raises(UserError) as caught:
        named_channels(named(tuple(real)), wanted)
    pasted = yaml.safe_load(str(caught.value).split("channels.names: ")[1].removesuffix("."))
    mapping = Channels(names=pasted).names
    kept, names = named_channels(named(tuple(real)), mapping)
    assert ([real[k] for k in kept], list(names)) == (list(mapping), wanted)
    # A mapping goes by name, whatever the order.
    turned = dict(reversed(mapping.items()))
    kept, names = named_channels(named(tuple(real)), turned)
    assert dict(zip((real[k] for k in kept), names, strict=True)) == mapping


@given(names=st.lists(st.sampled_from(PLACEHOLDERS), min_size=1, unique=True))
def test_a_list_takes_the_place_of_placeholders(names):
    wanted = [f"new{i}" for i in range(len(names))]
    for file in (named(tuple(names)), named((), len(names)), named(("GFP", *["GFP"] * len(names[1:])))):
        assert named_channels(file, wanted) == (tuple(range(len(names))), tuple(wanted))


def test_names_that_are_there_twice_are_replaced_by_a_list():
    file = named(("nuclear", "GFP", "GFP"))
    for wanted in (None, {"GFP": "late"}):
        with pytest.raises(UserError, match="list a name"):
            named_channels(file, wanted)
    assert named_channels(file, ["nuclear", "GFP", "GFP_late"]) == ((0, 1, 2), ("nuclear", "GFP", "GFP_late"))


def test_a_mapping_needs_names():
    with pytest.raises(UserError, match=r"channels.names: \[a, b\]"):
        named_channels(named((), 2), {"DAPI": "a", "GFP": "b"})


def test_irregular_times_and_oblong_pixels_reach_the_movie_and_the_report(tmp_path, raw):
    plane = {"DeltaT": np.repeat([0.0, 10, 20, 200, 210], 2).tolist(), "DeltaTUnit": ["min"] * 10}
    metadata = {"axes": "TCYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 1.0, "Plane": plane}
    tifffile.imwrite(tmp_path / "a.ome.tif", raw, photometric="minisblack", ome=True, metadata=metadata)
    _, info, report = prepare([tmp_path / "a.ome.tif"], tmp_path)
    np.testing.assert_allclose(info.hours(np.arange(5)), np.array([0, 10, 20, 200, 210]) / 60)
    assert (info.pixel_aspect, info.pixel_size_um) == (pytest.approx(2), pytest.approx(0.5**0.5))
    serious = " ".join(notice["text"] for notice in report["notices"] if notice["level"] == "serious")
    assert "frame 3 is 180 min after frame 2" in serious
    assert "pixels are oblong" in serious
    _, thinned, _ = prepare([tmp_path / "a.ome.tif"], tmp_path, field={"frame_step": 2})
    np.testing.assert_allclose(thinned.hours(np.arange(3)), np.array([0, 20, 210]) / 60)
