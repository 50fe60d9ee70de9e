"""The lock of a killed run is cleared; that of a living one stays."""

import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from unlock_if_stale import holders, main

from cineseq.workflow.run_state import STARTED_ON, note_machine

SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """Return a folder with a workflow and the lock of a run of this machine that was killed."""
    (tmp_path / "Snakefile").write_text("rule all:\n    output: 'a.txt'\n    shell: 'touch {output}'\n")
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text(f"{tmp_path / 'a.txt'}\n")
    note_machine(tmp_path)
    return tmp_path


def locks(folder: Path) -> list[str]:
    """Return the names of the locks in a folder."""
    return sorted(p.name for p in (folder / ".snakemake" / "locks").glob("*"))


@pytest.fixture
def start() -> Iterator:
    """Return a function that starts a sleeping process with a word on its command line, and end it afterwards."""
    started: list[subprocess.Popen] = []

    def begin(folder: Path, word: str) -> subprocess.Popen:
        process = subprocess.Popen([sys.executable, "-c", SLEEP, word], cwd=folder)
        started.append(process)
        time.sleep(0.1)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


def test_a_stale_lock_is_cleared(locked: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert main(locked)
    assert locks(locked) == []
    assert caplog.messages == ["Clearing the lock of a run that was killed."]


def test_the_lock_of_a_living_run_stays(locked: Path, start, caplog: pytest.LogCaptureFixture) -> None:
    process = start(locked, "snakemake")
    assert holders(locked) == [process.pid]
    assert not main(locked)
    assert locks(locked) == ["0.output.lock"]
    assert caplog.messages == [f"Snakemake is at work here (process {process.pid}): start again when that has ended."]


def test_the_lock_of_another_machine_stays(locked: Path, caplog: pytest.LogCaptureFixture) -> None:
    (locked / STARTED_ON).write_text("00000000 node7\n")
    main(locked)
    assert locks(locked) == ["0.output.lock"]
    assert "may be of a run on node7, whose processes cannot be seen" in caplog.messages[0]


def test_a_lock_of_nobody_knows_which_machine_stays(locked: Path, caplog: pytest.LogCaptureFixture) -> None:
    (locked / STARTED_ON).unlink()
    main(locked)
    assert locks(locked) == ["0.output.lock"]
    assert "may be of a run on an unknown machine" in caplog.messages[0]


def test_a_living_run_is_found_through_a_link(locked: Path, start, tmp_path_factory: pytest.TempPathFactory) -> None:
    process = start(locked, ".snakemake/scripts/tmp1.py")
    link = tmp_path_factory.mktemp("links") / "here"
    link.symlink_to(locked)
    assert holders(link) == [process.pid]


def test_others_do_not_hold_the_lock(locked: Path, start, tmp_path_factory: pytest.TempPathFactory) -> None:
    start(locked, "editor")
    start(tmp_path_factory.mktemp("elsewhere"), "snakemake")
    ended = start(locked, "snakemake")
    ended.kill()
    ended.wait()
    assert holders(locked) == []


@pytest.mark.parametrize("made", ["", ".snakemake", ".snakemake/locks"])
def test_without_a_lock_nothing_happens(made: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    (tmp_path / made).mkdir(parents=True, exist_ok=True)
    main(tmp_path)
    assert caplog.messages == []
