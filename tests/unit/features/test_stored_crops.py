"""Crops that outlive the movie: of which cells and channels they are, and that they are read as they were written."""

from pathlib import Path

import draw_field
import numpy as np
import pandas as pd
import pytest
from tests.unit.features.feature_fields import Field

from cineseq.config.features import Embed, Features
from cineseq.config.imaging import Channels
from cineseq.errors import UserError
from cineseq.features.stored_crops import StoredCrops, cut_endpoint, no_crops, read_crops
from cineseq.io.stacks import open_labels, open_movie
from cineseq.tables.contract import empty, read_table, write_table
from cineseq.tables.imaging import DETECTIONS, EVENTS, TRACKS


def cut(paths: dict[str, Path], *channels: str) -> StoredCrops:
    cells = read_table(paths["detections"], DETECTIONS), read_table(paths["tracks"], TRACKS)
    with open_labels(paths["labels"]) as labels, open_movie(paths["movie"]) as movie:
        return cut_endpoint((labels, movie), channels, cells, Features(), Embed(crop_px=24))


def of(names: list[str], side: int = 4, channels: tuple[str, ...] = ("nuclear",)) -> StoredCrops:
    images = np.arange(len(names) * len(channels) * side**2, dtype=np.uint8)
    images = images.reshape(len(names), len(channels), side, side)
    return StoredCrops(np.array(names), channels, images, images[:, 0] % 2 == 1)


def test_crops_are_of_the_cells_at_the_end_and_hold_nothing_of_others(tmp_path: Path) -> None:
    levels = {"nuclear": np.array([[0, 0, 0], [0, 0, 0], [100, 50, 100]], float)}
    kinds = ("end_of_movie", "end_of_movie", "lost")
    found = cut(Field(tmp_path, end_kinds=kinds, values=levels, noise=0).write(), "nuclear")
    assert found.track_id.tolist() == ["s/1/1", "s/1/2"]
    assert found.images.shape == (2, 1, 24, 24)
    assert found.masks.sum(axis=(1, 2)).tolist() == [253, 253]
    bright = [int(image[0][mask].mean()) for image, mask in zip(found.images, found.masks, strict=True)]
    assert bright[0] == 255, "the last frame, in which it is bright"
    assert bright[1] == pytest.approx(127, abs=2)
    assert (found.images[:, 0][~found.masks] == 0).all()


def test_without_a_channel_or_a_cell_there_are_no_crops(tmp_path: Path) -> None:
    assert len(cut(Field(tmp_path).write()).track_id) == 0
    (tmp_path / "lost").mkdir()
    assert len(cut(Field(tmp_path / "lost", end_kinds=("lost",) * 3).write(), "nuclear").track_id) == 0


@pytest.mark.parametrize(("allowed", "seen"), [([], ("nuclear",)), (["pictures"], ("nuclear", "lipid"))])
def test_the_function_channel_is_in_no_crop_unless_it_is_allowed(
    allowed: list, seen: tuple[str, ...], tmp_path: Path
) -> None:
    paths = Field(tmp_path).write()
    write_table(empty(EVENTS), tmp_path / "events.parquet", EVENTS)
    made = {name: tmp_path / name for name in ("picture", "quality", "uncertain", "strips", "page", "cell_strips")}
    made |= {"picture": tmp_path / "overview.png", "crops": tmp_path / "crops.npz"}
    settings = draw_field.Settings(channels=Channels(function=["lipid"], allow_function_in=allowed))
    draw_field.main(**paths, events=tmp_path / "events.parquet", **made, settings=settings)
    found = read_crops([made["crops"]], pd.Index(["s/1/2"]))
    assert found.channels == seen
    assert found.track_id.tolist() == ["s/1/2"]


def test_crops_are_read_as_written_and_those_of_a_smaller_side_are_padded(tmp_path: Path) -> None:
    first, second = of(["a", "b"]), of(["c"], side=8)
    for name, crops in (("1.npz", first), ("2.npz", second), ("3.npz", no_crops())):
        crops.write(tmp_path / name)
    found = read_crops([tmp_path / f"{n}.npz" for n in (1, 2, 3)], pd.Index(["b", "c", "z"]))
    assert found.track_id.tolist() == ["b", "c"]
    np.testing.assert_array_equal(found.images[0, 0, 2:6, 2:6], first.images[1, 0])
    assert (found.images[0, 0, 0, 2:6] == first.images[1, 0, 0]).all(), "the border goes on"
    np.testing.assert_array_equal(found.masks[1], second.masks[0])
    assert found.masks[0].sum() == first.masks[1].sum()
    assert read_crops([tmp_path / "1.npz"], pd.Index(["z"])).track_id.size == 0


def test_crops_of_other_channels_and_other_files_are_refused(tmp_path: Path) -> None:
    of(["a"]).write(tmp_path / "1.npz")
    of(["b"], channels=("phase",)).write(tmp_path / "2.npz")
    with pytest.raises(UserError, match=r"2\.npz: crops of channels phase, but other fields have nuclear"):
        read_crops([tmp_path / "1.npz", tmp_path / "2.npz"], pd.Index(["a", "b"]))
    (tmp_path / "3.npz").write_bytes(b"PK no archive")
    with pytest.raises(UserError, match=r"3\.npz: not crops of cells"):
        read_crops([tmp_path / "3.npz"], pd.Index(["a"]))
