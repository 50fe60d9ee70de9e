"""HDF5 files of others are read in a process of their own first: whole, plausible, and of one file."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cineseq.errors import UserError
from cineseq.io import hdf5, hdf5_walk
from cineseq.io.hdf5 import check_hdf5


def counts(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("matrix/data", data=np.arange(999), chunks=(100,), compression="gzip")
        file.create_dataset("names", data=["a", "b"], dtype=h5py.string_dtype())
        file["same"] = file["matrix"]
        file["matrix/loop"] = file["matrix"]
        file["soft"] = h5py.SoftLink("/names")
        file.attrs["encoding"] = "x"
    return path


def test_a_whole_file_passes_with_its_inner_links(tmp_path: Path) -> None:
    check_hdf5(counts(tmp_path / "a.h5"))


def test_data_sets_without_a_value_pass(tmp_path: Path) -> None:
    """A sparse matrix of zeros has empty data sets, in chunks."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("X/data", data=np.zeros(0), maxshape=(None,), chunks=(8,))
        file.create_dataset("wide", data=np.zeros((3, 0)))
        file.create_dataset("nothing", data=h5py.Empty("f4"))
    check_hdf5(tmp_path / "a.h5")


@pytest.mark.parametrize("file", ["whole", "linked"])
def test_systems_without_limits_of_processes_read_files_too(tmp_path: Path, file: str) -> None:
    path = counts(tmp_path / "a.h5")
    if file == "linked":
        with h5py.File(path, "a") as opened:
            external_link(opened, path)
    without = "import runpy, sys; sys.modules['resource'] = None; runpy.run_path(sys.argv[1], run_name='__main__')"
    walk = f"import sys; sys.argv[1:] = sys.argv[2:]\n{without.replace('sys.argv[1]', repr(hdf5_walk.__file__))}"
    ended = subprocess.run(
        [sys.executable, "-c", walk, "-", str(path), "20", str(1 << 32)], capture_output=True, text=True, check=True
    )
    assert ("is a link to another file" in ended.stdout) == (file == "linked")


def external_link(file: h5py.File, secret: Path) -> None:
    file["X"] = h5py.ExternalLink(str(secret), "names")


def external_storage(file: h5py.File, secret: Path) -> None:
    file.create_dataset("X", (8,), "u1", external=[(str(secret), 0, 8)])


def virtual(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout((999,), "i8")
    layout[:] = h5py.VirtualSource(str(secret), "matrix/data", (999,))
    file.create_virtual_dataset("X", layout)


@pytest.mark.parametrize(
    ("drawn", "why"),
    [
        (external_link, "is a link to another file"),
        (external_storage, "is stored in another file"),
        (virtual, "takes its values from other files"),
    ],
)
def test_what_lies_in_another_file_is_not_read(drawn, why, tmp_path: Path) -> None:
    secret = counts(tmp_path / "secret.h5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        drawn(file, secret)
    with pytest.raises(UserError, match=rf"a\.h5: '.*X' {why}; write everything into one file\.$"):
        check_hdf5(tmp_path / "a.h5")


def test_a_size_that_the_file_cannot_hold_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("X", (10**12,), "f8", chunks=(1000,))
    with pytest.raises(UserError, match=r"'/X' states 8000000000000 bytes, which 0 bytes cannot hold"):
        check_hdf5(tmp_path / "a.h5")


def test_a_reader_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.h5")  # opening it waits for a writer
    monkeypatch.setattr(hdf5, "SECONDS", 1)
    monkeypatch.setattr(hdf5, "PATIENCE", 2)
    with pytest.raises(UserError, match=r"pipe\.h5: not a readable HDF5 file \(reading it does not end"):
        check_hdf5(tmp_path / "pipe.h5")


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(end=st.floats(0, 0.99))
def test_a_file_that_was_cut_off_is_one_sentence(tmp_path: Path, end: float) -> None:
    content = counts(tmp_path / "a.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(content[: int(end * len(content))])
    with pytest.raises(UserError, match=r"cut\.h5: unreadable \(.+\); copy it again from where it was made, or write"):
        check_hdf5(tmp_path / "cut.h5", "unreadable")
