"""Fields of view whose recordings can, and cannot, be compared."""

import json
from pathlib import Path

import compare_fields as step
import import_masks
import numpy as np
import prepare_movie
import pytest
import tifffile
from hypothesis import assume, given
from hypothesis import strategies as st

from cineseq.config.imaging import Channels, Inputs
from cineseq.config.schema import lengths_in_pixels, load
from cineseq.errors import UserError
from cineseq.preprocessing.compare_fields import GreyLevels, Recorded, compare_fields, read_recorded

ONE = Recorded(
    channels={"DAPI": "uint16", "GFP": "uint16"},
    grey_levels={name: GreyLevels(typical=100, bright=2000) for name in ("DAPI", "GFP")},
    pixel_size_um=0.5,
    frame_interval_min=10,
)


def changed(**values: object) -> Recorded:
    return Recorded.model_validate(ONE.model_dump() | values)


def notices(**values: object) -> list[str]:
    told = compare_fields({"a/1": ONE, "b/1": ONE, "b/2": changed(**values)}, [])
    assert {notice["level"] for notice in told["notices"]} <= {"serious"}
    assert told["numbers"] == {"fields_compared": 3, "recordings_differ": len(told["notices"])}
    return [notice["text"] for notice in told["notices"]]


def test_equal_recordings_need_no_notice() -> None:
    assert notices() == []
    assert notices(channels={"GFP": "uint16", "DAPI": "uint16"}) == []
    assert notices(pixel_size_um=0.5049, frame_interval_min=10.05) == []


@given(factor=st.floats(1 / 64, 64))
def test_another_scale_of_grey_levels_is_said(factor: float) -> None:
    assume(abs(abs(np.log(factor)) - np.log(3)) > 0.01)  # rounding decides at the limit
    scaled = {"GFP": {"typical": 100 * factor, "bright": 2000 * factor}}
    told = notices(grey_levels=ONE.model_dump()["grey_levels"] | scaled)
    assert len(told) == (not 1 / 3 <= factor <= 3)
    assert all(text.startswith("The grey levels of channel GFP differ between fields of view: ") for text in told)


def test_brighter_cells_alone_are_no_other_scale() -> None:
    assert notices(grey_levels=ONE.model_dump()["grey_levels"] | {"GFP": {"typical": 100, "bright": 10000}}) == []
    assert len(notices(grey_levels=ONE.model_dump()["grey_levels"] | {"GFP": {"typical": 100, "bright": 40000}})) == 1


def test_a_contrast_that_was_stretched_is_said() -> None:
    assert len(notices(grey_levels=ONE.model_dump()["grey_levels"] | {"GFP": {"typical": 30, "bright": 8000}})) == 1


def test_a_channel_without_any_contrast_is_not_compared() -> None:
    assert notices(grey_levels=ONE.model_dump()["grey_levels"] | {"GFP": {"typical": 0, "bright": 0}}) == []


def test_bright_pixels_decide_where_the_background_is_zero() -> None:
    dark, light = (changed(grey_levels={"GFP": {"typical": 0, "bright": bright}}) for bright in (200, 3200))
    assert len(compare_fields({"a/1": dark, "b/1": light}, [])["notices"]) == 1


def test_intervals_and_pixel_sizes_that_differ_are_said() -> None:
    (told,) = notices(pixel_size_um=0.65)
    assert told.startswith("The pixel size differs between fields of view: 0.5 µm in a/1, 0.65 µm in b/2.")
    (told,) = notices(frame_interval_min=5)
    assert told.startswith("The frame interval differs between fields of view: 5 min in b/2, 10 min in a/1.")
    (told,) = notices(frame_interval_min=None)
    assert told.startswith("The frame interval is unknown in b/2, and 10 min in a/1:")


