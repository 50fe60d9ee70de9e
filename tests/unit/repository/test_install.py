"""``make install``: one sentence where it cannot work, and the package of this checkout where it can."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.environments import ROOT, Environment

MACHINES = ["Linux aarch64", "Darwin arm64", "Darwin x86_64"]


def write_program(path: Path, text: str) -> Path:
    """Write a shell program."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def python_of(version: str, folder: Path) -> Path:
    """Write a Python of another version, as far as asking for its version goes; whatever else it runs is noted."""
    answers = f'--version) echo "Python {version}";; -c) exit 1;; *) touch "{folder}/ran";;'
    return write_program(folder / "python3", f'case "$1" in {answers} esac')


def make(folder: Path, *arguments: str, programs: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run make in this checkout, with an environment that would be made in a folder of the test."""
    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    variables |= {"PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}
    others = [place for place in variables["PATH"].split(":") if not Path(place, "uv").exists()]
    variables["PATH"] = ":".join([*([str(programs)] if programs else []), *others])
    command = ["make", *arguments, f"VENV={folder / 'env'}"]
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Return what make said before its own last line, having failed."""
    assert done.returncode != 0
    assert done.stdout == ""
    *said, last = done.stderr.splitlines()
    assert last.startswith("make: ***")
    return "\n".join(said)


@pytest.mark.parametrize("machine", MACHINES)
def test_another_machine_is_refused_before_anything_is_made(machine: str, tmp_path: Path) -> None:
    write_program(tmp_path / "bin/uname", f'[ "$1" = -sm ] && echo "{machine}"')
    said = complaint(make(tmp_path, "install", programs=tmp_path / "bin"))
    assert said == f"The locked environment is for x86-64 Linux and this is {machine}: install on such a machine."
    assert not (tmp_path / "env").exists()


def test_an_older_python_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    python = python_of("3.10.14", tmp_path)
    assert complaint(make(tmp_path, "install", f"PYTHON={python}")) == (
        f"Python 3.11 or newer is needed and {python} is Python 3.10.14: name another one, as in "
        "`make install PYTHON=python3.12`."
    )
    assert not (tmp_path / "env").exists()
    assert not (tmp_path / "ran").exists()


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert complaint(make(tmp_path, "test", "PYTHON=python3.99")) == (
        "Python 3.11 or newer is needed and python3.99 is not there: name another one, as in "
        "`make test PYTHON=python3.12`."
    )


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_the_package_of_this_checkout_is_installed_into_a_complete_environment(installer: str, tmp_path: Path) -> None:
    environment = Environment.made(tmp_path / "env")
    (environment.folder / ".complete").touch()
    found = shutil.which("uv")
    if installer == "uv" and found is None:
        pytest.skip("uv is not installed here")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("uv",) if installer == "uv" else ():
        (programs / name).symlink_to(found)
    done = make(tmp_path, "install", programs=programs)
    assert done.returncode == 0, done.stdout + done.stderr
    printed = environment.python("-c", "import cineseq; print(cineseq.__file__)")
    assert printed == str(ROOT / "src/cineseq/__init__.py")
    assert not (environment.packages / "cineseq").exists()
    again = make(tmp_path, "install", programs=programs)
    assert "Nothing to be done" in again.stdout
