"""A chunk of a Zarr array that is not stored: background in masks; in images refused, left out or filled."""

import itertools
import zipfile
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cineseq.errors import UserError
from cineseq.io.readers import ReadOptions, Source, open_source

FRAMES, CHANNELS, HEIGHT, WIDTH = 3, 2, 20, 30
MOVIE = np.random.default_rng(3).integers(100, 900, (FRAMES, CHANNELS, HEIGHT, WIDTH)).astype(np.uint16)
PARTS = list(itertools.product(range(FRAMES), range(CHANNELS), range(2), range(2)))
"""Frame, channel, row and column of each chunk of 10 x 16 pixels."""


def written(path: Path, values: np.ndarray, version: int, *, sharded: bool = False, fill: int = 0) -> Path:
    """Write an OME-Zarr without its empty chunks, as the zarr library does."""
    group = zarr.open_group(path, mode="w", zarr_format=version)
    names = "tcyx" if values.ndim == 4 else "tyx"
    chunks = (*(1,) * (values.ndim - 2), 10, 16)
    shards = {"shards": (*(1,) * (values.ndim - 2), 20, 32)} if sharded else {}
    array = group.create_array("0", shape=values.shape, dtype=values.dtype, chunks=chunks, fill_value=fill, **shards)
    array[...] = values
    types = {"t": "time", "c": "channel"}
    axes = [{"name": n, "type": types.get(n, "space")} for n in names]
    image = {"multiscales": [{"version": "0.4", "axes": axes, "datasets": [{"path": "0"}]}]}
    group.attrs.update(image if version == 2 else {"ome": image | {"version": "0.5"}})
    return path


def zipped(path: Path) -> Path:
    target = path.with_name(f"{path.name}.zip")
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            archive.write(file, file.relative_to(path).as_posix())
    return target


def without(parts: list[tuple[int, ...]]) -> np.ndarray:
    """Return the movie with empty parts."""
    found = MOVIE.copy()
    for t, c, y, x in parts:
        found[t, c, 10 * y : 10 * y + 10, 16 * x : 16 * x + 16] = 0
    return found


def planes(source: Source) -> np.ndarray:
    return np.array([[source.plane(t, c) for c in range(source.info.channels)] for t in range(source.info.frames)])


LAYOUTS = [(2, False, False), (3, False, False), (3, True, False), (2, False, True), (3, True, True)]


@pytest.mark.parametrize(("version", "sharded", "as_zip"), LAYOUTS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lost=st.sets(st.sampled_from(PARTS), max_size=5))
def test_any_chunks_that_are_not_stored(tmp_path, version, sharded, as_zip, lost):
    path = written(tmp_path / "a.zarr", without(list(lost)), version, sharded=sharded)
    path = zipped(path) if as_zip else path
    whole_planes = {(t, c) for t, c, _, _ in lost if all((t, c, y, x) in lost for y in (0, 1) for x in (0, 1))}
    if whole_planes:
        for setting in ("refuse", "mask", "fill"):
            with (
                pytest.raises(UserError, match=r"a\.zarr.*: (none|\d) of the .*chunks"),
                open_source([path], options=ReadOptions(missing_chunks=setting)),
            ):
                pass
        return
    with open_source([path], options=ReadOptions(missing_chunks="fill")) as source:
        np.testing.assert_array_equal(planes(source), without(list(lost)))
        assert len(source.info.notices) == bool(lost)
        assert source.missing == ()
    with open_source([path], options=ReadOptions(missing_chunks="mask")) as source:
        frames = sorted({t for t, *_ in lost})
        assert list(source.missing) == frames
        assert not planes(source)[frames].any()
        kept = [t for t in range(FRAMES) if t not in frames]
        np.testing.assert_array_equal(planes(source)[kept], MOVIE[kept])
    if lost:
        with pytest.raises(UserError, match=r"of the 4 chunks of frame"), open_source([path]):
            pass
    else:
        with open_source([path]) as source:
            np.testing.assert_array_equal(planes(source), MOVIE)


@pytest.mark.parametrize(("version", "sharded"), [(2, False), (3, False), (3, True)])
@pytest.mark.parametrize("fill", [0, 7])
def test_in_masks_they_are_background(tmp_path, version, sharded, fill):
    labels = np.full((2, 20, 30), fill, np.uint16)
    labels[0, :10, :16] = 5
    path = written(tmp_path / "a.zarr", labels, version, sharded=sharded, fill=fill)
    with open_source([path], options=ReadOptions(masks=True)) as source:
        found = planes(source)[:, 0]
        # A label that fills a chunk is left out of the file, too, if the array states it as the value of such chunks.
        assert [n.split(": ")[1].split(" of ")[0] for n in source.info.notices] == (["7 chunks"] if fill else [])
    assert found[0, :10, :16].min() == 5
    assert found.sum() == 5 * 160
    assert not found[1].any()


def test_the_advice_on_empty_planes_works(tmp_path):
    dark = MOVIE.copy()
    dark[1, 1] = 0
    path = written(tmp_path / "a.zarr", dark, 3)
    with (
        pytest.raises(UserError, match=r"frame 1, channel 1 is stored: .*write_empty_chunks': True"),
        open_source([path]),
    ):
        pass
    with zarr.config.set({"array.write_empty_chunks": True}):
        path = written(tmp_path / "b.zarr", dark, 3)
    with open_source([path]) as source:
        np.testing.assert_array_equal(planes(source), dark)


@pytest.mark.parametrize("frames", [500_000, 10**9])
def test_more_frames_than_the_files_can_hold_are_refused_at_once(tmp_path, frames):
    path = written(tmp_path / "a.zarr", MOVIE, 2)
    zarr.open_group(path)["0"].resize((frames, CHANNELS, HEIGHT, WIDTH))
    with pytest.raises(UserError, match=rf"a\.zarr: it states {frames} frames"), open_source([path]):
        pass
