"""The benchmark of spoilt inputs: every format is read whole, spoilt inputs are seeded, and outcomes are told apart."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from bench_inputs import OUTCOMES, Spoilt, all_spoilt, read_all, table
from inputs.formats import FORMATS, Format
from inputs.mutations import KINDS, spoil

from cineseq.errors import UserError


def test_there_are_28_formats_and_every_kind_of_each() -> None:
    assert len({f.name for f in FORMATS}) == len(FORMATS) == 28
    drawn = all_spoilt(1_000, [f.name for f in FORMATS])
    assert {(s.format.name, s.kind) for s in drawn} == {(f.name, k) for f in FORMATS for k in KINDS}


def _files(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}


@pytest.mark.parametrize("name", ["ome_tiff", "tiled_tiff", "zarr_zip"])
def test_what_is_written_is_the_same_each_time(tmp_path: Path, name: str) -> None:
    (made,) = [f for f in FORMATS if f.name == name]
    written = []
    for again in ("a", "b"):
        (tmp_path / again).mkdir()
        written.append(_files(made.write(tmp_path / again)))
    assert written[0] == written[1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(40))
def test_what_is_spoilt_is_changed(tmp_path: Path, kind: str, seed: int) -> None:
    (tmp_path / "x").write_bytes(b"size 9, 99 and aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0\xff\xff\xff\xff")
    whole = (tmp_path / "x").read_bytes()
    spoil(tmp_path / "x", kind, np.random.default_rng(seed))
    assert (tmp_path / "x").read_bytes() != whole


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_spoilt_depends_on_the_seed_only(tmp_path: Path, kind: str) -> None:
    whole = FORMATS[0].write(tmp_path).read_bytes()
    made = []
    for seed in (1, 1, 2):
        (tmp_path / "x").write_bytes(whole)
        spoil(tmp_path / "x", kind, np.random.default_rng(seed))
        made.append((tmp_path / "x").read_bytes())
    assert made[0] == made[1] != made[2]
    assert whole not in made


def _write(folder: Path) -> Path:
    (folder / "x.txt").write_text("0123456789" * 9)
    return folder / "x.txt"


def _same(path: Path) -> dict[str, bytes]:
    return {"name": path.name.encode()}


def _changed(path: Path) -> dict[str, bytes]:
    return {"text": path.read_bytes()}


def _refused(path: Path) -> dict[str, bytes]:
    if path.read_bytes() != _write(path.parent).read_bytes():
        msg = f"{path}: spoilt; copy it again."
        raise UserError(msg)
    return {}


def _broken(path: Path) -> dict[str, bytes]:
    return {} if path.read_bytes() == _write(path.parent).read_bytes() else {"": b""[path.stat().st_size :][0]}


def _crash(path: Path) -> dict[str, bytes]:
    import ctypes  # noqa: PLC0415

    return {} if path.read_bytes() == _write(path.parent).read_bytes() else {"": ctypes.string_at(0)}


def test_outcomes_are_told_apart(tmp_path: Path) -> None:
    readers = {"same": _same, "changed": _changed, "refused": _refused, "traceback": _broken, "crash": _crash}
    works = [Spoilt(5, Format(name, _write, read), "bits flipped") for name, read in readers.items()]
    results = list(read_all(works, 2, tmp_path))
    assert {r.spoilt.format.name: r.outcome for r in results} == {name: name for name in readers}
    assert set(readers) | {"hang"} == set(OUTCOMES)
    assert len(table(results, {})) == 2
    shutil.rmtree(tmp_path)
