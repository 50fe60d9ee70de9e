"""Files are replaced whole or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cineseq.files import process_space, replacing, sha256, write_json, write_text


class InterruptionError(Exception):
    """Stands for whatever ends a writer early."""


def test_a_file_is_replaced_and_nothing_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.ome.tif"
    for text in ("old", "new"):
        with replacing(path) as temporary:
            assert temporary.name.endswith("-a.ome.tif")
            assert temporary.parent == path.parent
            assert str(os.getpid()) in temporary.name
            temporary.write_text(text)
    assert path.read_text() == "new"
    assert [p.name for p in path.parent.iterdir()] == ["a.ome.tif"]


@given(old=st.one_of(st.none(), st.binary()), parts=st.lists(st.binary(), max_size=5), stop=st.integers(0, 5))
def test_no_half_written_file(
    old: bytes | None, parts: list[bytes], stop: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("files") / "a.bin"
    if old is not None:
        path.write_bytes(old)
    try:
        with replacing(path) as temporary, temporary.open("wb") as stream:
            for number, part in enumerate(parts):
                if number == stop:
                    raise InterruptionError
                stream.write(part)
                stream.flush()
                assert (path.read_bytes() if path.exists() else None) == old
    except InterruptionError:
        assert stop < len(parts)
        assert (path.read_bytes() if path.exists() else None) == old
    else:
        assert path.read_bytes() == b"".join(parts)
    assert set(path.parent.iterdir()) <= {path}


def test_an_interrupted_folder_stays_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "ctc"
    folder.mkdir()
    (folder / "old.txt").write_text("old")

    def write_half() -> None:
        with replacing(folder) as temporary:
            temporary.mkdir()
            (temporary / "new.txt").write_text("new")
            raise InterruptionError

    with pytest.raises(InterruptionError):
        write_half()
    assert [p.name for p in folder.iterdir()] == ["old.txt"]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "ctc"
    for name in ("old.txt", "new.txt"):
        with replacing(folder) as temporary:
            temporary.mkdir()
            (temporary / name).touch()
    assert [p.name for p in folder.iterdir()] == ["new.txt"]


def test_a_writer_that_writes_nothing_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("old")
    for path in (tmp_path / "folder", tmp_path / "file"):
        with pytest.raises(FileNotFoundError), replacing(path):
            pass
    assert (tmp_path / "folder").is_dir()
    assert (tmp_path / "file").read_text() == "old"


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with replacing(path) as first:
        first.write_text("first")
        with replacing(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"


def dead_process() -> int:
    """Return the id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_killed_writer_left_is_swept(tmp_path: Path) -> None:
    orphan = tmp_path / f".{process_space()}-{dead_process()}-0123abcd-a.txt"
    folder = tmp_path / f".{process_space()}-{dead_process()}-0123abce-a.txt"
    orphan.touch()
    folder.mkdir()
    (folder / "half").touch()
    write_text("new", tmp_path / "a.txt")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_what_may_be_in_use_is_left(tmp_path: Path) -> None:
    dead = dead_process()
    kept = [
        f".{process_space()}-{os.getppid()}-0123abcd-a.txt",
        f".ffffffff-{dead}-0123abcd-a.txt",
        f".{process_space()}-{dead}-0123abcd-b-a.txt",
        f".{process_space()}-{dead}-0123abcd-a.txt.gz",
        f"{process_space()}-{dead}-0123abcd-a.txt",
    ]
    for name in kept:
        (tmp_path / name).touch()
    write_text("new", tmp_path / "a.txt")
    assert {p.name for p in tmp_path.iterdir()} == {"a.txt", *kept}


def test_json_is_sorted_and_finite(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json({"b": None, "a": [1, 0.5]}, path)
    assert path.read_text() == '{\n  "a": [\n    1,\n    0.5\n  ],\n  "b": null\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json({"a": float("nan")}, path)
    assert path.read_text().startswith('{\n  "a"')


def test_sha256_of_abc(tmp_path: Path) -> None:
    write_text("abc", tmp_path / "abc")
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