@pytest.mark.parametrize(
    ("values", "pixels", "complaint"),
    [
        (
            {"channels": {"DAPI": "uint16", "BF": "uint16"}},
            [],
            r"fields a/1 and b/1: the channels differ \(DAPI, GFP against DAPI, BF\); set channels.names to those that "
            r"all fields have \(\[DAPI\]\), or put",
        ),
        (
            {"channels": {"C0": "uint16"}},
            [],
            r"fields a/1 and b/1: the channels differ \(DAPI, GFP against C0\); put fields with other channels into",
        ),
        (
            {"channels": {"DAPI": "uint16", "GFP": "uint8"}},
            [],
            "channel GFP: the pixels are uint16 in field a/1 and uint8 in field b/1, so grey levels do not mean",
        ),
        (
            {"pixel_size_um": 0.51},
            ["track.search_range_px"],
            "fields a/1 and b/1: a pixel is 0.5 µm and 0.51 µm, but track.search_range_px is in pixels and would mean",
        ),
        (
            {"pixel_size_um": None},
            [],
            "field b/1: the pixel size is unknown, but it is 0.5 µm in field a/1, so lengths",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(values: dict, pixels: list[str], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        compare_fields({"a/1": ONE, "b/1": changed(**values)}, pixels)


def test_lengths_in_pixels_are_the_settings_that_a_user_made() -> None:
    assert lengths_in_pixels(load({})) == []
    config = load({"track": {"search_range_px": 12}, "embed": {"image_px": 64}, "simulate": {"size_px": 200}})
    assert lengths_in_pixels(config) == ["track.search_range_px"]


def prepared(folder: Path, name: str, movie: np.ndarray, names: list[str], **settings: object) -> Path:
    """Write a movie of axes TCYX with named channels, prepare it, and return the report."""
    path = folder / f"{name}.ome.tif"
    metadata = {"axes": "TCYX", "Channel": {"Name": names}, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(path, movie, photometric="minisblack", metadata=metadata)
    outputs = {"movie": folder / f"{name}_out.ome.tif", "report": folder / f"{name}.json"}
    prepare_movie.main(images=[path], **outputs, settings=prepare_movie.Settings(**settings))
    return outputs["report"]


def compared(folder: Path, *reports: Path) -> dict:
    step.main(recorded=list(reports), report=folder / "c.json", settings=step.Settings())
    return json.loads((folder / "c.json").read_text())


def test_movies_of_another_bit_depth_are_refused_or_said(tmp_path: Path) -> None:
    movie = np.random.default_rng(1).integers(1600, 4000, (3, 2, 40, 50)).astype(np.uint16)
    one = prepared(tmp_path, "one", movie, ["DAPI", "GFP"])
    assert compared(tmp_path, one, prepared(tmp_path, "same", movie, ["DAPI", "GFP"]))["notices"] == []
    said = compared(tmp_path, one, prepared(tmp_path, "twelve", movie // 16, ["DAPI", "GFP"]))["notices"]
    assert [text["text"].partition(" differ ")[0] for text in said] == [
        "The grey levels of channel DAPI",
        "The grey levels of channel GFP",
    ]
    eight = prepared(tmp_path, "eight", (movie // 16).astype(np.uint8), ["DAPI", "GFP"])
    with pytest.raises(UserError, match="channel DAPI: the pixels are uint16 in field one and uint8 in field eight"):
        compared(tmp_path, one, eight)


def test_the_advice_on_channels_that_differ_works(tmp_path: Path) -> None:
    movie = np.random.default_rng(1).integers(100, 4000, (3, 2, 40, 50)).astype(np.uint16)
    channels = {"one": ["DAPI", "GFP"], "other": ["BF", "DAPI"]}
    reports = [prepared(tmp_path, name, movie, names) for name, names in channels.items()]
    with pytest.raises(UserError, match=r"set channels.names to those that all fields have \(\[DAPI\]\)"):
        compared(tmp_path, *reports)
    reports = [
        prepared(tmp_path, name, movie, names, channels=Channels(names=["DAPI"])) for name, names in channels.items()
    ]
    assert compared(tmp_path, *reports)["numbers"]["fields_compared"] == 2


def test_masks_alone_are_compared_by_their_scales_and_the_advice_works(tmp_path: Path) -> None:
    def imported(name: str, size: float | None, inputs: Inputs) -> Path:
        masks = np.zeros((2, 20, 20), np.uint8)
        masks[:, 4:9, 4:9], masks[:, 12:16, 4:9] = 1, 2
        metadata = {"axes": "TYX"} | ({} if size is None else {"PhysicalSizeX": size, "PhysicalSizeY": size})
        tifffile.imwrite(tmp_path / f"{name}.ome.tif", masks, metadata=metadata)
        outputs = {"labels": tmp_path / f"{name}_out.ome.tif", "report": tmp_path / f"{name}.json"}
        settings = import_masks.Settings(inputs=inputs)
        import_masks.main(masks=[tmp_path / f"{name}.ome.tif"], **outputs, settings=settings)
        return outputs["report"]

    with pytest.raises(UserError, match=r"field y: the pixel size is unknown, .*set inputs.pixel_size_um"):
        compared(tmp_path, imported("x", 0.5, Inputs()), imported("y", None, Inputs()))
    stated = Inputs(pixel_size_um=0.5)
    assert compared(tmp_path, imported("x", 0.5, stated), imported("y", None, stated))["notices"] == []


def test_a_report_that_is_not_readable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UserError, match=r"a\.json: not a readable report on a field .*; delete it and run"):
        compared(tmp_path, tmp_path / "a.json", tmp_path / "a.json")


def test_a_report_of_a_rule_of_ones_own_need_not_state_what_was_recorded(tmp_path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"lines": []}')
    assert read_recorded(path) is None
    told = compare_fields({"a/1": ONE, "b/1": None, "c/1": ONE}, [])
    assert told["numbers"] == {"fields_compared": 2, "recordings_differ": 1}
    assert told["notices"][0]["text"].startswith("1 field of view (b/1) could not be compared with the others")
    assert compare_fields({"a/1": None}, [])["numbers"]["fields_compared"] == 0
    path.write_text("[1]")
    with pytest.raises(UserError, match=r"a\.json: not a readable report"):
        read_recorded(path)
